/* Philox and thinning in vectors of 512 bits: 16 groups of four elements, one a lane. */
#ifndef MST_COUNT_THIN_AVX512_H
#define MST_COUNT_THIN_AVX512_H

#include <immintrin.h>

#include "runtime/kernels/count_set.h"

#define THIN_GROUPS 16

ALWAYS void philox_multiply(__m512i x, uint32_t by, __m512i *hi, __m512i *lo)
{
    const __m512i m = _mm512_set1_epi64(by);
    __m512i even = _mm512_mul_epu32(x, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    *hi = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    *lo = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

ALWAYS void philox_vecs(const mstc_thin *m, uint32_t group, __m512i c[4])
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint32_t k0 = (uint32_t)m->seed, k1 = (uint32_t)(m->seed >> 32);
    c[0] = _mm512_set1_epi32((int)m->sample);
    c[1] = _mm512_set1_epi32(1);
    c[2] = _mm512_set1_epi32((int)m->index);
    c[3] = _mm512_add_epi32(iota, _mm512_set1_epi32((int)group));
    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
        __m512i hi0, lo0, hi1, lo1;
        philox_multiply(c[0], 0xd2511f53u, &hi0, &lo0);
        philox_multiply(c[2], 0xcd9e8d57u, &hi1, &lo1);
        c[0] = _mm512_ternarylogic_epi32(hi1, c[1], _mm512_set1_epi32((int)k0), 0x96); /* xor of three */
        c[2] = _mm512_ternarylogic_epi32(hi0, c[3], _mm512_set1_epi32((int)k1), 0x96);
        c[1] = lo1;
        c[3] = lo0;
    }
}

static void thin_words(const mstc_thin *m, uint32_t group, uint32_t words[4][THIN_GROUPS])
{
    __m512i c[4];
    philox_vecs(m, group, c);
    for (size_t i = 0; i < 4; i++)
        _mm512_store_si512(words[i], c[i]);
}

/* Up to 16 levels: a row of thresholds is a vector, which n - 1 picks from. */
static void thin_block(const mstc_thin *m, uint32_t group, const uint8_t *in, uint8_t *out)
{
    const __m512i one = _mm512_set1_epi32(1), byte = _mm512_set1_epi32(255);
    __m512i c[4], n[4], at[4], kept[4], x = _mm512_loadu_si512(in), y = _mm512_setzero_si512();
    philox_vecs(m, group, c);
    for (int i = 0; i < 4; i++) {
        n[i] = _mm512_and_si512(_mm512_srli_epi32(x, 8 * (unsigned)i), byte);
        at[i] = _mm512_sub_epi32(n[i], one);
        kept[i] = _mm512_setzero_si512();
    }
    for (unsigned k = 0; k < m->levels; k++) {
        const __m512i row = _mm512_loadu_si512(m->table + k * 16);
        for (int i = 0; i < 4; i++) {
            __mmask16 on = _mm512_cmpge_epu32_mask(c[i], _mm512_permutexvar_epi32(at[i], row));
            kept[i] = _mm512_mask_add_epi32(kept[i], on, kept[i], one);
        }
    }
    for (int i = 0; i < 4; i++)
        y = _mm512_or_si512(y, _mm512_slli_epi32(_mm512_min_epi32(kept[i], n[i]), 8 * (unsigned)i));
    _mm512_storeu_si512(out, y);
}

#endif
