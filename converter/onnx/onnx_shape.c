/* Output types and shapes of operators that compute: elementwise, reductions,
 * products, casts. Reads shapes, and constants only where they decide a shape.
 */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

mst_status ox_infer_same(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    return ox_out_like(c, 0, x->dtype, x);
}

static mst_status want(const ox_ctx *c, uint32_t k, bool ok, const char *types)
{
    const ox_value *v = ox_in(c, k);
    return ok ? MST_OK
              : ox_fail(c, MST_EINVAL, "input %u ('%.100s') has type %s, expected %s", k, v->name,
                        ox_dtype_name(v->dtype), types);
}

mst_status ox_infer_float(ox_ctx *c)
{
    MST_TRY(want(c, 0, ox_is_float(ox_in(c, 0)->dtype), "a float type"));
    return ox_infer_same(c);
}

mst_status ox_infer_bool(ox_ctx *c)
{
    MST_TRY(want(c, 0, ox_in(c, 0)->dtype == OX_BOOL, "bool"));
    return ox_infer_same(c);
}

/* Broadcast inputs from..n_in-1 and set output 0. */
static mst_status broadcast(ox_ctx *c, uint32_t from, int dtype)
{
    uint32_t rank = 0;
    int64_t dims[MST_MAX_RANK];
    for (uint32_t k = from; k < c->n->n_in; k++)
        if (ox_in(c, k) != NULL)
            MST_TRY(ox_bcast_dims(c, &rank, dims, ox_in(c, k)));
    return ox_out_set(c, 0, dtype, rank, dims);
}

static mst_status same_types(const ox_ctx *c, uint32_t a, uint32_t b)
{
    if (ox_in(c, a)->dtype == ox_in(c, b)->dtype)
        return MST_OK;
    return ox_fail(c, MST_EINVAL, "inputs have different types: %s and %s", ox_dtype_name(ox_in(c, a)->dtype),
                   ox_dtype_name(ox_in(c, b)->dtype));
}

static bool numeric(const ox_value *v)
{
    return ox_is_float(v->dtype) || ox_is_int(v->dtype);
}

mst_status ox_infer_binary(ox_ctx *c)
{
    MST_TRY(same_types(c, 0, 1));
    MST_TRY(want(c, 0, numeric(ox_in(c, 0)), "a number"));
    return broadcast(c, 0, ox_in(c, 0)->dtype);
}

mst_status ox_infer_compare(ox_ctx *c)
{
    MST_TRY(same_types(c, 0, 1));
    return broadcast(c, 0, OX_BOOL);
}

mst_status ox_infer_logic(ox_ctx *c)
{
    MST_TRY(want(c, 0, ox_in(c, 0)->dtype == OX_BOOL, "bool"));
    return ox_infer_compare(c);
}

mst_status ox_infer_pow(ox_ctx *c)
{
    MST_TRY(want(c, 0, numeric(ox_in(c, 0)), "a number"));
    MST_TRY(want(c, 1, numeric(ox_in(c, 1)), "a number"));
    return broadcast(c, 0, ox_in(c, 0)->dtype);
}

mst_status ox_infer_variadic(ox_ctx *c)
{
    for (uint32_t k = 0; k < c->n->n_in; k++) {
        if (ox_in(c, k) == NULL)
            return ox_fail(c, MST_EINVAL, "input %u is missing", k);
        MST_TRY(same_types(c, 0, k));
    }
    MST_TRY(want(c, 0, numeric(ox_in(c, 0)), "a number"));
    return broadcast(c, 0, ox_in(c, 0)->dtype);
}

mst_status ox_infer_where(ox_ctx *c)
{
    MST_TRY(want(c, 0, ox_in(c, 0)->dtype == OX_BOOL, "bool"));
    MST_TRY(same_types(c, 1, 2));
    return broadcast(c, 0, ox_in(c, 1)->dtype);
}

mst_status ox_infer_clip(ox_ctx *c)
{
    MST_TRY(want(c, 0, numeric(ox_in(c, 0)), "a number"));
    for (uint32_t k = 1; k < c->n->n_in; k++)
        if (ox_in(c, k) != NULL)
            MST_TRY(same_types(c, 0, k));
    return ox_infer_same(c);
}

mst_status ox_infer_reduce(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    bool reduced[MST_MAX_RANK], keep;
    MST_TRY(ox_reduce_params(c, reduced, &keep));
    int64_t dims[MST_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; d < x->rank; d++)
        if (!reduced[d] || keep)
            dims[rank++] = reduced[d] ? 1 : x->dims[d];
    return ox_out_set(c, 0, x->dtype, rank, dims);
}

