/* One arena for blocks that live over ranges of steps. */
#ifndef MST_PLAN_PLAN_H
#define MST_PLAN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "mst/alloc.h"

#define PLAN_ALIGN 64u

/* A block of bytes, in use from step first to step last, both included. */
typedef struct plan_buf {
    size_t bytes;
    uint32_t first, last;
    size_t at; /* out: offset, a multiple of PLAN_ALIGN */
} plan_buf;

/* Give each of n blocks (sorted by first, which is < n_steps) an offset; blocks
 * that live at the same time do not overlap. The arena's size in *total.
 * tmp: scratch memory. ENOMEM, ELIMIT. */
mst_status plan_memory(plan_buf *blocks, size_t n, uint32_t n_steps, mst_arena *tmp, size_t *total,
                       mst_err *err);

#endif
