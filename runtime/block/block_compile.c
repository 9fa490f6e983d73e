/* Turns the prepared steps of a program into the operations of the block schedule:
 * decides what stays bits, what is added up strip by strip, and what falls back to
 * the step handlers on float buffers. Runs nothing. */
#include <string.h>

#include "runtime/block/block.h"
#include "runtime/core/checked.h"

mst_status blk_no_memory(blk_compiler *bc)
{
    return exec_no_memory(bc->c);
}

uint32_t blk_last_dim(const mst_tensor *t)
{
    return t->rank != 0 ? t->dims[t->rank - 1] : 1;
}

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
    size_t total;
    if (b->n_bufs >= MST_NONE || !mst_mul_size(bytes, b->steps, &total) || total > EXEC_MAX_BYTES)
        return mst_fail(bc->c->err, MST_ELIMIT, "a block of %u time steps of one tensor takes more than %llu bytes",
                        b->steps, (unsigned long long)EXEC_MAX_BYTES);
    MST_TRY(grow(bc, &bufs, b->n_bufs, &b->cap_bufs, sizeof *b->bufs));
    b->bufs = bufs;
    b->bufs[b->n_bufs] = (exec_block){total, (uint32_t)b->n_ops, (uint32_t)b->n_ops, 0};
    *buf = (uint32_t)b->n_bufs++;
    return MST_OK;
}

void blk_use_buf(blk_compiler *bc, uint32_t buf)
{
    bc->b->bufs[buf].last = (uint32_t)bc->b->n_ops;
}

