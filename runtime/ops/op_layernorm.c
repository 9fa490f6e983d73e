/* LAYERNORM over the last axis. */
#include "runtime/ops/op.h"

static void run_layernorm(op_call *c)
{
    const op_rows *q = &c->node->u.rows;
    const float *x = op_in(c, 0);
    const mstk_norm norm = {op_in(c, 1), op_in(c, 2), q->eps};
    float *y = c->out;
    for (size_t o = 0; o < q->outer; o++)
        c->k->layernorm_f32(&norm, x + o * q->n, y + o * q->n, q->n);
}

mst_status op_prepare_LAYERNORM(op_prep *c, op_node *op)
{
    const mst_tensor *x = op_in_tensor(c, 0);
    op->run = run_layernorm;
    op->u.rows = op_rows_along(x, x->rank - 1);
    op->u.rows.eps = (double)c->node->fp[MST_LAYERNORM_EPS];
    return MST_OK;
}
