/* Max pools of spikes, which in step mode would take the maximum of each step, become RATE_POOL: the maximum of rates,
 * which is what the ANN's pool took. */
#include <string.h>

#include "converter/passes/passes.h"

#define CHANNELS 3 /* of [1,H,W,C] */
#define MAX_HOPS 16

const char *mst_max_pool_name(int which)
{
    static const char *const names[MST_MAX_POOLS] = {"rates", "steps"};
    return which >= 0 && which < MST_MAX_POOLS ? names[which] : NULL;
}

/* Are these spikes whose theta is the same but along this axis? Then, along the others, their rates say which is the
 * largest. Nodes are in the order of execution, so that pools in front are RATE_POOLs already. */
static bool has_rates(const mst_graph *g, const uint32_t *producer, uint32_t tensor, int32_t axis, int hops)
{
    if (hops == 0 || producer[tensor] == MST_NONE)
        return false;
    const mst_node *n = &g->nodes[producer[tensor]];
    bool has = true, in_place = mst_node_thins(n) || mst_node_leads(n) || n->op == MST_OP_SLICE;
    switch (n->op) {
    case MST_OP_NEURON: return mst_tensor_elements(&g->tensors[n->in[1]]) == 1 || n->ip[MST_NEURON_AXIS] == axis;
    case MST_OP_TRANSPOSE: axis = n->ip[MST_TRANSPOSE_PERM + axis]; break;
    case MST_OP_CONCAT: has = n->ip[MST_CONCAT_AXIS] == axis; break;
    case MST_OP_PAD: has = n->fp[MST_PAD_VALUE] == 0; break;
    default: has = in_place;
    }
    for (uint32_t k = 0; k < n->n_in && has; k++)
        has = has_rates(g, producer, n->in[k], axis, hops - 1);
    return has;
}

mst_status pass_rates(mst_graph *g, mst_err *err)
{
    mst_arena arena = {.alloc = g->arena.alloc};
    const uint32_t *producer = mst_graph_producers(g, &arena);
    for (uint32_t i = 0; producer != NULL && i < g->n_nodes; i++) {
        mst_node *n = &g->nodes[i];
        bool is_max = n->op == MST_OP_POOL && n->ip[MST_POOL_FN] == MST_RED_MAX;
        if (!is_max || !has_rates(g, producer, n->in[0], CHANNELS, MAX_HOPS))
            continue;
        int32_t window[8]; /* KERNEL, STRIDE, PAD, DILATION */
        memcpy(window, &n->ip[MST_POOL_KERNEL], sizeof window);
        memset(n->ip, 0, sizeof n->ip);
        memcpy(&n->ip[MST_RATE_POOL_KERNEL], window, sizeof window);
        n->op = MST_OP_RATE_POOL;
    }
    mst_arena_release(&arena);
    return producer != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory: max pools of spikes");
}
