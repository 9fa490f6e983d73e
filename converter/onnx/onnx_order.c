/* Topological order of the decoded nodes. Exporters write them in order, and
 * then the order is kept; the format demands it, but merged files break it.
 */
#include <string.h>

#include "converter/onnx/onnx_import.h"

enum { NEW,
       OPEN,
       DONE };

typedef struct sorter {
    const ox_graph *g;
    uint32_t *maker;   /* [n_values] node that makes a value; OX_NONE: none */
    uint8_t *state;    /* [n_nodes] */
    uint32_t *stack;   /* [n_nodes] nodes that wait for an input */
    uint32_t *next_in; /* [n_nodes] first input not looked at */
    ox_node *sorted;   /* [n_nodes] */
    uint32_t n_sorted;
} sorter;

/* Put node first and all that it needs into sorted, needs first. Iterative:
 * a chain may be as long as the file is. False: a cycle through *bad. */
static bool visit(sorter *s, uint32_t first, uint32_t *bad)
{
    uint32_t depth = 0;
    s->stack[depth++] = first;
    s->state[first] = OPEN;
    while (depth != 0) {
        uint32_t k = s->stack[depth - 1];
        const ox_node *n = &s->g->nodes[k];
        if (s->next_in[k] == n->n_in) {
            s->state[k] = DONE;
            s->sorted[s->n_sorted++] = *n;
            depth--;
            continue;
        }
        uint32_t in = n->in[s->next_in[k]++];
        uint32_t need = in != OX_NONE ? s->maker[in] : OX_NONE;
        if (need == OX_NONE || s->state[need] == DONE)
            continue;
        *bad = need;
        if (s->state[need] == OPEN)
            return false;
        s->state[need] = OPEN;
        s->stack[depth++] = need;
    }
    return true;
}

static void note_makers(sorter *s)
{
    memset(s->maker, 0xff, s->g->n_values * sizeof *s->maker); /* OX_NONE */
    for (uint32_t k = 0; k < s->g->n_nodes; k++)
        for (uint32_t i = 0; i < s->g->nodes[k].n_out; i++)
            if (s->g->nodes[k].out[i] != OX_NONE)
                s->maker[s->g->nodes[k].out[i]] = k;
}

mst_status ox_sort_nodes(ox_graph *g, const mst_allocator *alloc, mst_err *err)
{
    size_t nv = g->n_values, nn = g->n_nodes;
    sorter s = {.g = g};
    s.maker = mst_alloc_array(alloc, nv, sizeof *s.maker);
    s.state = mst_alloc_array(alloc, nn, sizeof *s.state);
    s.stack = mst_alloc_array(alloc, nn, sizeof *s.stack);
    s.next_in = mst_alloc_array(alloc, nn, sizeof *s.next_in);
    s.sorted = mst_alloc_array(alloc, nn, sizeof *s.sorted);
    mst_status st = MST_OK;
    if (s.maker == NULL || s.state == NULL || s.stack == NULL || s.next_in == NULL || s.sorted == NULL) {
        st = mst_fail(err, MST_ENOMEM, "out of memory for sorting %zu nodes", nn);
        goto done;
    }
    note_makers(&s);
    for (uint32_t k = 0; k < nn && st == MST_OK; k++) {
        uint32_t bad = k;
        if (s.state[k] == NEW && !visit(&s, k, &bad))
            st = mst_fail(err, MST_ECORRUPT, "node '%s' (%s) needs its own output: the graph has a cycle",
                          g->nodes[bad].name, g->nodes[bad].op);
    }
    if (st == MST_OK && nn != 0)
        memcpy(g->nodes, s.sorted, nn * sizeof *s.sorted);
done:
    mst_free_array(alloc, s.maker, nv, sizeof *s.maker);
    mst_free_array(alloc, s.state, nn, sizeof *s.state);
    mst_free_array(alloc, s.stack, nn, sizeof *s.stack);
    mst_free_array(alloc, s.next_in, nn, sizeof *s.next_in);
    mst_free_array(alloc, s.sorted, nn, sizeof *s.sorted);
    return st;
}
