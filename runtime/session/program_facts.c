/* What a user needs to know of a program and a session, value by value (mst/facts.h). Asks the public API only:
 * knows neither's insides.
 */
#include <string.h>

#include "mst/facts.h"

const char *mst_program_layer_name(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->name : NULL;
}

uint32_t mst_program_layer_node(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->node : MST_NONE;
}

const char *mst_program_layer_site(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? mst_site_name((int)l->site) : NULL;
}

int mst_program_layer_stage(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->stage : -1;
}

int mst_program_layer_block(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->block : -1;
}

uint64_t mst_program_layer_neurons(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->neurons : 0;
}

/* The node of layer k, NULL for none. */
static const mst_node *node_of(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? &mst_program_graph(p)->nodes[l->node] : NULL;
}

uint32_t mst_program_layer_shape(const mst_program *p, size_t k, uint32_t dims[MST_MAX_RANK])
{
    const mst_node *n = node_of(p, k);
    if (n == NULL)
        return 0;
    const mst_tensor *y = &mst_program_graph(p)->tensors[n->out];
    memcpy(dims, y->dims, y->rank * sizeof *dims);
    return y->rank;
}

int mst_program_layer_levels(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->levels : 0;
}

/* The constant of layer k's thresholds, NULL for no layer. */
static const mst_tensor *thetas_of(const mst_program *p, size_t k)
{
    const mst_node *n = node_of(p, k);
    return n != NULL ? &mst_program_graph(p)->tensors[n->in[1]] : NULL;
}

size_t mst_program_layer_thetas(const mst_program *p, size_t k)
{
    const mst_tensor *theta = thetas_of(p, k);
    return theta != NULL ? mst_tensor_elements(theta) : 0;
}

int mst_program_layer_axis(const mst_program *p, size_t k)
{
    const mst_node *n = node_of(p, k);
    return n != NULL ? n->ip[MST_NEURON_AXIS] : -1;
}

float mst_program_layer_theta(const mst_program *p, size_t k, size_t c)
{
    const mst_tensor *theta = thetas_of(p, k);
    return c < mst_program_layer_thetas(p, k) ? ((const float *)theta->data)[c] : 0.0f;
}

double mst_program_layer_mask(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL && l->masked ? l->ratio : -1;
}

double mst_program_layer_trained(const mst_program *p, size_t k)
{
    const mst_layer *l = mst_program_layer(p, k);
    return l != NULL ? l->trained : -1;
}

uint64_t mst_session_spikes(const mst_session *s) { return mst_session_counters(s).spikes; }
uint64_t mst_session_fired(const mst_session *s) { return mst_session_counters(s).spikes_before; }
uint64_t mst_session_sops(const mst_session *s) { return mst_session_counters(s).sops; }
uint64_t mst_session_macs(const mst_session *s) { return mst_session_counters(s).macs; }
