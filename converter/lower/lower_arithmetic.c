/* ONNX arithmetic of two operands, and bounds. An operand that is constant and per channel (or a scalar) makes an
 * AFFINE, or a CLIP, so that the passes see one form. */
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

mst_status lower_binary(lower_ctx *c, mst_binary_fn fn)
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
mst_status lower_mean(lower_ctx *c)
{
    uint32_t y;
    MST_TRY(lower_add(c));
    MST_TRY(lower_emit_scale(c, c->map[c->o.n->out[0]], 1.0 / c->o.n->n_in, 0, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}
mst_status lower_mul(lower_ctx *c) { return lower_binary(c, MST_BIN_MUL); }
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
    if (c->pair_of[c->o.n->in[0]] != MST_NONE)
        return lower_bounded_levels(c, lo > hi ? hi : lo, hi);
    return bind_clip(c, x, lo > hi ? hi : lo, hi); /* ONNX: min(max(x, lo), hi) */
}
