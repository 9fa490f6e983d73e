/* IEEE binary16 and float32. Without branches on data, so that loops over them become vectors. */
#ifndef MST_CORE_HALF_H
#define MST_CORE_HALF_H

#include <stdint.h>
#include <string.h>

#define MST_HALF_MAX 65504.0f

static inline uint32_t mst_float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float mst_float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Exact. */
static inline float mst_half_to_float(uint16_t half)
{
    uint32_t rest = (uint32_t)(half & 0x7fff) << 13;
    float x = mst_float_of(rest) * 0x1p112f;                   /* moves the exponent, of subnormals too */
    uint32_t special = rest >= 0x0f800000u ? 0x7f800000u : 0u; /* infinite or not a number */
    return mst_float_of(mst_float_bits(x) | special | (uint32_t)(half & 0x8000) << 16);
}

/* Rounded to the nearest, ties to even; |x| <= MST_HALF_MAX. */
static inline uint16_t mst_half_from_float(float x)
{
    uint32_t bits = mst_float_bits(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest < 0x38800000u) { /* subnormal: adding 1/2 puts the last bit of a half last */
        uint32_t sum = mst_float_bits(mst_float_of(rest) + 0.5f);
        return (uint16_t)(sign | (sum - 0x3f000000u));
    }
    rest += 0x0fffu + (rest >> 13 & 1u);
    return (uint16_t)(sign | (rest - 0x38000000u) >> 13);
}

#endif
