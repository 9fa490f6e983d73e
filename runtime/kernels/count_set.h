/* What the files of one instruction set's kernels on counts share: names, and the inner product
 * that each set has its own of. The including file has defined MSTC_SET and MSTC_TILE. */
#ifndef MST_COUNT_SET_H
#define MST_COUNT_SET_H

#include "runtime/kernels/count_kernels.h"

#define MSTC_CAT_(name, set) mstc_##name##__##set
#define MSTC_CAT(name, set) MSTC_CAT_(name, set)
#define FN(name) MSTC_CAT(name, MSTC_SET)

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS size_t row_at(const uint32_t *index, size_t r) { return index != NULL ? index[r] : r; }

/* In a loop over few pointers, that would take longer. */
#define NOT_IN_VECTORS __asm__ volatile("")

/* Of loops over a tile's sums: GCC unrolls too late by itself to keep them out of memory before and
 * after the loop over inputs. */
#define UNROLLED _Pragma("GCC unroll 16")

#define AT(type, p) (*(const type *)(const void *)(p))

/* Of a set whose products need a state: of a run whose tiles have up to `tallest` rows, with steps of 4 counts that are
 * taken at_once. */
#ifndef MSTC_OWN_TILES
ALWAYS size_t steps_at_once(size_t steps)
{
    return steps;
}
ALWAYS void begin_tiles(size_t tallest, size_t at_once) { (void)tallest, (void)at_once; }
ALWAYS void end_tiles(void) {}
#endif

/* sums[r*32 + o] of height <= MSTC_TILE rows and the n <= 32 outputs of a panel. Sums behind n
 * may be anything. most: no product of a count and a weight is larger; largest: no count is. */
typedef struct dot {
    const uint8_t *rows[MSTC_TILE];
    const size_t *taps;
    size_t n_taps, steps; /* steps: of 4 counts, in a segment */
    const int8_t *panel;
    size_t height, n, tallest, at_once; /* height: tallest, or one less */
    unsigned most, largest;
} dot;

#endif
