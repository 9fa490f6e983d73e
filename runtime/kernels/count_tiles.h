/* Inner products by AMX: 2 x 2 tiles of 16 rows x 16 outputs, over chunks of up to 64 counts. A test that brings what
 * tile_* do and defines MSTC_TILES_GIVEN runs the same code where there is no AMX. */
#ifndef MST_COUNT_TILES_H
#define MST_COUNT_TILES_H

#include <string.h>
#ifndef MSTC_TILES_GIVEN
#include <immintrin.h>
#define tile_configure(c) _tile_loadconfig(c)
#define tile_release() _tile_release()
#define tile_zero(i) _tile_zero(i)
#define tile_load(i, from, ld) _tile_loadd(i, from, ld)
#define tile_store(i, to, ld) _tile_stored(i, to, ld)
#define tile_dot(sums, counts, weights) _tile_dpbusd(sums, counts, weights)
#endif

#define MSTC_TILE 32
#define MSTC_OWN_TILES
#include "runtime/kernels/count_set.h"

/* GCC's intrinsics do not say what memory they read. */
#define MEMORY_IS_READ __asm__ volatile("" :: \
                                            : "memory")

#define TILE_ROWS 16u
#define TILE_BYTES 64u

/* What is in a tile: sums of the upper and lower rows with the left and right outputs, counts, weights. No enum: GCC
 * writes the numbers into instructions as they are spelled. */
#define UP_LEFT 0
#define UP_RIGHT 1
#define LOW_LEFT 2
#define LOW_RIGHT 3
#define UP 4
#define LOW 5
#define LEFT 6
#define RIGHT 7

/* The layout of LDTILECFG's operand. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16]; /* of a row */
    uint8_t rows[16];
} tile_config;

/* Rows of the upper half of tiles of `tallest` rows, or one less: above 16 the lower half has as many, some of them the
 * upper one's, too. Up to 16 there is one tile of all rows (run_panel). */
ALWAYS size_t rows_of_half(size_t tallest) { return tallest > TILE_ROWS ? (tallest + 1) / 2 : tallest; }

/* Steps of 4 counts that one product takes, so that chunks fill a segment: its largest divisor that fits. */
static size_t steps_at_once(size_t steps)
{
    for (size_t n = TILE_BYTES / 4;; n--)
        if (steps % n == 0)
            return n;
}

static void begin_tiles(size_t tallest, size_t at_once)
{
    const uint8_t rows = (uint8_t)rows_of_half(tallest);
    tile_config t = {.palette = 1};
    for (int i = UP_LEFT; i <= RIGHT; i++) {
        t.bytes[i] = i == UP || i == LOW ? (uint16_t)(4 * at_once) : TILE_BYTES;
        t.rows[i] = i == LEFT || i == RIGHT ? (uint8_t)at_once : rows;
    }
    MEMORY_IS_READ;
    tile_configure(&t);
}

ALWAYS void end_tiles(void) { tile_release(); }

/* Rows of a tile; ld: bytes between them, where they are evenly apart. */
typedef struct half {
    const uint8_t *const *rows;
    size_t n;
    ptrdiff_t ld;
    int even;
} half;

static half half_of(const uint8_t *const *rows, size_t n)
{
    half h = {rows, n, n > 1 ? rows[1] - rows[0] : (ptrdiff_t)TILE_BYTES, 1};
    for (size_t r = 2; r < n; r++)
        h.even &= rows[r] - rows[r - 1] == h.ld;
    h.ld = h.even ? h.ld : (ptrdiff_t)TILE_BYTES;
    return h;
}

/* Where the counts of a chunk lie h->ld apart: in place, or copied into room. */
ALWAYS const uint8_t *chunk_of(const half *h, size_t at, size_t bytes, uint8_t *room)
{
    if (h->even)
        return h->rows[0] + at;
    MEMORY_IS_READ; /* by the load of the chunk before, which may have been here */
    for (size_t r = 0; r < h->n; r++)
        memcpy(room + r * TILE_BYTES, h->rows[r] + at, bytes);
    MEMORY_IS_READ;
    return room;
}

#define LD_WEIGHTS (4 * MSTC_COLS)
#define LD_SUMS (MSTC_COLS * sizeof(int32_t))

static void dot_tile(const dot *d, int32_t *sums)
{
    uint8_t room[TILE_ROWS * TILE_BYTES] __attribute__((aligned(64)));
    const size_t n = rows_of_half(d->tallest), bytes = 4 * d->at_once;
    const int lower = d->tallest > TILE_ROWS, right = d->n > 16;
    const size_t first = lower ? d->height - n : 0;
    const half up = half_of(d->rows, n), low = half_of(d->rows + first, n);
    const int8_t *w = d->panel;
    tile_zero(UP_LEFT);
    tile_zero(UP_RIGHT);
    tile_zero(LOW_LEFT);
    tile_zero(LOW_RIGHT);
    for (size_t t = 0; t < d->n_taps; t++)
        for (size_t at = d->taps[t], end = at + 4 * d->steps; at < end; at += bytes, w += bytes * MSTC_COLS) {
            tile_load(UP, chunk_of(&up, at, bytes, room), up.ld);
            tile_load(LEFT, w, LD_WEIGHTS);
            tile_dot(UP_LEFT, UP, LEFT);
            if (right) {
                tile_load(RIGHT, w + TILE_BYTES, LD_WEIGHTS);
                tile_dot(UP_RIGHT, UP, RIGHT);
            }
            if (lower) {
                tile_load(LOW, chunk_of(&low, at, bytes, room), low.ld);
                tile_dot(LOW_LEFT, LOW, LEFT);
                if (right)
                    tile_dot(LOW_RIGHT, LOW, RIGHT);
            }
        }
    tile_store(UP_LEFT, sums, LD_SUMS);
    tile_store(UP_RIGHT, sums + 16, LD_SUMS);
    if (lower) {
        tile_store(LOW_LEFT, sums + first * MSTC_COLS, LD_SUMS);
        tile_store(LOW_RIGHT, sums + first * MSTC_COLS + 16, LD_SUMS);
    }
    MEMORY_IS_READ;
}

#endif
