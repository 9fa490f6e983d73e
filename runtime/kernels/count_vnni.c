/* The kernels on counts for AVX-512 VNNI (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <string.h>

#define MSTC_SET vnni
#define MSTC_TILE 13 /* x 2 vectors: 26 sums, 4 weights and a broadcast in 32 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_vec_avx512.h"
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_thin_avx512.h"

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
