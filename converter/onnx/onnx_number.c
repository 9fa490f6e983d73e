/* Elements of constants of any type as double or int64. Knows no operator. */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* ---- 16-bit floats: 1 sign, ebits exponent, mbits mantissa ---- */

static double small_to_double(uint16_t h, int ebits, int mbits)
{
    int bias = (1 << (ebits - 1)) - 1, e = (h >> mbits) & ((1 << ebits) - 1), m = h & ((1 << mbits) - 1);
    double x;
    if (e == (1 << ebits) - 1)
        x = m != 0 ? NAN : HUGE_VAL;
    else if (e == 0)
        x = ldexp(m, 1 - bias - mbits);
    else
        x = ldexp(m + (1 << mbits), e - bias - mbits);
    return (h >> 15) != 0 ? -x : x;
}

static uint16_t double_to_small(double x, int ebits, int mbits)
{
    int bias = (1 << (ebits - 1)) - 1, e;
    uint32_t sign = signbit(x) ? 0x8000u : 0u, inf = ((1u << ebits) - 1) << mbits;
    if (isnan(x))
        return (uint16_t)(sign | inf | 1u << (mbits - 1));
    if (x == 0 || isinf(x))
        return (uint16_t)(x == 0 ? sign : sign | inf);
    frexp(x, &e);
    e = e - 1 < 1 - bias ? 1 - bias : e - 1;
    /* m holds the hidden bit, which adds 1 to the exponent field; rounding up may carry into it */
    uint32_t m = (uint32_t)rint(ldexp(fabs(x), mbits - e));
    uint32_t bits = ((uint32_t)(e + bias - 1) << mbits) + m;
    return (uint16_t)(sign | (bits < inf ? bits : inf));
}

/* ---- elements ---- */

#define LOAD(type) \
    do { \
        type x_; \
        memcpy(&x_, (const uint8_t *)v->data + i * sizeof x_, sizeof x_); \
        return x_; \
    } while (0)

int64_t ox_get_int(const ox_value *v, size_t i)
{
    switch (v->dtype) {
    case OX_UINT8:
    case OX_BOOL: LOAD(uint8_t);
    case OX_INT8: LOAD(int8_t);
    case OX_UINT16: LOAD(uint16_t);
    case OX_INT16: LOAD(int16_t);
    case OX_UINT32: LOAD(uint32_t);
    case OX_INT32: LOAD(int32_t);
    case OX_UINT64: /* the walk refuses values above INT64_MAX */
    case OX_INT64: LOAD(int64_t);
    default: return 0;
    }
}

static double get_float(const ox_value *v, size_t i)
{
    LOAD(float);
}

static double get_f64(const ox_value *v, size_t i)
{
    LOAD(double);
}

static uint16_t get_bits16(const ox_value *v, size_t i)
{
    LOAD(uint16_t);
}

double ox_get_double(const ox_value *v, size_t i)
{
    switch (v->dtype) {
    case OX_FLOAT: return get_float(v, i);
    case OX_DOUBLE: return get_f64(v, i);
    case OX_FLOAT16: return small_to_double(get_bits16(v, i), 5, 10);
    case OX_BFLOAT16: return small_to_double(get_bits16(v, i), 8, 7);
    default: return (double)ox_get_int(v, i);
    }
}

#define STORE(type, x) \
    do { \
        type x_ = (type)(x); \
        memcpy(data + i * sizeof x_, &x_, sizeof x_); \
    } while (0)

void ox_put_wrapped(uint8_t *data, int dtype, size_t i, int64_t x)
{
    switch (ox_dtype_size(dtype)) {
    case 1: STORE(uint8_t, (uint64_t)x); break;
    case 2: STORE(uint16_t, (uint64_t)x); break;
    case 4: STORE(uint32_t, (uint64_t)x); break;
    default: STORE(uint64_t, x); break;
    }
}

bool ox_put_int(uint8_t *data, int dtype, size_t i, int64_t x)
{
    switch (dtype) {
    case OX_BOOL: x = x != 0; break;
    case OX_UINT8:
        if (x < 0 || x > UINT8_MAX)
            return false;
        break;
    case OX_INT8:
        if (x < INT8_MIN || x > INT8_MAX)
            return false;
        break;
    case OX_UINT16:
        if (x < 0 || x > UINT16_MAX)
            return false;
        break;
    case OX_INT16:
        if (x < INT16_MIN || x > INT16_MAX)
            return false;
        break;
    case OX_UINT32:
        if (x < 0 || x > UINT32_MAX)
            return false;
        break;
    case OX_INT32:
        if (x < INT32_MIN || x > INT32_MAX)
            return false;
        break;
    case OX_UINT64:
        if (x < 0)
            return false;
        break;
    case OX_INT64: break;
    case OX_FLOAT: STORE(float, x); return true;
    default: return ox_put_double(data, dtype, i, (double)x);
    }
    ox_put_wrapped(data, dtype, i, x);
    return true;
}

bool ox_put_double(uint8_t *data, int dtype, size_t i, double x)
{
    switch (dtype) {
    case OX_FLOAT: STORE(float, x); return true;
    case OX_DOUBLE: STORE(double, x); return true;
    case OX_FLOAT16: STORE(uint16_t, double_to_small(x, 5, 10)); return true;
    case OX_BFLOAT16: STORE(uint16_t, double_to_small(x, 8, 7)); return true;
    case OX_BOOL: STORE(uint8_t, x != 0); return true;
    default: /* 2^63 itself is a double and out of range */
        return x >= -9223372036854775808.0 && x < 9223372036854775808.0 &&
               ox_put_int(data, dtype, i, (int64_t)x);
    }
}
