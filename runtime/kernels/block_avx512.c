/* Block kernels for AVX-512 F, BW, VL, DQ (the Makefile gives this file its flags),
 * and those of machines that have VBMI2 and VPOPCNTDQ too. */
#if defined(__x86_64__)
#include <immintrin.h>

#define MSTB_SET avx512
#define MSTB_WIDTH 16
#include "runtime/core/philox.h"
#include "runtime/kernels/block_body.h"
#include "runtime/kernels/block_fire_avx512.h"
#include "runtime/kernels/mask_count.h"
#include "runtime/kernels/philox_avx512.h"

#define MORE __attribute__((target("avx512vbmi2,avx512vpopcntdq")))

/* ---- lists --------------------------------------------------------------- */

ALWAYS size_t list_bits(const uint64_t *bits, size_t words, uint32_t first, uint32_t per, uint16_t *idx)
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t n = 0;
    for (size_t w = 0; w < words; w++)
        for (uint32_t j = 0; j < 4; j++) {
            __mmask16 on = mask_at(bits[w], j);
            __m512i at = _mm512_add_epi32(iota, _mm512_set1_epi32((int)(first + (uint32_t)w * per + 16 * j)));
            __m256i some = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(on, at));
            _mm256_storeu_si256((void *)(idx + n), some);
            n += mstk_mask_count(on);
        }
    return n;
}

static size_t FN(list)(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start)
{
    return list_source(in, n, idx, start, list_bits);
}

MORE ALWAYS size_t list_bits_more(const uint64_t *bits, size_t words, uint32_t first, uint32_t per,
                                  uint16_t *idx)
{
    static const uint16_t count[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    const __m512i half = _mm512_set1_epi16(32), next = _mm512_set1_epi16((short)per);
    __m512i at = _mm512_add_epi16(_mm512_loadu_si512(count), _mm512_set1_epi16((short)first));
    size_t n = 0;
    for (size_t w = 0; w < words; w++, at = _mm512_add_epi16(at, next)) {
        uint32_t lo = (uint32_t)bits[w], hi = (uint32_t)(bits[w] >> 32);
        _mm512_storeu_si512(idx + n, _mm512_maskz_compress_epi16(lo, at));
        n += (size_t)__builtin_popcount(lo);
        _mm512_storeu_si512(idx + n, _mm512_maskz_compress_epi16(hi, _mm512_add_epi16(at, half)));
        n += (size_t)__builtin_popcount(hi);
    }
    return n;
}

MORE static size_t list_more(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start)
{
    return list_source(in, n, idx, start, list_bits_more);
}

static size_t FN(list_val)(const float *x, size_t n, uint32_t first, uint16_t *idx, float *val)
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(live_lanes(n - i, 0), x + i);
        __mmask16 on = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        __m512i at = _mm512_add_epi32(iota, _mm512_set1_epi32((int)(first + (uint32_t)i)));
        _mm256_storeu_si256((void *)(idx + k), _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(on, at)));
        _mm512_storeu_ps(val + k, _mm512_maskz_compress_ps(on, v));
        k += mstk_mask_count(on);
    }
    return k;
}

/* ---- neurons --------------------------------------------------------------- */

ALWAYS void fire_strip(const mstb_strip *s, const float *x, size_t vecs, int gain)
{
    neurons q;
    load_neurons(s, vecs, gain, &q);
    for (size_t t = 0; t < s->steps; t++, x += MSTB_COLS) {
        __m512 a[4];
        for (size_t j = 0; j < vecs; j++)
            a[j] = _mm512_loadu_ps(x + 16 * j);
        s->bits[t] = fire_vectors(&q, vecs, gain, a);
    }
    store_neurons(s, vecs, &q);
}

static void FN(fire)(const mstb_strip *s, const float *x)
{
    if (s->gain != NULL)
        s->n > 32 ? fire_strip(s, x, 4, 1) : fire_strip(s, x, 2, 1);
    else
        s->n > 32 ? fire_strip(s, x, 4, 0) : fire_strip(s, x, 2, 0);
}