mst_status blk_new_bits(blk_compiler *bc, uint32_t tensor, blk_bits *bits)
{
    const mst_tensor *t = &bc->g->tensors[tensor];
    uint32_t cols = blk_last_dim(t);
    *bits = (blk_bits){.cols = cols, .rows = mst_tensor_elements(t) / cols, .words = (cols + 63) / 64,
                       .scale = bc->p->tensors[tensor].scale};
    bits->step = bits->rows * bits->words;
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

/* An operation that computes e; its output buffer is the next one made. */
static mst_status new_layer(blk_compiler *bc, const blk_expr *e, blk_op **op)
{
    blk_program *b = bc->b;
    size_t need = blk_layer_scratch(b, e);
    use_expr(bc, e);
    if (b->scratch_bytes < need)
        b->scratch_bytes = need;
    MST_TRY(blk_new_op(bc, BLK_LAYER, op));
    (*op)->expr = e;
    return MST_OK;
}

/* ---- forms of a value ------------------------------------------------------------ */

static mst_status new_expr(blk_compiler *bc, uint32_t tensor, blk_expr **e)
{
    const mst_tensor *t = &bc->g->tensors[tensor];
    *e = mst_arena_alloc(&bc->p->arena, sizeof **e);
    if (*e == NULL)
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
    MST_TRY(new_expr(bc, tensor, &to));
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
    return t->producer != MST_NONE ? bc->p->steps[t->producer].out
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
    MST_TRY(new_expr(bc, tensor, expr));
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
    MST_TRY(new_layer(bc, e, &op));
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

/* ---- nodes ------------------------------------------------------------------------ */

mst_status blk_fall_back(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    blk_value *v = &bc->values[n->out];
    blk_op *op;
    uint32_t *in = mst_arena_array(&bc->p->arena, n->n_in, sizeof *in);
    if (in == NULL)
        return blk_no_memory(bc);
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = MST_NONE;
        if (n->in[k] != MST_NONE && bc->values[n->in[k]].kind != BLK_STATIC)
            MST_TRY(blk_as_float(bc, n->in[k], &in[k]));
    }
    v->kind = BLK_FLOAT;
    v->has_buf = true;
    if (st->run == NULL) { /* RESHAPE: the same values */
        v->buf = in[0];
        return MST_OK;
    }
    for (uint32_t k = 0; k < n->n_in; k++)
        if (in[k] != MST_NONE)
            blk_use_buf(bc, in[k]);
    MST_TRY(blk_new_buf(bc, st->n * sizeof(float), &v->buf));
    MST_TRY(blk_new_op(bc, BLK_STEP, &op));
    op->step = st;
    op->in_buf = in;
    op->out_buf = v->buf;
    op->n = st->n;
    return MST_OK;
}

/* The node's output is e, or, where it is read twice and costly, floats made from it now. */
static mst_status set_expr(blk_compiler *bc, uint32_t tensor, blk_expr *e)
{
    blk_value *v = &bc->values[tensor];
    uint32_t buf;
    v->kind = BLK_EXPR;
    v->expr = e;
    if ((e->syn != NULL || e->prod != NULL) && v->readers != 1)
        MST_TRY(blk_as_float(bc, tensor, &buf));
    if (v->has_buf)
        v->kind = BLK_FLOAT;
    return MST_OK;
}

static mst_status compile_move(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_value *v = &bc->values[n->out];
    if (n->op == MST_OP_PAD && n->fp[MST_PAD_VALUE] != 0.0f)
        return blk_fall_back(bc, node);
    v->kind = BLK_MOVED;
    uint32_t base = blk_move_base(bc, n->out);
    const blk_expr *e = base != MST_NONE ? bc->values[base].expr : NULL;
    bool costly = e != NULL && bc->values[base].kind == BLK_EXPR && (e->syn != NULL || e->prod != NULL);
    return costly && v->readers != 1 ? blk_fall_back(bc, node) : MST_OK;
}

static mst_status compile_synapse(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_expr *e;
    if (n->op == MST_OP_MATMUL)
        MST_TRY(blk_make_product(bc, node, &e));
    else
        MST_TRY(blk_make_synapse(bc, node, &e));
    return e != NULL ? set_expr(bc, n->out, e) : blk_fall_back(bc, node);
}

/* Where each row of the broadcast constant or static tensor starts. */
static mst_status static_term(blk_compiler *bc, uint32_t tensor, uint32_t out, exec_ref ref, blk_term *t)
{
    const mst_tensor *x = &bc->g->tensors[tensor], *y = &bc->g->tensors[out];
    uint32_t cols = blk_last_dim(y);
    size_t dims[MST_MAX_RANK] = {0}, pos[MST_MAX_RANK] = {0}, rows = mst_tensor_elements(y) / cols;
    ptrdiff_t stride[MST_MAX_RANK] = {0};
    size_t *row = mst_arena_array(&bc->p->arena, rows, sizeof *row);
    if (row == NULL)
        return blk_no_memory(bc);
    for (uint32_t d = 0; d < y->rank; d++)
        dims[d] = y->dims[d];
    exec_nd_broadcast(x, y->rank, dims, stride);
    size_t at = 0;
    for (size_t r = 0; r < rows; r++) {
        row[r] = at;
        for (uint32_t d = y->rank; d-- > 1;) {
            at += (size_t)stride[d - 1];
            if (++pos[d - 1] < dims[d - 1])
                break;
            at -= (size_t)stride[d - 1] * dims[d - 1];
            pos[d - 1] = 0;
        }
    }
    *t = (blk_term){.kind = BLK_TERM_ROWS, .ref = ref, .row = row, .one = blk_last_dim(x) == 1 && cols != 1};
    return MST_OK;
}

static bool same_rows(const blk_compiler *bc, uint32_t a, uint32_t b)
{
    const mst_tensor *x = &bc->g->tensors[a], *y = &bc->g->tensors[b];
    return mst_tensor_elements(x) == mst_tensor_elements(y) && blk_last_dim(x) == blk_last_dim(y);
}

/* e + t; e may belong to others. */
static mst_status add_term(blk_compiler *bc, uint32_t tensor, uint32_t of, const blk_expr *e, const blk_term *t,
                           blk_expr **out)
{
    MST_TRY(new_expr(bc, tensor, out));
    if (e->n_terms == BLK_MAX_TERMS) {
        (*out)->terms[0].kind = BLK_TERM_FLOAT;
        (*out)->n_terms = 1;
        MST_TRY(blk_as_float(bc, of, &(*out)->terms[0].buf));
    } else {
        **out = *e;
    }
    (*out)->terms[(*out)->n_terms++] = *t;
    return MST_OK;
}

static bool is_one_term(const blk_expr *e)
{
    return e->syn == NULL && e->prod == NULL && e->n_terms == 1 && e->terms[0].kind != BLK_TERM_AFFINE;
}

static mst_status add_both(blk_compiler *bc, uint32_t out, uint32_t a, uint32_t b, blk_expr **e)
{
    blk_expr *x, *y;
    MST_TRY(blk_as_expr(bc, a, false, &x));
    MST_TRY(blk_as_expr(bc, b, false, &y));
    if (is_one_term(y))
        return add_term(bc, out, a, x, &y->terms[0], e);
    if (is_one_term(x)) /* sums commute, to the bit */
        return add_term(bc, out, b, y, &x->terms[0], e);
    blk_term t = {.kind = BLK_TERM_FLOAT};
    MST_TRY(blk_as_float(bc, b, &t.buf));
    return add_term(bc, out, a, x, &t, e);
}

static mst_status compile_binary(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    uint32_t a = n->in[0], b = n->in[1], other = 1;
    if (bc->values[a].kind == BLK_STATIC) {
        a = n->in[1];
        b = n->in[0];
        other = 0;
    }
    bool with_static = bc->values[b].kind == BLK_STATIC;
    if (n->ip[MST_BINARY_FN] != MST_BIN_ADD || !same_rows(bc, a, n->out) || (!with_static && !same_rows(bc, b, n->out)))
        return blk_fall_back(bc, node);
    blk_expr *e, *x;
    if (with_static) {
        blk_term t;
        MST_TRY(static_term(bc, b, n->out, st->in[other], &t));
        MST_TRY(blk_as_expr(bc, a, false, &x));
        MST_TRY(add_term(bc, n->out, a, x, &t, &e));
    } else {
        MST_TRY(add_both(bc, n->out, a, b, &e));
    }
    return set_expr(bc, n->out, e);
}

/* n values (or one for all) behind each other, padded so that any 64 from a column on can be read. */
static mst_status padded(blk_compiler *bc, const float *from, size_t n, bool each, float rest, const float **out)
{
    size_t room = ((each ? n : 0) + 2 * MSTB_COLS - 1) / MSTB_COLS * MSTB_COLS;
    float *to = mst_arena_array(&bc->p->arena, room, sizeof *to);
    *out = to;
    if (to == NULL)
        return blk_no_memory(bc);
    for (size_t i = 0; i < room; i++)
        to[i] = !each ? from[0] : i < n ? from[i] : rest;
    return MST_OK;
}

static bool along_rows(const exec_channels *ch, uint32_t cols)
{
    return ch->channels == 1 || (ch->inner == 1 && ch->channels == cols);
}

static mst_status compile_affine(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_affine *q = &bc->p->steps[node].u.affine;
    uint32_t cols = blk_last_dim(&bc->g->tensors[n->out]);
    blk_expr *e, *x;
    blk_term t = {.kind = BLK_TERM_AFFINE};
    if (!along_rows(&q->ch, cols))
        return blk_fall_back(bc, node);
    t.one = q->ch.channels == 1;
    MST_TRY(padded(bc, q->g, cols, !t.one, 0.0f, &t.g));
    MST_TRY(padded(bc, q->h, cols, !t.one, 0.0f, &t.h));
    MST_TRY(blk_as_expr(bc, n->in[0], false, &x));
    MST_TRY(add_term(bc, n->out, n->in[0], x, &t, &e));
    return set_expr(bc, n->out, e);
}

/* [channels][64] */
static mst_status spread_rows(blk_compiler *bc, const float *from, size_t channels, const float **out)
{
    float *to = mst_arena_array(&bc->p->arena, channels, MSTB_COLS * sizeof *to);
    *out = to;
    if (to == NULL)
        return blk_no_memory(bc);
    for (size_t i = 0; i < channels * MSTB_COLS; i++)
        to[i] = from[i / MSTB_COLS];
    return MST_OK;
}

static mst_status neuron_constant(blk_compiler *bc, const blk_op *op, const float *from, size_t cols, float rest,
                                  const float **out)
{
    *out = NULL;
    if (from == NULL)
        return MST_OK;
    if (op->each == BLK_EACH_ROW)
        return spread_rows(bc, from, op->channels, out);
    return padded(bc, from, cols, op->each == BLK_EACH_COLUMN, rest, out);
}

/* How the constants lie; false where strips cannot have them. */
static bool neuron_layout(const exec_channels *ch, uint32_t cols, blk_op *op)
{
    op->each = ch->channels == 1 ? BLK_EACH_SAME : ch->inner == 1 ? BLK_EACH_COLUMN : BLK_EACH_ROW;
    op->channels = ch->channels;
    op->per_channel = ch->inner / cols;
    return op->each != BLK_EACH_ROW ? along_rows(ch, cols) : ch->inner % cols == 0;
}

/* A neuron behind movement (heads split off) runs where its current is made: *base is that tensor. */
static mst_status neuron_before_move(blk_compiler *bc, const mst_node *n, blk_op *op, uint32_t *base)
{
    uint32_t from = blk_move_base(bc, n->in[0]), *at;
    blk_map map;
    bool ok;
    *base = MST_NONE;
    if (op->each != BLK_EACH_SAME || bc->values[n->in[0]].kind != BLK_MOVED || from == MST_NONE ||
        bc->values[from].kind != BLK_EXPR || bc->values[from].expr->syn == NULL)
        return MST_OK;
    MST_TRY(blk_map_make(bc, n->in[0], &map, &ok));
    bool same = blk_map_is_same(bc, &map, n->in[0]);
    mst_status st = same ? MST_OK : blk_map_pieces(bc, &map, bc->values[from].expr->cols, &op->piece, &at);
    blk_map_free(bc, &map);
    if (st == MST_OK && !same && at != NULL) {
        op->piece_at = at;
        *base = from;
    }
    return st;
}

static mst_status compile_neuron(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    const exec_neuron *q = &st->u.neuron;
    uint32_t cols = blk_last_dim(&bc->g->tensors[n->out]), at;
    blk_expr *e;
    blk_op *op, set = {.kind = BLK_LAYER, .step = st, .out_buf = MST_NONE};
    if (!blk_is_spike(bc, n->out) || !neuron_layout(&q->ch, cols, &set))
        return blk_fall_back(bc, node);
    MST_TRY(neuron_constant(bc, &set, q->k.theta, cols, 1.0f, &set.theta));
    MST_TRY(neuron_constant(bc, &set, q->k.gain, cols, 0.0f, &set.gain));
    MST_TRY(neuron_constant(bc, &set, q->k.bias, cols, 0.0f, &set.bias));
    MST_TRY(neuron_before_move(bc, n, &set, &at));
    bc->values[n->out].kind = at != MST_NONE ? BLK_MOVED : BLK_BITS;
    if (at != MST_NONE)
        e = bc->values[at].expr;
    else
        MST_TRY(blk_as_expr(bc, n->in[0], set.each != BLK_EACH_ROW, &e));
    at = at != MST_NONE ? at : n->out;
    MST_TRY(blk_new_bits(bc, at, &set.out));
    set.out.scale = bc->p->tensors[n->out].scale;
    MST_TRY(new_layer(bc, e, &op));
    set.expr = e;
    *op = set;
    bc->values[at].kind = BLK_BITS;
    bc->values[at].bits = set.out;
    bc->values[at].has_bits = true;
    return MST_OK;
}

static mst_status compile_mask(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_value *v = &bc->values[n->out];
    blk_bits in;
    blk_op *op;
    bool ok;
    MST_TRY(blk_as_bits(bc, n->in[0], &in, &ok));
    if (!ok)
        return blk_fall_back(bc, node);
    blk_use_buf(bc, in.buf);
    MST_TRY(blk_new_bits(bc, n->out, &v->bits));
    MST_TRY(blk_new_op(bc, BLK_MASK, &op));
    op->step = &bc->p->steps[node];
    op->in = in;
    op->out = v->bits;
    v->kind = BLK_BITS;
    v->has_bits = true;
    return MST_OK;
}

static mst_status compile_node(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    if (bc->p->steps[node].is_static)
        return MST_OK;
    switch (n->op) {
    case MST_OP_LINEAR:
    case MST_OP_CONV:
    case MST_OP_MATMUL: return compile_synapse(bc, node);
    case MST_OP_BINARY: return compile_binary(bc, node);
    case MST_OP_AFFINE: return compile_affine(bc, node);
    case MST_OP_NEURON: return compile_neuron(bc, node);
    case MST_OP_MASK: return compile_mask(bc, node);
    default:
        return (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 ? compile_move(bc, node) : blk_fall_back(bc, node);
    }
}

/* ---- the program -------------------------------------------------------------------- */

static mst_status note_values(blk_compiler *bc)
{
    bc->values = mst_arena_array(&bc->c->tmp, bc->g->n_tensors, sizeof *bc->values);
    if (bc->values == NULL)
        return blk_no_memory(bc);
    for (uint32_t i = 0; i < bc->g->n_nodes; i++) {
        const mst_node *n = &bc->g->nodes[i];
        if (bc->p->steps[i].is_static)
            continue;
        bc->values[n->out].kind = BLK_FLOAT;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k] != MST_NONE)
                bc->values[n->in[k]].readers++;
    }
    bc->values[bc->g->output].readers++;
    return MST_OK;
}

