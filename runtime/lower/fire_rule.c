/* NEURON and AFFINE: their constants, spread so that strips can read them, and where a neuron's membranes
 * and spikes lie. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* n values (or one for all) behind each other, padded so that any 64 from a column on can be read. */
static mst_status padded(lowering *lo, const float *from, size_t n, bool each, float rest,
                         const float **out)
{
    bool all = each || op_counts(lo->p->mode); /* rows of counts are read as a whole */
    size_t room = ((all ? n : 0) + 2 * RT_COLS - 1) / RT_COLS * RT_COLS;
    float *to = mst_arena_array(&lo->p->arena, room, sizeof *to);
    *out = to;
    if (to == NULL)
        return low_no_memory(lo);
    for (size_t i = 0; i < room; i++)
        to[i] = !each ? from[0] : i < n ? from[i]
                                        : rest;
    return MST_OK;
}

static bool along_rows(const op_channels *ch, uint32_t cols)
{
    return ch->channels == 1 || (ch->inner == 1 && ch->channels == cols);
}

mst_status low_compile_affine(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_affine *q = &lo->p->nodes[node].u.affine;
    uint32_t cols = rt_last_dim(&lo->g->tensors[n->out]);
    rt_expr *e, *x;
    rt_term t = {.kind = RT_TERM_AFFINE};
    if (!along_rows(&q->ch, cols))
        return low_fall_back(lo, node);
    t.one = q->ch.channels == 1;
    MST_TRY(padded(lo, q->g, cols, !t.one, 0.0f, &t.g));
    MST_TRY(padded(lo, q->h, cols, !t.one, 0.0f, &t.h));
    MST_TRY(low_as_expr(lo, n->in[0], false, &x));
    MST_TRY(low_add_term(lo, n->out, n->in[0], x, &t, &e));
    return low_set_expr(lo, n->out, e);
}

/* [channels][64] */
static mst_status spread_rows(lowering *lo, const float *from, size_t channels, const float **out)
{
    float *to = mst_arena_array(&lo->p->arena, channels, RT_COLS * sizeof *to);
    *out = to;
    if (to == NULL)
        return low_no_memory(lo);
    for (size_t i = 0; i < channels * RT_COLS; i++)
        to[i] = from[i / RT_COLS];
    return MST_OK;
}

static mst_status neuron_constant(lowering *lo, const rt_fire *fire, const float *from, size_t cols, float rest,
                                  const float **out)
{
    *out = NULL;
    if (from == NULL)
        return MST_OK;
    if (fire->each == RT_EACH_ROW)
        return spread_rows(lo, from, fire->channels, out);
    return padded(lo, from, cols, fire->each == RT_EACH_COLUMN, rest, out);
}

/* v(0) as the operator would reset it, where it lies as theta does. */
static mst_status first_membranes(lowering *lo, rt_fire *fire, const op_neuron *q, size_t cols)
{
    if (q->tuned != NULL)
        return MST_OK;
    float *v = mst_arena_array(&lo->p->arena, q->ch.channels, sizeof *v);
    if (v == NULL)
        return low_no_memory(lo);
    for (size_t c = 0; c < q->ch.channels; c++)
        v[c] = q->k.shift * q->k.theta[c];
    return neuron_constant(lo, fire, v, cols, 0.0f, &fire->first);
}

/* How the constants lie; false where strips cannot have them. */
static bool neuron_layout(const op_channels *ch, uint32_t cols, rt_fire *fire)
{
    fire->each = ch->channels == 1 ? RT_EACH_SAME : ch->inner == 1 ? RT_EACH_COLUMN
                                                                   : RT_EACH_ROW;
    fire->channels = ch->channels;
    fire->per_channel = ch->inner / cols;
    return fire->each != RT_EACH_ROW ? along_rows(ch, cols) : ch->inner % cols == 0;
}

static mst_status neuron_constants(lowering *lo, const op_neuron *q, uint32_t cols, rt_fire *fire)
{
    MST_TRY(neuron_constant(lo, fire, q->k.theta, cols, 1.0f, &fire->theta));
    MST_TRY(neuron_constant(lo, fire, q->k.gain, cols, 0.0f, &fire->gain));
    MST_TRY(neuron_constant(lo, fire, q->k.bias, cols, 0.0f, &fire->bias));
    return fire->rule == RT_FIRE_IF ? first_membranes(lo, fire, q, cols) : MST_OK;
}

/* A neuron behind movement (heads split off) runs where its current is made: *base is that tensor. */
static mst_status neuron_before_move(lowering *lo, const mst_node *n, rt_fire *fire, uint32_t *base)
{
    uint32_t from = low_move_base(lo, n->in[0]), *at;
    low_map map;
    bool ok;
    *base = MST_NONE;
    if (fire->each != RT_EACH_SAME || lo->values[n->in[0]].kind != LOW_MOVED || from == MST_NONE ||
        lo->values[from].kind != LOW_EXPR || lo->values[from].expr->syn == NULL || !low_may_move(lo, n))
        return MST_OK;
    MST_TRY(low_map_make(lo, n->in[0], &map, &ok));
    bool same = low_map_is_same(lo, &map, n->in[0]);
    mst_status st = same ? MST_OK : low_map_pieces(lo, &map, lo->values[from].expr->cols, &fire->piece, &at);
    low_map_free(lo, &map);
    if (st == MST_OK && !same && at != NULL) {
        fire->piece_at = at;
        *base = from;
    }
    return st;
}

mst_status low_compile_neuron(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_node *pre = &lo->p->nodes[node];
    const rt_fact *fact = &lo->p->facts[n->out];
    uint32_t cols = rt_last_dim(&lo->g->tensors[n->out]), base;
    rt_fire fire = {.rule = rt_is_count(fact) ? RT_FIRE_COUNT : RT_FIRE_IF,
                    .levels = pre->u.neuron.k.levels,
                    .shift = pre->u.neuron.k.shift,
                    .back = pre->u.neuron.k.back};
    rt_value out;
    rt_expr *e;
    rt_op *op;
    if (!rt_one_worth(fact) || !lo->target->fuses(fact->value.form, fire.rule) ||
        !neuron_layout(&pre->u.neuron.ch, cols, &fire))
        return low_fall_back(lo, node);
    MST_TRY(neuron_before_move(lo, n, &fire, &base));
    if (base != MST_NONE) /* rows of what makes the current, which may be longer */
        cols = lo->values[base].expr->cols;
    MST_TRY(neuron_constants(lo, &pre->u.neuron, cols, &fire));
    lo->values[n->out].kind = base != MST_NONE ? LOW_MOVED : LOW_BITS;
    if (base != MST_NONE)
        e = lo->values[base].expr;
    else
        MST_TRY(low_as_expr(lo, n->in[0], fire.each != RT_EACH_ROW, &e));
    base = base != MST_NONE ? base : n->out;
    MST_TRY(low_new_bits(lo, base, &out));
    out.scale = fact->value.scale;
    out.levels = fact->value.levels;
    MST_TRY(low_new_layer(lo, n->out, e, &op));
    op->node = pre;
    op->out = out;
    op->fire = fire;
    lo->values[base].kind = LOW_BITS;
    lo->values[base].bits = out;
    lo->values[base].has_bits = true;
    if (lo->target->plan_neurons != NULL)
        MST_TRY(lo->target->plan_neurons(lo, op));
    low_join_group(lo);
    return MST_OK;
}
