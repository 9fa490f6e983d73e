/* Compiles NEURON and AFFINE: their constants, spread so that strips can read them,
 * and where a neuron's membranes and spikes lie. */
#include <string.h>

#include "runtime/block/block.h"

/* n values (or one for all) behind each other, padded so that any 64 from a column on can be read. */
static mst_status padded(blk_compiler *bc, const float *from, size_t n, bool each, float rest,
                         const float **out)
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

mst_status blk_compile_affine(blk_compiler *bc, uint32_t node)
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
    MST_TRY(blk_add_term(bc, n->out, n->in[0], x, &t, &e));
    return blk_set_expr(bc, n->out, e);
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

static mst_status neuron_constant(blk_compiler *bc, const blk_op *op, const float *from, size_t cols,
                                  float rest, const float **out)
{
    *out = NULL;
    if (from == NULL)
        return MST_OK;
    if (op->each == BLK_EACH_ROW)
        return spread_rows(bc, from, op->channels, out);
    return padded(bc, from, cols, op->each == BLK_EACH_COLUMN, rest, out);
}

/* v(0) as the session would reset it. */
static mst_status first_membranes(blk_compiler *bc, blk_op *op, const exec_neuron *q, size_t cols)
{
    float *v = mst_arena_array(&bc->p->arena, q->ch.channels, sizeof *v);
    if (v == NULL)
        return blk_no_memory(bc);
    for (size_t c = 0; c < q->ch.channels; c++)
        v[c] = q->k.shift * q->k.theta[c];
    return neuron_constant(bc, op, v, cols, 0.0f, &op->first);
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
        bc->values[from].kind != BLK_EXPR || bc->values[from].expr->syn == NULL || !blk_may_move(bc, n))
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

mst_status blk_compile_neuron(blk_compiler *bc, uint32_t node)
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
    MST_TRY(first_membranes(bc, &set, q, cols));
    MST_TRY(neuron_before_move(bc, n, &set, &at));
    bc->values[n->out].kind = at != MST_NONE ? BLK_MOVED : BLK_BITS;
    if (at != MST_NONE)
        e = bc->values[at].expr;
    else
        MST_TRY(blk_as_expr(bc, n->in[0], set.each != BLK_EACH_ROW, &e));
    at = at != MST_NONE ? at : n->out;
    MST_TRY(blk_new_bits(bc, at, &set.out));
    set.out.scale = bc->p->tensors[n->out].scale;
    MST_TRY(blk_new_layer(bc, e, &op));
    set.expr = e;
    set.head = op->head;
    *op = set;
    bc->values[at].kind = BLK_BITS;
    bc->values[at].bits = set.out;
    bc->values[at].has_bits = true;
    blk_join_group(bc);
    return MST_OK;
}