static mst_status place(blk_compiler *bc)
{
    blk_program *b = bc->b;
    mst_program *p = bc->p;
    size_t arena, at;
    MST_TRY(exec_plan(b->bufs, b->n_bufs, (uint32_t)b->n_ops + 1, &bc->c->tmp, &arena, bc->c->err));
    MST_TRY(exec_add_bytes(bc->c, arena, 1, &at, &p->bytes));
    for (size_t i = 0; i < b->n_bufs; i++)
        b->bufs[i].at += at;
    b->scratch_bytes = (b->scratch_bytes + 127) / 128 * 128;
    return exec_add_bytes(bc->c, b->scratch_bytes, b->threads, &b->scratch, &p->bytes);
}

static mst_status compile(blk_compiler *bc)
{
    MST_TRY(note_values(bc));
    for (uint32_t i = 0; i < bc->g->n_nodes; i++)
        MST_TRY(compile_node(bc, i));
    bc->b->out_buf = MST_NONE;
    if (bc->values[bc->g->output].kind != BLK_STATIC) {
        MST_TRY(blk_as_float(bc, bc->g->output, &bc->b->out_buf));
        blk_use_buf(bc, bc->b->out_buf);
    }
    return place(bc);
}

/* Enough steps that weights and membranes pay, few enough that a layer's bits stay in the cache. */
#define DEFAULT_STEPS 16

