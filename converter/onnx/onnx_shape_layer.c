/* Output shapes of layers that only the runtime executes (Conv, pools,
 * normalization, Dropout, random numbers) and their windows.
 */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* ints attribute of w->n values into out, or fallback. */
static mst_status per_dim(const ox_ctx *c, const char *name, uint32_t n, int64_t fallback, int64_t least,
                          int64_t *out)
{
    int got = ox_attr_ints(c->n, name, out, n);
    if (ox_attr_find(c->n, name) == NULL)
        got = -1;
    else if (got < 0 || (uint32_t)got != n)
        return ox_fail(c, MST_EINVAL, "attribute %s has not the %u values expected", name, n);
    for (uint32_t i = 0; i < n; i++) {
        if (got < 0)
            out[i] = fallback;
        if (out[i] < least || out[i] > INT32_MAX / 2)
            return ox_fail(c, MST_EINVAL, "%s[%u] is %lld", name, i, (long long)out[i]);
    }
    return MST_OK;
}

static mst_status explicit_pads(const ox_ctx *c, ox_window *w)
{
    int64_t pads[2 * OX_MAX_SPATIAL];
    MST_TRY(per_dim(c, "pads", 2 * w->n, 0, 0, pads));
    memcpy(w->pad_begin, pads, w->n * sizeof *pads);
    memcpy(w->pad_end, pads + w->n, w->n * sizeof *pads);
    return MST_OK;
}

/* SAME: out = ceil(in/stride), the odd element of padding at the end (UPPER) or begin (LOWER). */
static void same_pads(ox_window *w, const int64_t *in, bool upper)
{
    for (uint32_t i = 0; i < w->n; i++) {
        int64_t out = (in[i] + w->stride[i] - 1) / w->stride[i];
        int64_t total = (out - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - in[i];
        total = total > 0 ? total : 0;
        w->pad_begin[i] = upper ? total / 2 : total - total / 2;
        w->pad_end[i] = total - w->pad_begin[i];
    }
}

static mst_status window_pads(const ox_ctx *c, const int64_t *in, ox_window *w)
{
    const char *mode = ox_attr_string(c->n, "auto_pad", "NOTSET");
    memset(w->pad_begin, 0, sizeof w->pad_begin);
    memset(w->pad_end, 0, sizeof w->pad_end);
    if (strcmp(mode, "NOTSET") == 0 || mode[0] == '\0')
        return explicit_pads(c, w);
    if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0)
        same_pads(w, in, mode[5] == 'U');
    else if (strcmp(mode, "VALID") != 0)
        return ox_fail(c, MST_EINVAL, "auto_pad '%.40s' is unknown", mode);
    return MST_OK;
}

mst_status ox_window_params(const ox_ctx *c, ox_window *w)
{
    const ox_value *x = ox_in(c, 0);
    if (x->rank < 3)
        return ox_fail(c, MST_EINVAL, "input has rank %u, expected at least 3", x->rank);
    w->n = x->rank - 2;
    bool conv = strcmp(c->n->op, "Conv") == 0;
    const int64_t *in = x->dims + 2;
    if (conv && ox_attr_find(c->n, "kernel_shape") == NULL)
        memcpy(w->kernel, ox_in(c, 1)->dims + 2, w->n * sizeof *w->kernel);
    else
        MST_TRY(per_dim(c, "kernel_shape", w->n, 0, 1, w->kernel));
    MST_TRY(per_dim(c, "strides", w->n, 1, 1, w->stride));
    MST_TRY(per_dim(c, "dilations", w->n, 1, 1, w->dilation));
    MST_TRY(window_pads(c, in, w));
    bool ceil_mode = !conv && ox_attr_int(c->n, "ceil_mode", 0) != 0;
    for (uint32_t i = 0; i < w->n; i++) {
        int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
        int64_t room = in[i] + w->pad_begin[i] + w->pad_end[i] - reach;
        if (room < 0 || in[i] < 1 || w->kernel[i] < 1)
            return ox_fail(c, MST_EINVAL,
                           "the window (%lld) does not fit in dimension %u (%lld, padding %lld "
                           "and %lld)",
                           (long long)reach, i + 2, (long long)in[i], (long long)w->pad_begin[i],
                           (long long)w->pad_end[i]);
        w->out[i] = room / w->stride[i] + 1;
        /* a further window only if it starts inside the input or its left padding */
        if (ceil_mode && room % w->stride[i] != 0 && w->out[i] * w->stride[i] < in[i] + w->pad_begin[i])
            w->out[i]++;
    }
    return MST_OK;
}

