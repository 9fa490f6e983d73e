/* Products with all weights of LINEAR and CONV, for rows in which most inputs are not zero. */
#ifndef MST_OPS_DENSE_H
#define MST_OPS_DENSE_H

#include "runtime/ops/op.h"

/* Where more than this share of inputs is not zero, lists of those take longer. */
static inline bool op_is_dense(uint64_t active, uint64_t all) { return active >= all / 4; }

/* How many of x are not zero. */
size_t op_nonzeros(const float *x, size_t n);

/* op->weights, which are known, for rows of any values: sets its `dense` where op_dense may be called, for groups
 * of n outputs, and adds scratch memory from *at on. ELIMIT. */
mst_status op_prepare_dense(op_prep *c, op_node *op, size_t n, size_t *at);

/* y[r*ldy + o] = b + sum over the row's inputs of x * w, for the n outputs from `first` on, whatever the type of the
 * weights: the bits that lists would give. */
void op_dense(const op_call *c, const mstk_rows *in, size_t rows, size_t first, size_t n, float *y, size_t ldy);

/* ---- a convolution as rows of an image with a border ----------------------------------------------------------- */

/* Row r of outputs starts at pixel index[r] of the image; its segments of k values of a group start taps[t] values
 * behind that, in the order of the weights. */
typedef struct op_taps {
    size_t n_taps, k;
    const size_t *taps;
    const uint32_t *index;
    bool bordered;                   /* the image is a copy: zeros around it, what no output reads cut off */
    size_t top, left, height, width; /* of that copy, in pixels */
} op_taps;

/* *ok false: more pixels than indices can tell. ENOMEM. */
mst_status op_make_taps(mst_arena *arena, const op_conv *q, op_taps *taps, bool *ok, mst_err *err);
static inline size_t op_border_values(const op_conv *q, const op_taps *t) { return t->height * t->width * q->channels; }
/* Make the copy; size: of a value, in bytes. */
void op_make_border(const op_conv *q, const op_taps *t, const void *from, void *to, size_t size);

#endif
