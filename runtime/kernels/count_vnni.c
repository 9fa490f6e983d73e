/* The kernels on counts for AVX-512 VNNI (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define MSTC_SET vnni
#define MSTC_TILE 13 /* x 2 vectors: 26 sums, 4 weights and a broadcast in 32 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_thin_avx512.h"

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

ALWAYS __m512i four(const uint8_t *x)
{
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm512_set1_epi32(v);
}

/* One step of 4 counts. Constants where inlined, so that the sums stay in registers: height, vecs. */
ALWAYS void dot_step(const dot *d, const size_t height, const size_t vecs, size_t at, const int8_t *w,
                     __m512i a[MSTC_TILE][2])
{
    __m512i u[2] = {_mm512_load_si512(w), _mm512_load_si512(w + 64)};
    UNROLLED for (size_t r = 0; r < height; r++)
    {
        __m512i x = four(d->rows[r] + at);
        UNROLLED for (size_t j = 0; j < vecs; j++)
            a[r][j] = _mm512_dpbusd_epi32(a[r][j], x, u[j]);
    }
}

ALWAYS void dot_some(const dot *d, const size_t height, const size_t vecs, int32_t *sums)
{
    __m512i a[MSTC_TILE][2];
    const int8_t *w = d->panel;
    UNROLLED for (size_t r = 0; r < height; r++)
        UNROLLED for (size_t j = 0; j < vecs; j++)
            a[r][j] = _mm512_setzero_si512();
    for (size_t t = 0; t < d->n_taps; t++) {
        size_t at = d->taps[t], end = at + 4 * d->steps;
        for (; at + 8 <= end; at += 8, w += 8 * MSTC_COLS) {
            dot_step(d, height, vecs, at, w, a);
            dot_step(d, height, vecs, at + 4, w + 4 * MSTC_COLS, a);
        }
        if (at < end) {
            dot_step(d, height, vecs, at, w, a);
            w += 4 * MSTC_COLS;
        }
    }
    UNROLLED for (size_t r = 0; r < height; r++)
        UNROLLED for (size_t j = 0; j < vecs; j++)
            _mm512_store_si512(sums + r * MSTC_COLS + 16 * j, a[r][j]);
}

#define HEIGHT(h) \
    case h: \
        d->n > 16 ? dot_some(d, h, 2, sums) : dot_some(d, h, 1, sums); \
        break;

static void dot_tile(const dot *d, int32_t *sums)
{
    switch (d->height) {
        HEIGHT(1)
        HEIGHT(2)
        HEIGHT(3)
        HEIGHT(4)
        HEIGHT(5)
        HEIGHT(6)
        HEIGHT(7)
        HEIGHT(8)
        HEIGHT(9)
        HEIGHT(10)
        HEIGHT(11)
        HEIGHT(12)
        HEIGHT(13)
    }
}

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_vnni_is_for_x86; /* an empty file is not C */
#endif
