/* The kernels on counts for AVX-VNNI, 256 bits (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#define MSTC_SET avxvnni
#define MSTC_TILE 6 /* x 2 vectors: 12 sums, 2 weights and a broadcast in 16 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_vec_avx2.h"
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_sums_avx2.h"
#include "runtime/kernels/count_thin_avx2.h"

/* height is a constant where this is inlined, so that the sums of 16 outputs stay in registers. */
ALWAYS void dot_half(const dot *d, const size_t height, size_t half, int32_t *sums)
{
    __m256i a[MSTC_TILE][2];
    const int8_t *w = d->panel + 64 * half;
    for (size_t r = 0; r < height; r++)
        a[r][0] = a[r][1] = _mm256_setzero_si256();
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t at = d->taps[t], end = at + 4 * d->steps; at < end; at += 4, w += 4 * MSTC_COLS) {
            __m256i u0 = AT(__m256i, w), u1 = AT(__m256i, w + 32);
            for (size_t r = 0; r < height; r++) {
                __m256i x = four(d->rows[r] + at);
                a[r][0] = _mm256_dpbusd_avx_epi32(a[r][0], x, u0);
                a[r][1] = _mm256_dpbusd_avx_epi32(a[r][1], x, u1);
            }
        }
    for (size_t r = 0; r < height; r++)
        for (size_t j = 0; j < 2; j++)
            _mm256_store_si256((void *)(sums + r * MSTC_COLS + 16 * half + 8 * j), a[r][j]);
}

#define HEIGHT(h) \
    case h: \
        dot_half(d, h, half, sums); \
        break;

static void dot_tile(const dot *d, int32_t *sums)
{
    for (size_t half = 0; 16 * half < d->n; half++)
        switch (d->height) {
            HEIGHT(1)
            HEIGHT(2)
            HEIGHT(3)
            HEIGHT(4)
            HEIGHT(5)
            HEIGHT(6)
        }
}

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_avxvnni_is_for_x86; /* an empty file is not C */
#endif
