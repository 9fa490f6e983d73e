/* Products of rows in which many inputs are zero, from lists of the others: a piece of the weights lies in the first
 * cache while all rows of a group pass by. */
#ifndef MST_OPS_SPARSE_H
#define MST_OPS_SPARSE_H

#include "runtime/ops/op.h"

/* op->weights with its `dense` set, for rows of q->k inputs: adds scratch memory from *at on. ELIMIT. */
mst_status op_prepare_sparse(op_prep *c, op_node *op, size_t rows, size_t *at);

/* y[r*n + o] = b + sum over the inputs of row r of x that are not zero of x * w, in their order, for all n outputs.
 * Groups of rows in which most are not zero take op_dense's way to the same bits. Returns how many are not zero. */
uint64_t op_sparse(const op_call *c, const float *x, size_t rows, float *y);

#endif
