/* New operations, buffers and expressions of a program. */
#include "runtime/core/grow.h"
#include "runtime/lower/lowering.h"

#define FIRST_ROOM 64 /* buffers; operations, for those that do not come of nodes */

mst_status low_no_memory(lowering *lo) { return op_no_memory(lo->err); }

mst_status low_new_op(lowering *lo, rt_op_kind kind, uint32_t tensor, rt_op **op)
{
    mst_program *p = lo->p;
    size_t room = (size_t)p->g->n_nodes + FIRST_ROOM; /* seldom too small: growing leaves holes in the heap */
    rt_op *ops = mst_grow(p->alloc, p->ops, p->n_ops, &p->cap_ops, room, sizeof *ops);
    if (ops == NULL)
        return low_no_memory(lo);
    p->ops = ops;
    *op = &p->ops[p->n_ops++];
    **op = (rt_op){.kind = kind, .tensor = tensor, .out = {.buf = MST_NONE}, .events = MST_NONE};
    return MST_OK;
}

mst_status low_new_buf(lowering *lo, size_t bytes, uint32_t *buf)
{
    mst_program *p = lo->p;
    if (p->n_bufs >= MST_NONE)
        return mst_fail(lo->err, MST_ELIMIT, "a program has more than %u buffers", MST_NONE);
    plan_buf *bufs = mst_grow(p->alloc, p->bufs, p->n_bufs, &p->cap_bufs, FIRST_ROOM, sizeof *bufs);
    if (bufs == NULL)
        return low_no_memory(lo);
    p->bufs = bufs;
    p->bufs[p->n_bufs] = (plan_buf){bytes, (uint32_t)p->n_ops, (uint32_t)p->n_ops, 0};
    *buf = (uint32_t)p->n_bufs++;
    return MST_OK;
}

void low_use_buf(lowering *lo, uint32_t buf) { lo->p->bufs[buf].last = (uint32_t)lo->p->n_ops; }

mst_status low_new_bits(lowering *lo, uint32_t tensor, rt_value *bits)
{
    const mst_tensor *t = &lo->g->tensors[tensor];
    uint32_t cols = rt_last_dim(t);
    const rt_kind *v = &lo->p->facts[tensor].value;
    bool counts = op_counts(lo->p->mode);
    *bits = (rt_value){.form = counts ? MST_FORM_COUNT : MST_FORM_BITS,
                       .cols = cols,
                       .rows = mst_tensor_elements(t) / cols,
                       .words = counts ? cols : (cols + 63) / 64,
                       .scale = v->scale,
                       .levels = v->levels};
    bits->step = bits->rows * bits->words;
    if (counts)
        return low_new_buf(lo, bits->step + RT_COUNT_SLACK, &bits->buf);
    if (bits->step >= UINT32_MAX / RT_COLS) /* rt_move counts bits with 32 bits */
        return mst_fail(lo->err, MST_ELIMIT, "tensor '%s': more than 2^32 bits of spikes in whole words", t->name);
    return low_new_buf(lo, bits->step * sizeof(uint64_t), &bits->buf);
}

static void keep_buf(lowering *lo, uint32_t buf, uint32_t op)
{
    plan_buf *b = &lo->p->bufs[buf];
    b->last = b->last > op ? b->last : op;
}

void low_keep_expr(lowering *lo, const rt_expr *e, uint32_t op)
{
    if (e->syn != NULL && e->syn->from != NULL)
        low_keep_expr(lo, e->syn->from, op);
    else if (e->syn != NULL)
        keep_buf(lo, e->syn->has_bits ? e->syn->bits.buf : e->syn->buf, op);
    if (e->prod != NULL) {
        keep_buf(lo, e->prod->a.buf, op);
        keep_buf(lo, e->prod->b.buf, op);
    }
    for (uint32_t i = 0; i < e->n_terms; i++) {
        if (e->terms[i].kind == RT_TERM_BITS)
            keep_buf(lo, e->terms[i].bits.buf, op);
        if (e->terms[i].kind == RT_TERM_FLOAT)
            keep_buf(lo, e->terms[i].buf, op);
    }
}

void low_use_expr(lowering *lo, const rt_expr *e) { low_keep_expr(lo, e, (uint32_t)lo->p->n_ops); }

mst_status low_new_floats(lowering *lo, uint32_t tensor, rt_value *out)
{
    const mst_tensor *t = &lo->g->tensors[tensor];
    uint32_t cols = rt_last_dim(t);
    *out = (rt_value){.form = MST_FORM_FLOAT, .cols = cols, .rows = mst_tensor_elements(t) / cols};
    out->step = out->rows * cols;
    return low_new_buf(lo, out->step * sizeof(float), &out->buf);
}

mst_status low_new_layer(lowering *lo, uint32_t tensor, const rt_expr *e, rt_op **op)
{
    low_use_expr(lo, e);
    MST_TRY(low_new_op(lo, RT_OP_LAYER, tensor, op));
    (*op)->expr = e;
    (*op)->head = (uint32_t)lo->p->n_ops - 1;
    return MST_OK;
}

mst_status low_new_expr(lowering *lo, uint32_t tensor, uint32_t room, rt_expr **e)
{
    const mst_tensor *t = &lo->g->tensors[tensor];
    *e = mst_arena_alloc(&lo->p->arena, sizeof **e);
    if (*e == NULL)
        return low_no_memory(lo);
    (*e)->terms = mst_arena_array(&lo->p->arena, room, sizeof *(*e)->terms);
    if ((*e)->terms == NULL)
        return low_no_memory(lo);
    (*e)->cols = rt_last_dim(t);
    (*e)->rows = mst_tensor_elements(t) / (*e)->cols;
    return MST_OK;
}
