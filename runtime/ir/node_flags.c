/* What a node does by the flags of its operator, and where they say BY_FN, by its FN. */
#include "mst/graph.h"

static bool binary_is_linear(const mst_graph *g, const mst_node *n)
{
    switch (n->ip[MST_BINARY_FN]) {
    case MST_BIN_ADD:
    case MST_BIN_SUB: return true;
    case MST_BIN_MUL: return mst_is_const(g, n->in[0]) || mst_is_const(g, n->in[1]);
    case MST_BIN_DIV: return mst_is_const(g, n->in[1]);
    default: return false;
    }
}

static bool reduces_linearly(int32_t fn) { return fn == MST_RED_MEAN || fn == MST_RED_SUM; }

bool mst_node_is_linear(const mst_graph *g, const mst_node *n)
{
    const mst_op_info *op = mst_op_get(n->op);
    if (op == NULL || (op->flags & MST_F_BY_FN) == 0)
        return op != NULL && (op->flags & MST_F_LINEAR) != 0;
    switch (n->op) {
    case MST_OP_BINARY: return binary_is_linear(g, n);
    case MST_OP_POOL: return reduces_linearly(n->ip[MST_POOL_FN]);
    case MST_OP_REDUCE: return reduces_linearly(n->ip[MST_REDUCE_FN]);
    default: return false;
    }
}

bool mst_node_moves_spikes(const mst_node *n)
{
    const mst_op_info *op = mst_op_get(n->op);
    return op != NULL && (op->flags & MST_F_MOVE) != 0 && (n->op != MST_OP_PAD || n->fp[MST_PAD_VALUE] == 0.0f);
}

bool mst_node_picks(const mst_node *n)
{
    return n->op == MST_OP_RATE_POOL ||
           (n->op == MST_OP_POOL && n->ip[MST_POOL_FN] == MST_RED_MAX) ||
           (n->op == MST_OP_REDUCE && n->ip[MST_REDUCE_FN] == MST_RED_MAX);
}

bool mst_node_leads(const mst_node *n) { return n->op == MST_OP_RATE_POOL; }

bool mst_node_fires(const mst_node *n)
{
    const mst_op_info *op = mst_op_get(n->op);
    return op != NULL && (~op->flags & (MST_F_SPIKE | MST_F_STATE)) == 0;
}

bool mst_node_thins(const mst_node *n)
{
    const mst_op_info *op = mst_op_get(n->op);
    return op != NULL && (op->flags & (MST_F_SPIKE | MST_F_STATE)) == MST_F_SPIKE;
}
