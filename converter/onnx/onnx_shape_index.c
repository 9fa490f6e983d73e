/* Output types and shapes of gathers and scatters, and of operators that make a
 * tensor from a shape: Constant, ConstantOfShape, Range, EyeLike, OneHot.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

static mst_status want_index(const ox_ctx *c, uint32_t k)
{
    const ox_value *v = ox_in(c, k);
    if (v->dtype == OX_INT32 || v->dtype == OX_INT64)
        return MST_OK;
    return ox_fail(c, MST_EINVAL, "the indices have type %s, expected int64 or int32",
                   ox_dtype_name(v->dtype));
}

mst_status ox_infer_gather(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    int64_t dims[2 * MST_MAX_RANK];
    uint32_t axis, rank = 0;
    MST_TRY(want_index(c, 1));
    MST_TRY(ox_axis(c, "axis", 0, x->rank, &axis));
    for (uint32_t d = 0; d < axis; d++)
        dims[rank++] = x->dims[d];
    for (uint32_t d = 0; d < at->rank; d++)
        dims[rank++] = at->dims[d];
    for (uint32_t d = axis + 1; d < x->rank; d++)
        dims[rank++] = x->dims[d];
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

mst_status ox_infer_gather_elements(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    uint32_t axis;
    MST_TRY(want_index(c, 1));
    MST_TRY(ox_axis(c, "axis", 0, x->rank, &axis));
    if (at->rank != x->rank)
        return ox_fail(c, MST_EINVAL, "indices of rank %u for data of rank %u", at->rank, x->rank);
    for (uint32_t d = 0; d < x->rank; d++)
        if (d != axis && at->dims[d] > x->dims[d])
            return ox_fail(c, MST_EINVAL, "dimension %u of the indices exceeds the data's", d);
    return ox_out_like(c, 0, x->dtype, at);
}

/* GatherND, ScatterND: leading dimensions that both share, and the length of one index. */
mst_status ox_gather_nd_split(const ox_ctx *c, uint32_t *batch, uint32_t *depth)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    int64_t b = ox_attr_int(c->n, "batch_dims", 0);
    if (at->rank == 0 || x->rank == 0 || b < 0 || b >= x->rank || b >= at->rank)
        return ox_fail(c, MST_EINVAL, "batch_dims %lld with data of rank %u and indices of rank %u",
                       (long long)b, x->rank, at->rank);
    int64_t k = at->dims[at->rank - 1];
    if (k < 1 || k > (int64_t)x->rank - b)
        return ox_fail(c, MST_EINVAL, "indices of length %lld into data of rank %u", (long long)k, x->rank);
    for (uint32_t d = 0; d < b; d++)
        if (x->dims[d] != at->dims[d])
            return ox_fail(c, MST_EINVAL, "batch dimension %u of data and indices differs", d);
    *batch = (uint32_t)b;
    *depth = (uint32_t)k;
    return MST_OK;
}

mst_status ox_infer_gather_nd(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    uint32_t batch, depth, rank = 0;
    int64_t dims[2 * MST_MAX_RANK];
    MST_TRY(want_index(c, 1));
    MST_TRY(ox_gather_nd_split(c, &batch, &depth));
    for (uint32_t d = 0; d + 1 < at->rank; d++)
        dims[rank++] = at->dims[d];
    for (uint32_t d = batch + depth; d < x->rank; d++)
        dims[rank++] = x->dims[d];
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

static mst_status want_reduction(const ox_ctx *c)
{
    const char *r = ox_attr_string(c->n, "reduction", "none");
    if (strcmp(r, "none") == 0 || strcmp(r, "add") == 0)
        return MST_OK;
    return ox_fail(c, MST_EUNSUPPORTED, "reduction '%.40s' is not supported, only none and add", r);
}

mst_status ox_infer_scatter(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1), *u = ox_in(c, 2);
    uint32_t axis;
    MST_TRY(want_reduction(c));
    MST_TRY(want_index(c, 1));
    MST_TRY(ox_axis(c, "axis", 0, x->rank, &axis));
    if (at->rank != x->rank || u->rank != x->rank || u->dtype != x->dtype)
        return ox_fail(c, MST_EINVAL, "data, indices and updates differ in rank or type");
    for (uint32_t d = 0; d < x->rank; d++)
        if (at->dims[d] != u->dims[d] || (d != axis && at->dims[d] > x->dims[d]))
            return ox_fail(c, MST_EINVAL, "dimension %u of the indices fits neither updates nor data", d);
    return ox_infer_same(c);
}

