/* Products with the weights of LINEAR and CONV in each of their types: float32 as they are;
 * float16 and int8 widened block by block; int8 at spikes summed as integers. */
#include "runtime/exec/synapse.h"

/* n outputs from `first` on, for all k inputs, to [k][n]. */
static const float *widen(const mst_session *s, const exec_step *st, size_t first, size_t n)
{
    const exec_weights *q = st->weights;
    float *to = exec_scratch(s, st, q->wide);
    const void *w = exec_at(s, st->in[1]);
    for (size_t i = 0, at = first; i < q->k; i++, at += q->ld)
        if (q->dtype == MST_F16)
            s->p->k.widen_f16((const uint16_t *)w + at, to + i * n, n);
        else
            s->p->k.widen_i8((const int8_t *)w + at, q->scale + first, to + i * n, n);
    return to;
}

void exec_weighted(const mst_session *s, const exec_step *st, const exec_row *rows, size_t n_rows, size_t first,
                   size_t n)
{
    const exec_weights *q = st->weights;
    const mst_kernels *k = &s->p->k;
    const float *b = exec_in(s, st, 2);
    const void *w = exec_at(s, st->in[1]);
    b = b != NULL ? b + first : NULL;
    if (q->dtype == MST_F32) {
        exec_products(k, rows, n_rows, (const float *)w + first, q->ld, b, n);
        return;
    }
    for (size_t j = 0, take; j < n; j += take) {
        take = exec_block_of(n - j);
        const float *wide = q->c == NULL ? widen(s, st, first + j, take) : NULL;
        for (size_t r = 0; r < n_rows; r++)
            if (wide != NULL)
                k->gather_f32(&rows[r].in, wide, take, b != NULL ? b + j : NULL, rows[r].y + j, take);
            else
                k->gather_i8(&rows[r].in, (const int8_t *)w + first + j, q->ld, q->c + first + j,
                             b != NULL ? b + j : NULL, rows[r].y + j, take);
    }
}

mst_status exec_prepare_weights(exec_compiler *c, exec_step *st, size_t k, size_t n)
{
    const mst_tensor *w = exec_in_tensor(c, 1);
    const exec_tensor *x = exec_in_attr(c, 0);
    exec_weights *q = mst_arena_alloc(&c->p->arena, sizeof *q);
    if (q == NULL)
        return exec_no_memory(c);
    st->weights = q;
    *q = (exec_weights){.dtype = w->dtype, .k = k, .ld = w->dims[w->rank - 1], .scale = exec_const(c, 3)};
    if (w->dtype == MST_I8 && x->is_spike && x->has_scale) {
        float *product = mst_arena_array(&c->p->arena, q->ld, sizeof *product);
        if (product == NULL)
            return exec_no_memory(c);
        for (size_t o = 0; o < q->ld; o++)
            product[o] = x->scale * q->scale[o];
        q->c = product;
    }
    if (w->dtype == MST_F32 || q->c != NULL)
        return MST_OK;
    size_t most = n <= EXEC_BLOCK + EXEC_BLOCK / 2 ? n : EXEC_BLOCK + EXEC_BLOCK / 2;
    return exec_add_bytes(c, k, most * sizeof(float), &q->wide, &st->scratch_bytes);
}
