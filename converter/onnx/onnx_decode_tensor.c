/* TensorProto to a value: shape, type and data in one row-major block. Every
 * way of storing is checked against the shape exactly. Must not know of nodes.
 */
#include <string.h>

#include "converter/onnx/onnx_import.h"
#include "runtime/core/checked.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is copied as it is, little-endian");

static mst_status decode_shape(ox_import *c, const Onnx__TensorProto *t, ox_value *v, size_t *elements)
{
    if (t->n_dims > MST_MAX_RANK)
        return mst_fail(c->err, MST_EUNSUPPORTED, "rank %zu, at most %d is supported", t->n_dims,
                        MST_MAX_RANK);
    size_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0)
            return mst_fail(c->err, MST_ECORRUPT, "dimension %zu is %lld", i, (long long)t->dims[i]);
        if (t->dims[i] > (int64_t)OX_MAX_ELEMENTS || !mst_mul_size(n, (size_t)t->dims[i], &n) ||
            n > OX_MAX_ELEMENTS)
            return mst_fail(c->err, MST_ELIMIT, "more than %u elements", OX_MAX_ELEMENTS);
        v->dims[i] = t->dims[i];
    }
    v->rank = (uint32_t)t->n_dims;
    v->has_shape = true;
    *elements = n;
    return MST_OK;
}

/* int32_data carries every type of up to 16 bits (and int32), one a number. */
static mst_status narrow(ox_import *c, const Onnx__TensorProto *t, int dtype, size_t n, void *out)
{
    int32_t lo = 0, hi = UINT16_MAX;
    switch (dtype) {
    case OX_INT8: lo = INT8_MIN, hi = INT8_MAX; break;
    case OX_INT16: lo = INT16_MIN, hi = INT16_MAX; break;
    case OX_UINT8: hi = UINT8_MAX; break;
    case OX_BOOL: hi = 1; break;
    default: break;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t x = t->int32_data[i];
        if (x < lo || x > hi)
            return mst_fail(c->err, MST_ECORRUPT, "element %zu is %d, not a %s", i, (int)x,
                            ox_dtype_name(dtype));
        if (ox_dtype_size(dtype) == 1)
            ((uint8_t *)out)[i] = (uint8_t)x;
        else
            ((uint16_t *)out)[i] = (uint16_t)x;
    }
    return MST_OK;
}

/* The typed field that this data type is stored in: its elements and their size. */
static const void *typed_field(const Onnx__TensorProto *t, int dtype, size_t *n, size_t *size)
{
    switch (dtype) {
    case OX_FLOAT: *n = t->n_float_data, *size = 4; return t->float_data;
    case OX_DOUBLE: *n = t->n_double_data, *size = 8; return t->double_data;
    case OX_INT64: *n = t->n_int64_data, *size = 8; return t->int64_data;
    case OX_UINT32:
    case OX_UINT64: *n = t->n_uint64_data, *size = 8; return t->uint64_data;
    default: *n = t->n_int32_data, *size = 4; return t->int32_data;
    }
}

/* Before memory is taken for n elements: they are all there. */
static mst_status check_typed(ox_import *c, const Onnx__TensorProto *t, int dtype, size_t n)
{
    size_t found, size;
    typed_field(t, dtype, &found, &size);
    size_t all = t->n_float_data + t->n_double_data + t->n_int64_data + t->n_uint64_data + t->n_int32_data;
    if (all != found)
        return mst_fail(c->err, MST_ECORRUPT, "data in a field that does not belong to its type %s",
                        ox_dtype_name(dtype));
    if (found != n)
        return mst_fail(c->err, MST_ECORRUPT, "%zu elements of data, the shape wants %zu", found, n);
    return MST_OK;
}

static mst_status copy_typed(ox_import *c, const Onnx__TensorProto *t, int dtype, size_t n, void *out)
{
    size_t found, size;
    const void *field = typed_field(t, dtype, &found, &size);
    if (dtype == OX_UINT32) {
        for (size_t i = 0; i < n; i++) {
            if (t->uint64_data[i] > UINT32_MAX)
                return mst_fail(c->err, MST_ECORRUPT, "element %zu is not a uint32", i);
            ((uint32_t *)out)[i] = (uint32_t)t->uint64_data[i];
        }
        return MST_OK;
    }
    if (ox_dtype_size(dtype) < size)
        return narrow(c, t, dtype, n, out);
    if (n != 0)
        memcpy(out, field, n * size);
    return MST_OK;
}

static mst_status decode_here(ox_import *c, const Onnx__TensorProto *t, int dtype, size_t n, void **out)
{
    size_t bytes = n * ox_dtype_size(dtype); /* at most 2^30 * 8 */
    if (!t->has_raw_data)
        MST_TRY(check_typed(c, t, dtype, n));
    else if (t->raw_data.len != bytes)
        return mst_fail(c->err, MST_ECORRUPT, "%zu bytes of data, the shape wants %zu", t->raw_data.len,
                        bytes);
    *out = ox_new(c, 1, bytes);
    if (*out == NULL)
        return ox_no_memory(c);
    if (!t->has_raw_data)
        return copy_typed(c, t, dtype, n, *out);
    if (bytes != 0)
        memcpy(*out, t->raw_data.data, bytes);
    return MST_OK;
}

static mst_status decode_data(ox_import *c, const Onnx__TensorProto *t, ox_value *v, size_t n)
{
    void *data = NULL;
    if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        MST_TRY(ox_read_external(c, t, n * ox_dtype_size(v->dtype), &data));
    else
        MST_TRY(decode_here(c, t, v->dtype, n, &data));
    if (v->dtype == OX_BOOL) /* readers may rely on 0 and 1 */
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)data)[i] = ((uint8_t *)data)[i] != 0;
    v->data = data;
    return MST_OK;
}

mst_status ox_decode_tensor(ox_import *c, const Onnx__TensorProto *t, ox_value *v)
{
    size_t elements = 0;
    v->dtype = t->data_type;
    MST_TRY(decode_shape(c, t, v, &elements));
    if (t->segment != NULL)
        return mst_fail(c->err, MST_EUNSUPPORTED, "a tensor in segments is not supported");
    if (v->dtype == OX_STRING)
        return MST_OK; /* no data: nothing here computes with text */
    if (ox_dtype_size(v->dtype) == 0)
        return mst_fail(c->err, MST_EUNSUPPORTED, "data type %s (%d) is not supported; %s", ox_dtype_name(v->dtype),
                        v->dtype, v->dtype >= 17 ? "quantize weights to 8 bits, int8 or uint8" : "export with float32");
    return decode_data(c, t, v, elements);
}
