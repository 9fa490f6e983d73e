/* What the files of one instruction set's block kernels share: names and inlining. The
 * including file has defined MSTB_SET. */
#ifndef MST_BLOCK_SET_H
#define MST_BLOCK_SET_H

#include "runtime/kernels/block_kernels.h"

#define MSTB_CAT_(name, set) mstb_##name##__##set
#define MSTB_CAT(name, set) MSTB_CAT_(name, set)
#define FN(name) MSTB_CAT(name, MSTB_SET)

#define ALWAYS static inline __attribute__((always_inline))

/* The first n columns of a strip. */
ALWAYS uint64_t live_bits(size_t n) { return n == MSTB_COLS ? UINT64_MAX : ((uint64_t)1 << n) - 1; }

#endif
