/* MATMUL: products of two computed matrices. Spikes with one theta are counted
 * as integers; one spike input adds rows; otherwise plain products. */
#include <string.h>

#include "runtime/ops/weights.h"

/* One matrix of the batch. */
typedef struct matrices {
    const float *a, *b;
    float *y;
} matrices;

static void transpose(const float *x, size_t rows, size_t cols, float *y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++)
            y[j * rows + r] = x[r * cols + j];
}

static size_t words_of(size_t k)
{
    return (k + 63) / 64;
}

/* c * coincidences; returns their number. */
static uint64_t coincide(op_call *c, const matrices *x)
{
    const op_matmul *q = &c->node->u.matmul;
    const mst_kernels *k = c->k;
    uint64_t *a = op_scratch(c, q->left), *b = op_scratch(c, q->right), total = 0;
    for (size_t w = 0; w < words_of(q->k); w++) {
        size_t at = w * 64, bits = q->k - at < 64 ? q->k - at : 64;
        k->pack_rows_u64(x->a + at, q->k, q->m, bits, a + w * q->m);
        if (q->trans_b)
            k->pack_rows_u64(x->b + at, q->k, q->n, bits, b + w * q->n);
        else
            k->pack_cols_u64(x->b + at * q->n, q->n, q->n, bits, b + w * q->n);
    }
    mstk_bits ab = {a, b, words_of(q->k), q->m, q->n};
    for (size_t m = 0; m < q->m; m++)
        total += k->coincide_u64(&ab, m, q->c, x->y + m * q->n);
    return total;
}

/* y = c * sum over the active k of a row of `rows` of (its value or 1) * table[k].
 * Rows go to y, or, when across is set, down the columns of y. */
static void add_rows(op_call *c, const float *rows, size_t n_rows,
                     const float *table, size_t width, float *y, bool across)
{
    const op_matmul *q = &c->node->u.matmul;
    const mst_kernels *k = c->k;
    uint32_t *idx = op_scratch(c, q->list);
    float *val = op_scratch(c, q->val), *row = op_scratch(c, q->row);
    for (size_t r = 0; r < n_rows; r++) {
        mstk_list in = {idx, val, k->scan_f32(rows + r * q->k, q->k, idx, val)};
        if (q->rule != OP_ANALOG)
            for (size_t i = 0; i < in.n; i++)
                val[i] = 1.0f; /* 1 * p is p: the same additions as without a product */
        float *to = across ? row : y + r * width;
        k->gather_f32(&in, table, width, NULL, to, width);
        k->scale_f32(q->c, to, width);
        for (size_t j = 0; across && j < width; j++)
            y[j * n_rows + r] = row[j];
    }
}

static void count_columns(const float *x, size_t rows, size_t cols, uint32_t *count)
{
    memset(count, 0, cols * sizeof *count);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++)
            count[j] += x[r * cols + j] != 0.0f;
}

/* Terms that count: both factors not zero; with one spike input, its factor. */
static uint64_t count_terms(op_call *c, const matrices *x)
{
    const op_matmul *q = &c->node->u.matmul;
    uint32_t *a = op_scratch(c, q->count), *b = a + q->k;
    uint64_t total = 0;
    count_columns(x->a, q->m, q->k, a);
    if (q->trans_b)
        count_columns(x->b, q->n, q->k, b);
    else
        for (size_t k = 0; k < q->k; k++) {
            b[k] = 0;
            for (size_t n = 0; n < q->n; n++)
                b[k] += x->b[k * q->n + n] != 0.0f;
        }
    for (size_t k = 0; k < q->k; k++) {
        uint64_t of_a = q->b_spike && !q->a_spike ? q->m : a[k];
        uint64_t of_b = q->a_spike && !q->b_spike ? q->n : b[k];
        total += of_a * of_b;
    }
    return total;
}

/* Integers: c * sum of n_a * n_b. */
static void multiply_counts(op_call *c, const matrices *x)
{
    const op_matmul *q = &c->node->u.matmul;
    const uint32_t *a = c->events[0] + (x->a - op_in(c, 0)), *b = c->events[1] + (x->b - op_in(c, 1));
    for (size_t m = 0; m < q->m; m++)
        for (size_t n = 0; n < q->n; n++) {
            uint32_t sum = 0;
            for (size_t k = 0; k < q->k; k++)
                sum += a[m * q->k + k] * (q->trans_b ? b[n * q->k + k] : b[k * q->n + n]);
            x->y[m * q->n + n] = q->c * (float)sum;
        }
}

static void run_one(op_call *c, const matrices *x)
{
    const op_matmul *q = &c->node->u.matmul;
    float *left = op_scratch(c, q->left), *right = op_scratch(c, q->right);
    if (q->rule == OP_COUNTS) {
        multiply_counts(c, x);
        return;
    }
    if (q->rule == OP_COINCIDE) {
        c->ops += coincide(c, x);
        return;
    }
    if (q->rule == OP_B_SPIKES) { /* y transposed = b transposed x a transposed */
        const float *rows = x->b;
        transpose(x->a, q->m, q->k, left);
        if (!q->trans_b) {
            transpose(x->b, q->k, q->n, right);
            rows = right;
        }
        add_rows(c, rows, q->n, left, q->m, x->y, true);
    } else {
        const float *table = x->b;
        if (q->trans_b) {
            transpose(x->b, q->n, q->k, right);
            table = right;
        }
        add_rows(c, x->a, q->m, table, q->n, x->y, false);
    }
    c->ops += count_terms(c, x);
}

