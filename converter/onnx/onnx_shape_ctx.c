/* A node's inputs and outputs as inference and evaluation reach them: presence,
 * sizes, constant integers, axes. Must not know any single operator.
 */
#include "converter/onnx/onnx_shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

mst_status ox_fail(const ox_ctx *c, mst_status code, const char *fmt, ...)
{
    if (c->err == NULL)
        return code;
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mst_fail(c->err, code, "node '%.200s' (%.60s): %s", c->n->name, c->n->op, text);
}

const ox_value *ox_in(const ox_ctx *c, uint32_t k)
{
    return k < c->n->n_in && c->n->in[k] != OX_NONE ? &c->g->values[c->n->in[k]] : NULL;
}

ox_value *ox_out(const ox_ctx *c, uint32_t k)
{
    return k < c->n->n_out && c->n->out[k] != OX_NONE ? &c->g->values[c->n->out[k]] : NULL;
}

size_t ox_elements(const ox_value *v)
{
    size_t n = 1;
    for (uint32_t d = 0; d < v->rank; d++)
        n *= (size_t)v->dims[d]; /* ox_out_set and ox_fold checked the product */
    return n;
}

bool ox_is_float(int dtype)
{
    return dtype == OX_FLOAT || dtype == OX_DOUBLE || dtype == OX_FLOAT16 || dtype == OX_BFLOAT16;
}

bool ox_is_int(int dtype)
{
    switch (dtype) {
    case OX_UINT8:
    case OX_INT8:
    case OX_UINT16:
    case OX_INT16:
    case OX_UINT32:
    case OX_INT32:
    case OX_UINT64:
    case OX_INT64:
        return true;
    default:
        return false;
    }
}

mst_status ox_out_set(ox_ctx *c, uint32_t k, int dtype, uint32_t rank, const int64_t *dims)
{
    ox_value *v = ox_out(c, k);
    if (v == NULL)
        return MST_OK;
    if (ox_dtype_size(dtype) == 0)
        return ox_fail(c, MST_EUNSUPPORTED, "output %u has type %s, which is not supported", k,
                       ox_dtype_name(dtype));
    if (rank > MST_MAX_RANK)
        return ox_fail(c, MST_ELIMIT, "output %u has %u dimensions, at most %d are supported", k, rank,
                       MST_MAX_RANK);
    uint64_t n = 1;
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] < 0)
            return ox_fail(c, MST_EINVAL, "dimension %u of output %u would be %lld", d, k,
                           (long long)dims[d]);
        /* each factor counts, so that a 0 does not hide a product that overflows */
        if (dims[d] > 1 &&
            ((uint64_t)dims[d] > OX_MAX_ELEMENTS || (n *= (uint64_t)dims[d]) > OX_MAX_ELEMENTS))
            return ox_fail(c, MST_ELIMIT, "output %u would have more than %u elements", k, OX_MAX_ELEMENTS);
        v->dims[d] = dims[d];
    }
    v->dtype = dtype;
    v->rank = rank;
    v->has_shape = true;
    return MST_OK;
}

mst_status ox_out_like(ox_ctx *c, uint32_t k, int dtype, const ox_value *v)
{
    return ox_out_set(c, k, dtype, v->rank, v->dims);
}

mst_status ox_const_ints(const ox_ctx *c, uint32_t k, const char *what, int64_t *out, size_t cap, size_t *n)
{
    const ox_value *v = ox_in(c, k);
    if (v == NULL)
        return ox_fail(c, MST_EINVAL, "input %u (%s) is missing", k, what);
    if (v->data == NULL)
        return ox_fail(c, MST_EUNSUPPORTED,
                       "input %u (%s, '%.100s') is computed from the model's input; only constants are "
                       "supported: export with a fixed input size",
                       k, what, v->name);
    if (v->dtype != OX_INT64 && v->dtype != OX_INT32)
        return ox_fail(c, MST_EINVAL, "input %u (%s) has type %s, expected int64", k, what,
                       ox_dtype_name(v->dtype));
    *n = ox_elements(v);
    if (v->rank > 1 || *n > cap)
        return ox_fail(c, MST_EINVAL,
                       "input %u (%s) has rank %u and %zu elements, expected at most %zu in a row", k, what,
                       v->rank, *n, cap);
    for (size_t i = 0; i < *n; i++)
        out[i] = ox_get_int(v, i);
    return MST_OK;
}

mst_status ox_axis_of(const ox_ctx *c, int64_t axis, uint32_t rank, uint32_t *out)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return ox_fail(c, MST_EINVAL, "axis %lld is outside a tensor of rank %u", (long long)axis, rank);
    *out = (uint32_t)(axis < 0 ? axis + rank : axis);
    return MST_OK;
}

mst_status ox_axis(const ox_ctx *c, const char *name, int64_t fallback, uint32_t rank, uint32_t *out)
{
    return ox_axis_of(c, ox_attr_int(c->n, name, fallback), rank, out);
}

mst_status ox_axes(const ox_ctx *c, uint32_t k, int since, uint32_t rank, uint32_t *out, size_t *n)
{
    int64_t raw[MST_MAX_RANK];
    bool seen[MST_MAX_RANK] = {false};
    *n = 0;
    if (c->g->opset >= since) {
        if (ox_in(c, k) != NULL)
            MST_TRY(ox_const_ints(c, k, "the axes", raw, MST_MAX_RANK, n));
    } else {
        const ox_attr *a = ox_attr_find(c->n, "axes");
        if (a != NULL && a->kind == OX_A_INTS) {
            if (a->n > MST_MAX_RANK)
                return ox_fail(c, MST_EINVAL, "%zu axes, at most %d are possible", a->n, MST_MAX_RANK);
            *n = a->n;
            for (size_t i = 0; i < a->n; i++)
                raw[i] = a->ints[i];
        }
    }
    for (size_t i = 0; i < *n; i++) {
        MST_TRY(ox_axis_of(c, raw[i], rank, &out[i]));
        if (seen[out[i]])
            return ox_fail(c, MST_EINVAL, "axis %u is given twice", out[i]);
        seen[out[i]] = true;
    }
    return MST_OK;
}

mst_status ox_bcast_dims(const ox_ctx *c, uint32_t *rank, int64_t *dims, const ox_value *v)
{
    uint32_t r = v->rank > *rank ? v->rank : *rank;
    int64_t out[MST_MAX_RANK];
    for (uint32_t i = 0; i < r; i++) {
        int64_t a = i < *rank ? dims[*rank - 1 - i] : 1;
        int64_t b = i < v->rank ? v->dims[v->rank - 1 - i] : 1;
        if (a != b && a != 1 && b != 1)
            return ox_fail(c, MST_EINVAL, "input '%.100s' does not broadcast: %lld against %lld", v->name,
                           (long long)b, (long long)a);
        out[r - 1 - i] = a == 1 ? b : a;
    }
    memcpy(dims, out, r * sizeof *dims);
    *rank = r;
    return MST_OK;
}
