/* The forms that a tensor's value can take at compile time, and how one is made from another. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* An operator's function made them as numbers. */
static mst_status packed_counts(lowering *lo, uint32_t tensor, bool *ok)
{
    low_value *v = &lo->values[tensor];
    rt_op *op;
    low_use_buf(lo, v->events);
    MST_TRY(low_new_bits(lo, tensor, &v->bits));
    MST_TRY(low_new_op(lo, RT_OP_COUNTS, MST_NONE, &op));
    op->events = v->events;
    op->out = v->bits;
    v->has_bits = *ok = true;
    return MST_OK;
}

/* Those of all sources. */
static mst_status bits_of_sources(lowering *lo, const low_map *m, rt_value *in, bool *ok)
{
    for (uint32_t k = 0; k < m->n_sources && *ok; k++)
        MST_TRY(low_as_bits(lo, m->sources[k], &in[k], ok));
    return MST_OK;
}

static mst_status moved_bits(lowering *lo, uint32_t tensor, bool *ok)
{
    low_value *v = &lo->values[tensor];
    low_map map;
    rt_value in[RT_MAX_SOURCES];
    MST_TRY(low_map_make(lo, tensor, &map, ok));
    mst_status st = *ok ? bits_of_sources(lo, &map, in, ok) : MST_OK;
    if (*ok && st == MST_OK && low_map_is_same(lo, &map, tensor))
        v->bits = in[0];
    else if (*ok && st == MST_OK)
        st = low_move_bits(lo, tensor, &map, in, &v->bits);
    low_map_free(lo, &map);
    v->has_bits = *ok && st == MST_OK;
    return st;
}

mst_status low_as_bits(lowering *lo, uint32_t tensor, rt_value *bits, bool *ok)
{
    low_value *v = &lo->values[tensor];
    *ok = v->has_bits;
    if (!*ok && v->kind == LOW_MOVED && rt_one_worth(&lo->p->facts[tensor]))
        MST_TRY(moved_bits(lo, tensor, ok));
    if (!*ok && v->has_events && rt_has_unit(&lo->p->facts[tensor]))
        MST_TRY(packed_counts(lo, tensor, ok));
    if (*ok)
        *bits = v->bits;
    return MST_OK;
}

static bool only_bits(const rt_expr *e)
{
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (e->terms[i].kind != RT_TERM_BITS)
            return false;
    return e->syn == NULL && e->prod == NULL;
}

/* The expression of a moved one; *out NULL: it has none. */
static mst_status moved_expr(lowering *lo, uint32_t tensor, const low_map *map, bool last, rt_expr **out)
{
    const rt_expr *e = lo->values[map->sources[0]].expr;
    *out = NULL;
    if (low_map_is_same(lo, map, tensor)) {
        *out = lo->values[map->sources[0]].expr;
        return MST_OK;
    }
    rt_expr *to;
    bool ok = e->prod != NULL && last;
    if (!only_bits(e) && !ok)
        return MST_OK;
    MST_TRY(low_new_expr(lo, tensor, e->n_terms, &to));
    if (ok) {
        *to = *e;
        MST_TRY(low_product_to(lo, tensor, map, to, &ok));
        *out = ok ? to : NULL;
        return MST_OK;
    }
    to->n_terms = e->n_terms;
    for (uint32_t i = 0; i < e->n_terms; i++) {
        to->terms[i] = e->terms[i];
        MST_TRY(low_move_bits(lo, tensor, map, &e->terms[i].bits, &to->terms[i].bits));
        to->terms[i].bits.scale = e->terms[i].bits.scale;
    }
    *out = to;
    return MST_OK;
}

static mst_status expr_of_moved(lowering *lo, uint32_t tensor, bool last, rt_expr **expr)
{
    uint32_t base = low_move_base(lo, tensor);
    low_map map;
    bool ok;
    *expr = NULL;
    if (base == MST_NONE || lo->values[base].kind != LOW_EXPR)
        return MST_OK;
    MST_TRY(low_map_make(lo, tensor, &map, &ok));
    mst_status st = moved_expr(lo, tensor, &map, last, expr);
    low_map_free(lo, &map);
    return st;
}

static rt_ref static_ref(const lowering *lo, uint32_t tensor)
{
    const rt_fact *t = &lo->p->facts[tensor];
    return t->producer != MST_NONE
               ? lo->p->nodes[t->producer].out
               : (rt_ref){lo->g->tensors[tensor].data, 0}; /* the graph's input is at 0 */
}

mst_status low_as_expr(lowering *lo, uint32_t tensor, bool last, rt_expr **expr)
{
    low_value *v = &lo->values[tensor];
    bool ok;
    rt_value bits;
    *expr = v->expr;
    if (v->kind == LOW_EXPR)
        return MST_OK;
    MST_TRY(low_as_bits(lo, tensor, &bits, &ok));
    if (!ok && v->kind == LOW_MOVED && !v->has_buf) {
        MST_TRY(expr_of_moved(lo, tensor, last, expr));
        if (*expr != NULL)
            return MST_OK;
    }
    MST_TRY(low_new_expr(lo, tensor, 1, expr));
    rt_term *t = &(*expr)->terms[(*expr)->n_terms++];
    if (ok) {
        *t = (rt_term){.kind = RT_TERM_BITS, .bits = bits};
    } else if (v->kind == LOW_STATIC) {
        *t = (rt_term){.kind = RT_TERM_ROWS, .ref = static_ref(lo, tensor)};
    } else {
        *t = (rt_term){.kind = RT_TERM_FLOAT, .tensor = tensor};
        MST_TRY(low_as_float(lo, tensor, &t->buf));
    }
    return MST_OK;
}

