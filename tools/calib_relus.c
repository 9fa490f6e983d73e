/* See calib_relus.h. */
#include "tools/calib_relus.h"

#include <string.h>

static const mst_node *neuron_named(const mst_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON && strcmp(g->nodes[i].name, name) == 0)
            return &g->nodes[i];
    return NULL;
}

static const mst_tensor *theta_of(const mst_graph *g, const mst_node *neuron) { return &g->tensors[neuron->in[1]]; }

static mst_status give(mst_graph *ann, const mst_graph *snn, mst_arena *arena, size_t *n, mst_err *err)
{
    mst_relu *relus;
    size_t found;
    MST_TRY(mst_relus_find(ann, arena, &relus, &found, err));
    mst_threshold *t = mst_arena_array(arena, found + 1, sizeof *t);
    for (size_t k = 0; k < found && t != NULL; k++) {
        const mst_node *neuron = neuron_named(snn, relus[k].name);
        if (neuron != NULL)
            t[(*n)++] = (mst_threshold){.node = relus[k].node,
                                        .levels = neuron->ip[MST_NEURON_LEVELS],
                                        .theta = theta_of(snn, neuron)->data,
                                        .n = mst_tensor_elements(theta_of(snn, neuron))};
    }
    if (t == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu ReLUs", found);
    return *n != 0 ? mst_relus_convert(ann, t, *n, NULL, err) : MST_OK;
}

mst_status mst_relus_give(mst_graph *ann, const mst_graph *snn, size_t *n, mst_err *err)
{
    mst_arena arena = {0};
    *n = 0;
    mst_status st = give(ann, snn, &arena, n, err);
    mst_arena_release(&arena);
    return st;
}
