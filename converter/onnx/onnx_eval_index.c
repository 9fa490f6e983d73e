/* Evaluation of gathers and scatters on constants. Every index is checked
 * against the data before it is used; negative ones count from the end.
 */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

static mst_status index_of(const ox_ctx *c, const ox_value *at, size_t i, int64_t dim, size_t *out)
{
    int64_t k = ox_get_int(at, i);
    *out = 0;
    if (k < -dim || k >= dim)
        return ox_fail(c, MST_EINVAL, "index %lld (element %zu) is outside a dimension of %lld", (long long)k,
                       i, (long long)dim);
    *out = (size_t)(k < 0 ? k + dim : k);
    return MST_OK;
}

mst_status ox_eval_gather(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    uint32_t axis;
    uint8_t *y;
    MST_TRY(ox_axis(c, "axis", 0, x->rank, &axis));
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL || ox_elements(ox_out(c, 0)) == 0)
        return MST_OK;
    size_t outer = 1, inner = ox_dtype_size(x->dtype), n = ox_elements(at), dim = (size_t)x->dims[axis];
    for (uint32_t d = 0; d < axis; d++)
        outer *= (size_t)x->dims[d];
    for (uint32_t d = axis + 1; d < x->rank; d++)
        inner *= (size_t)x->dims[d];
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < n; i++, y += inner) {
            size_t k;
            MST_TRY(index_of(c, at, i, x->dims[axis], &k));
            memcpy(y, (const uint8_t *)x->data + (o * dim + k) * inner, inner);
        }
    return MST_OK;
}

/* Walks the indices of GatherElements and ScatterElements: position and target in the data. */
typedef struct element_walk {
    uint32_t axis;
    ptrdiff_t stride[MST_MAX_RANK]; /* of the data, in elements */
    ox_bcast pos;                   /* at[0]: the data element with the position's own axis coordinate */
} element_walk;

static mst_status walk_start(const ox_ctx *c, element_walk *w)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    MST_TRY(ox_axis(c, "axis", 0, x->rank, &w->axis));
    ox_strides(x, 1, w->stride);
    memset(&w->pos, 0, sizeof w->pos);
    w->pos.n = 1;
    w->pos.rank = at->rank;
    memcpy(w->pos.dims, at->dims, sizeof w->pos.dims);
    for (uint32_t d = 0; d < at->rank; d++)
        w->pos.stride[0][d] = d == w->axis ? 0 : w->stride[d];
    return MST_OK;
}

static mst_status walk_target(const ox_ctx *c, const element_walk *w, size_t i, size_t *target)
{
    size_t k;
    MST_TRY(index_of(c, ox_in(c, 1), i, ox_in(c, 0)->dims[w->axis], &k));
    *target = w->pos.at[0] + k * (size_t)w->stride[w->axis];
    return MST_OK;
}

mst_status ox_eval_gather_elements(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    size_t size = ox_dtype_size(x->dtype), n = ox_elements(ox_in(c, 1)), from;
    element_walk w;
    uint8_t *y;
    MST_TRY(walk_start(c, &w));
    MST_TRY(ox_out_alloc(c, 0, &y));
    for (size_t i = 0; y != NULL && i < n; i++, ox_bcast_next(&w.pos)) {
        MST_TRY(walk_target(c, &w, i, &from));
        memcpy(y + i * size, (const uint8_t *)x->data + from * size, size);
    }
    return MST_OK;
}

/* y[target] = update i, or += with reduction "add". */
static mst_status scatter_one(const ox_ctx *c, uint8_t *y, size_t target, const ox_value *updates, size_t i,
                              bool add)
{
    ox_value sum = *updates;
    int64_t r;
    size_t size = ox_dtype_size(updates->dtype);
    if (!add) {
        memcpy(y + target * size, (const uint8_t *)updates->data + i * size, size);
        return MST_OK;
    }
    sum.data = y;
    if (ox_is_float(sum.dtype))
        ox_put_double(y, sum.dtype, target, ox_get_double(&sum, target) + ox_get_double(updates, i));
    else if (__builtin_add_overflow(ox_get_int(&sum, target), ox_get_int(updates, i), &r) ||
             !ox_put_int(y, sum.dtype, target, r))
        return ox_fail(c, MST_EINVAL, "element %zu overflows %s", target, ox_dtype_name(sum.dtype));
    return MST_OK;
}

/* The output as a copy of the data, and whether updates are added. */
static mst_status scatter_start(ox_ctx *c, uint8_t **y, bool *add)
{
    const ox_value *x = ox_in(c, 0);
    *add = strcmp(ox_attr_string(c->n, "reduction", "none"), "add") == 0;
    MST_TRY(ox_out_alloc(c, 0, y));
    if (*y != NULL)
        memcpy(*y, x->data, ox_elements(x) * ox_dtype_size(x->dtype));
    return MST_OK;
}

