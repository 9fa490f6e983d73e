/* Counts into panels of weights, one by one: for sets that have no better way, and for the
 * edges of those that have. Included by count_body.h or count_pack_avx2.h only. */
#ifndef MST_COUNT_PACK_H
#define MST_COUNT_PACK_H

#include <string.h>

#include "runtime/kernels/count_set.h"

/* step: of the panel; o: its output, not of all. 4 weights, n of them from x, `apart` bytes apart. */
ALWAYS void pack_four(const uint8_t *x, size_t apart, size_t n, unsigned lift, int8_t *to)
{
    for (size_t i = 0; i < 4; i++)
        to[i] = (int8_t)(i < n ? x[i * apart] - (int)lift : 0);
}

ALWAYS size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Outputs first..end of a panel, steps from..steps. */
static void pack_rows_edge(const mstc_input *in, size_t rows, size_t o, size_t from, unsigned lift, int8_t *panels)
{
    const size_t steps = (in->k + 3) / 4;
    int8_t *panel = panels + o / MSTC_COLS * steps * 4 * MSTC_COLS + o % MSTC_COLS * 4;
    const uint8_t *x = o < rows ? in->x + row_at(in->index, o) * in->ld : in->x;
    for (size_t s = from; s < steps; s++)
        pack_four(x + 4 * s, 1, o < rows ? in->k - 4 * s : 0, lift, panel + s * 4 * MSTC_COLS);
}

/* Step s of a panel from column o on: the 4 rows that are its weights. */
static void pack_columns_edge(const mstc_input *in, size_t rows, size_t s, size_t o, unsigned lift, int8_t *to)
{
    uint8_t four[4] = {0};
    for (size_t i = 0; i < MSTC_COLS; i++) {
        size_t n = o + i < in->k ? least(rows - 4 * s, 4) : 0;
        for (size_t r = 0; r < n; r++)
            four[r] = in->x[row_at(in->index, 4 * s + r) * in->ld + o + i];
        pack_four(four, 1, n, lift, to + 4 * i);
    }
}

#ifndef MSTC_OWN_PACK
static void FN(pack_rows)(const mstc_input *in, size_t rows, unsigned lift, int8_t *panels)
{
    for (size_t o = 0; o < (rows + MSTC_COLS - 1) / MSTC_COLS * MSTC_COLS; o++)
        pack_rows_edge(in, rows, o, 0, lift, panels);
}

static void FN(pack_columns)(const mstc_input *in, size_t rows, unsigned lift, int8_t *panels)
{
    for (size_t o = 0; o < in->k; o += MSTC_COLS)
        for (size_t s = 0; 4 * s < rows; s++, panels += 4 * MSTC_COLS)
            pack_columns_edge(in, rows, s, o, lift, panels);
}
#endif

#endif
