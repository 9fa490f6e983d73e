/* What a user needs to know of a graph, value by value (end of mst/graph.h). */
#include <string.h>

#include "mst/graph.h"

uint32_t mst_graph_input_shape(const mst_graph *g, uint32_t dims[MST_MAX_RANK])
{
    const mst_tensor *x = &g->tensors[g->input];
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    return x->rank;
}

float mst_graph_mean(const mst_graph *g, uint32_t c)
{
    return c < g->meta.n_norm ? g->meta.mean[c] : 0.0f;
}

float mst_graph_std(const mst_graph *g, uint32_t c)
{
    return c < g->meta.n_norm ? g->meta.std[c] : 1.0f;
}

uint32_t mst_graph_frames(const mst_graph *g)
{
    const mst_prepare *p = &g->meta.prepare;
    return p->present == MST_PRESENT_STEPS && p->frames > 1 ? p->frames : 1;
}

size_t mst_graph_classes(const mst_graph *g)
{
    return mst_tensor_elements(&g->tensors[g->output]);
}

const char *mst_graph_class_name(const mst_graph *g, size_t i)
{
    return i < g->meta.n_classes ? g->meta.class_names[i] : NULL;
}

uint32_t mst_graph_timesteps(const mst_graph *g) { return g->meta.timesteps; }
uint64_t mst_graph_seed(const mst_graph *g) { return g->meta.seed; }
mst_run_rule mst_graph_run_rule(const mst_graph *g) { return g->meta.run; }
mst_thinning mst_graph_thinning(const mst_graph *g) { return g->meta.thinning; }
mst_trained_on mst_graph_trained_on(const mst_graph *g) { return g->meta.trained_on; }
uint32_t mst_graph_tuned_timesteps(const mst_graph *g) { return g->tuning.timesteps; }
uint32_t mst_graph_tuned_readout(const mst_graph *g) { return g->tuning.readout_from; }

int mst_node_levels(const mst_node *neuron)
{
    int top = neuron->ip[MST_NEURON_TOP];
    return top != 0 ? top : neuron->ip[MST_NEURON_LEVELS];
}
