/* Output shapes of operators that move values: reshapes, transposes, slices,
 * padding, concatenation. The shapes they are given must be constants.
 */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* The one -1 of a Reshape: what is left of the input's elements. */
static mst_status fill_unknown(const ox_ctx *c, size_t elements, size_t n, int64_t *dims)
{
    size_t unknown = n, known = 1;
    for (size_t i = 0; i < n; i++) {
        if (dims[i] == -1 && unknown == n)
            unknown = i;
        else if (dims[i] < 0)
            return ox_fail(c, MST_EINVAL, "dimension %zu of the shape is %lld", i, (long long)dims[i]);
        else if (__builtin_mul_overflow(known, (size_t)dims[i], &known))
            return ox_fail(c, MST_ELIMIT, "the shape's product overflows");
    }
    if (unknown != n) {
        if (known == 0 || elements % known != 0)
            return ox_fail(c, MST_EINVAL, "%zu elements do not fit the shape: no -1 makes %zu divide them",
                           elements, known);
        dims[unknown] = (int64_t)(elements / known);
    } else if (known != elements) {
        return ox_fail(c, MST_EINVAL, "the shape has %zu elements, the input %zu%s", known, elements,
                       c->g->n_inputs != 0 ? " (a model exported for another batch than 1?)" : "");
    }
    return MST_OK;
}

/* The shape of a live value was written for another batch than 1: its first dimension holds it. */
static mst_status rebind_batch(const ox_ctx *c, const ox_value *x, size_t n, int64_t *dims)
{
    int64_t batch = c->g->batch, first = x->rank != 0 ? x->dims[0] : 1;
    bool open = false;
    for (size_t i = 1; i < n; i++)
        open = open || dims[i] == -1;
    if (batch <= 1 || x->data != NULL || n == 0 || dims[0] == -1)
        return MST_OK;
    if (dims[0] == batch || dims[0] == first * batch)
        dims[0] /= batch;
    else if (open)
        return ox_fail(c, MST_EUNSUPPORTED,
                       "the shape of a model with the fixed batch %lld does not begin with it; export the model again "
                       "with batch 1 or a dynamic batch",
                       (long long)batch);
    return MST_OK;
}

mst_status ox_infer_reshape(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t dims[MST_MAX_RANK];
    size_t n;
    MST_TRY(ox_const_ints(c, 1, "the shape", dims, MST_MAX_RANK, &n));
    bool zero_copies = ox_attr_int(c->n, "allowzero", 0) == 0;
    for (size_t i = 0; i < n && zero_copies; i++) {
        if (dims[i] != 0)
            continue;
        if (i >= x->rank)
            return ox_fail(c, MST_EINVAL, "dimension %zu of the shape copies one that the input lacks", i);
        dims[i] = x->dims[i];
    }
    MST_TRY(rebind_batch(c, x, n, dims));
    MST_TRY(fill_unknown(c, ox_elements(x), n, dims));
    return ox_out_set(c, 0, x->dtype, (uint32_t)n, dims);
}

mst_status ox_infer_flatten(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t axis = ox_attr_int(c->n, "axis", 1), dims[2] = {1, 1};
    if (axis < -(int64_t)x->rank || axis > (int64_t)x->rank)
        return ox_fail(c, MST_EINVAL, "axis %lld is outside a tensor of rank %u", (long long)axis, x->rank);
    if (axis < 0)
        axis += x->rank;
    for (uint32_t d = 0; d < x->rank; d++)
        dims[d < axis ? 0 : 1] *= x->dims[d];
    return ox_out_set(c, 0, x->dtype, 2, dims);
}

