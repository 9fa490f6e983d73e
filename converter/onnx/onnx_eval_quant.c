/* QuantizeLinear and DequantizeLinear: the grid that they name, types, shapes, values of constants. In the arithmetic
 * of ONNX Runtime: quotients and products are rounded to the type of the scale, ties of rounding go to even. */
#include <math.h>

#include "converter/onnx/onnx_eval.h"

static bool is_quantize(const ox_ctx *c) { return c->n->op[0] == 'Q'; }

/* The type of whole numbers that the node makes, or takes. */
static int whole_type(const ox_ctx *c)
{
    if (!is_quantize(c))
        return ox_in(c, 0)->dtype;
    if (ox_in(c, 2) != NULL)
        return ox_in(c, 2)->dtype;
    int64_t named = ox_attr_int(c->n, "output_dtype", 0);
    return named > 0 && named <= OX_BFLOAT16 ? (int)named : OX_UINT8;
}

static bool range_of(int dtype, int64_t *lo, int64_t *hi)
{
    size_t size = ox_dtype_size(dtype);
    if (!ox_is_int(dtype) || size > 4)
        return false;
    bool is_signed = dtype == OX_INT8 || dtype == OX_INT16 || dtype == OX_INT32;
    *lo = is_signed ? -((int64_t)1 << (8 * size - 1)) : 0;
    *hi = ((int64_t)1 << (8 * size - (is_signed ? 1 : 0))) - 1;
    return true;
}

mst_status ox_quant_params(const ox_ctx *c, ox_quant *q)
{
    const ox_value *x = ox_in(c, 0), *scale = ox_in(c, 1), *zero = ox_in(c, 2);
    *q = (ox_quant){.scale = scale, .zero = zero, .dtype = whole_type(c), .n = ox_elements(scale)};
    if (!range_of(q->dtype, &q->lo, &q->hi))
        return ox_fail(c, MST_EUNSUPPORTED, "quantizes to %s; expected integers of 8 bits (weights and biases: to 32)",
                       ox_dtype_name(q->dtype));
    if (ox_attr_int(c->n, "block_size", 0) != 0 || (q->n != 1 && scale->rank != 1))
        return ox_fail(c, MST_EUNSUPPORTED, "scales by blocks are not supported; use one for each tensor or channel");
    if (!ox_is_float(scale->dtype))
        return ox_fail(c, MST_EINVAL, "its scale has type %s, expected a float type", ox_dtype_name(scale->dtype));
    if (zero != NULL && (zero->dtype != q->dtype || ox_elements(zero) != q->n))
        return ox_fail(c, MST_EINVAL, "its zero point is %s of %zu elements, expected %s of %zu",
                       ox_dtype_name(zero->dtype), ox_elements(zero), ox_dtype_name(q->dtype), q->n);
    if (q->n == 1)
        return MST_OK;
    MST_TRY(ox_axis(c, "axis", 1, x->rank, &q->axis));
    return (int64_t)q->n == x->dims[q->axis]
               ? MST_OK
               : ox_fail(c, MST_EINVAL, "%zu scales for an axis of %lld", q->n, (long long)x->dims[q->axis]);
}

mst_status ox_infer_quantize(ox_ctx *c)
{
    ox_quant q;
    MST_TRY(ox_quant_params(c, &q));
    return ox_out_like(c, 0, q.dtype, ox_in(c, 0));
}

mst_status ox_infer_dequantize(ox_ctx *c)
{
    ox_quant q;
    MST_TRY(ox_quant_params(c, &q));
    int64_t named = ox_attr_int(c->n, "output_dtype", 0);
    if (named != 0 && (named < 0 || named > OX_BFLOAT16 || !ox_is_float((int)named)))
        return ox_fail(c, MST_EINVAL, "output_dtype is %lld, expected a float type", (long long)named);
    return ox_out_like(c, 0, named != 0 ? (int)named : q.scale->dtype, ox_in(c, 0));
}

/* Which scale element i of x has. */
static size_t scale_at(const ox_quant *q, const ox_value *x, size_t i)
{
    size_t inner = 1;
    for (uint32_t d = q->axis + 1; d < x->rank; d++)
        inner *= (size_t)x->dims[d];
    return q->n == 1 ? 0 : i / inner % q->n;
}

/* v as the type holds it. A quotient or product of two of its numbers, rounded twice, is rounded right. */
static double rounded(int dtype, double v)
{
    double bits;
    ox_put_double((uint8_t *)&bits, dtype, 0, v);
    return ox_get_double(&(ox_value){.dtype = dtype, .data = &bits}, 0);
}

static int64_t zero_at(const ox_quant *q, size_t k) { return q->zero != NULL ? ox_get_int(q->zero, k) : 0; }

mst_status ox_eval_quantize(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    ox_quant q;
    uint8_t *y;
    MST_TRY(ox_quant_params(c, &q));
    MST_TRY(ox_out_alloc(c, 0, &y));
    for (size_t i = 0, n = y != NULL ? ox_elements(x) : 0; i < n; i++) {
        size_t k = scale_at(&q, x, i);
        double v = rint(rounded(q.scale->dtype, ox_get_double(x, i) / ox_get_double(q.scale, k)));
        if (isnan(v))
            return ox_fail(c, MST_EINVAL, "element %zu divided by its scale is not a number", i);
        v = fmin(fmax(v + (double)zero_at(&q, k), (double)q.lo), (double)q.hi);
        ox_put_int(y, q.dtype, i, (int64_t)v);
    }
    return MST_OK;
}

mst_status ox_eval_dequantize(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    ox_quant q;
    uint8_t *y;
    MST_TRY(ox_quant_params(c, &q));
    MST_TRY(ox_out_alloc(c, 0, &y));
    for (size_t i = 0, n = y != NULL ? ox_elements(x) : 0; i < n; i++) {
        size_t k = scale_at(&q, x, i);
        double steps = rounded(q.scale->dtype, (double)(ox_get_int(x, i) - zero_at(&q, k)));
        ox_put_double(y, ox_out(c, 0)->dtype, i, rounded(q.scale->dtype, steps * ox_get_double(q.scale, k)));
    }
    return MST_OK;
}
