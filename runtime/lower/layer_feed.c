/* Which synapses feed which layer: from each NEURON back to the neurons before. */
#include "runtime/lower/lowering.h"

/* Nodes visited over all layers. Real networks stay far below; a graph built to
 * make this walk quadratic is refused. */
#define MAX_VISITS (1u << 26)

typedef struct walk {
    uint32_t *stack, *seen; /* seen[node] == stamp: visited */
    uint32_t stamp;
    uint64_t visits;
} walk;

/* Put the computed inputs of node on the stack; returns the new height. */
static size_t push_inputs(const lowering *lo, walk *w, uint32_t node, size_t height)
{
    const mst_node *n = &lo->g->nodes[node];
    for (uint32_t k = 0; k < n->n_in; k++) {
        uint32_t from = n->in[k] != MST_NONE ? lo->p->facts[n->in[k]].producer : MST_NONE;
        w->visits++;
        if (from == MST_NONE || w->seen[from] == w->stamp)
            continue;
        w->seen[from] = w->stamp;
        w->stack[height++] = from;
    }
    return height;
}

/* SYNAPSE nodes behind a NEURON node, written to feed where it is not NULL. */
static size_t walk_back(const lowering *lo, walk *w, uint32_t neuron, uint32_t *feed)
{
    size_t found = 0, height;
    w->stamp++;
    height = push_inputs(lo, w, neuron, 0);
    while (height != 0 && w->visits <= MAX_VISITS) {
        uint32_t node = w->stack[--height];
        const mst_node *n = &lo->g->nodes[node];
        if (mst_node_fires(n))
            continue;
        if ((mst_op_get(n->op)->flags & MST_F_SYNAPSE) != 0) {
            if (feed != NULL)
                feed[found] = node;
            found++;
        }
        height = push_inputs(lo, w, node, height);
    }
    return found;
}

mst_status low_feed_layers(lowering *lo)
{
    mst_program *p = lo->p;
    walk w = {.stack = mst_arena_array(lo->tmp, lo->g->n_nodes, sizeof *w.stack),
              .seen = mst_arena_array(lo->tmp, lo->g->n_nodes, sizeof *w.seen)};
    p->layer_feed_at = mst_arena_array(&p->arena, p->n_layers + 1, sizeof *p->layer_feed_at);
    if (w.stack == NULL || w.seen == NULL || p->layer_feed_at == NULL)
        return low_no_memory(lo);
    for (size_t k = 0; k < p->n_layers; k++)
        p->layer_feed_at[k + 1] = p->layer_feed_at[k] + walk_back(lo, &w, p->layers[k].node, NULL);
    if (w.visits > MAX_VISITS)
        return mst_fail(lo->err, MST_ELIMIT, "more than %u nodes lie between the graph's neurons", MAX_VISITS);
    p->layer_feed = mst_arena_array(&p->arena, p->layer_feed_at[p->n_layers], sizeof *p->layer_feed);
    if (p->layer_feed == NULL)
        return low_no_memory(lo);
    w.visits = 0;
    for (size_t k = 0; k < p->n_layers; k++) {
        size_t at = p->layer_feed_at[k], n = walk_back(lo, &w, p->layers[k].node, p->layer_feed + at);
        for (size_t i = 0; i < n; i++)
            p->layers[k].dense_in += p->nodes[p->layer_feed[at + i]].dense;
    }
    return MST_OK;
}
