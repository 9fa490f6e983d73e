/* LayerNorm as exporters before opset 17 write it,
 *
 *     d = x - mean(x);  y = d / sqrt(mean(d^2) + eps)  [* g + h]
 *
 * becomes one LAYERNORM over the last axis. */
#include <math.h>

#include "converter/passes/passes.h"

static bool is_fn(const mst_edit *e, uint32_t i, mst_op op, int32_t fn)
{
    return edit_is(e, i, op) && edit_node(e, i)->ip[0] == fn; /* FN is the first parameter of each */
}

static bool means_last_axis(const mst_edit *e, uint32_t i)
{
    if (!is_fn(e, i, MST_OP_REDUCE, MST_RED_MEAN))
        return false;
    const mst_node *n = edit_node(e, i);
    uint32_t rank = edit_tensor(e, n->in[0])->rank;
    return rank != 0 && n->ip[MST_REDUCE_AXES] == (int32_t)(1u << (rank - 1));
}

/* Is node i the square of tensor d: d*d or d^2? */
static bool squares(const mst_edit *e, uint32_t i, uint32_t d)
{
    if (!edit_is(e, i, MST_OP_BINARY))
        return false;
    const mst_node *n = edit_node(e, i);
    if (n->in[0] != d)
        return false;
    if (n->ip[MST_BINARY_FN] == MST_BIN_MUL)
        return n->in[1] == d;
    const mst_tensor *power = edit_tensor(e, n->in[1]);
    return n->ip[MST_BINARY_FN] == MST_BIN_POW && power->data != NULL && mst_tensor_elements(power) == 1 &&
           mst_const_at(power, 0) == 2;
}

/* sqrt(mean(d^2) + eps) made by node i? */
static bool deviates(const mst_edit *e, uint32_t i, uint32_t d, double *eps)
{
    if (!is_fn(e, i, MST_OP_UNARY, MST_UN_SQRT))
        return false;
    uint32_t add = edit_maker(e, i, 0);
    if (!edit_is(e, add, MST_OP_AFFINE))
        return false;
    const mst_tensor *g = edit_tensor(e, edit_node(e, add)->in[1]), *h = edit_tensor(e, edit_node(e, add)->in[2]);
    if (mst_tensor_elements(g) != 1 || mst_tensor_elements(h) != 1 || mst_const_at(g, 0) != 1)
        return false;
    *eps = mst_const_at(h, 0);
    uint32_t mean = edit_maker(e, add, 0);
    return *eps >= 0 && means_last_axis(e, mean) && squares(e, edit_maker(e, mean, 0), d);
}

static mst_status match_div(mst_edit *e, uint32_t i)
{
    double eps;
    if (!is_fn(e, i, MST_OP_BINARY, MST_BIN_DIV))
        return MST_OK;
    uint32_t sub = edit_maker(e, i, 0), d = edit_node(e, i)->in[0];
    if (!is_fn(e, sub, MST_OP_BINARY, MST_BIN_SUB) || !deviates(e, edit_maker(e, i, 1), d, &eps))
        return MST_OK;
    uint32_t x = edit_node(e, sub)->in[0], mean = edit_maker(e, sub, 1), node;
    if (!means_last_axis(e, mean) || edit_node(e, mean)->in[0] != x)
        return MST_OK;
    const mst_tensor *t = edit_tensor(e, x);
    MST_TRY(edit_add(e, MST_OP_LAYERNORM, edit_node(e, i)->name, 1, &x, t->rank, t->dims, &node));
    edit_node(e, node)->fp[MST_LAYERNORM_EPS] = (float)eps;
    edit_replace(e, edit_node(e, i)->out, edit_node(e, node)->out);
    return MST_OK;
}

mst_status pass_layernorm(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        st = match_div(&e, i);
    return edit_finish(&e, st);
}
