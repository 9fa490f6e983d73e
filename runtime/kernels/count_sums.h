/* Sums of counts and of their bits, in vectors of VW*4 bytes (VW as count_body.h has it): bytes
 * are added in lanes of 16 bits. Included by count_body.h only. */
#ifndef MST_COUNT_SUMS_H
#define MST_COUNT_SUMS_H

#include <string.h>

#include "runtime/kernels/count_set.h"

#define SUM_BYTES (VW < 4 ? 16 : 4 * VW)
#define SUM_STEPS 128u /* 2 * 255 * 128 < 2^16 */

typedef uint64_t words __attribute__((vector_size(SUM_BYTES)));

/* n <= SUM_BYTES bytes, the others 0. */
ALWAYS words load_words(const uint8_t *x, size_t n)
{
    words w = {0};
    if (n >= SUM_BYTES)
        memcpy(&w, x, SUM_BYTES);
    else
        memcpy(&w, x, n);
    return w;
}

/* Each byte's set bits. No bit that a shift moves into another byte stays. */
ALWAYS words bits_of(words x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

#define EVEN_BYTES 0x00ff00ff00ff00ffu

#ifndef MSTC_OWN_SUMS
ALWAYS uint64_t sum_of_lanes(words x)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SUM_BYTES / 8; i++)
        sum += (x[i] & 0xffff) + (x[i] >> 16 & 0xffff) + (x[i] >> 32 & 0xffff) + (x[i] >> 48);
    return sum;
}

ALWAYS uint64_t sum_some(const uint8_t *x, size_t n, const int bits)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n;) {
        words lanes = {0};
        for (size_t step = 0; step < SUM_STEPS && i < n; step++, i += SUM_BYTES) {
            words w = load_words(x + i, n - i);
            w = bits ? bits_of(w) : w;
            lanes += (w & EVEN_BYTES) + (w >> 8 & EVEN_BYTES);
        }
        sum += sum_of_lanes(lanes);
    }
    return sum;
}
#endif

static uint64_t sum_bytes(const uint8_t *x, size_t n, int bits)
{
    return bits ? sum_some(x, n, 1) : sum_some(x, n, 0);
}

static uint64_t FN(total)(const uint8_t *x, size_t n, int bits)
{
    return sum_bytes(x, n, bits);
}

static void FN(row_sums)(const mstc_input *in, size_t rows, int bits, uint32_t *sums)
{
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *x = in->x + row_at(in->index, r) * in->ld;
        uint64_t sum = 0;
        for (size_t t = 0; t < in->n_taps; t++)
            sum += sum_bytes(x + in->taps[t], in->k, bits);
        sums[r] = (uint32_t)sum;
    }
}

/* Columns from..from+n, n <= SUM_BYTES: 16 bits hold the sums of 256 rows. */
ALWAYS void sum_columns(const mstc_input *in, size_t rows, size_t from, size_t n, const int bits, uint32_t *sums)
{
    memset(sums, 0, n * sizeof *sums);
    for (size_t r = 0; r < rows;) {
        words even = {0}, odd = {0};
        for (size_t end = rows - r < 256 ? rows : r + 256; r < end; r++) {
            words w = load_words(in->x + row_at(in->index, r) * in->ld + from, n);
            w = bits ? bits_of(w) : w;
            even += w & EVEN_BYTES;
            odd += w >> 8 & EVEN_BYTES;
        }
        uint16_t lanes[2][SUM_BYTES / 2];
        memcpy(lanes[0], &even, sizeof even);
        memcpy(lanes[1], &odd, sizeof odd);
        for (size_t i = 0; i < n; i++)
            sums[i] += lanes[i % 2][i / 2];
    }
}

static void FN(column_sums)(const mstc_input *in, size_t rows, int bits, uint32_t *sums)
{
    for (size_t i = 0; i < in->k; i += SUM_BYTES) {
        size_t n = in->k - i < SUM_BYTES ? in->k - i : SUM_BYTES;
        bits ? sum_columns(in, rows, i, n, 1, sums + i) : sum_columns(in, rows, i, n, 0, sums + i);
    }
}

#endif
