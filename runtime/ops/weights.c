/* Products with the weights of LINEAR and CONV in each of their types: float32 as they are;
 * float16 and int8 widened piece by piece; int8 at spikes summed as integers. */
#include "runtime/ops/weights.h"

#include <string.h>

/* y[0..n) of each row = b + sum over its list of val * w[idx*ldw + 0..n). */
static void products(const mst_kernels *k, const op_row *rows, size_t n_rows, const float *w, size_t ldw,
                     const float *b, size_t n)
{
    for (size_t j = 0, take; j < n; j += take) {
        take = op_cols_of(n - j);
        for (size_t r = 0; r < n_rows; r++)
            k->gather_f32(&rows[r].in, w + j, ldw, b != NULL ? b + j : NULL, rows[r].y + j, take);
    }
}

/* n outputs from `first` on, for all k inputs, to [k][n]. */
static const float *widen(const op_call *c, size_t first, size_t n)
{
    float *to = op_scratch(c, c->node->weights->wide);
    for (size_t i = 0; i < c->node->weights->k; i++)
        op_weights_of(c, i, first, n, to + i * n);
    return to;
}

/* y[0..n) of each row = c * (sum over its list of n * w, an integer) + b; the list's values are counts. */
static void count_products(const op_call *call, const op_row *rows, size_t n_rows, size_t first, size_t n)
{
    const op_weights *q = call->node->weights;
    const int8_t *w = (const int8_t *)call->in[1] + first;
    const float *b = op_in(call, 2), *c = q->unit_c + first;
    int32_t *sum = op_scratch(call, q->sum);
    for (size_t r = 0; r < n_rows; r++) {
        memset(sum, 0, n * sizeof *sum);
        for (size_t i = 0; i < rows[r].in.n; i++) {
            const int8_t *row = w + rows[r].in.idx[i] * q->ld;
            int32_t count;
            memcpy(&count, &rows[r].in.val[i], sizeof count);
            for (size_t j = 0; j < n; j++)
                sum[j] += count * row[j];
        }
        for (size_t j = 0; j < n; j++)
            rows[r].y[j] = c[j] * (float)sum[j] + (b != NULL ? b[first + j] : 0.0f);
    }
}

void op_weighted(const op_call *c, const op_row *rows, size_t n_rows, size_t first, size_t n)
{
    const op_weights *q = c->node->weights;
    const mst_kernels *k = c->k;
    const float *b = op_in(c, 2);
    const void *w = c->in[1];
    b = b != NULL ? b + first : NULL;
    if (q->unit_c != NULL) {
        count_products(c, rows, n_rows, first, n);
        return;
    }
    if (q->dtype == MST_F32) {
        products(k, rows, n_rows, (const float *)w + first, q->ld, b, n);
        return;
    }
    for (size_t j = 0, take; j < n; j += take) {
        take = op_cols_of(n - j);
        const float *wide = q->c == NULL ? widen(c, first + j, take) : NULL;
        for (size_t r = 0; r < n_rows; r++)
            if (wide != NULL)
                k->gather_f32(&rows[r].in, wide, take, b != NULL ? b + j : NULL, rows[r].y + j, take);
            else
                k->gather_i8(&rows[r].in, (const int8_t *)w + first + j, q->ld, q->c + first + j,
                             b != NULL ? b + j : NULL, rows[r].y + j, take);
    }
}

static mst_status prepare_counts(op_prep *c, op_node *op, size_t k, size_t n)
{
    const rt_fact *x = op_in_fact(c, 0);
    op_weights *q = op->weights;
    float *product = mst_arena_array(c->arena, q->ld, sizeof *product);
    if (product == NULL)
        return op_no_memory(c->err);
    if (k > INT32_MAX / (127 * (size_t)x->value.levels))
        return mst_fail(c->err, MST_EUNSUPPORTED, "%zu inputs of up to %u spikes: their sum with int8 weights may "
                                                  "exceed 32 bits: use fewer levels, or float weights",
                        k, x->value.levels);
    for (size_t o = 0; o < q->ld; o++)
        product[o] = (float)(rt_unit(x) * (double)q->scale[o]);
    q->unit_c = product;
    return op_add_bytes(c->err, n, sizeof(int32_t), &q->sum, &op->scratch_bytes);
}

mst_status op_prepare_weights(op_prep *c, op_node *op, size_t k, size_t n)
{
    const mst_tensor *w = op_in_tensor(c, 1);
    const rt_fact *x = op_in_fact(c, 0);
    op_weights *q = mst_arena_alloc(c->arena, sizeof *q);
    if (q == NULL)
        return op_no_memory(c->err);
    op->weights = q;
    *q = (op_weights){.dtype = w->dtype, .k = k, .ld = w->dims[w->rank - 1], .scale = op_const(c, 3)};
    if (w->dtype == MST_I8 && rt_has_scale(x)) {
        float *product = mst_arena_array(c->arena, q->ld, sizeof *product);
        if (product == NULL)
            return op_no_memory(c->err);
        for (size_t o = 0; o < q->ld; o++)
            product[o] = x->value.scale * q->scale[o];
        q->c = product;
    }
    if (w->dtype == MST_I8 && rt_has_unit(x))
        return prepare_counts(c, op, k, n);
    if (w->dtype == MST_F32 || q->c != NULL)
        return MST_OK;
    size_t most = n <= OP_COLS + OP_COLS / 2 ? n : OP_COLS + OP_COLS / 2;
    return op_add_bytes(c->err, k, most * sizeof(float), &q->wide, &op->scratch_bytes);
}
