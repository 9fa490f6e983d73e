/* Vectors of 16 floats for count_body.h. */
#ifndef MST_COUNT_VEC_AVX512_H
#define MST_COUNT_VEC_AVX512_H

#include <immintrin.h>

#include "runtime/kernels/count_set.h"

#define VW 16
typedef __m512 VF;
typedef __m512i VI;
typedef __mmask16 VM;

ALWAYS VF v_set(float x) { return _mm512_set1_ps(x); }
ALWAYS VF v_add(VF a, VF b) { return _mm512_add_ps(a, b); }
ALWAYS VF v_mul(VF a, VF b) { return _mm512_mul_ps(a, b); }
ALWAYS VF v_div(VF a, VF b) { return _mm512_div_ps(a, b); }
ALWAYS VF v_max(VF a, VF b) { return _mm512_max_ps(a, b); } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return _mm512_min_ps(a, b); }
ALWAYS VM v_live(size_t n) { return (VM)(n >= VW ? 0xffffu : (1u << n) - 1); }
ALWAYS VF v_load(const float *x, VM live)
{
    return live == 0xffff ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(live, x);
}
ALWAYS VI v_ints(const int32_t *x, VM live)
{
    return live == 0xffff ? _mm512_loadu_si512(x) : _mm512_maskz_loadu_epi32(live, x);
}
ALWAYS VI v_counts(const uint8_t *x, VM live) { return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(live, x)); }
ALWAYS VF v_float(VI x) { return _mm512_cvtepi32_ps(x); }
ALWAYS VI v_trunc(VF x) { return _mm512_cvttps_epi32(x); }

/* Stores with a mask are slow on Zen. */
ALWAYS void v_store(float *y, VF x, VM live)
{
    live == 0xffff ? _mm512_storeu_ps(y, x) : _mm512_mask_storeu_ps(y, live, x);
}
ALWAYS void v_store_counts(uint8_t *y, VI x, VM live)
{
    __m128i n = _mm512_cvtepi32_epi8(x);
    live == 0xffff ? _mm_storeu_si128((void *)y, n) : _mm_mask_storeu_epi8(y, live, n);
}

ALWAYS void v_store_both(uint8_t *y, VI n0, VI n1)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13);
    __m512i n = _mm512_packs_epi32(n0, n1); /* 4 of n0, 4 of n1, four times */
    n = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(n, n));
    _mm256_storeu_si256((void *)y, _mm512_castsi512_si256(n));
}

#endif