mst_status ox_infer_squeeze(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint32_t axes[MST_MAX_RANK], rank = 0;
    size_t n;
    bool gone[MST_MAX_RANK] = {false};
    int64_t dims[MST_MAX_RANK];
    MST_TRY(ox_axes(c, 1, 13, x->rank, axes, &n));
    for (size_t i = 0; i < n; i++) {
        if (x->dims[axes[i]] != 1)
            return ox_fail(c, MST_EINVAL, "dimension %u is %lld, not 1", axes[i],
                           (long long)x->dims[axes[i]]);
        gone[axes[i]] = true;
    }
    for (uint32_t d = 0; d < x->rank; d++)
        if (!gone[d] && (n != 0 || x->dims[d] != 1))
            dims[rank++] = x->dims[d];
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

mst_status ox_infer_unsqueeze(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t raw[MST_MAX_RANK], dims[MST_MAX_RANK];
    uint32_t axes[MST_MAX_RANK], from = 0;
    bool added[MST_MAX_RANK] = {false};
    size_t n;
    if (c->g->opset >= 13) {
        MST_TRY(ox_const_ints(c, 1, "the axes", raw, MST_MAX_RANK, &n));
    } else {
        int got = ox_attr_ints(c->n, "axes", raw, MST_MAX_RANK);
        n = got > 0 ? (size_t)got : 0;
    }
    uint32_t rank = x->rank + (uint32_t)n;
    if (rank > MST_MAX_RANK)
        return ox_fail(c, MST_ELIMIT, "the output would have %u dimensions, at most %d are supported", rank,
                       MST_MAX_RANK);
    for (size_t i = 0; i < n; i++) {
        MST_TRY(ox_axis_of(c, raw[i], rank, &axes[i]));
        if (added[axes[i]])
            return ox_fail(c, MST_EINVAL, "axis %u is given twice", axes[i]);
        added[axes[i]] = true;
    }
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = added[d] ? 1 : x->dims[from++];
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

mst_status ox_infer_transpose(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint32_t perm[MST_MAX_RANK];
    int64_t dims[MST_MAX_RANK];
    MST_TRY(ox_transpose_perm(c, perm));
    for (uint32_t d = 0; d < x->rank; d++)
        dims[d] = x->dims[perm[d]];
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

mst_status ox_infer_slice(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    ox_slice s;
    MST_TRY(ox_slice_params(c, &s));
    return ox_out_set(c, 0, x->dtype, x->rank, s.count);
}

mst_status ox_infer_split(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    if (c->n->n_out > 512)
        return ox_fail(c, MST_ELIMIT, "%u outputs, at most 512 are supported", c->n->n_out);
    for (uint32_t k = 0; k < c->n->n_out; k++) {
        int64_t dims[MST_MAX_RANK], start = 0, count = 0;
        uint32_t axis;
        MST_TRY(ox_split_params(c, &axis, k, &start, &count));
        memcpy(dims, x->dims, sizeof dims);
        dims[axis] = count;
        MST_TRY(ox_out_set(c, k, x->dtype, x->rank, dims));
    }
    return MST_OK;
}

mst_status ox_infer_expand(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t dims[MST_MAX_RANK];
    size_t n;
    MST_TRY(ox_const_ints(c, 1, "the shape", dims, MST_MAX_RANK, &n));
    uint32_t rank = (uint32_t)n;
    MST_TRY(ox_bcast_dims(c, &rank, dims, x));
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

mst_status ox_infer_tile(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t dims[MST_MAX_RANK];
    size_t n;
    MST_TRY(ox_const_ints(c, 1, "the repeats", dims, MST_MAX_RANK, &n));
    if (n != x->rank)
        return ox_fail(c, MST_EINVAL, "%zu repeats for a tensor of rank %u", n, x->rank);
    for (uint32_t d = 0; d < x->rank; d++)
        if (__builtin_mul_overflow(dims[d], x->dims[d], &dims[d]))
            return ox_fail(c, MST_ELIMIT, "dimension %u overflows", d);
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

mst_status ox_infer_pad(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t before[MST_MAX_RANK], after[MST_MAX_RANK], dims[MST_MAX_RANK];
    const char *mode = ox_attr_string(c->n, "mode", "constant");
    if (strcmp(mode, "constant") != 0)
        return ox_fail(c, MST_EINVAL, "mode '%.40s' is unknown", mode);
    MST_TRY(ox_pad_params(c, before, after));
    for (uint32_t d = 0; d < x->rank; d++) {
        dims[d] = x->dims[d] + before[d] + after[d];
        if (-before[d] > x->dims[d] || -after[d] > x->dims[d])
            return ox_fail(c, MST_EINVAL, "padding of dimension %u removes more than it has", d);
    }
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}

mst_status ox_infer_concat(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t dims[MST_MAX_RANK];
    uint32_t axis;
    MST_TRY(ox_axis(c, "axis", 1, x->rank, &axis));
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t k = 1; k < c->n->n_in; k++) {
        const ox_value *v = ox_in(c, k);
        if (v == NULL || v->dtype != x->dtype || v->rank != x->rank)
            return ox_fail(c, MST_EINVAL, "input %u is missing, or its type or rank is not that of input 0",
                           k);
        for (uint32_t d = 0; d < x->rank; d++)
            if (d != axis && v->dims[d] != x->dims[d])
                return ox_fail(c, MST_EINVAL, "dimension %u of input %u is %lld, of input 0 %lld", d, k,
                               (long long)v->dims[d], (long long)x->dims[d]);
        dims[axis] += v->dims[axis];
    }
    return ox_out_set(c, 0, x->dtype, x->rank, dims);
}