/* Bytes as numbers. */
static mst_status unpacked_counts(lowering *lo, uint32_t tensor, const rt_value *bits)
{
    low_value *v = &lo->values[tensor];
    rt_op *op;
    low_use_buf(lo, bits->buf);
    MST_TRY(low_new_buf(lo, bits->step * sizeof(uint32_t), &v->events));
    MST_TRY(low_new_op(lo, RT_OP_NUMBERS, MST_NONE, &op));
    op->in = *bits;
    op->out.step = bits->step;
    op->events = v->events;
    v->has_events = true;
    return MST_OK;
}

mst_status low_as_events(lowering *lo, uint32_t tensor, uint32_t *buf)
{
    rt_value bits;
    bool ok;
    if (!lo->values[tensor].has_events) {
        MST_TRY(low_as_bits(lo, tensor, &bits, &ok));
        MST_TRY(ok ? unpacked_counts(lo, tensor, &bits) : low_fall_back(lo, lo->p->facts[tensor].producer));
    }
    *buf = lo->values[tensor].events;
    return MST_OK;
}

static mst_status store_floats(lowering *lo, uint32_t tensor, const rt_expr *e)
{
    low_value *v = &lo->values[tensor];
    rt_value out;
    rt_op *op;
    MST_TRY(low_new_floats(lo, tensor, &out));
    MST_TRY(low_new_layer(lo, v->has_bits ? MST_NONE : tensor, e, &op)); /* bits: a copy of what was made */
    op->out = out;
    v->buf = out.buf;
    v->has_buf = true;
    return MST_OK;
}

mst_status low_as_float(lowering *lo, uint32_t tensor, uint32_t *buf)
{
    low_value *v = &lo->values[tensor];
    rt_expr *e = NULL;
    bool ok;
    rt_value bits;
    if (!v->has_buf) {
        MST_TRY(low_as_bits(lo, tensor, &bits, &ok));
        if (v->kind == LOW_MOVED && !ok)
            MST_TRY(expr_of_moved(lo, tensor, false, &e));
        else
            MST_TRY(low_as_expr(lo, tensor, false, &e));
        if (e != NULL)
            MST_TRY(store_floats(lo, tensor, e));
        else
            MST_TRY(low_fall_back(lo, lo->p->facts[tensor].producer));
    }
    *buf = v->buf;
    return MST_OK;
}

mst_status low_fall_back(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_node *pre = &lo->p->nodes[node];
    low_value *v = &lo->values[n->out];
    rt_value out;
    rt_op *op;
    uint32_t *in = mst_arena_array(&lo->p->arena, 2 * (size_t)n->n_in, sizeof *in), *events = in + n->n_in;
    if (in == NULL)
        return low_no_memory(lo);
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = events[k] = MST_NONE;
        if (n->in[k] == MST_NONE || lo->values[n->in[k]].kind == LOW_STATIC)
            continue;
        MST_TRY(low_as_float(lo, n->in[k], &in[k]));
        if (lo->p->facts[n->in[k]].numbers)
            MST_TRY(low_as_events(lo, n->in[k], &events[k]));
    }
    v->kind = LOW_FLOAT;
    v->has_buf = true;
    v->has_events = lo->p->facts[n->out].numbers;
    v->events = events[0];
    if (pre->run == NULL) { /* RESHAPE: the same values */
        v->buf = in[0];
        return MST_OK;
    }
    for (uint32_t k = 0; k < 2 * n->n_in; k++)
        if (in[k] != MST_NONE)
            low_use_buf(lo, in[k]);
    MST_TRY(low_new_floats(lo, n->out, &out));
    v->buf = out.buf;
    v->events = MST_NONE;
    if (lo->p->facts[n->out].numbers)
        MST_TRY(low_new_buf(lo, out.step * sizeof(uint32_t), &v->events));
    MST_TRY(low_new_op(lo, RT_OP_NODE, n->out, &op));
    op->node = pre;
    op->in_buf = in;
    op->in_events = events;
    op->events = v->events;
    op->out = out;
    return MST_OK;
}

mst_status low_set_expr(lowering *lo, uint32_t tensor, rt_expr *e)
{
    low_value *v = &lo->values[tensor];
    uint32_t buf;
    v->kind = LOW_EXPR;
    v->expr = e;
    /* counts are decoded term by term, so that a stream of them, read twice, is better kept */
    if ((e->syn != NULL || e->prod != NULL || op_counts(lo->p->mode)) && v->readers != 1)
        MST_TRY(low_as_float(lo, tensor, &buf));
    if (v->has_buf)
        v->kind = LOW_FLOAT;
    return MST_OK;
}

mst_status low_add_term(lowering *lo, uint32_t tensor, uint32_t of, const rt_expr *e, const rt_term *t,
                        rt_expr **out)
{
    bool full = e->n_terms == RT_MAX_TERMS;
    MST_TRY(low_new_expr(lo, tensor, full ? 2 : e->n_terms + 1, out));
    rt_term *terms = (*out)->terms;
    if (full) {
        terms[0] = (rt_term){.kind = RT_TERM_FLOAT, .tensor = of};
        (*out)->n_terms = 1;
        MST_TRY(low_as_float(lo, of, &terms[0].buf));
    } else {
        for (uint32_t i = 0; i < e->n_terms; i++)
            terms[i] = e->terms[i];
        **out = *e;
        (*out)->terms = terms;
    }
    terms[(*out)->n_terms++] = *t;
    return MST_OK;
}