mst_status ox_infer_scatter_nd(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1), *u = ox_in(c, 2);
    uint32_t batch, depth;
    MST_TRY(want_reduction(c));
    MST_TRY(want_index(c, 1));
    MST_TRY(ox_gather_nd_split(c, &batch, &depth));
    bool ok = batch == 0 && u->dtype == x->dtype && u->rank == at->rank - 1 + x->rank - depth;
    for (uint32_t d = 0; ok && d < u->rank; d++)
        ok = u->dims[d] == (d + 1 < at->rank ? at->dims[d] : x->dims[d + 1 - at->rank + depth]);
    if (!ok)
        return ox_fail(c, MST_EINVAL, "the updates fit neither the indices nor the data");
    return ox_infer_same(c);
}

mst_status ox_infer_one_hot(ox_ctx *c)
{
    const ox_value *at = ox_in(c, 0), *depth = ox_in(c, 1), *values = ox_in(c, 2);
    int64_t dims[MST_MAX_RANK + 1];
    uint32_t axis, from = 0;
    if (depth->data == NULL || ox_elements(depth) != 1)
        return ox_fail(c, MST_EUNSUPPORTED, "the depth is not one constant");
    if (values->rank != 1 || values->dims[0] != 2)
        return ox_fail(c, MST_EINVAL, "the values are not two in a row");
    double n = ox_get_double(depth, 0);
    if (!(n >= 1 && n <= OX_MAX_ELEMENTS))
        return ox_fail(c, MST_EINVAL, "a depth of %g", n);
    MST_TRY(ox_axis(c, "axis", -1, at->rank + 1, &axis));
    for (uint32_t d = 0; d <= at->rank; d++)
        dims[d] = d == axis ? (int64_t)n : at->dims[from++];
    return ox_out_set(c, 0, values->dtype, at->rank + 1, dims);
}

int64_t ox_nonzero_count(const ox_value *v)
{
    int64_t n = 0;
    for (size_t i = 0, all = ox_elements(v); i < all; i++)
        n += ox_get_double(v, i) != 0;
    return n;
}

mst_status ox_infer_non_zero(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    if (x->data == NULL)
        return ox_fail(c, MST_EUNSUPPORTED, "the shape of its output depends on the model's input");
    if (x->rank == 0)
        return ox_fail(c, MST_EUNSUPPORTED, "of a scalar");
    MST_TRY(ox_spend(c, ox_elements(x)));
    const int64_t dims[2] = {x->rank, ox_nonzero_count(x)};
    return ox_out_set(c, 0, OX_INT64, 2, dims);
}

