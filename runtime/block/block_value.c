/* The forms that a tensor's value can take at compile time, how one is made from
 * another, and the operations and buffers that this needs. Knows no operators but
 * those that move. */
#include <string.h>

#include "runtime/block/block.h"

mst_status blk_no_memory(blk_compiler *bc) { return exec_no_memory(bc->c); }

uint32_t blk_last_dim(const mst_tensor *t) { return t->rank != 0 ? t->dims[t->rank - 1] : 1; }

bool blk_is_spike(const blk_compiler *bc, uint32_t tensor)
{
    return bc->p->tensors[tensor].is_spike && bc->p->tensors[tensor].has_scale;
}

/* ---- operations and buffers --------------------------------------------------- */

/* Room for one more of n elements of size in *at. */
static mst_status grow(blk_compiler *bc, void **at, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return MST_OK;
    size_t more = *cap != 0 ? 2 * *cap : 64;
    void *p = mst_alloc_array(bc->p->alloc, more, size);
    if (p == NULL)
        return blk_no_memory(bc);
    if (n != 0)
        memcpy(p, *at, n * size);
    mst_free_array(bc->p->alloc, *at, *cap, size);
    *at = p;
    *cap = more;
    return MST_OK;
}

mst_status blk_new_op(blk_compiler *bc, blk_kind kind, blk_op **op)
{
    blk_program *b = bc->b;
    void *ops = b->ops;
    MST_TRY(grow(bc, &ops, b->n_ops, &b->cap_ops, sizeof *b->ops));
    b->ops = ops;
    *op = &b->ops[b->n_ops++];
    **op = (blk_op){.kind = kind, .out_buf = MST_NONE};
    return MST_OK;
}

mst_status blk_new_buf(blk_compiler *bc, size_t bytes, uint32_t *buf)
{
    blk_program *b = bc->b;
    void *bufs = b->bufs;
    if (b->n_bufs >= MST_NONE)
        return mst_fail(bc->c->err, MST_ELIMIT, "the block schedule has more than %u buffers", MST_NONE);
    MST_TRY(grow(bc, &bufs, b->n_bufs, &b->cap_bufs, sizeof *b->bufs));
    b->bufs = bufs;
    b->bufs[b->n_bufs] = (exec_block){bytes, (uint32_t)b->n_ops, (uint32_t)b->n_ops, 0};
    *buf = (uint32_t)b->n_bufs++;
    return MST_OK;
}

void blk_use_buf(blk_compiler *bc, uint32_t buf) { bc->b->bufs[buf].last = (uint32_t)bc->b->n_ops; }

mst_status blk_new_bits(blk_compiler *bc, uint32_t tensor, blk_bits *bits)
{
    const mst_tensor *t = &bc->g->tensors[tensor];
    uint32_t cols = blk_last_dim(t);
    *bits = (blk_bits){.cols = cols,
                       .rows = mst_tensor_elements(t) / cols,
                       .words = (cols + 63) / 64,
                       .scale = bc->p->tensors[tensor].scale};
    bits->step = bits->rows * bits->words;
    if (bits->step >= UINT32_MAX / MSTB_COLS) /* blk_move counts bits with 32 bits */
        return mst_fail(bc->c->err, MST_ELIMIT, "tensor '%s': more than 2^32 bits of spikes in whole words", t->name);
    return blk_new_buf(bc, bits->step * sizeof(uint64_t), &bits->buf);
}

static void use_expr(blk_compiler *bc, const blk_expr *e)
{
    if (e->syn != NULL && e->syn->from != NULL)
        use_expr(bc, e->syn->from);
    else if (e->syn != NULL)
        blk_use_buf(bc, e->syn->has_bits ? e->syn->bits.buf : e->syn->buf);
    if (e->prod != NULL) {
        blk_use_buf(bc, e->prod->a.buf);
        blk_use_buf(bc, e->prod->b.buf);
    }
    for (uint32_t i = 0; i < e->n_terms; i++) {
        if (e->terms[i].kind == BLK_TERM_BITS)
            blk_use_buf(bc, e->terms[i].bits.buf);
        if (e->terms[i].kind == BLK_TERM_FLOAT)
            blk_use_buf(bc, e->terms[i].buf);
    }
}

