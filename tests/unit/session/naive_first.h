/* v(0) of a neuron, in units of theta, written from docs/EXECUTION.md. */
#ifndef MST_NAIVE_FIRST_H
#define MST_NAIVE_FIRST_H

#include "mst/graph.h"

static inline float naive_first(const mst_graph *g, uint32_t node, const uint32_t *pos)
{
    const mst_node *n = &g->nodes[node];
    const mst_tensor *y = &g->tensors[n->out];
    for (uint32_t i = 0; g->tuning.timesteps != 0 && i < g->tuning.n_layers; i++) {
        const mst_tuned *t = &g->tuning.layers[i];
        uint32_t at = 0;
        for (uint32_t d = 0; d < y->rank; d++)
            at = (t->axes >> d & 1) != 0 ? at * y->dims[d] + pos[d] : at;
        if (t->node == node)
            return t->first[at];
    }
    return n->fp[MST_NEURON_SHIFT];
}

#endif