/* numpy.matmul: a vector gets a dimension for the product and loses it afterwards. */
mst_status ox_infer_matmul(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1);
    MST_TRY(same_types(c, 0, 1));
    MST_TRY(want(c, 0, numeric(a), "a number"));
    if (a->rank == 0 || b->rank == 0)
        return ox_fail(c, MST_EINVAL, "an input is a scalar");
    int64_t k_a = a->dims[a->rank - 1], k_b = b->dims[b->rank >= 2 ? b->rank - 2 : 0];
    if (k_a != k_b)
        return ox_fail(c, MST_EINVAL, "inner dimensions %lld and %lld differ", (long long)k_a,
                       (long long)k_b);
    ox_value lead_a = *a, lead_b = *b;
    lead_a.rank = a->rank > 2 ? a->rank - 2 : 0;
    lead_b.rank = b->rank > 2 ? b->rank - 2 : 0;
    uint32_t rank = 0;
    int64_t dims[MST_MAX_RANK + 2];
    MST_TRY(ox_bcast_dims(c, &rank, dims, &lead_a));
    MST_TRY(ox_bcast_dims(c, &rank, dims, &lead_b));
    if (a->rank >= 2)
        dims[rank++] = a->dims[a->rank - 2];
    if (b->rank >= 2)
        dims[rank++] = b->dims[b->rank - 1];
    return ox_out_set(c, 0, a->dtype, rank, dims);
}

mst_status ox_infer_gemm(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1), *bias = ox_in(c, 2);
    bool ta = ox_attr_int(c->n, "transA", 0) != 0, tb = ox_attr_int(c->n, "transB", 0) != 0;
    MST_TRY(same_types(c, 0, 1));
    if (a->rank != 2 || b->rank != 2)
        return ox_fail(c, MST_EINVAL, "inputs of rank %u and %u, expected 2 and 2", a->rank, b->rank);
    int64_t dims[2] = {a->dims[ta ? 1 : 0], b->dims[tb ? 0 : 1]};
    if (a->dims[ta ? 0 : 1] != b->dims[tb ? 1 : 0])
        return ox_fail(c, MST_EINVAL, "inner dimensions %lld and %lld differ", (long long)a->dims[ta ? 0 : 1],
                       (long long)b->dims[tb ? 1 : 0]);
    if (bias != NULL) {
        int64_t full[MST_MAX_RANK] = {dims[0], dims[1]};
        uint32_t rank = 2;
        MST_TRY(same_types(c, 0, 2));
        MST_TRY(ox_bcast_dims(c, &rank, full, bias));
        if (rank != 2 || full[0] != dims[0] || full[1] != dims[1])
            return ox_fail(c, MST_EINVAL, "C does not broadcast to [%lld,%lld]", (long long)dims[0],
                           (long long)dims[1]);
    }
    return ox_out_set(c, 0, a->dtype, 2, dims);
}

mst_status ox_infer_softmax(ox_ctx *c)
{
    uint32_t first, last;
    MST_TRY(ox_softmax_axes(c, &first, &last));
    return ox_infer_float(c);
}

mst_status ox_infer_cast(ox_ctx *c)
{
    int64_t to = ox_attr_int(c->n, "to", OX_UNDEFINED);
    if (to <= 0 || to > OX_BFLOAT16 || ox_dtype_size((int)to) == 0)
        return ox_fail(c, MST_EUNSUPPORTED, "a cast to type %lld is not supported", (long long)to);
    return ox_out_like(c, 0, (int)to, ox_in(c, 0));
}

mst_status ox_infer_cast_like(ox_ctx *c)
{
    return ox_out_like(c, 0, ox_in(c, 1)->dtype, ox_in(c, 0));
}

mst_status ox_infer_cumsum(ox_ctx *c)
{
    int64_t axis;
    size_t n;
    uint32_t at;
    MST_TRY(want(c, 0, numeric(ox_in(c, 0)), "a number"));
    MST_TRY(ox_const_ints(c, 1, "the axis", &axis, 1, &n));
    if (n != 1)
        return ox_fail(c, MST_EINVAL, "no axis");
    MST_TRY(ox_axis_of(c, axis, ox_in(c, 0)->rank, &at));
    return ox_infer_same(c);
}

mst_status ox_infer_trilu(ox_ctx *c)
{
    int64_t k;
    size_t n;
    if (ox_in(c, 0)->rank < 2)
        return ox_fail(c, MST_EINVAL, "input has rank %u, expected 2 at least", ox_in(c, 0)->rank);
    if (ox_in(c, 1) != NULL)
        MST_TRY(ox_const_ints(c, 1, "k", &k, 1, &n));
    return ox_infer_same(c);
}
