/* Block kernels for AVX2 (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>

#define MSTB_SET avx2
#define MSTB_WIDTH 8
#include "runtime/kernels/block_body.h"

/* ---- neurons --------------------------------------------------------------- */

/* One step of eight vectors whose membranes are in v. */
ALWAYS uint64_t fire_step(const mstb_strip *s, const float *x, float *v, int gain)
{
    uint64_t word = 0;
    for (size_t j = 0; j < MSTB_COLS; j += 8) {
        __m256 current = _mm256_loadu_ps(x + j), theta = _mm256_loadu_ps(s->theta + j);
        if (gain)
            current = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(s->gain + j), current),
                                    _mm256_loadu_ps(s->bias + j));
        __m256 u = _mm256_add_ps(_mm256_loadu_ps(v + j), current);
        __m256 on = _mm256_cmp_ps(u, theta, _CMP_GE_OQ);
        _mm256_storeu_ps(v + j, _mm256_sub_ps(u, _mm256_and_ps(on, theta)));
        word |= (uint64_t)(uint32_t)_mm256_movemask_ps(on) << j;
    }
    return word;
}

#include "runtime/kernels/block_strips.h"

/* theta where a bit of the byte is set, else 0 */
ALWAYS __m256 of_byte(uint64_t byte, __m256 theta)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i on = _mm256_and_si256(_mm256_set1_epi32((int)(byte & 255)), bit);
    return _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(on, bit)), theta);
}

static void FN(sum)(const mstb_term *terms, size_t n_terms, size_t steps, int add, float *x)
{
    for (size_t t = 0; t < steps; t++, x += MSTB_COLS)
        for (size_t k = 0; k < n_terms; k++) {
            uint64_t word = terms[k].bits[t * terms[k].step];
            __m256 theta = _mm256_set1_ps(terms[k].theta);
            for (size_t j = 0; j < 8; j++) {
                __m256 y = of_byte(word >> (8 * j), theta);
                _mm256_storeu_ps(x + 8 * j,
                                 k == 0 && !add ? y : _mm256_add_ps(_mm256_loadu_ps(x + 8 * j), y));
            }
        }
}

/* ---- products of spikes ------------------------------------------------------ */

ALWAYS __m256i popcount(__m256i x)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2,
                                           2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i lo = _mm256_shuffle_epi8(table, _mm256_and_si256(x, low));
    __m256i hi = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
    __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(lo, hi), _mm256_set1_epi8(1));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static uint64_t FN(coincide)(const mstb_planes *p, size_t n, float c, float *x)
{
    __m256i total = _mm256_setzero_si256();
    const __m256 factor = _mm256_set1_ps(c);
    for (size_t t = 0; t < p->steps; t++, x += MSTB_COLS)
        for (size_t j = 0; j < (n + 15) / 16 * 16; j += 8) {
            const uint32_t *a = p->a + t * p->a_step, *b = p->b + t * p->b_step + j;
            __m256i count = _mm256_setzero_si256();
            for (size_t w = 0; w < p->words; w++) {
                __m256i both = _mm256_and_si256(_mm256_set1_epi32((int)a[w]),
                                                _mm256_loadu_si256((const void *)(b + w * p->ld)));
                count = _mm256_add_epi32(count, popcount(both));
            }
            total = _mm256_add_epi32(total, count);
            _mm256_storeu_ps(x + j, _mm256_mul_ps(factor, _mm256_cvtepi32_ps(count)));
        }
    uint32_t each[8];
    uint64_t all = 0;
    _mm256_storeu_si256((void *)each, total);
    for (int i = 0; i < 8; i++)
        all += each[i];
    return all;
}

const mst_block_kernels mst_block_kernels_avx2 = {.list = FN(list),
                                                  .gather = FN(gather),
                                                  .dense = FN(dense),
                                                  .gather_bytes = FN(gather_bytes),
                                                  .gather_bytes_fire = FN(gather_bytes_fire),
                                                  .gather_fire = FN(gather_fire),
                                                  .fire = FN(fire),
                                                  .sum = FN(sum),
                                                  .coincide = FN(coincide),
                                                  .count = FN(count),
                                                  .add = FN(add),
                                                  .affine = FN(affine)};
#else
typedef int mstb_avx2_is_for_x86; /* an empty file is not C */
#endif