ALWAYS void gather_strip(const mstb_lists *in, const mstb_strip *s, const float *w, const float *b,
                         const float *acc, size_t vecs, int gain)
{
    neurons q;
    load_neurons(s, vecs, gain, &q);
    for (size_t t = 0; t < s->steps; t++) {
        const float *from = b != NULL ? b : acc + t * MSTB_COLS;
        const uint16_t *idx = in->idx + in->start[t * in->stride],
                       *end = in->idx + in->start[t * in->stride + 1];
        vec a[VECS];
        for (size_t j = 0; j < vecs; j++)
            a[j] = _mm512_loadu_ps(from + 16 * j);
        add_list(idx, end, vecs, w, a);
        s->bits[t] = fire_vectors(&q, vecs, gain, (const __m512 *)(const void *)a);
    }
    store_neurons(s, vecs, &q);
}

static void FN(gather_fire)(const mstb_lists *in, const mstb_strip *s, const float *w, const float *b,
                            const float *acc)
{
    if (s->gain != NULL)
        s->n > 32 ? gather_strip(in, s, w, b, acc, 4, 1) : gather_strip(in, s, w, b, acc, 2, 1);
    else
        s->n > 32 ? gather_strip(in, s, w, b, acc, 4, 0) : gather_strip(in, s, w, b, acc, 2, 0);
}

static void FN(sum)(const mstb_term *terms, size_t n_terms, size_t steps, int add, float *x)
{
    for (size_t t = 0; t < steps; t++, x += MSTB_COLS) {
        __m512 a[4];
        for (size_t j = 0; j < 4; j++)
            a[j] = add ? _mm512_loadu_ps(x + 16 * j)
                       : _mm512_maskz_mov_ps(mask_at(terms[0].bits[t * terms[0].step], j),
                                             _mm512_set1_ps(terms[0].theta));
        for (size_t k = add ? 0 : 1; k < n_terms; k++) {
            uint64_t word = terms[k].bits[t * terms[k].step];
            __m512 theta = _mm512_set1_ps(terms[k].theta);
            for (size_t j = 0; j < 4; j++)
                a[j] = k == 0 ? _mm512_add_ps(a[j], _mm512_maskz_mov_ps(mask_at(word, j), theta)) /* -0 to 0 */
                              : _mm512_mask_add_ps(a[j], mask_at(word, j), a[j], theta);
        }
        for (size_t j = 0; j < 4; j++)
            _mm512_storeu_ps(x + 16 * j, a[j]);
    }
}

/* ---- products of spikes ------------------------------------------------------ */

ALWAYS __m512i popcount_bytes(__m512i x)
{
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_set1_epi8(15);
    __m512i lo = _mm512_shuffle_epi8(table, _mm512_and_si512(x, low));
    __m512i hi = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(x, 4), low));
    __m512i pairs = _mm512_maddubs_epi16(_mm512_add_epi8(lo, hi), _mm512_set1_epi8(1));
    return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

#define COINCIDE(name, attr, popcount) \
    attr ALWAYS uint64_t name##_vecs(const mstb_planes *p, size_t vecs, float c, float *x) \
    { \
        __m512i total = _mm512_setzero_si512(); \
        const __m512 factor = _mm512_set1_ps(c); \
        for (size_t t = 0; t < p->steps; t++, x += MSTB_COLS) { \
            const uint32_t *a = p->a + t * p->a_step, *b = p->b + t * p->b_step; \
            __m512i n[4]; \
            for (size_t j = 0; j < vecs; j++) \
                n[j] = _mm512_setzero_si512(); \
            for (size_t w = 0; w < p->words; w++, b += p->ld) \
                for (size_t j = 0; j < vecs; j++) \
                    n[j] = \
                        _mm512_add_epi32(n[j], popcount(_mm512_and_si512(_mm512_set1_epi32((int)a[w]), \
                                                                         _mm512_loadu_si512(b + 16 * j)))); \
            for (size_t j = 0; j < vecs; j++) { \
                total = _mm512_add_epi32(total, n[j]); \
                _mm512_storeu_ps(x + 16 * j, _mm512_mul_ps(factor, _mm512_cvtepu32_ps(n[j]))); \
            } \
        } \
        __m512i even = _mm512_and_si512(total, _mm512_set1_epi64(0xffffffff)); \
        return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(even, _mm512_srli_epi64(total, 32))); \
    } \
    attr static uint64_t name(const mstb_planes *p, size_t n, float c, float *x) \
    { \
        size_t vecs = (n + 15) / 16; \
        return vecs > 2 ? name##_vecs(p, 4, c, x) : name##_vecs(p, 2, c, x); \
    }

