/* Inner products of counts and weights on 64-bit ARM. The including file has defined MSTC_TILE and how products are
 * summed: a type `part` of the sums of 4 outputs, part_add() and part_sums().
 *
 * Instructions multiply bytes that both have a sign, or neither. Counts up to 127 are signed numbers as they are. Where
 * there may be larger ones, the top bit of each weight is flipped, which makes w + 128 without a sign, and 128 times
 * the sum of the row's counts is taken away at the end: modulo 2^32, as the sums of products are until then. */
#ifndef MST_COUNT_DOT_NEON_H
#define MST_COUNT_DOT_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/count_set.h"

ALWAYS uint8x16_t four(const uint8_t *x)
{
    uint32_t v;
    memcpy(&v, x, sizeof v);
    return vreinterpretq_u8_u32(vdupq_n_u32(v));
}

/* Of all that is read, of whatever lies behind a segment too: its weights are 0, flipped 128. */
static uint32_t sum_read(const dot *d, size_t r)
{
    uint32_t sum = 0;
    for (size_t t = 0; t < d->n_taps; t++)
        for (const uint8_t *x = d->rows[r] + d->taps[t], *end = x + 4 * d->steps; x < end; x++)
            sum += *x;
    return sum;
}

/* 16 outputs of a panel. Constants where inlined: height, flip. */
ALWAYS void dot_half(const dot *d, const size_t height, const int flip, size_t half, int32_t *sums)
{
    const uint8x16_t top = vdupq_n_u8(128);
    const int8_t *w = d->panel + 64 * half;
    part a[MSTC_TILE][4];
    for (size_t r = 0; r < height; r++)
        for (size_t j = 0; j < 4; j++)
            a[r][j] = (part){0};
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t at = d->taps[t], end = at + 4 * d->steps; at < end; at += 4, w += 4 * MSTC_COLS) {
            uint8x16_t x[MSTC_TILE];
            UNROLLED
            for (size_t r = 0; r < height; r++)
                x[r] = four(d->rows[r] + at);
            UNROLLED
            for (size_t j = 0; j < 4; j++) {
                uint8x16_t u = vreinterpretq_u8_s8(vld1q_s8(w + 16 * j));
                u = flip ? veorq_u8(u, top) : u;
                UNROLLED
                for (size_t r = 0; r < height; r++)
                    a[r][j] = part_add(a[r][j], x[r], u, flip);
            }
        }
    for (size_t r = 0; r < height; r++) {
        const int32x4_t less = vdupq_n_s32(flip ? (int32_t)(128 * sum_read(d, r)) : 0);
        for (size_t j = 0; j < 4; j++)
            vst1q_s32(sums + r * MSTC_COLS + 16 * half + 4 * j, vsubq_s32(part_sums(a[r][j]), less));
    }
}

#define HEIGHT(h) \
    case h: \
        if (h > MSTC_TILE) \
            break; \
        if (d->largest > 127) \
            dot_half(d, h <= MSTC_TILE ? h : 1, 1, half, sums); \
        else \
            dot_half(d, h <= MSTC_TILE ? h : 1, 0, half, sums); \
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
        }
}

#endif