mst_status ox_eval_scatter(ox_ctx *c)
{
    size_t n = ox_elements(ox_in(c, 1)), target;
    element_walk w;
    uint8_t *y;
    bool add;
    MST_TRY(walk_start(c, &w));
    MST_TRY(scatter_start(c, &y, &add));
    for (size_t i = 0; y != NULL && i < n; i++, ox_bcast_next(&w.pos)) {
        MST_TRY(walk_target(c, &w, i, &target));
        MST_TRY(scatter_one(c, y, target, ox_in(c, 2), i, add));
    }
    return MST_OK;
}

/* Index tuple i of GatherND or ScatterND: the data element that its slice starts at. */
static mst_status tuple_target(const ox_ctx *c, size_t i, uint32_t batch, uint32_t depth, size_t base,
                               size_t *out)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    ptrdiff_t stride[MST_MAX_RANK];
    ox_strides(x, 1, stride);
    *out = base;
    for (uint32_t j = 0; j < depth; j++) {
        size_t k;
        MST_TRY(index_of(c, at, i * depth + j, x->dims[batch + j], &k));
        *out += k * (size_t)stride[batch + j];
    }
    return MST_OK;
}

static size_t product(const int64_t *dims, uint32_t from, uint32_t to)
{
    size_t n = 1;
    for (uint32_t d = from; d < to; d++)
        n *= (size_t)dims[d];
    return n;
}

mst_status ox_eval_gather_nd(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    uint32_t batch, depth;
    uint8_t *y;
    MST_TRY(ox_gather_nd_split(c, &batch, &depth));
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL || ox_elements(ox_out(c, 0)) == 0)
        return MST_OK;
    size_t tuples = product(at->dims, 0, at->rank - 1), per_batch = product(at->dims, batch, at->rank - 1);
    size_t batch_elements = product(x->dims, batch, x->rank);
    size_t slice = product(x->dims, batch + depth, x->rank), size = ox_dtype_size(x->dtype), from;
    for (size_t i = 0; i < tuples; i++) {
        MST_TRY(tuple_target(c, i, batch, depth, i / per_batch * batch_elements, &from));
        memcpy(y + i * slice * size, (const uint8_t *)x->data + from * size, slice * size);
    }
    return MST_OK;
}

mst_status ox_eval_scatter_nd(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *at = ox_in(c, 1);
    uint32_t batch, depth;
    uint8_t *y;
    bool add;
    MST_TRY(ox_gather_nd_split(c, &batch, &depth));
    MST_TRY(scatter_start(c, &y, &add));
    size_t tuples = product(at->dims, 0, at->rank - 1), slice = product(x->dims, depth, x->rank), target;
    for (size_t i = 0; y != NULL && slice != 0 && i < tuples; i++) {
        MST_TRY(tuple_target(c, i, batch, depth, 0, &target));
        for (size_t j = 0; j < slice; j++)
            MST_TRY(scatter_one(c, y, target + j, ox_in(c, 2), i * slice + j, add));
    }
    return MST_OK;
}

mst_status ox_eval_one_hot(ox_ctx *c)
{
    const ox_value *at = ox_in(c, 0), *values = ox_in(c, 2), *out = ox_out(c, 0);
    uint8_t *y;
    uint32_t axis;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    MST_TRY(ox_axis(c, "axis", -1, out->rank, &axis));
    size_t size = ox_dtype_size(values->dtype), depth = (size_t)out->dims[axis];
    size_t inner = product(out->dims, axis + 1, out->rank), n = ox_elements(out);
    for (size_t i = 0; i < n; i++) {
        size_t hot = i / inner % depth, from = i / (inner * depth) * inner + i % inner;
        double k = ox_get_double(at, from); /* indices may be of any numeric type */
        k = k < 0 ? k + (double)depth : k;
        memcpy(y + i * size, (const uint8_t *)values->data + (k == (double)hot ? size : 0), size);
    }
    return MST_OK;
}

mst_status ox_eval_non_zero(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    ptrdiff_t stride[MST_MAX_RANK];
    ox_strides(x, 1, stride);
    size_t count = (size_t)out->dims[1], at = 0;
    for (size_t i = 0, n = ox_elements(x); i < n; i++) {
        if (ox_get_double(x, i) == 0)
            continue;
        for (uint32_t d = 0; d < x->rank; d++)
            ox_put_int(y, OX_INT64, d * count + at, (int64_t)(i / (size_t)stride[d]) % x->dims[d]);
        at++;
    }
    return MST_OK;
}
