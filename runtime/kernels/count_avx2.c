/* The kernels on counts for AVX2 (the Makefile gives this file its flags).
 *
 * vpmaddubsw adds two products in 16 bits and saturates. With m the largest product, a lane of
 * 16 bits holds 32767/(2m) such pairs: where that is some, they are summed there before they
 * are widened; where it is few, each is widened at once; where it is none, counts and
 * weights are widened before they are multiplied. */
#if defined(__x86_64__)
#define MSTC_SET avx2
#define MSTC_TILE 5 /* x 2 vectors: 10 sums, 2 weights, a broadcast and a product in 16 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_vec_avx2.h"
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_sums_avx2.h"
#include "runtime/kernels/count_thin_avx2.h"

#define FEW 4u

/* Sums of up to `run` steps in 16 bits, then added to those in memory. Constants where inlined:
 * height. */
ALWAYS void dot_narrow(const dot *d, const size_t height, size_t run, size_t half, int32_t *sums)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const int8_t *w = d->panel + 64 * half;
    __m256i *out = (void *)(sums + 16 * half);
    const size_t ld = MSTC_COLS / 8;
    for (size_t r = 0; r < height; r++)
        out[r * ld] = out[r * ld + 1] = _mm256_setzero_si256();
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t at = d->taps[t], last = at + 4 * d->steps; at < last;) {
            __m256i a[MSTC_TILE][2];
            size_t end = last - at < 4 * run ? last : at + 4 * run;
            for (size_t r = 0; r < height; r++)
                a[r][0] = a[r][1] = _mm256_setzero_si256();
            for (; at < end; at += 4, w += 4 * MSTC_COLS) {
                __m256i u0 = AT(__m256i, w), u1 = AT(__m256i, w + 32);
                for (size_t r = 0; r < height; r++) {
                    __m256i x = four(d->rows[r] + at);
                    a[r][0] = _mm256_add_epi16(a[r][0], _mm256_maddubs_epi16(x, u0));
                    a[r][1] = _mm256_add_epi16(a[r][1], _mm256_maddubs_epi16(x, u1));
                    IN_ORDER(a[r][0]);
                    IN_ORDER(a[r][1]);
                }
            }
            for (size_t r = 0; r < height; r++)
                for (size_t j = 0; j < 2; j++)
                    out[r * ld + j] = _mm256_add_epi32(out[r * ld + j], _mm256_madd_epi16(a[r][j], ones));
        }
}

/* wide: 0 widens each pair of products, 1 widens before multiplying. */
ALWAYS void dot_wide(const dot *d, const size_t height, const int wide, size_t half, int32_t *sums)
{
    const __m256i ones = _mm256_set1_epi16(1), low = _mm256_set1_epi16(255);
    const int8_t *w = d->panel + 64 * half;
    __m256i a[MSTC_TILE][2];
    for (size_t r = 0; r < height; r++)
        a[r][0] = a[r][1] = _mm256_setzero_si256();
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t at = d->taps[t], end = at + 4 * d->steps; at < end; at += 4, w += 4 * MSTC_COLS)
            for (size_t j = 0; j < 2; j++) {
                __m256i u = AT(__m256i, w + 32 * j), odd = _mm256_srai_epi16(u, 8),
                        even = _mm256_srai_epi16(_mm256_slli_epi16(u, 8), 8);
                for (size_t r = 0; r < height; r++) {
                    __m256i x = four(d->rows[r] + at);
                    if (wide) {
                        __m256i y = _mm256_madd_epi16(_mm256_and_si256(x, low), even);
                        y = _mm256_add_epi32(y, _mm256_madd_epi16(_mm256_srli_epi16(x, 8), odd));
                        a[r][j] = _mm256_add_epi32(a[r][j], y);
                    } else {
                        x = _mm256_madd_epi16(_mm256_maddubs_epi16(x, u), ones);
                        a[r][j] = _mm256_add_epi32(a[r][j], x);
                    }
                    IN_ORDER(a[r][j]);
                }
            }
    for (size_t r = 0; r < height; r++)
        for (size_t j = 0; j < 2; j++)
            _mm256_store_si256((void *)(sums + r * MSTC_COLS + 16 * half + 8 * j), a[r][j]);
}

#define HEIGHT(h) \
    case h: \
        if (run >= FEW) \
            dot_narrow(d, h, run, half, sums); \
        else if (run > 0) \
            dot_wide(d, h, 0, half, sums); \
        else \
            dot_wide(d, h, 1, half, sums); \
        break;

static void dot_tile(const dot *d, int32_t *sums)
{
    const size_t run = d->most == 0 ? d->steps : INT16_MAX / (2 * d->most);
    for (size_t half = 0; 16 * half < d->n; half++)
        switch (d->height) {
            HEIGHT(1)
            HEIGHT(2)
            HEIGHT(3)
            HEIGHT(4)
            HEIGHT(5)
        }
}

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_avx2_is_for_x86; /* an empty file is not C */
#endif
