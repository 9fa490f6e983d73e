/* Names for what feeds a neuron. Reads the graph, changes nothing. */
#include "mst/graph.h"

#define MAX_WALK 64 /* nodes between a neuron and the layer that feeds it */

const char *mst_graph_neuron_kind(const mst_graph *g, const uint32_t *producer, const mst_node *neuron)
{
    uint32_t tensor = neuron->in[0];
    for (int hops = 0; hops < MAX_WALK; hops++) {
        if (producer[tensor] == MST_NONE)
            return "input+IF";
        const mst_node *n = &g->nodes[producer[tensor]];
        switch (n->op) {
        case MST_OP_LINEAR: return "linear+IF";
        case MST_OP_CONV: return "conv+IF";
        case MST_OP_MATMUL: return "product+IF";
        case MST_OP_POOL:
        case MST_OP_RATE_POOL:
        case MST_OP_REDUCE: return "pool+IF";
        case MST_OP_NEURON: return "spikes+IF";
        case MST_OP_SOFTMAX: return "softmax+IF";
        case MST_OP_LAYERNORM: return "layernorm+IF";
        case MST_OP_BINARY:
            if (!mst_is_const(g, n->in[0]) && !mst_is_const(g, n->in[1]))
                return "sum+IF";
            tensor = mst_is_const(g, n->in[0]) ? n->in[1] : n->in[0];
            break;
        default:
            if ((mst_op_get(n->op)->flags & (MST_F_MOVE | MST_F_UNIT | MST_F_LINEAR)) == 0)
                return "IF";
            tensor = n->in[0];
        }
    }
    return "IF";
}
