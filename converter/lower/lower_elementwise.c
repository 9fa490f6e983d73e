/* ONNX elementwise operators, activations, reductions. An operand that is
 * constant and per channel (or a scalar) makes an AFFINE, so that the passes see
 * one form. */
#include <math.h>
#include <string.h>

#include "converter/lower/lower_ops.h"

/* The axis of a tensor of shape dims along which the constant v varies, when v is
 * one value (axis = last) or one value per channel. */
static bool per_channel(const ox_value *v, uint32_t rank, const uint32_t *dims, int32_t *axis)
{
    size_t n = ox_elements(v);
    *axis = rank != 0 ? (int32_t)rank - 1 : 0;
    if (v->rank > rank)
        return n == 1;
    bool uniform = true;
    for (size_t i = 1; i < n && uniform; i++)
        uniform = ox_get_double(v, i) == ox_get_double(v, 0);
    if (uniform)
        return true;
    for (uint32_t d = 0; d < v->rank; d++)
        if (v->dims[d] != 1) {
            *axis = (int32_t)(rank - v->rank + d);
            return n == (size_t)v->dims[d] && n == dims[*axis];
        }
    return false;
}

/* g or h of an AFFINE from constant v: one value, or one per channel */
static mst_status channel_const(lower_ctx *c, const ox_value *v, uint32_t channels, double **data, uint32_t *id)
{
    size_t n = v == NULL || ox_elements(v) != channels ? 1 : channels;
    uint32_t dim = (uint32_t)n;
    MST_TRY(lower_new_f64(c, 1, &dim, data, id));
    for (size_t i = 0; i < n; i++)
        (*data)[i] = v != NULL ? ox_get_double(v, i) : 0;
    return MST_OK;
}

/* x op k (or k op x when flipped), k constant per channel, as g*x + h; false in
 * *done where the form does not fit. */
static mst_status arithmetic_affine(lower_ctx *c, mst_binary_fn fn, bool flipped, bool *done)
{
    uint32_t x, gid, hid, y, rank, dims[MST_MAX_RANK];
    double *g, *h;
    int32_t axis;
    const ox_value *k = ox_in(&c->o, flipped ? 0 : 1);
    *done = false;
    MST_TRY(lower_tensor(c, flipped ? 1 : 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    const mst_tensor t = c->g->tensors[x];
    if (t.rank != rank || memcmp(t.dims, dims, rank * sizeof dims[0]) != 0 || (fn == MST_BIN_DIV && flipped) ||
        !per_channel(k, rank, dims, &axis))
        return MST_OK;
    bool scales = fn == MST_BIN_MUL || fn == MST_BIN_DIV;
    uint32_t channels = rank != 0 ? dims[axis] : 1;
    MST_TRY(channel_const(c, scales ? k : NULL, channels, &g, &gid));
    MST_TRY(channel_const(c, scales ? NULL : k, channels, &h, &hid));
    size_t n = mst_tensor_elements(&c->g->tensors[scales ? gid : hid]);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scales ? g[i] : h[i])) /* whose inverse may be finite */
            return lower_refuse(c, "a constant operand is infinite or not a number", "check theta");
    for (size_t i = 0; i < n && fn == MST_BIN_DIV; i++)
        g[i] = 1.0 / g[i];
    for (size_t i = 0; i < n && fn == MST_BIN_SUB && !flipped; i++)
        h[i] = -h[i];
    if (!scales)
        *g = fn == MST_BIN_SUB && flipped ? -1.0 : 1.0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scales ? g[i] : h[i]))
            return lower_refuse(c, "a constant operand is too small to divide by", "check theta");
    MST_TRY(lower_emit_affine(c, x, axis, gid, hid, &y));
    lower_bind(c, 0, y);
    *done = true;
    return MST_OK;
}