static void run_matmul(op_call *c)
{
    const nd_loop *nd = &c->node->u.matmul.batch;
    const float *a = op_in(c, 0), *b = op_in(c, 1);
    float *y = c->out;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    uint32_t last = nd->rank - 1;
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            ptrdiff_t n = (ptrdiff_t)i;
            matrices x = {a + at[0] + n * nd->stride[0][last], b + at[1] + n * nd->stride[1][last],
                          y + at[2] + n * nd->stride[2][last]};
            run_one(c, &x);
        }
    } while (nd_next(nd, pos, at));
}

static void prepare_batch(op_prep *c, op_matmul *q)
{
    const mst_tensor *y = op_out_tensor(c);
    uint32_t dims[MST_MAX_RANK];
    for (uint32_t d = 0; d < y->rank; d++)
        dims[d] = y->dims[d];
    nd_broadcast(op_in_tensor(c, 0), y->rank, dims, q->batch.stride[0]);
    nd_broadcast(op_in_tensor(c, 1), y->rank, dims, q->batch.stride[1]);
    nd_strides(y, q->batch.stride[2]);
    q->batch.rank = y->rank - 2;
    memcpy(q->batch.dims, dims, q->batch.rank * sizeof dims[0]);
    nd_collapse(&q->batch);
}

/* Which rule of docs/EXECUTION.md holds, and its factor c. */
static void choose_rule(op_prep *c, op_matmul *q)
{
    const rt_fact *a = op_in_fact(c, 0), *b = op_in_fact(c, 1);
    double alpha = (double)c->node->fp[MST_MATMUL_ALPHA];
    q->a_spike = rt_is_spike(a);
    q->b_spike = rt_is_spike(b);
    if (c->int8 && rt_has_unit(a) && rt_has_unit(b)) {
        q->rule = OP_COUNTS;
        q->c = (float)(alpha * rt_unit(a) * rt_unit(b));
    } else if (rt_has_scale(a) && rt_has_scale(b)) {
        q->rule = OP_COINCIDE;
        q->c = (float)(alpha * (double)a->value.scale * (double)b->value.scale);
    } else if (rt_has_scale(a) || rt_has_scale(b)) {
        q->rule = rt_has_scale(a) ? OP_A_SPIKES : OP_B_SPIKES;
        q->c = (float)(alpha * (double)(rt_has_scale(a) ? a->value.scale : b->value.scale));
    } else {
        q->rule = OP_ANALOG;
        q->c = c->node->fp[MST_MATMUL_ALPHA];
    }
}

static mst_status prepare_scratch(op_prep *c, op_node *op)
{
    op_matmul *q = &op->u.matmul;
    size_t *total = &op->scratch_bytes;
    if (q->rule == OP_COUNTS) {
        uint64_t most = (uint64_t)op_in_fact(c, 0)->value.levels * op_in_fact(c, 1)->value.levels;
        return q->k <= INT32_MAX / most ? MST_OK
                                        : mst_fail(c->err, MST_EUNSUPPORTED,
                                                   "products of %zu counts may exceed 32 bits: "
                                                   "use fewer levels, or float weights",
                                                   q->k);
    }
    if (q->rule == OP_COINCIDE) {
        MST_TRY(op_add_bytes(c->err, words_of(q->k) * q->m, sizeof(uint64_t), &q->left, total));
        return op_add_bytes(c->err, words_of(q->k) * q->n, sizeof(uint64_t), &q->right, total);
    }
    bool across = q->rule == OP_B_SPIKES;
    MST_TRY(op_add_bytes(c->err, across ? q->m * q->k : 0, sizeof(float), &q->left, total));
    MST_TRY(op_add_bytes(c->err, across != q->trans_b ? q->n * q->k : 0, sizeof(float), &q->right, total));
    MST_TRY(op_add_bytes(c->err, q->k + MSTK_SLACK, sizeof(uint32_t), &q->list, total));
    MST_TRY(op_add_bytes(c->err, q->k + MSTK_SLACK, sizeof(float), &q->val, total));
    MST_TRY(op_add_bytes(c->err, across ? q->m : 0, sizeof(float), &q->row, total));
    return op_add_bytes(c->err, 2 * q->k, sizeof(uint32_t), &q->count, total);
}

mst_status op_prepare_MATMUL(op_prep *c, op_node *op)
{
    const mst_tensor *a = op_in_tensor(c, 0), *y = op_out_tensor(c);
    op_matmul *q = &op->u.matmul;
    op->run = run_matmul;
    q->m = y->dims[y->rank - 2];
    q->n = y->dims[y->rank - 1];
    q->k = a->dims[a->rank - 1];
    q->trans_b = c->node->ip[MST_MATMUL_TRANS_B] != 0;
    choose_rule(c, q);
    op->counts_sops = q->a_spike || q->b_spike;
    op->dense = op->n;
    MST_TRY(op_mul_ops(c, q->k, &op->dense));
    prepare_batch(c, q);
    return prepare_scratch(c, op);
}
