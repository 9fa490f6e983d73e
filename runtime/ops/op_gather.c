/* GATHER: slices of x by constant indices along one axis (ONNX Gather). */
#include <string.h>

#include "runtime/ops/op.h"

static void run_gather(op_call *c)
{
    const op_gather *q = &c->node->u.gather;
    const float *x = op_in(c, 0);
    const int32_t *index = c->in[1];
    float *y = c->out;
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++, y += q->inner)
            memcpy(y, x + (o * q->axis + (size_t)index[i]) * q->inner, q->inner * sizeof *y);
}

mst_status op_prepare_GATHER(op_prep *c, op_node *op)
{
    const mst_tensor *x = op_in_tensor(c, 0);
    uint32_t axis = (uint32_t)c->node->ip[MST_GATHER_AXIS];
    op_gather *q = &op->u.gather;
    op->run = run_gather;
    q->outer = q->inner = 1;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d < axis)
            q->outer *= x->dims[d];
        else if (d == axis)
            q->axis = x->dims[d];
        else
            q->inner *= x->dims[d];
    }
    q->n_index = mst_tensor_elements(op_in_tensor(c, 1));
    return MST_OK;
}
