/* The kernels on counts for any machine: the reference that the other sets must equal. */
#include <stdbool.h>

#define MSTC_SET scalar
#define MSTC_TILE 4
#define MSTC_GROUP 65536u
#include "runtime/kernels/count_set.h"

#define VW 1
typedef float VF;
typedef int32_t VI;
typedef bool VM;

ALWAYS VF v_set(float x) { return x; }
ALWAYS VF v_add(VF a, VF b) { return a + b; }
ALWAYS VF v_mul(VF a, VF b) { return a * b; }
ALWAYS VF v_div(VF a, VF b) { return a / b; }
ALWAYS VF v_max(VF a, VF b) { return a > b ? a : b; } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return a < b ? a : b; }
ALWAYS VM v_live(size_t n) { return n != 0; }
ALWAYS VF v_load(const float *x, VM live) { return live ? *x : 0; }
ALWAYS void v_store(float *y, VF x, VM live) { *y = live ? x : *y; }
ALWAYS VI v_ints(const int32_t *x, VM live) { return live ? *x : 0; }
ALWAYS VI v_counts(const uint8_t *x, VM live) { return live ? *x : 0; }
ALWAYS void v_store_counts(uint8_t *y, VI n, VM live) { *y = live ? (uint8_t)n : *y; }
ALWAYS void v_store_both(uint8_t *y, VI n0, VI n1) { y[0] = (uint8_t)n0, y[1] = (uint8_t)n1; }
ALWAYS VF v_float(VI x) { return (float)x; }
ALWAYS VI v_trunc(VF x) { return (int32_t)x; }

static void dot_row(const dot *d, const uint8_t *row, int32_t *sums)
{
    const int8_t *w = d->panel;
    for (size_t o = 0; o < MSTC_COLS; o++)
        sums[o] = 0;
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t s = 0; s < d->steps; s++, w += 4 * MSTC_COLS) {
            const uint8_t *x = row + d->taps[t] + 4 * s;
            for (size_t o = 0; o < MSTC_COLS; o++)
                sums[o] += x[0] * w[4 * o] + x[1] * w[4 * o + 1] + x[2] * w[4 * o + 2] + x[3] * w[4 * o + 3];
        }
}

static void dot_tile(const dot *d, int32_t *sums)
{
    for (size_t r = 0; r < d->height; r++)
        dot_row(d, d->rows[r], sums + r * MSTC_COLS);
}

#include "runtime/kernels/count_body.h"
