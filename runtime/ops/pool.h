/* What pools have in common: windows over an image [1,H,W,C]. */
#ifndef MST_OPS_POOL_H
#define MST_OPS_POOL_H

#include "runtime/ops/op.h"

/* Fill n->u.pool from c->node; window: its KERNEL, behind which STRIDE, PAD and DILATION follow, two of each. */
void op_pool_windows(const op_prep *c, op_node *n, const int32_t *window);

/* The mean, or where u.pool.max says so the maximum, of each window. */
void op_run_pool(op_call *c);

#endif