COINCIDE(mstb_coincide__avx512, , popcount_bytes)
COINCIDE(coincide_more, MORE, _mm512_popcnt_epi32)

ALWAYS void columns_vecs(const uint64_t *rows, size_t ld, size_t k, size_t vecs, uint32_t *planes)
{
    for (size_t at = 0; at < k; at += 32, planes += MSTB_COLS) {
        __m512i a[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                        _mm512_setzero_si512()};
        for (size_t i = at; i < k && i < at + 32; i++) {
            __m512i bit = _mm512_set1_epi32((int)(1u << (i - at)));
            for (size_t j = 0; j < vecs; j++)
                a[j] = _mm512_mask_or_epi32(a[j], mask_at(rows[i * ld], j), a[j], bit);
        }
        for (size_t j = 0; j < 4; j++)
            _mm512_storeu_si512(planes + 16 * j, a[j]);
    }
}

static void FN(columns)(const uint64_t *rows, size_t ld, size_t k, size_t n, uint32_t *planes)
{
    n <= 32 ? columns_vecs(rows, ld, k, 2, planes) : columns_vecs(rows, ld, k, 4, planes);
}

MORE static uint64_t count_more(const uint64_t *bits, size_t words)
{
    __m512i n = _mm512_setzero_si512();
    size_t w = 0;
    for (; w + 8 <= words; w += 8)
        n = _mm512_add_epi64(n, _mm512_popcnt_epi64(_mm512_loadu_si512(bits + w)));
    uint64_t rest = 0;
    for (; w < words; w++)
        rest += (uint64_t)__builtin_popcountll(bits[w]);
    return rest + (uint64_t)_mm512_reduce_add_epi64(n);
}

/* ---- masks ----------------------------------------------------------------- */

/* Bit i of x to bit 4*i. */
static inline uint64_t spread4(uint64_t x)
{
    x = (x | x << 24) & 0x000000ff000000ffu;
    x = (x | x << 12) & 0x000f000f000f000fu;
    x = (x | x << 6) & 0x0303030303030303u;
    return (x | x << 3) & 0x1111111111111111u;
}

/* Which of the 64 elements of 16 groups survive. */
static uint64_t surviving(const mstb_mask *m, uint32_t group)
{
    const __m512i least = _mm512_set1_epi32((int)m->threshold);
    __m512i c[4];
    philox_vecs(m->seed, m->sample, m->time, m->index, group, c);
    return spread4(_mm512_cmpge_epu32_mask(c[0], least)) | spread4(_mm512_cmpge_epu32_mask(c[1], least)) << 1 |
           spread4(_mm512_cmpge_epu32_mask(c[2], least)) << 2 | spread4(_mm512_cmpge_epu32_mask(c[3], least)) << 3;
}

static void FN(mask)(const mstb_mask *m, uint64_t first, size_t n, const uint64_t *in, uint64_t *out)
{
    mst_draw d = {.seed = m->seed, .group = UINT64_MAX, .sample = m->sample, .time = m->time, .index = m->index};
    uint32_t shift = (uint32_t)(first % 4);
    for (size_t w = 0; w < (n + 63) / 64; w++) {
        uint32_t group = (uint32_t)(first / 4 + w * 16);
        uint64_t keep = in[w] != 0 ? surviving(m, group) >> shift : 0;
        if (shift != 0 && in[w] >> (64 - shift) != 0) { /* the first elements of one more group */
            for (uint32_t i = 0; i < shift; i++)
                keep |= (uint64_t)mst_survives(mst_draw_word(&d, 4 * (group + (uint64_t)16) + i), m->threshold)
                        << (64 - shift + i);
        }
        out[w] = in[w] & keep;
    }
}

const mst_block_kernels mst_block_kernels_avx512 = {
#define MSTB_KERNEL(ret, name, args) .name = FN(name),
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
};

const mst_block_kernels mst_block_kernels_avx512_more = {
    .list = list_more, .coincide = coincide_more, .count = count_more};
#else
typedef int mstb_avx512_is_for_x86; /* an empty file is not C */
#endif
