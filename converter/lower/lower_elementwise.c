/* ONNX functions of one value, reductions, and choices. */
#include <math.h>
#include <string.h>

#include "converter/lower/lower_ops.h"
#include "converter/pairs.h"

mst_status lower_unary(lower_ctx *c)
{
    static const struct {
        const char *op;
        mst_unary_fn fn;
    } table[] = {
        {"Floor", MST_UN_FLOOR},
        {"Ceil", MST_UN_CEIL},
        {"Round", MST_UN_ROUND},
        {"Abs", MST_UN_ABS},
        {"Sqrt", MST_UN_SQRT},
        {"Reciprocal", MST_UN_RECIPROCAL},
        {"Exp", MST_UN_EXP},
        {"Log", MST_UN_LOG},
        {"Tanh", MST_UN_TANH},
        {"Sigmoid", MST_UN_SIGMOID},
        {"Erf", MST_UN_ERF},
        {"Softplus", MST_UN_SOFTPLUS},
        {"Sign", MST_UN_SIGN},
    };
    uint32_t x, y;
    int32_t fn = -1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].op, c->o.n->op) == 0)
            fn = (int32_t)table[i].fn;
    if (strcmp(c->o.n->op, "Gelu") == 0)
        fn = strcmp(ox_attr_string(c->o.n, "approximate", "none"), "tanh") == 0 ? MST_UN_GELU_TANH : MST_UN_GELU;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_emit_unary(c, (mst_unary_fn)fn, x, &y));
    if (fn == MST_UN_SIGN)
        c->g->nodes[c->g->n_nodes - 1].ip[SIGN_MARK] = 1;
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_neg(lower_ctx *c) { return lower_scaled(c, -1, 0); }

/* Over several axes (before opset 13) the input is flattened to two. */
mst_status lower_softmax(lower_ctx *c)
{
    uint32_t x, y, z, first, last;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(ox_softmax_axes(&c->o, &first, &last));
    const mst_tensor t = c->g->tensors[x];
    bool reshape = last - first > 1;
    if (t.rank == 0)
        return lower_refuse(c, "its input is a scalar", "re-export the model");
    if (reshape) {
        uint32_t flat[2] = {1, 1};
        for (uint32_t d = 0; d < t.rank; d++)
            flat[d < first ? 0 : 1] *= t.dims[d];
        MST_TRY(lower_emit_reshape(c, x, 2, flat, &y));
        x = y;
    }
    const mst_tensor tx = c->g->tensors[x];
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_SOFTMAX, 1, &x, tx.rank, tx.dims, &y, &node));
    node->ip[MST_SOFTMAX_AXIS] = reshape ? 1 : (int32_t)first;
    if (reshape) {
        MST_TRY(lower_emit_reshape(c, y, t.rank, t.dims, &z));
        y = z;
    }
    lower_bind(c, 0, y);
    return MST_OK;
}

static mst_status emit_reduce(lower_ctx *c, mst_reduce_fn fn, uint32_t axes)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    if (axes == 0) {
        lower_bind(c, 0, x);
        return MST_OK;
    }
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_REDUCE, 1, &x, rank, dims, &y, &node));
    node->ip[MST_REDUCE_FN] = (int32_t)fn;
    node->ip[MST_REDUCE_AXES] = (int32_t)axes;
    lower_bind(c, 0, y);
    return MST_OK;
}

static mst_status lower_reduce(lower_ctx *c, mst_reduce_fn fn)
{
    bool reduced[MST_MAX_RANK] = {false}, keep;
    uint32_t mask = 0;
    MST_TRY(ox_reduce_params(&c->o, reduced, &keep));
    for (uint32_t d = 0; d < MST_MAX_RANK; d++)
        mask |= (uint32_t)reduced[d] << d;
    return emit_reduce(c, fn, mask);
}

mst_status lower_reduce_mean(lower_ctx *c) { return lower_reduce(c, MST_RED_MEAN); }
mst_status lower_reduce_sum(lower_ctx *c) { return lower_reduce(c, MST_RED_SUM); }
mst_status lower_reduce_max(lower_ctx *c) { return lower_reduce(c, MST_RED_MAX); }

static mst_status lower_global_pool(lower_ctx *c, mst_reduce_fn fn)
{
    uint32_t rank = ox_in(&c->o, 0) != NULL ? ox_in(&c->o, 0)->rank : 0;
    if (rank < 3)
        return lower_refuse(c, "its input has no spatial axes", "re-export the model");
    return emit_reduce(c, fn, ((1u << rank) - 1) & ~3u);
}

mst_status lower_global_average_pool(lower_ctx *c) { return lower_global_pool(c, MST_RED_MEAN); }
mst_status lower_global_max_pool(lower_ctx *c) { return lower_global_pool(c, MST_RED_MAX); }

/* Where with a constant condition of live values: each where it is chosen, 0 elsewhere, and their sum. */
static mst_status choose_live(lower_ctx *c, const ox_value *cond)
{
    uint32_t dims[MST_MAX_RANK], part[2], y;
    MST_TRY(lower_dims(c, cond, dims));
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t x, mask;
        float *m;
        MST_TRY(lower_tensor(c, 1 + k, &x));
        MST_TRY(lower_new_f32(c, cond->rank, dims, &m, &mask));
        for (size_t i = 0, n = ox_elements(cond); i < n; i++)
            m[i] = (ox_get_double(cond, i) != 0) == (k == 0) ? 1.0f : 0.0f;
        MST_TRY(lower_emit_binary(c, MST_BIN_MUL, x, mask, &part[k]));
    }
    MST_TRY(lower_emit_binary(c, MST_BIN_ADD, part[0], part[1], &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

/* Where with a constant condition: keep x where it holds, a constant elsewhere. */
mst_status lower_where(lower_ctx *c)
{
    const ox_value *cond = ox_in(&c->o, 0);
    uint32_t live = lower_is_const(c, 1) ? 2 : 1, x, mid, keep, fill, y, rank, dims[MST_MAX_RANK];
    if (cond != NULL && cond->data == NULL)
        return lower_where_live(c);
    if (cond == NULL)
        return lower_refuse(c, "an input is missing", "re-export the model");
    if (!lower_is_const(c, 3 - live))
        return choose_live(c, cond);
    MST_TRY(lower_tensor(c, live, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    const ox_value *other = ox_in(&c->o, 3 - live);
    size_t n_cond = ox_elements(cond), n_other = ox_elements(other);
    if (n_other != 1 && n_other != n_cond)
        return lower_refuse(c, "the constant branch does not have the condition's shape", "expand it");
    uint32_t cdims[MST_MAX_RANK];
    for (uint32_t d = 0; d < cond->rank; d++)
        cdims[d] = (uint32_t)cond->dims[d];
    float *k, *f;
    MST_TRY(lower_new_f32(c, cond->rank, cdims, &k, &keep));
    MST_TRY(lower_new_f32(c, cond->rank, cdims, &f, &fill));
    for (size_t i = 0; i < n_cond; i++) {
        bool live_here = (ox_get_double(cond, i) != 0) == (live == 1);
        k[i] = live_here ? 1.0f : 0.0f;
        f[i] = live_here ? 0.0f : (float)ox_get_double(other, n_other == 1 ? 0 : i);
        if (!isfinite(f[i]))
            return lower_refuse(c, "fills with an infinite value", "use a large finite value such as -100");
    }
    MST_TRY(lower_emit_binary(c, MST_BIN_MUL, x, keep, &mid));
    MST_TRY(lower_emit_binary(c, MST_BIN_ADD, mid, fill, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}
