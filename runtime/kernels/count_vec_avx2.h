/* Vectors of 8 floats for count_body.h, and what the sets of 256 bits share. */
#ifndef MST_COUNT_VEC_AVX2_H
#define MST_COUNT_VEC_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/count_set.h"

#define VW 8
typedef __m256 VF;
typedef __m256i VM;

ALWAYS VF v_set(float x) { return _mm256_set1_ps(x); }
ALWAYS VF v_add(VF a, VF b) { return _mm256_add_ps(a, b); }
ALWAYS VF v_mul(VF a, VF b) { return _mm256_mul_ps(a, b); }
ALWAYS VF v_div(VF a, VF b) { return _mm256_div_ps(a, b); }
ALWAYS VF v_max(VF a, VF b) { return _mm256_max_ps(a, b); } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return _mm256_min_ps(a, b); }
ALWAYS VF v_float(const int32_t *x) { return _mm256_cvtepi32_ps(_mm256_loadu_si256((const void *)x)); }
ALWAYS VM v_live(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < VW ? (int)n : VW), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ALWAYS VF v_load(const float *x, VM live) { return _mm256_maskload_ps(x, live); }
ALWAYS void v_store(float *y, VF x, VM live) { _mm256_maskstore_ps(y, live, x); }
ALWAYS void v_bytes(uint8_t *y, VF x, VM live)
{
    __m256i n = _mm256_cvttps_epi32(x);
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
    uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(half, half));
    size_t on = (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(live)));
    if (on == VW)
        memcpy(y, &bytes, VW);
    else
        memcpy(y, &bytes, on);
}

ALWAYS __m256i four(const uint8_t *x)
{
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Keeps GCC to the order as written: it likes to have all products of a step at once, more than
 * there are registers. */
#define IN_ORDER(x) __asm__ volatile("" : "+x"(x))

#endif
