/* Evaluation of operators that make a constant from attributes or a shape. */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

mst_status ox_eval_shape(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    int64_t start = ox_attr_int(c->n, "start", 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    start = start < 0 ? start + x->rank : start;
    start = start < 0 ? 0 : start;
    for (int64_t i = 0; y != NULL && i < out->dims[0]; i++)
        ox_put_int(y, OX_INT64, (size_t)i, x->dims[start + i]);
    return MST_OK;
}

mst_status ox_eval_size(ox_ctx *c)
{
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y != NULL)
        ox_put_int(y, OX_INT64, 0, (int64_t)ox_elements(ox_in(c, 0)));
    return MST_OK;
}

mst_status ox_eval_constant(ox_ctx *c)
{
    const ox_attr *a;
    uint8_t *y;
    if ((a = ox_attr_find(c->n, "value")) != NULL && a->kind == OX_A_TENSOR) {
        if (a->tensor.data == NULL)
            return ox_fail(c, MST_EINVAL, "its tensor has no values");
        ox_out_share(c, 0, &a->tensor);
        return MST_OK;
    }
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    if ((a = ox_attr_find(c->n, "value_int")) != NULL && a->kind == OX_A_INT)
        ox_put_int(y, OX_INT64, 0, a->i);
    else if ((a = ox_attr_find(c->n, "value_float")) != NULL && a->kind == OX_A_FLOAT)
        ox_put_double(y, OX_FLOAT, 0, (double)a->f);
    else if ((a = ox_attr_find(c->n, "value_ints")) != NULL && a->kind == OX_A_INTS)
        for (size_t i = 0; i < a->n; i++)
            ox_put_int(y, OX_INT64, i, a->ints[i]);
    else if ((a = ox_attr_find(c->n, "value_floats")) != NULL && a->kind == OX_A_FLOATS)
        for (size_t i = 0; i < a->n; i++)
            ox_put_double(y, OX_FLOAT, i, (double)a->floats[i]);
    return MST_OK;
}

mst_status ox_eval_constant_of_shape(ox_ctx *c)
{
    const ox_attr *a = ox_attr_find(c->n, "value");
    const ox_value *out = ox_out(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL || a == NULL || a->kind != OX_A_TENSOR)
        return MST_OK; /* zeros of float32 */
    size_t size = ox_dtype_size(out->dtype);
    for (size_t i = 0, n = ox_elements(out); i < n; i++)
        memcpy(y + i * size, a->tensor.data, size);
    return MST_OK;
}

mst_status ox_eval_range(ox_ctx *c)
{
    const ox_value *start = ox_in(c, 0), *delta = ox_in(c, 2), *out = ox_out(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    bool is_float = ox_is_float(start->dtype);
    int64_t at = is_float ? 0 : ox_get_int(start, 0), by = is_float ? 0 : ox_get_int(delta, 0);
    double f_start = ox_get_double(start, 0), f_delta = ox_get_double(delta, 0);
    for (int64_t i = 0; y != NULL && i < out->dims[0]; i++) {
        if (is_float)
            ox_put_double(y, out->dtype, (size_t)i, f_start + (double)i * f_delta);
        else
            ox_put_int(y, out->dtype, (size_t)i, at + i * by); /* below the limit: no overflow */
    }
    return MST_OK;
}

mst_status ox_eval_eye_like(ox_ctx *c)
{
    const ox_value *out = ox_out(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    int64_t k = ox_attr_int(c->n, "k", 0), rows = out->dims[0], cols = out->dims[1];
    for (int64_t row = 0; row < rows; row++)
        if (k >= -row && k < cols - row)
            ox_put_int(y, out->dtype, (size_t)(row * cols + row + k), 1);
    return MST_OK;
}
