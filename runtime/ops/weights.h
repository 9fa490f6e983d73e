/* What LINEAR, CONV and MATMUL share: products of lists of inputs and weights. */
#ifndef MST_OPS_WEIGHTS_H
#define MST_OPS_WEIGHTS_H

#include "runtime/ops/op.h"

/* Rows of which the lists are made before their products: a piece of the weights then serves all of
 * them from the cache. */
#define OP_ROWS 16
/* Outputs per call of the gather kernel. */
#define OP_COLS 128

/* A row of outputs and the inputs that reach it. */
typedef struct op_row {
    mstk_list in;
    float *y;
} op_row;

/* How many of n outputs the next call makes. */
static inline size_t op_cols_of(size_t n) { return n <= OP_COLS + OP_COLS / 2 ? n : OP_COLS; }

/* What the lists are made of: the input's values, or its counts, bit by bit, where integers are summed. */
static inline const float *op_listed(const op_call *c)
{
    return c->node->weights->unit_c != NULL ? (const float *)(const void *)c->events[0] : op_in(c, 0);
}

/* Weights of input i for n outputs from `first` on as float32: where they lie, or in `wide`. */
static inline const float *op_weights_of(const op_call *c, size_t i, size_t first, size_t n, float *wide)
{
    const op_weights *q = c->node->weights;
    const void *w = c->in[1];
    const size_t at = i * q->ld + first;
    if (q->dtype == MST_F32)
        return (const float *)w + at;
    if (q->dtype == MST_F16)
        c->k->widen_f16((const uint16_t *)w + at, wide, n);
    else
        c->k->widen_i8((const int8_t *)w + at, q->scale + first, wide, n);
    return wide;
}

/* y[0..n) of each row = b + sum over its list of val * w, for the n outputs from `first` on of LINEAR or
 * CONV, whatever the type of their weights. The rows pass through a piece of the outputs together, so
 * that its weights stay in the cache. */
void op_weighted(const op_call *c, const op_row *rows, size_t n_rows, size_t first, size_t n);

/* Make op->weights of a node whose groups have n outputs of k inputs; may add scratch memory. ENOMEM, ELIMIT. */
mst_status op_prepare_weights(op_prep *c, op_node *op, size_t k, size_t n);

#endif
