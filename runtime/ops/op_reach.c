/* What spikes reach: the ways of an operator, counted from its output back to its inputs. Between a neuron and the
 * synapses behind it everything is linear, so that how many synapses a spike reaches is known before anything runs. */
#include "runtime/ops/op_ways.h"

static uint32_t add_most(uint32_t a, uint32_t b) { return a < UINT32_MAX - b ? a + b : UINT32_MAX; }

typedef struct reaching {
    const uint32_t *out;
    uint32_t *in;
} reaching;

static inline void add(void *ctx, size_t from, size_t to)
{
    const reaching *r = ctx;
    r->in[from] = add_most(r->in[from], r->out[to]);
}

void op_reach_back(const mst_graph *g, const mst_node *node, const op_node *n, uint32_t k, const uint32_t *out,
                   uint32_t *in)
{
    reaching r = {out, in};
    switch (node->op) {
    case MST_OP_RESHAPE:
    case MST_OP_AFFINE:
    case MST_OP_UNARY: op_ways_same(n->n, add, &r); break;
    case MST_OP_GATHER: op_ways_gather(&n->u.gather, g->tensors[node->in[1]].data, add, &r); break;
    case MST_OP_BINARY: op_ways_binary(&n->u.binary, k, add, &r); break;
    case MST_OP_POOL:
    case MST_OP_RATE_POOL: op_ways_pool(&n->u.pool, add, &r); break;
    case MST_OP_REDUCE: op_ways_reduce(&n->u.reduce, add, &r); break;
    default: op_ways_move(&n->u.move, k, add, &r); break;
    }
}

uint32_t op_ways_each(const mst_graph *g, const mst_node *node, uint32_t k)
{
    size_t in = mst_tensor_elements(&g->tensors[node->in[k]]), out = mst_tensor_elements(&g->tensors[node->out]);
    switch (node->op) {
    case MST_OP_SLICE: return in == out;
    case MST_OP_GATHER:
    case MST_OP_POOL:
    case MST_OP_RATE_POOL: return 0;
    case MST_OP_EXPAND:
    case MST_OP_BINARY: return out / in < UINT32_MAX ? (uint32_t)(out / in) : 0; /* broadcast */
    default: return 1;
    }
}

void op_reach_conv(const op_node *n, uint32_t *in)
{
    const op_conv *q = &n->u.conv;
    for (size_t b = 0; b < q->batch; b++)
        for (int64_t row = 0; row < q->h.size; row++) {
            uint64_t rows = win_reached(&q->h, row) * (q->out / q->groups);
            for (int64_t col = 0; col < q->w.size; col++) {
                uint64_t reached = rows * win_reached(&q->w, col);
                for (size_t k = 0; k < q->channels; k++)
                    *in++ = reached < UINT32_MAX ? (uint32_t)reached : UINT32_MAX;
            }
        }
}
