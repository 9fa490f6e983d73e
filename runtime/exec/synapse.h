/* What LINEAR, CONV and MATMUL share: products of lists of inputs and weights. */
#ifndef MST_EXEC_SYNAPSE_H
#define MST_EXEC_SYNAPSE_H

#include "runtime/exec/program.h"

/* A row of outputs and the inputs that reach it. */
typedef struct exec_row {
    mstk_list in;
    float *y;
} exec_row;

/* How many of n outputs make the next block. */
static inline size_t exec_block_of(size_t n) { return n <= EXEC_BLOCK + EXEC_BLOCK / 2 ? n : EXEC_BLOCK; }

/* y[0..n) of each row = b + sum over its list of val * w[idx*ldw + 0..n). The
 * rows pass through one block of outputs after the other, so that the block's
 * weights stay in the cache. */
static inline void exec_products(const mst_kernels *k, const exec_row *rows, size_t n_rows, const float *w,
                                 size_t ldw, const float *b, size_t n)
{
    for (size_t j = 0, take; j < n; j += take) {
        take = exec_block_of(n - j);
        for (size_t r = 0; r < n_rows; r++)
            k->gather_f32(&rows[r].in, w + j, ldw, b != NULL ? b + j : NULL, rows[r].y + j, take);
    }
}

/* The same for the n outputs from `first` on of LINEAR or CONV, whatever the type of their weights. */
void exec_weighted(const mst_session *s, const exec_step *st, const exec_row *rows, size_t n_rows, size_t first,
                   size_t n);

/* Make st->weights of a node whose groups have n outputs of k inputs; may add scratch memory. ENOMEM, ELIMIT. */
mst_status exec_prepare_weights(exec_compiler *c, exec_step *st, size_t k, size_t n);

#endif
