/* Count and radix mode: whose output is the input of each neuron, and which masks thin what it fires. Knows nothing of
 * samples.
 */
#include <string.h>

#include "calibrate/calib.h"

uint32_t *mst_calib_nothing(mst_arena *arena, size_t n)
{
    uint32_t *list = mst_arena_array(arena, n != 0 ? n : 1, sizeof *list);
    if (list != NULL)
        memset(list, 0xff, n * sizeof *list);
    return list;
}

mst_status mst_calib_wires_read(calib_wires *w, mst_arena *tmp, mst_err *err)
{
    w->producer = mst_graph_producers(w->g, tmp);
    w->root = mst_arena_array(tmp, w->g->n_tensors, sizeof *w->root);
    if (w->producer == NULL || w->root == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u tensors", w->g->n_tensors);
    for (uint32_t i = 0; i < w->g->n_tensors; i++)
        w->root[i] = i;
    for (uint32_t i = 0; i < w->g->n_nodes; i++) { /* in execution order: what they read is known */
        const mst_node *n = &w->g->nodes[i];
        if (n->op == MST_OP_RESHAPE)
            w->root[n->out] = w->root[n->in[0]];
    }
    return MST_OK;
}

/* The pair whose spikes node i masks, nothing between them but RESHAPE. */
static uint32_t masked_by(const calib_wires *w, const uint32_t *pair_of, uint32_t i)
{
    const mst_node *n = &w->g->nodes[i];
    uint32_t from = n->op == MST_OP_MASK ? w->producer[w->root[n->in[0]]] : MST_NONE;
    return from != MST_NONE ? pair_of[from] : MST_NONE;
}

void mst_calib_find_masks(const calib_wires *w, const uint32_t *pair_of, uint32_t *mask_of, bool *masked)
{
    for (uint32_t i = 0; i < w->g->n_nodes; i++) {
        uint32_t k = masked_by(w, pair_of, i);
        mask_of[i] = k != MST_NONE && !masked[k] ? k : MST_NONE;
        if (k != MST_NONE)
            masked[k] = true;
    }
}

static void find_input(mst_calib *c, const calib_wires *w, uint32_t k)
{
    calib_pair *p = &c->pairs[k];
    const mst_node *n = &w->g->nodes[mst_program_layer(c->snn, p->snn_layer)->node];
    p->source = w->root[n->in[0]];
    uint32_t node = w->producer[p->source];
    if (node == MST_NONE) {
        c->given[c->n_given++] = k;
        return;
    }
    p->next = c->reader_of[node];
    c->reader_of[node] = k;
}

mst_status mst_calib_wire(mst_calib *c, mst_err *err)
{
    mst_arena tmp = {0};
    calib_wires ann = {.g = mst_program_graph(c->ann)}, snn = {.g = mst_program_graph(c->snn)};
    mst_status st = mst_calib_wires_read(&ann, &tmp, err);
    if (st == MST_OK)
        st = mst_calib_wires_read(&snn, &tmp, err);
    if (st == MST_OK) {
        mst_calib_find_masks(&ann, c->ann_of_node, c->ann_mask_of, c->ann_masked);
        mst_calib_find_masks(&snn, c->snn_of_node, c->snn_mask_of, c->snn_masked);
        for (uint32_t k = 0; k < c->n_layers; k++)
            find_input(c, &snn, k);
    }
    mst_arena_release(&tmp);
    return st;
}