mst_status blk_new_layer(blk_compiler *bc, const blk_expr *e, blk_op **op)
{
    blk_program *b = bc->b;
    use_expr(bc, e);
    MST_TRY(blk_new_op(bc, BLK_LAYER, op));
    (*op)->expr = e;
    (*op)->head = (uint32_t)b->n_ops - 1;
    return MST_OK;
}

/* ---- forms of a value ------------------------------------------------------------ */

mst_status blk_new_expr(blk_compiler *bc, uint32_t tensor, uint32_t room, blk_expr **e)
{
    const mst_tensor *t = &bc->g->tensors[tensor];
    *e = mst_arena_alloc(&bc->p->arena, sizeof **e);
    if (*e == NULL)
        return blk_no_memory(bc);
    (*e)->terms = mst_arena_array(&bc->p->arena, room, sizeof *(*e)->terms);
    if ((*e)->terms == NULL)
        return blk_no_memory(bc);
    (*e)->cols = blk_last_dim(t);
    (*e)->rows = mst_tensor_elements(t) / (*e)->cols;
    return MST_OK;
}

static bool same_scale(const blk_compiler *bc, const blk_map *m)
{
    for (uint32_t k = 0; k < m->n_sources; k++)
        if (!bc->values[m->sources[k]].has_bits)
            return false;
    return true;
}

static mst_status moved_bits(blk_compiler *bc, uint32_t tensor, bool *ok)
{
    blk_value *v = &bc->values[tensor];
    blk_map map;
    blk_bits in[BLK_MAX_SOURCES];
    MST_TRY(blk_map_make(bc, tensor, &map, ok));
    *ok = *ok && same_scale(bc, &map);
    mst_status st = MST_OK;
    for (uint32_t k = 0; *ok && k < map.n_sources; k++)
        in[k] = bc->values[map.sources[k]].bits;
    if (*ok && blk_map_is_same(bc, &map, tensor))
        v->bits = in[0];
    else if (*ok)
        st = blk_move_bits(bc, tensor, &map, in, &v->bits);
    blk_map_free(bc, &map);
    v->has_bits = *ok && st == MST_OK;
    return st;
}

mst_status blk_as_bits(blk_compiler *bc, uint32_t tensor, blk_bits *bits, bool *ok)
{
    blk_value *v = &bc->values[tensor];
    *ok = v->has_bits;
    if (!*ok && v->kind == BLK_MOVED && blk_is_spike(bc, tensor))
        MST_TRY(moved_bits(bc, tensor, ok));
    if (*ok)
        *bits = v->bits;
    return MST_OK;
}

static bool only_bits(const blk_expr *e)
{
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (e->terms[i].kind != BLK_TERM_BITS)
            return false;
    return e->syn == NULL && e->prod == NULL;
}

/* The expression of a moved one; *out NULL: it has none. */
static mst_status moved_expr(blk_compiler *bc, uint32_t tensor, const blk_map *map, bool last, blk_expr **out)
{
    const blk_expr *e = bc->values[map->sources[0]].expr;
    *out = NULL;
    if (blk_map_is_same(bc, map, tensor)) {
        *out = bc->values[map->sources[0]].expr;
        return MST_OK;
    }
    blk_expr *to;
    bool ok = e->prod != NULL && last;
    if (!only_bits(e) && !ok)
        return MST_OK;
    MST_TRY(blk_new_expr(bc, tensor, e->n_terms, &to));
    if (ok) {
        *to = *e;
        MST_TRY(blk_product_to(bc, tensor, map, to, &ok));
        *out = ok ? to : NULL;
        return MST_OK;
    }
    to->n_terms = e->n_terms;
    for (uint32_t i = 0; i < e->n_terms; i++) {
        to->terms[i] = e->terms[i];
        MST_TRY(blk_move_bits(bc, tensor, map, &e->terms[i].bits, &to->terms[i].bits));
        to->terms[i].bits.scale = e->terms[i].bits.scale;
    }
    *out = to;
    return MST_OK;
}