mst_status ox_infer_conv(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *w = ox_in(c, 1), *b = ox_in(c, 2);
    int64_t group = ox_attr_int(c->n, "group", 1);
    if (x->rank < 3 || w->rank != x->rank || w->dtype != x->dtype)
        return ox_fail(c, MST_EINVAL, "input of rank %u with weights of rank %u, or of another type", x->rank,
                       w->rank);
    if (group < 1 || group > x->dims[1] || x->dims[1] != w->dims[1] * group || w->dims[0] % group != 0)
        return ox_fail(c, MST_EINVAL, "%lld input channels, %lld groups, weights [%lld,%lld,..]",
                       (long long)x->dims[1], (long long)group, (long long)w->dims[0], (long long)w->dims[1]);
    if (b != NULL && (b->rank != 1 || b->dims[0] != w->dims[0]))
        return ox_fail(c, MST_EINVAL, "the bias has not the %lld elements expected", (long long)w->dims[0]);
    ox_window win;
    MST_TRY(ox_window_params(c, &win));
    int64_t dims[MST_MAX_RANK] = {x->dims[0], w->dims[0]};
    for (uint32_t i = 0; i < win.n; i++) {
        if (win.kernel[i] != w->dims[i + 2])
            return ox_fail(c, MST_EINVAL, "kernel_shape[%u] is %lld, the weights have %lld", i,
                           (long long)win.kernel[i], (long long)w->dims[i + 2]);
        dims[i + 2] = win.out[i];
    }
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

/* An optional output that nothing here computes: fine as long as nobody reads it, and then not wanted. */
static mst_status unused(const ox_ctx *c, uint32_t k, const char *what)
{
    const ox_value *v = ox_out(c, k);
    if (v == NULL || c->uses == NULL)
        return MST_OK;
    if (c->uses[c->n->out[k]] == 0) {
        c->n->out[k] = OX_NONE;
        return MST_OK;
    }
    return ox_fail(c, MST_EUNSUPPORTED, "output %u (%s, '%.100s') is used, which is not supported", k, what,
                   v->name);
}

mst_status ox_infer_pool(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    ox_window w;
    MST_TRY(ox_window_params(c, &w));
    MST_TRY(unused(c, 1, "the indices"));
    int64_t dims[MST_MAX_RANK] = {x->dims[0], x->dims[1]};
    memcpy(dims + 2, w.out, w.n * sizeof *dims);
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

mst_status ox_infer_global_pool(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t dims[MST_MAX_RANK];
    if (x->rank < 3)
        return ox_fail(c, MST_EINVAL, "input has rank %u, expected at least 3", x->rank);
    for (uint32_t d = 0; d < x->rank; d++)
        dims[d] = d < 2 ? x->dims[d] : 1;
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

mst_status ox_infer_batch_norm(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    if (ox_attr_int(c->n, "training_mode", 0) != 0)
        return ox_fail(c, MST_EUNSUPPORTED, "in training mode; export the model in eval mode");
    int64_t channels = x->rank >= 2 ? x->dims[1] : 1;
    for (uint32_t k = 1; k < 5; k++)
        if (ox_in(c, k)->rank != 1 || ox_in(c, k)->dims[0] != channels)
            return ox_fail(c, MST_EINVAL, "input %u has not the %lld elements expected", k,
                           (long long)channels);
    for (uint32_t k = 1; k < c->n->n_out; k++)
        MST_TRY(unused(c, k, "a statistic of training"));
    return ox_infer_same(c);
}

mst_status ox_infer_layer_norm(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint32_t axis;
    int64_t dims[MST_MAX_RANK];
    MST_TRY(ox_axis(c, "axis", -1, x->rank, &axis));
    for (uint32_t k = 1; k <= 2; k++) {
        const ox_value *v = ox_in(c, k);
        memcpy(dims, x->dims, sizeof dims);
        uint32_t rank = x->rank;
        if (v == NULL)
            continue;
        MST_TRY(ox_bcast_dims(c, &rank, dims, v));
        if (rank != x->rank || memcmp(dims, x->dims, rank * sizeof *dims) != 0)
            return ox_fail(c, MST_EINVAL, "input %u does not broadcast to the data", k);
    }
    for (uint32_t k = 1; k <= 2; k++)
        MST_TRY(unused(c, k, "a statistic"));
    return ox_infer_same(c);
}

bool ox_dropout_is_random(const ox_ctx *c)
{
    const ox_value *ratio = ox_in(c, 1), *training = ox_in(c, 2);
    if (training == NULL || (training->data != NULL && ox_get_int(training, 0) == 0))
        return false;
    return ratio == NULL || ratio->data == NULL || ox_get_double(ratio, 0) != 0;
}

mst_status ox_infer_dropout(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    for (uint32_t k = 1; k <= 2; k++)
        if (ox_in(c, k) != NULL && ox_elements(ox_in(c, k)) != 1)
            return ox_fail(c, MST_EINVAL, "input %u is not one value", k);
    if (x->data == NULL || ox_dropout_is_random(c))
        MST_TRY(unused(c, 1, "the mask"));
    MST_TRY(ox_out_like(c, 1, OX_BOOL, x));
    return ox_infer_same(c);
}

mst_status ox_infer_random(ox_ctx *c)
{
    int64_t dims[MST_MAX_RANK], dtype = ox_attr_int(c->n, "dtype", OX_FLOAT);
    int rank = ox_attr_ints(c->n, "shape", dims, MST_MAX_RANK);
    if (rank < 0 || dtype <= 0 || dtype > OX_BFLOAT16)
        return ox_fail(c, MST_EINVAL, "attribute shape or dtype is missing or wrong");
    return ox_out_set(c, 0, (int)dtype, (uint32_t)rank, dims);
}

mst_status ox_infer_random_like(ox_ctx *c)
{
    int64_t dtype = ox_attr_int(c->n, "dtype", ox_in(c, 0)->dtype);
    if (dtype <= 0 || dtype > OX_BFLOAT16)
        return ox_fail(c, MST_EINVAL, "dtype %lld", (long long)dtype);
    return ox_out_like(c, 0, (int)dtype, ox_in(c, 0));
}
