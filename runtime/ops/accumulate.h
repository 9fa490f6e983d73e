/* Sums and maxima that grow term by term: what POOL and REDUCE share. */
#ifndef MST_OPS_ACCUMULATE_H
#define MST_OPS_ACCUMULATE_H

#include <stdbool.h>
#include <string.h>

#include "runtime/kernels/kernels.h"

/* y = x for the first of a sum, y += x or y = max(y, x) for the others. */
static inline void op_accumulate(const mst_kernels *k, bool first, bool max, const float *x, float *y, size_t n)
{
    if (first)
        memcpy(y, x, n * sizeof *y);
    else if (max)
        k->max_to_f32(x, y, n);
    else
        k->add_to_f32(x, y, n);
}

#endif