static mst_status bind_clip(lower_ctx *c, uint32_t x, double lo, double hi)
{
    uint32_t y;
    MST_TRY(lower_emit_clip(c, x, lo, hi, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

/* Min or Max with one scalar constant is a CLIP. */
static mst_status bound_clip(lower_ctx *c, mst_binary_fn fn, uint32_t k, bool *done)
{
    uint32_t x, rank, dims[MST_MAX_RANK];
    int32_t axis;
    const ox_value *v = ox_in(&c->o, k);
    *done = false;
    MST_TRY(lower_tensor(c, 1 - k, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    const mst_tensor t = c->g->tensors[x];
    if (t.rank != rank || memcmp(t.dims, dims, rank * sizeof dims[0]) != 0 || !per_channel(v, rank, dims, &axis))
        return MST_OK;
    for (size_t i = 1, n = ox_elements(v); i < n; i++)
        if (ox_get_double(v, i) != ox_get_double(v, 0))
            return MST_OK;
    *done = true;
    double bound = ox_get_double(v, 0), inf = (double)INFINITY;
    return fn == MST_BIN_MIN ? bind_clip(c, x, -inf, bound) : bind_clip(c, x, bound, inf);
}

static mst_status lower_binary(lower_ctx *c, mst_binary_fn fn)
{
    uint32_t a, b, y;
    bool done = false, bound = fn == MST_BIN_MIN || fn == MST_BIN_MAX;
    for (uint32_t k = 0; k < 2 && !done; k++) {
        if (!lower_is_const(c, k) || c->o.n->n_in != 2)
            continue;
        if (bound)
            MST_TRY(bound_clip(c, fn, k, &done));
        else if (fn != MST_BIN_POW)
            MST_TRY(arithmetic_affine(c, fn, k == 0, &done));
    }
    if (done)
        return MST_OK;
    MST_TRY(lower_tensor(c, 0, &a));
    for (uint32_t k = 1; k < c->o.n->n_in; k++) {
        MST_TRY(lower_tensor(c, k, &b));
        MST_TRY(lower_emit_binary(c, fn, a, b, &y));
        a = y;
    }
    lower_bind(c, 0, a);
    return MST_OK;
}

mst_status lower_add(lower_ctx *c) { return lower_binary(c, MST_BIN_ADD); }
mst_status lower_sub(lower_ctx *c) { return lower_binary(c, MST_BIN_SUB); }
mst_status lower_div(lower_ctx *c)
{
    const ox_value *y = ox_out(&c->o, 0);
    if (y != NULL && y->dtype != OX_FLOAT && y->dtype != OX_DOUBLE && y->dtype != OX_FLOAT16 && y->dtype != OX_BFLOAT16)
        return lower_refuse(c, "divides whole numbers that are live", "divide them as floats");
    return lower_binary(c, MST_BIN_DIV);
}
mst_status lower_min(lower_ctx *c) { return lower_binary(c, MST_BIN_MIN); }
mst_status lower_max(lower_ctx *c) { return lower_binary(c, MST_BIN_MAX); }
mst_status lower_pow(lower_ctx *c) { return lower_binary(c, MST_BIN_POW); }

mst_status lower_mul(lower_ctx *c)
{
    bool done;
    MST_TRY(lower_mask_product(c, &done));
    return done ? MST_OK : lower_binary(c, MST_BIN_MUL);
}

mst_status lower_relu(lower_ctx *c)
{
    uint32_t x;
    MST_TRY(lower_tensor(c, 0, &x));
    return bind_clip(c, x, 0, (double)INFINITY);
}

mst_status lower_clip(lower_ctx *c)
{
    uint32_t x;
    double lo, hi;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(ox_clip_bounds(&c->o, &lo, &hi));
    return bind_clip(c, x, lo > hi ? hi : lo, hi); /* ONNX: min(max(x, lo), hi) */
}

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

/* Where with a constant condition: keep x where it holds, a constant elsewhere. */
mst_status lower_where(lower_ctx *c)
{
    bool done;
    MST_TRY(lower_mask_where(c, &done));
    if (done)
        return MST_OK;
    const ox_value *cond = ox_in(&c->o, 0);
    uint32_t live = lower_is_const(c, 1) ? 2 : 1, x, mid, keep, fill, y, rank, dims[MST_MAX_RANK];
    if (cond != NULL && cond->data == NULL)
        return lower_where_live(c);
    if (cond == NULL || !lower_is_const(c, 3 - live))
        return lower_refuse(c, "chooses between live values", "use a constant condition");
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
