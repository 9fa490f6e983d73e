/* SOFTMAX along one axis. */
#include "runtime/ops/op.h"

/* A row that does not lie in one piece is gathered in scratch memory. */
static void run_softmax(op_call *c)
{
    const op_rows *q = &c->node->u.rows;
    const float *x = op_in(c, 0);
    float *y = c->out, *row = (float *)(void *)c->scratch;
    for (size_t o = 0; o < q->outer; o++, x += q->n * q->inner, y += q->n * q->inner) {
        if (q->inner == 1) {
            c->k->softmax_f32(x, y, q->n);
            continue;
        }
        for (size_t i = 0; i < q->inner; i++) {
            for (size_t k = 0; k < q->n; k++)
                row[k] = x[k * q->inner + i];
            c->k->softmax_f32(row, row, q->n);
            for (size_t k = 0; k < q->n; k++)
                y[k * q->inner + i] = row[k];
        }
    }
}

mst_status op_prepare_SOFTMAX(op_prep *c, op_node *op)
{
    op->run = run_softmax;
    op->u.rows = op_rows_along(op_in_tensor(c, 0), (uint32_t)c->node->ip[MST_SOFTMAX_AXIS]);
    op->scratch_bytes = op->u.rows.inner == 1 ? 0 : op->u.rows.n * sizeof(float);
    return MST_OK;
}
