/* Vectors of 8 floats for count_body.h, and what the sets of 256 bits share. */
#ifndef MST_COUNT_VEC_AVX2_H
#define MST_COUNT_VEC_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/count_set.h"

#define VW 8
typedef __m256 VF;
typedef __m256i VI;
typedef struct VM {
    __m256i lanes;
    size_t n; /* of VW */
} VM;

ALWAYS VF v_set(float x) { return _mm256_set1_ps(x); }
ALWAYS VF v_add(VF a, VF b) { return _mm256_add_ps(a, b); }
ALWAYS VF v_mul(VF a, VF b) { return _mm256_mul_ps(a, b); }
ALWAYS VF v_div(VF a, VF b) { return _mm256_div_ps(a, b); }
ALWAYS VF v_max(VF a, VF b) { return _mm256_max_ps(a, b); } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return _mm256_min_ps(a, b); }
ALWAYS VM v_live(size_t n)
{
    n = n < VW ? n : VW;
    return (VM){_mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)), n};
}
ALWAYS VF v_load(const float *x, VM live)
{
    return live.n == VW ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, live.lanes);
}
ALWAYS VI v_ints(const int32_t *x, VM live)
{
    return live.n == VW ? _mm256_loadu_si256((const void *)x) : _mm256_maskload_epi32(x, live.lanes);
}
ALWAYS VF v_float(VI x) { return _mm256_cvtepi32_ps(x); }
ALWAYS VI v_trunc(VF x) { return _mm256_cvttps_epi32(x); }

ALWAYS VI v_counts(const uint8_t *x, VM live)
{
    uint64_t n = 0;
    if (live.n == VW)
        memcpy(&n, x, VW);
    else
        memcpy(&n, x, live.n);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)n));
}

/* Stores with a mask are slow on Zen. */
ALWAYS void v_store(float *y, VF x, VM live)
{
    live.n == VW ? _mm256_storeu_ps(y, x) : _mm256_maskstore_ps(y, live.lanes, x);
}
ALWAYS void v_store_counts(uint8_t *y, VI n, VM live)
{
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
    uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(half, half));
    if (live.n == VW) {
        memcpy(y, &bytes, VW);
        return;
    }
    if ((live.n & 4) != 0) {
        memcpy(y, &bytes, 4);
        y += 4;
        bytes >>= 32;
    }
    for (size_t i = 0; i < (live.n & 3); i++, bytes >>= 8)
        y[i] = (uint8_t)bytes;
}

ALWAYS void v_store_both(uint8_t *y, VI n0, VI n1)
{
    __m256i n = _mm256_packs_epi32(n0, n1); /* 4 of n0, 4 of n1; 4 of n0, 4 of n1 */
    n = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(n, n), _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
    _mm_storeu_si128((void *)y, _mm256_castsi256_si128(n));
}

/* Two vectors of whole numbers within 0..levels: packing clips at 0 and above bytes. */
#define V_STORE_WITHIN
ALWAYS void v_store_within(uint8_t *y, VF z0, VF z1, VF levels)
{
    const __m128i most = _mm_set1_epi8((char)_mm_cvttss_si32(_mm256_castps256_ps128(levels)));
    __m256i n = _mm256_packs_epi32(_mm256_cvttps_epi32(z0), _mm256_cvttps_epi32(z1));
    n = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(n, n), _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
    _mm_storeu_si128((void *)y, _mm_min_epu8(_mm256_castsi256_si128(n), most));
}

ALWAYS __m256i four(const uint8_t *x)
{
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Keeps GCC to the order as written: it likes to have all products of a step at once, more than
 * there are registers. */
#define IN_ORDER(x) __asm__ volatile("" \
                                     : "+x"(x))

#endif
