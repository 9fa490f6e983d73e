/* What LINEAR, CONV and MATMUL share: products of lists of inputs and weights. */
#ifndef MST_EXEC_SYNAPSE_H
#define MST_EXEC_SYNAPSE_H

#include "runtime/exec/program.h"

/* A row of outputs and the inputs that reach it. */
typedef struct exec_row {
    mstk_list in;
    float *y;
} exec_row;

/* y[0..n) of each row = b + sum over its list of val * w[idx*ldw + 0..n). The
 * rows pass through one block of outputs after the other, so that the block's
 * weights stay in the cache. */
static inline void exec_products(const mst_kernels *k, const exec_row *rows, size_t n_rows, const float *w,
                                 size_t ldw, const float *b, size_t n)
{
    for (size_t j = 0, take; j < n; j += take) {
        take = n - j <= EXEC_BLOCK + EXEC_BLOCK / 2 ? n - j : EXEC_BLOCK;
        for (size_t r = 0; r < n_rows; r++)
            k->gather_f32(&rows[r].in, w + j, ldw, b != NULL ? b + j : NULL, rows[r].y + j, take);
    }
}

#endif
