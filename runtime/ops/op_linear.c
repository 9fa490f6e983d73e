/* LINEAR and CONV: the weights of the inputs that are not zero are added, in
 * ascending input order. Whether an input is a spike matters to counting only. */
#include "runtime/ops/dense.h"
#include "runtime/ops/sparse.h"
#include "runtime/ops/weights.h"

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static void run_linear(op_call *c)
{
    const op_linear *q = &c->node->u.linear;
    const mst_kernels *k = c->k;
    const size_t first = c->parts != 0 ? q->rows * c->part / c->parts : 0,
                 end = c->parts != 0 ? q->rows * (c->part + 1) / c->parts : q->rows;
    const float *x = op_listed(c);
    float *y = c->out;
    if (c->node->weights->dense) {
        c->ops += op_sparse(c, x + first * q->in, end - first, y + first * q->out) * q->out;
        return;
    }
    uint32_t *idx = op_scratch(c, q->idx);
    float *val = op_scratch(c, q->val);
    size_t ld = q->in + MSTK_SLACK;
    uint64_t active = 0;
    for (size_t r0 = first; r0 < end; r0 += OP_ROWS) {
        op_row rows[OP_ROWS];
        size_t n = min_size(end - r0, OP_ROWS);
        for (size_t r = 0; r < n; r++) {
            rows[r].in = (mstk_list){idx + r * ld, val + r * ld, 0};
            rows[r].in.n = k->scan_f32(x + (r0 + r) * q->in, q->in, idx + r * ld, val + r * ld);
            rows[r].y = y + (r0 + r) * q->out;
            active += rows[r].in.n;
        }
        op_weighted(c, rows, n, 0, q->out);
    }
    c->ops += active * q->out;
}

mst_status op_prepare_LINEAR(op_prep *c, op_node *op)
{
    const mst_tensor *w = op_in_tensor(c, 1);
    op_linear *q = &op->u.linear;
    op->run = run_linear;
    op->shares = true;
    op->counts_sops = rt_is_spike(op_in_fact(c, 0));
    q->in = w->dims[0];
    q->out = w->dims[1];
    q->rows = op->n / q->out;
    op->dense = op->n;
    MST_TRY(op_mul_ops(c, q->in, &op->dense));
    MST_TRY(op_prepare_weights(c, op, q->in, q->out));
    size_t entries = min_size(q->rows, OP_ROWS) * (q->in + MSTK_SLACK), dense = op->scratch_bytes;
    MST_TRY(op_prepare_dense(c, op, q->out, &dense));
    if (op->weights->dense)
        MST_TRY(op_prepare_sparse(c, op, q->rows, &dense));
    MST_TRY(op_add_bytes(c->err, entries, sizeof(uint32_t), &q->idx, &op->scratch_bytes));
    MST_TRY(op_add_bytes(c->err, entries, sizeof(float), &q->val, &op->scratch_bytes));
    op->scratch_bytes = max_size(op->scratch_bytes, dense); /* one or the other */
    return MST_OK;
}
