/* BINARY: one operation on two values, which broadcast as in numpy. */
#include "runtime/ops/op.h"

static void run_binary(op_call *c)
{
    const nd_loop *nd = &c->node->u.binary.nd;
    const float *a = op_in(c, 0), *b = op_in(c, 1);
    float *y = c->out;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0}, stride[2] = {(size_t)nd->stride[0][last], (size_t)nd->stride[1][last]};
    ptrdiff_t at[ND_OPERANDS] = {0};
    do {
        c->k->binary_f32(c->node->u.binary.fn, a + at[0], b + at[1], stride, y + at[2], nd->dims[last]);
    } while (nd_next(nd, pos, at));
}

mst_status op_prepare_BINARY(op_prep *c, op_node *op)
{
    const mst_tensor *y = op_out_tensor(c);
    nd_loop *nd = &op->u.binary.nd;
    op->run = run_binary;
    op->u.binary.fn = c->node->ip[MST_BINARY_FN];
    nd->rank = y->rank;
    for (uint32_t d = 0; d < y->rank; d++)
        nd->dims[d] = y->dims[d];
    nd_broadcast(op_in_tensor(c, 0), nd->rank, nd->dims, nd->stride[0]);
    nd_broadcast(op_in_tensor(c, 1), nd->rank, nd->dims, nd->stride[1]);
    nd_strides(y, nd->stride[2]);
    nd_collapse(nd);
    return MST_OK;
}
