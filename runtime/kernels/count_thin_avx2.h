/* Thinning in vectors of 256 bits: 8 groups of four elements, one a lane. */
#ifndef MST_COUNT_THIN_AVX2_H
#define MST_COUNT_THIN_AVX2_H

#include <immintrin.h>

#include "runtime/kernels/count_set.h"
#include "runtime/kernels/philox_avx2.h"

#define THIN_GROUPS 8

static void thin_words(const mstc_thin *m, uint32_t group, uint32_t words[4][THIN_GROUPS])
{
    __m256i c[4];
    philox_vecs(m->seed, m->sample, 1, m->index, group, c);
    for (size_t i = 0; i < 4; i++)
        _mm256_store_si256((void *)words[i], c[i]);
}

/* Up to 16 levels: a row of thresholds is two vectors, which n - 1 picks from. */
static void thin_block(const mstc_thin *m, uint32_t group, const uint8_t *in, uint8_t *out)
{
    const __m256i one = _mm256_set1_epi32(1), byte = _mm256_set1_epi32(255), seven = _mm256_set1_epi32(7);
    __m256i c[4], n[4], at[4], kept[4], x = AT(__m256i_u, in), y = _mm256_setzero_si256();
    philox_vecs(m->seed, m->sample, 1, m->index, group, c);
    for (int i = 0; i < 4; i++) {
        n[i] = _mm256_and_si256(_mm256_srli_epi32(x, 8 * i), byte);
        at[i] = _mm256_sub_epi32(n[i], one);
        kept[i] = _mm256_setzero_si256();
    }
    for (unsigned k = 0; k < m->levels; k++) {
        const uint32_t *row = m->table + k * 16;
        __m256i lo = AT(__m256i_u, row), hi = AT(__m256i_u, row + 8);
        for (int i = 0; i < 4; i++) {
            __m256i upper = _mm256_cmpgt_epi32(at[i], seven);
            __m256i less = _mm256_blendv_epi8(_mm256_permutevar8x32_epi32(lo, at[i]),
                                              _mm256_permutevar8x32_epi32(hi, at[i]), upper);
            kept[i] = _mm256_sub_epi32(kept[i], _mm256_cmpeq_epi32(_mm256_max_epu32(c[i], less), c[i]));
        }
    }
    for (int i = 0; i < 4; i++)
        y = _mm256_or_si256(y, _mm256_slli_epi32(_mm256_min_epi32(kept[i], n[i]), 8 * i));
    _mm256_storeu_si256((void *)out, y);
}

#endif
