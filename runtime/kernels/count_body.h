/* The kernels on counts but for their inner products, compiled once per instruction set: tiles
 * of rows x 32 outputs, and what becomes of their sums. The including file defines MSTC_SET,
 * MSTC_TILE (rows of a tile) and MSTC_GROUP, the operations on vectors of VW floats, and
 * dot_tile(). No include guard: meant for one inclusion per count_<set>.c. */
#include <string.h>

#include "runtime/kernels/count_set.h"
#include "runtime/kernels/count_sums.h"
#ifndef MSTC_OWN_PACK
#include "runtime/kernels/count_pack.h"
#endif

#include "runtime/kernels/count_finish.h"
#include "runtime/kernels/count_thin.h"

/* ---- tiles ------------------------------------------------------------------- */

/* Rows whose counts stay in the second cache while all panels pass by. */
static size_t rows_of_group(const mstc_input *in)
{
    size_t bytes = in->n_taps * in->k;
    bytes = bytes < in->ld || in->n_taps == 1 ? bytes : in->ld; /* taps share what they read */
    size_t rows = MSTC_GROUP / (bytes + 1);
    return rows < 4 * MSTC_TILE ? 4 * MSTC_TILE : rows;
}

/* Weights that are each larger by `lift` than their bytes: the row's sum that often. */
static void lift_tile(const dot *d, size_t k, int32_t lift, int32_t *sums)
{
    for (size_t r = 0; r < d->height; r++, sums += MSTC_COLS) {
        uint64_t more = 0;
        for (size_t t = 0; t < d->n_taps; t++)
            more += sum_bytes(d->rows[r] + d->taps[t], k, 0);
        for (size_t o = 0; o < d->n; o++)
            sums[o] += lift * (int32_t)more;
    }
}

static void sum_tile(const job *j, const dot *d, int32_t *sums)
{
    dot_tile(d, sums);
    if (j->w->lift != 0)
        lift_tile(d, j->in->k, (int32_t)j->w->lift, sums);
}

/* Tiles of so many rows, and the rows of the largest. */
ALWAYS size_t tiles_of(size_t rows) { return (rows + MSTC_TILE - 1) / MSTC_TILE; }
ALWAYS size_t tallest_of(size_t rows) { return (rows + tiles_of(rows) - 1) / tiles_of(rows); }

static void run_panel(const job *j, place *at, size_t rows, size_t at_once, finish_fn *finish)
{
    int32_t sums[MSTC_TILE * MSTC_COLS] __attribute__((aligned(64))) = {0};
    const mstc_input *in = j->in;
    dot d = {.taps = in->taps,
             .n_taps = in->n_taps,
             .steps = (in->k + 3) / 4,
             .n = at->n,
             .tallest = tallest_of(rows),
             .at_once = at_once,
             .most = in->most * j->w->most,
             .largest = in->most,
             .panel = j->w->panels + at->o / MSTC_COLS * mstc_panel_size(in->n_taps, in->k)};
    size_t first = at->row, tiles = tiles_of(rows);
    for (size_t i = 0; i < tiles; i++, at->row += at->height) {
        at->height = rows * (i + 1) / tiles - rows * i / tiles;
        d.height = at->height;
        for (size_t r = 0; r < at->height; r++) {
            d.rows[r] = in->x + row_at(in->index, at->row + r) * in->ld;
            NOT_IN_VECTORS;
        }
        sum_tile(j, &d, sums);
        finish(j, at, sums);
    }
    at->row = first;
}

static void run(const job *j, size_t rows, finish_fn *finish)
{
    size_t n = j->w->n, group = rows_of_group(j->in), at_once = steps_at_once((j->in->k + 3) / 4);
    for (size_t r = 0; r < rows; r += group) {
        place at = {.row = r};
        const size_t some = rows - r < group ? rows - r : group;
        begin_tiles(tallest_of(some), at_once);
        for (; at.o < n; at.o += MSTC_COLS) {
            at.n = n - at.o < MSTC_COLS ? n - at.o : MSTC_COLS;
            run_panel(j, &at, some, at_once, finish);
        }
    }
    end_tiles();
}

static void FN(fire)(const mstc_input *in, const mstc_weights *w, size_t rows, const mstc_affine *a,
                     const mstc_neuron *q, const mstc_bytes *y)
{
    job j = {.in = in, .w = w, .a = a, .q = q, .bytes = y};
    run(&j, rows, finish_fire);
}

static void FN(current)(const mstc_input *in, const mstc_weights *w, size_t rows, const mstc_affine *a,
                        const mstc_floats *y)
{
    job j = {.in = in, .w = w, .a = a, .floats = y};
    run(&j, rows, finish_current);
}

#define MSTC_TABLE_(set) mst_count_kernels_##set
#define MSTC_TABLE(set) MSTC_TABLE_(set)
#define MSTC_TEXT_(set) #set
#define MSTC_TEXT(set) MSTC_TEXT_(set)

const mst_count_kernels MSTC_TABLE(MSTC_SET) = {
    .isa = MSTC_TEXT(MSTC_SET),
#define MSTC_KERNEL(ret, name, args) .name = FN(name),
#include "runtime/kernels/count_kernels.def"
#undef MSTC_KERNEL
};
