/* The int8 kernels of the block schedule for AVX-512 BW (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define MSTB_SET avx512
#define MSTB_WIDTH 16
/* GCC takes the halves of a vector through narrower ones */
#define MSTB_OWN_WIDEN \
    to[0] = (ints)_mm512_cvtepi16_epi32(_mm512_castsi512_si256((__m512i)x)); \
    to[1] = (ints)_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64((__m512i)x, 1));
#include "runtime/kernels/block_fire_avx512.h"
#include "runtime/kernels/block_int8_body.h"

/* Sums and membranes stay in registers. vecs: of the strips together. */
ALWAYS void fire_bytes(const mstb_lists *in, const mstb_strip *s, size_t vecs, int gain, const uint8_t *w,
                       const float *c, const float *b)
{
    const size_t strips = vecs > 4 ? 2 : 1, of0 = vecs > 4 ? 4 : vecs, of1 = vecs - of0;
    neurons q0, q1;
    load_neurons(&s[0], of0, gain, &q0);
    if (strips == 2)
        load_neurons(&s[1], of1, gain, &q1);
    for (size_t t = 0; t < s->steps; t++) {
        const uint16_t *idx = in->idx + in->start[t * in->stride], *end = in->idx + in->start[t * in->stride + 1];
        sums sum[2];
        floats x0[4], x1[4];
        if (end - idx > MOST) {
            float far[2 * MSTB_COLS];
            gather_long(idx, end, strips, w, c, b, far, MSTB_COLS);
            for (size_t j = 0; j < 4; j++) {
                x0[j] = AT(floats, far, j);
                if (strips == 2)
                    x1[j] = AT(floats, far, 4 + j);
            }
        } else {
            add_rows(idx, end, strips, w, sum);
            finish_strip(&sum[0], of0 == 4, c, b, x0);
            if (strips == 2)
                finish_strip(&sum[1], of1 == 4, c + MSTB_COLS, b + MSTB_COLS, x1);
        }
        s[0].bits[t] = fire_vectors(&q0, of0, gain, (const __m512 *)(const void *)x0);
        if (strips == 2)
            s[1].bits[t] = fire_vectors(&q1, of1, gain, (const __m512 *)(const void *)x1);
    }
    store_neurons(&s[0], of0, &q0);
    if (strips == 2)
        store_neurons(&s[1], of1, &q1);
}

ALWAYS void fire_any(const mstb_lists *in, const mstb_strip *s, size_t strips, int gain, const uint8_t *w,
                     const float *c, const float *b)
{
    bool half = s[strips - 1].n <= MSTB_COLS / 2;
    if (strips == 2)
        half ? fire_bytes(in, s, 6, gain, w, c, b) : fire_bytes(in, s, 8, gain, w, c, b);
    else
        half ? fire_bytes(in, s, 2, gain, w, c, b) : fire_bytes(in, s, 4, gain, w, c, b);
}

void FN(gather_bytes_fire)(const mstb_lists *in, const mstb_strip *s, size_t strips, const uint8_t *w,
                           const float *c, const float *b)
{
    s->gain != NULL ? fire_any(in, s, strips, 1, w, c, b) : fire_any(in, s, strips, 0, w, c, b);
}
#else
typedef int mstb_int8_avx512_is_for_x86; /* an empty file is not C */
#endif