static mst_status expr_of_moved(blk_compiler *bc, uint32_t tensor, bool last, blk_expr **expr)
{
    uint32_t base = blk_move_base(bc, tensor);
    blk_map map;
    bool ok;
    *expr = NULL;
    if (base == MST_NONE || bc->values[base].kind != BLK_EXPR)
        return MST_OK;
    MST_TRY(blk_map_make(bc, tensor, &map, &ok));
    mst_status st = moved_expr(bc, tensor, &map, last, expr);
    blk_map_free(bc, &map);
    return st;
}

static exec_ref static_ref(const blk_compiler *bc, uint32_t tensor)
{
    const exec_tensor *t = &bc->p->tensors[tensor];
    return t->producer != MST_NONE
               ? bc->p->steps[t->producer].out
               : (exec_ref){bc->g->tensors[tensor].data, 0}; /* the graph's input is at 0 */
}

mst_status blk_as_expr(blk_compiler *bc, uint32_t tensor, bool last, blk_expr **expr)
{
    blk_value *v = &bc->values[tensor];
    bool ok;
    blk_bits bits;
    *expr = v->expr;
    if (v->kind == BLK_EXPR)
        return MST_OK;
    MST_TRY(blk_as_bits(bc, tensor, &bits, &ok));
    if (!ok && v->kind == BLK_MOVED && !v->has_buf) {
        MST_TRY(expr_of_moved(bc, tensor, last, expr));
        if (*expr != NULL)
            return MST_OK;
    }
    MST_TRY(blk_new_expr(bc, tensor, 1, expr));
    blk_term *t = &(*expr)->terms[(*expr)->n_terms++];
    if (ok) {
        *t = (blk_term){.kind = BLK_TERM_BITS, .bits = bits};
    } else if (v->kind == BLK_STATIC) {
        *t = (blk_term){.kind = BLK_TERM_ROWS, .ref = static_ref(bc, tensor)};
    } else {
        t->kind = BLK_TERM_FLOAT;
        MST_TRY(blk_as_float(bc, tensor, &t->buf));
    }
    return MST_OK;
}

static mst_status store_floats(blk_compiler *bc, uint32_t tensor, const blk_expr *e)
{
    blk_value *v = &bc->values[tensor];
    blk_op *op;
    MST_TRY(blk_new_buf(bc, mst_tensor_elements(&bc->g->tensors[tensor]) * sizeof(float), &v->buf));
    MST_TRY(blk_new_layer(bc, e, &op));
    op->out_buf = v->buf;
    op->n = e->rows * e->cols;
    v->has_buf = true;
    return MST_OK;
}

mst_status blk_as_float(blk_compiler *bc, uint32_t tensor, uint32_t *buf)
{
    blk_value *v = &bc->values[tensor];
    blk_expr *e = NULL;
    bool ok;
    blk_bits bits;
    if (!v->has_buf) {
        MST_TRY(blk_as_bits(bc, tensor, &bits, &ok));
        if (v->kind == BLK_MOVED && !ok)
            MST_TRY(expr_of_moved(bc, tensor, false, &e));
        else
            MST_TRY(blk_as_expr(bc, tensor, false, &e));
        if (e != NULL)
            MST_TRY(store_floats(bc, tensor, e));
        else
            MST_TRY(blk_fall_back(bc, bc->p->tensors[tensor].producer));
    }
    *buf = v->buf;
    return MST_OK;
}
