/* The kernels on counts for any machine: the reference that the other sets must equal. */
#define MSTC_SET scalar
#define MSTC_TILE 4
#define MSTC_GROUP 65536u
#include "runtime/kernels/count_vec_scalar.h"

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
