/* v(0) that was found on samples: looked up, and checked. */
#include <math.h>

#include "runtime/ir/graph_validate.h"

const mst_tuned *mst_graph_tuned(const mst_graph *g, uint32_t node)
{
    uint32_t from = 0, to = g->tuning.timesteps != 0 ? g->tuning.n_layers : 0;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (g->tuning.layers[middle].node < node)
            from = middle + 1;
        else
            to = middle;
    }
    bool found = g->tuning.timesteps != 0 && from < g->tuning.n_layers && g->tuning.layers[from].node == node;
    return found ? &g->tuning.layers[from] : NULL;
}

static mst_status check_layer(const mst_graph *g, const mst_tuned *l, mst_err *err)
{
    if (l->node >= g->n_nodes || g->nodes[l->node].op != MST_OP_NEURON)
        return mst_fail(err, MST_EINVAL, "tuning: node %u is not a neuron", (unsigned)l->node);
    const mst_tensor *y = &g->tensors[g->nodes[l->node].out];
    size_t n = 1;
    for (uint32_t d = 0; d < y->rank; d++)
        n *= (l->axes >> d & 1) != 0 ? y->dims[d] : 1;
    if (l->axes >> y->rank != 0 || l->n != n)
        return mst_fail(err, MST_EINVAL, "tuning of '%s': axes outside the shape, or not one value a position",
                        g->nodes[l->node].name);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(l->first[i]))
            return mst_fail(err, MST_EINVAL, "tuning of '%s': a v(0) that is not finite", g->nodes[l->node].name);
    return MST_OK;
}

mst_status mst_check_tuning(const mst_graph *g, mst_err *err)
{
    const mst_tuning *t = &g->tuning;
    if (t->timesteps == 0)
        return MST_OK;
    if (t->timesteps > MST_MAX_TIMESTEPS || t->readout_from < 1 || t->readout_from > t->timesteps)
        return mst_fail(err, MST_EINVAL, "tuning: timesteps %u or readout from step %u out of range",
                        (unsigned)t->timesteps, (unsigned)t->readout_from);
    for (uint32_t i = 0; i < t->n_layers; i++) {
        if (i != 0 && t->layers[i].node <= t->layers[i - 1].node)
            return mst_fail(err, MST_EINVAL, "tuning: node %u after %u, expected ascending nodes",
                            (unsigned)t->layers[i].node, (unsigned)t->layers[i - 1].node);
        MST_TRY(check_layer(g, &t->layers[i], err));
    }
    return MST_OK;
}
