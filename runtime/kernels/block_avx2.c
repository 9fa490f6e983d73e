/* Block kernels for AVX2 (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>

#define MSTB_SET avx2
#define MSTB_WIDTH 8
#include "runtime/kernels/block_body.h"

/* Entries are written eight at a time, so that few branches depend on the data. */
ALWAYS size_t list_bits(const uint64_t *bits, size_t words, uint32_t first, uint32_t per, uint16_t *idx)
{
    size_t n = 0;
    for (size_t w = 0; w < words; w++, first += per) {
        uint64_t left = bits[w];
        uint16_t *to = idx + n;
        n += (size_t)__builtin_popcountll(left);
        while (left != 0)
            for (int i = 0; i < 8; i++) {
                *to++ = (uint16_t)(first + (uint32_t)__builtin_ctzll(left | (uint64_t)1 << 63));
                left &= left - 1;
            }
    }
    return n;
}

static size_t FN(list)(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start)
{
    return list_source(in, n, idx, start, list_bits);
}

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

/* Columns past the last have no membrane of their own. */
ALWAYS float *open_strip(const mstb_strip *s, float *own)
{
    if (s->n == MSTB_COLS) {
        if (s->from != s->v)
            memcpy(s->v, s->from, MSTB_COLS * sizeof *own);
        return s->v;
    }
    memset(own, 0, MSTB_COLS * sizeof *own);
    memcpy(own, s->from, s->n * sizeof *own);
    return own;
}

ALWAYS void close_strip(const mstb_strip *s, const float *own)
{
    if (s->n != MSTB_COLS)
        memcpy(s->v, own, s->n * sizeof *own);
}

static void FN(fire)(const mstb_strip *s, const float *x)
{
    float own[MSTB_COLS] __attribute__((aligned(64)));
    float *v = open_strip(s, own);
    uint64_t live = live_bits(s->n);
    for (size_t t = 0; t < s->steps; t++, x += MSTB_COLS)
        s->bits[t] = (s->gain != NULL ? fire_step(s, x, v, 1) : fire_step(s, x, v, 0)) & live;
    close_strip(s, own);
}

static void FN(gather_fire)(const mstb_lists *in, const mstb_strip *s, const float *w, const float *b,
                            const float *acc)
{
    float own[MSTB_COLS] __attribute__((aligned(64))), x[MSTB_COLS] __attribute__((aligned(64))) = {0};
    float *v = open_strip(s, own);
    uint64_t live = live_bits(s->n);
    for (size_t t = 0; t < s->steps; t++) {
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        if (b == NULL)
            memcpy(x, acc + t * MSTB_COLS, sizeof x);
        FN(gather)
        (&one, 1, s->n, w, b, x);
        s->bits[t] = (s->gain != NULL ? fire_step(s, x, v, 1) : fire_step(s, x, v, 0)) & live;
    }
    close_strip(s, own);
}

static void FN(gather_bytes_fire)(const mstb_lists *in, const mstb_strip *s, size_t strips, const uint8_t *w,
                                  const float *c, const float *b)
{
    float own[2][MSTB_COLS] __attribute__((aligned(64))), x[2 * MSTB_COLS] __attribute__((aligned(64))), *v[2];
    for (size_t i = 0; i < strips; i++)
        v[i] = open_strip(&s[i], own[i]);
    for (size_t t = 0; t < s->steps; t++) {
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        FN(gather_bytes)
        (&one, 1, strips, w, c, b, x, MSTB_COLS);
        for (size_t i = 0; i < strips; i++) {
            const float *from = x + i * MSTB_COLS;
            uint64_t word = s->gain != NULL ? fire_step(&s[i], from, v[i], 1) : fire_step(&s[i], from, v[i], 0);
            s[i].bits[t] = word & live_bits(s[i].n);
        }
    }
    for (size_t i = 0; i < strips; i++)
        close_strip(&s[i], own[i]);
}

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