mst_status ox_infer_shape(ox_ctx *c)
{
    int64_t rank = ox_in(c, 0)->rank;
    int64_t start = ox_attr_int(c->n, "start", 0), end = ox_attr_int(c->n, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank
                                         : start;
    end = end < start ? start : end > rank ? rank
                                           : end;
    const int64_t n = end - start;
    return ox_out_set(c, 0, OX_INT64, 1, &n);
}

mst_status ox_infer_size(ox_ctx *c)
{
    return ox_out_set(c, 0, OX_INT64, 0, NULL);
}

mst_status ox_infer_constant(ox_ctx *c)
{
    const ox_attr *a;
    int64_t n;
    if ((a = ox_attr_find(c->n, "value")) != NULL && a->kind == OX_A_TENSOR)
        return ox_out_like(c, 0, a->tensor.dtype, &a->tensor);
    if ((a = ox_attr_find(c->n, "value_int")) != NULL && a->kind == OX_A_INT)
        return ox_out_set(c, 0, OX_INT64, 0, NULL);
    if ((a = ox_attr_find(c->n, "value_float")) != NULL && a->kind == OX_A_FLOAT)
        return ox_out_set(c, 0, OX_FLOAT, 0, NULL);
    if (((a = ox_attr_find(c->n, "value_ints")) != NULL && a->kind == OX_A_INTS) ||
        ((a = ox_attr_find(c->n, "value_floats")) != NULL && a->kind == OX_A_FLOATS)) {
        n = (int64_t)a->n;
        return ox_out_set(c, 0, a->kind == OX_A_INTS ? OX_INT64 : OX_FLOAT, 1, &n);
    }
    return ox_fail(c, MST_EUNSUPPORTED, "neither a tensor nor numbers (strings and sparse tensors are not "
                                        "supported)");
}

mst_status ox_infer_constant_of_shape(ox_ctx *c)
{
    int64_t dims[MST_MAX_RANK];
    size_t n;
    const ox_attr *a = ox_attr_find(c->n, "value");
    bool given = a != NULL && a->kind == OX_A_TENSOR;
    if (given && (ox_elements(&a->tensor) != 1 || a->tensor.data == NULL))
        return ox_fail(c, MST_EINVAL, "the value is not one number");
    MST_TRY(ox_const_ints(c, 0, "the shape", dims, MST_MAX_RANK, &n));
    return ox_out_set(c, 0, given ? a->tensor.dtype : OX_FLOAT, (uint32_t)n, dims);
}

mst_status ox_range_count(const ox_ctx *c, int64_t *count)
{
    const ox_value *start = ox_in(c, 0), *limit = ox_in(c, 1), *delta = ox_in(c, 2);
    double n;
    if (ox_is_float(start->dtype)) {
        n = ceil((ox_get_double(limit, 0) - ox_get_double(start, 0)) / ox_get_double(delta, 0));
    } else {
        int64_t span, by = ox_get_int(delta, 0);
        if (by == 0 || by == INT64_MIN ||
            __builtin_sub_overflow(ox_get_int(limit, 0), ox_get_int(start, 0), &span) || span == INT64_MIN)
            return ox_fail(c, MST_EINVAL, "the step is 0 or the range overflows");
        if (by < 0) {
            by = -by;
            span = -span;
        }
        n = span > 0 ? (double)(span / by + (span % by != 0)) : 0;
    }
    if (isnan(n) || n > OX_MAX_ELEMENTS)
        return ox_fail(c, isnan(n) ? MST_EINVAL : MST_ELIMIT, "a range of %g elements", n);
    *count = n > 0 ? (int64_t)n : 0;
    return MST_OK;
}

mst_status ox_infer_range(ox_ctx *c)
{
    int64_t n;
    for (uint32_t k = 0; k < 3; k++) {
        const ox_value *v = ox_in(c, k);
        if (v->data == NULL)
            return ox_fail(c, MST_EUNSUPPORTED, "input '%.100s' is computed from the model's input", v->name);
        if (ox_elements(v) != 1 || v->dtype != ox_in(c, 0)->dtype ||
            !(ox_is_float(v->dtype) || ox_is_int(v->dtype)))
            return ox_fail(c, MST_EINVAL, "input %u is not one number of the first's type", k);
    }
    MST_TRY(ox_range_count(c, &n));
    return ox_out_set(c, 0, ox_in(c, 0)->dtype, 1, &n);
}

mst_status ox_infer_eye_like(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    if (x->rank != 2)
        return ox_fail(c, MST_EINVAL, "input has rank %u, expected 2", x->rank);
    int64_t dtype = ox_attr_int(c->n, "dtype", x->dtype);
    return ox_out_like(c, 0, dtype > 0 && dtype <= OX_BFLOAT16 ? (int)dtype : OX_UNDEFINED, x);
}
