/* Evaluation of operators that move the values of constants. All copies are
 * strided views over element sizes; types do not matter here.
 */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* Shape changes only: the output shares the input's values. */
mst_status ox_eval_share(ox_ctx *c)
{
    ox_out_share(c, 0, ox_in(c, 0));
    return MST_OK;
}

/* In inference mode: the input, and a mask of ones. In training mode: nothing is constant. */
mst_status ox_eval_dropout(ox_ctx *c)
{
    uint8_t *mask;
    if (ox_dropout_is_random(c))
        return MST_OK;
    MST_TRY(ox_out_alloc(c, 1, &mask));
    if (mask != NULL)
        memset(mask, 1, ox_elements(ox_in(c, 0)));
    return ox_eval_share(c);
}

/* A view of v with its own row-major strides. */
static ox_view view_of(const ox_value *v)
{
    ox_view view = {.rank = v->rank};
    ox_strides(v, ox_dtype_size(v->dtype), view.stride);
    for (uint32_t d = 0; d < v->rank; d++)
        view.dims[d] = (size_t)v->dims[d];
    return view;
}

/* Output k = the view of input 0 that starts offset bytes in. */
static mst_status copy_out(ox_ctx *c, uint32_t k, const ox_view *view, size_t offset)
{
    const ox_value *x = ox_in(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, k, &y));
    if (y != NULL && ox_elements(ox_out(c, k)) != 0)
        ox_view_copy(y, (const uint8_t *)x->data + offset, view, ox_dtype_size(x->dtype));
    return MST_OK;
}

mst_status ox_eval_transpose(ox_ctx *c)
{
    uint32_t perm[MST_MAX_RANK];
    ox_view in = view_of(ox_in(c, 0)), view = in;
    MST_TRY(ox_transpose_perm(c, perm));
    for (uint32_t d = 0; d < in.rank; d++) {
        view.dims[d] = in.dims[perm[d]];
        view.stride[d] = in.stride[perm[d]];
    }
    return copy_out(c, 0, &view, 0);
}

mst_status ox_eval_slice(ox_ctx *c)
{
    ox_slice s;
    ox_view view = view_of(ox_in(c, 0));
    size_t offset = 0;
    MST_TRY(ox_slice_params(c, &s));
    for (uint32_t d = 0; d < view.rank; d++) {
        offset += (size_t)s.start[d] * (size_t)view.stride[d];
        view.dims[d] = (size_t)s.count[d];
        view.stride[d] *= (ptrdiff_t)s.step[d];
    }
    return copy_out(c, 0, &view, offset);
}

mst_status ox_eval_split(ox_ctx *c)
{
    for (uint32_t k = 0; k < c->n->n_out; k++) {
        ox_view view = view_of(ox_in(c, 0));
        uint32_t axis;
        int64_t start = 0, count = 0;
        MST_TRY(ox_split_params(c, &axis, k, &start, &count));
        view.dims[axis] = (size_t)count;
        MST_TRY(copy_out(c, k, &view, (size_t)start * (size_t)view.stride[axis]));
    }
    return MST_OK;
}

mst_status ox_eval_expand(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    if (out == NULL)
        return MST_OK;
    ox_view in = view_of(x), view = view_of(out);
    uint32_t added = out->rank - x->rank;
    for (uint32_t d = 0; d < out->rank; d++)
        view.stride[d] = d >= added && x->dims[d - added] != 1 ? in.stride[d - added] : 0;
    return copy_out(c, 0, &view, 0);
}

mst_status ox_eval_tile(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    ox_view in = view_of(x), view = {.rank = 2 * x->rank};
    for (uint32_t d = 0; d < x->rank; d++) {
        view.dims[2 * d] = (size_t)ox_get_int(ox_in(c, 1), d); /* repeats: stride 0 */
        view.dims[2 * d + 1] = in.dims[d];
        view.stride[2 * d + 1] = in.stride[d];
    }
    return copy_out(c, 0, &view, 0);
}

/* Copy src, a dense block of the shape in view, to where dst's strides put it. */
static void place(uint8_t *dst, const ox_view *at, const uint8_t *src, const ox_view *view, uint32_t d,
                  size_t size)
{
    if (d == view->rank) {
        memcpy(dst, src, size);
        return;
    }
    if (d + 1 == view->rank && at->stride[d] == (ptrdiff_t)size && view->stride[d] == (ptrdiff_t)size) {
        memcpy(dst, src, view->dims[d] * size);
        return;
    }
    for (size_t i = 0; i < view->dims[d]; i++)
        place(dst + i * (size_t)at->stride[d], at, src + i * (size_t)view->stride[d], view, d + 1, size);
}

