/* Thinning in vectors of 512 bits: 16 groups of four elements, one a lane. */
#ifndef MST_COUNT_THIN_AVX512_H
#define MST_COUNT_THIN_AVX512_H

#include <immintrin.h>

#include "runtime/kernels/count_set.h"
#include "runtime/kernels/philox_avx512.h"

#define THIN_GROUPS 16

static void thin_words(const mstc_thin *m, uint32_t group, uint32_t words[4][THIN_GROUPS])
{
    __m512i c[4];
    philox_vecs(m->seed, m->sample, 1, m->index, group, c);
    for (size_t i = 0; i < 4; i++)
        _mm512_store_si512(words[i], c[i]);
}

/* Up to 16 levels: a row of thresholds is a vector, which n - 1 picks from. */
static void thin_block(const mstc_thin *m, uint32_t group, const uint8_t *in, uint8_t *out)
{
    const __m512i one = _mm512_set1_epi32(1), byte = _mm512_set1_epi32(255);
    __m512i c[4], n[4], at[4], kept[4], x = _mm512_loadu_si512(in), y = _mm512_setzero_si512();
    philox_vecs(m->seed, m->sample, 1, m->index, group, c);
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