mst_status blk_program_create(exec_compiler *c, uint32_t steps, unsigned threads)
{
    mst_program *p = c->p;
    blk_compiler bc = {.c = c, .p = p, .g = c->g};
    bc.b = p->block = mst_alloc(p->alloc, sizeof *p->block);
    if (p->block == NULL)
        return blk_no_memory(&bc);
    p->block->steps = steps == 0 ? DEFAULT_STEPS : steps > BLK_MAX_STEPS ? BLK_MAX_STEPS : steps;
    p->block->threads = threads < 1 ? 1 : threads > BLK_MAX_THREADS ? BLK_MAX_THREADS : threads;
    mst_block_kernels_select(p->k.isa, &p->block->k);
    return compile(&bc);
}

void blk_program_destroy(const mst_allocator *alloc, blk_program *b)
{
    if (b == NULL)
        return;
    for (blk_synapse *syn = b->synapses, *next; syn != NULL; syn = next) {
        next = syn->next;
        mst_free_aligned(alloc, syn->panels, syn->panel_floats * sizeof(float));
    }
    mst_free_array(alloc, b->ops, b->cap_ops, sizeof *b->ops);
    mst_free_array(alloc, b->bufs, b->cap_bufs, sizeof *b->bufs);
    mst_free(alloc, b, sizeof *b);
}

uint32_t blk_program_steps(const blk_program *b) { return b->steps; }