static void fill(uint8_t *y, size_t n, const uint8_t *value, size_t size)
{
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * size, value, size);
}

mst_status ox_eval_pad(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    int64_t before[MST_MAX_RANK], after[MST_MAX_RANK];
    uint8_t *y, one[8] = {0};
    double value;
    MST_TRY(ox_pad_params(c, before, after));
    MST_TRY(ox_pad_value(c, &value));
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    if (c->g->opset >= 11 && ox_in(c, 2) != NULL && ox_in(c, 2)->dtype != x->dtype)
        return ox_fail(c, MST_EINVAL, "the padding value has another type than the data");
    if (c->g->opset >= 11 && ox_in(c, 2) != NULL)
        memcpy(one, ox_in(c, 2)->data, ox_dtype_size(x->dtype));
    else
        ox_put_double(one, x->dtype, 0, value);
    size_t size = ox_dtype_size(x->dtype), from = 0, to = 0, n = 1;
    fill(y, ox_elements(out), one, size);
    ox_view view = view_of(x), at = view_of(out);
    for (uint32_t d = 0; d < x->rank; d++) { /* negative pads crop */
        int64_t keep = x->dims[d] + (before[d] < 0 ? before[d] : 0) + (after[d] < 0 ? after[d] : 0);
        view.dims[d] = keep > 0 ? (size_t)keep : 0;
        n *= view.dims[d];
        from += (size_t)(before[d] < 0 ? -before[d] : 0) * (size_t)view.stride[d];
        to += (size_t)(before[d] > 0 ? before[d] : 0) * (size_t)at.stride[d];
    }
    if (n != 0)
        place(y + to, &at, (const uint8_t *)x->data + from, &view, 0, size);
    return MST_OK;
}

mst_status ox_eval_concat(ox_ctx *c)
{
    const ox_value *out = ox_out(c, 0);
    uint32_t axis;
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL || ox_elements(out) == 0)
        return MST_OK;
    MST_TRY(ox_axis(c, "axis", 1, out->rank, &axis));
    ox_view at = view_of(out);
    for (uint32_t k = 0; k < c->n->n_in; k++) {
        const ox_value *v = ox_in(c, k);
        ox_view view = view_of(v);
        if (ox_elements(v) != 0)
            place(y, &at, v->data, &view, 0, ox_dtype_size(v->dtype));
        y += (size_t)v->dims[axis] * (size_t)at.stride[axis];
    }
    return MST_OK;
}

mst_status ox_eval_where(ox_ctx *c)
{
    const ox_value *in[3] = {ox_in(c, 0), ox_in(c, 1), ox_in(c, 2)}, *out = ox_out(c, 0);
    uint8_t *y;
    ox_bcast at;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    size_t size = ox_dtype_size(out->dtype);
    ox_bcast_start(&at, out->rank, out->dims, 3, in);
    for (size_t i = 0, n = ox_elements(out); i < n; i++, ox_bcast_next(&at)) {
        uint32_t from = ox_get_int(in[0], at.at[0]) != 0 ? 1 : 2;
        memcpy(y + i * size, (const uint8_t *)in[from]->data + at.at[from] * size, size);
    }
    return MST_OK;
}

mst_status ox_eval_trilu(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *shift = ox_in(c, 1);
    bool upper = ox_attr_int(c->n, "upper", 1) != 0;
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    int64_t k = shift != NULL ? ox_get_int(shift, 0) : 0, most = 2 * (int64_t)OX_MAX_ELEMENTS;
    k = k > most ? most : k < -most ? -most
                                    : k;
    int64_t rows = x->dims[x->rank - 2], cols = x->dims[x->rank - 1];
    size_t size = ox_dtype_size(x->dtype), n = ox_elements(x);
    for (size_t i = 0; i < n; i++) { /* what is not copied stays 0 */
        int64_t col = (int64_t)i % cols, row = (int64_t)i / cols % rows;
        if (upper ? col - row >= k : col - row <= k)
            memcpy(y + i * size, (const uint8_t *)x->data + i * size, size);
    }
    return MST_OK;
}
