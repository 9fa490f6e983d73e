/* Finds each quantization clip-floor-shift (QCFS, Bu et al. 2022)
 *
 *     a = theta * clip(floor(x*L/theta + shift)/L, 0, 1)
 *
 * in whatever dialect it was exported and makes it one NEURON.
 *
 * Around every Floor (or Round) the matcher reads two chains of nodes that have
 * one user each: "pre" from the floor's argument upwards, "post" from its result
 * downwards. Both hold only AFFINEs with constants and bounds. In units of the
 * floor's result q, pre gives the slope and shift of the argument and maybe
 * bounds, post gives the value of one level and maybe bounds. It is a QCFS if,
 * for some cut of the two chains, slope * level = 1: then L is the upper bound in
 * levels and theta = L * level. If no cut does, or the argument is not scaled at all,
 * the slope was merged into the layer in front: the input then gets a gain.
 */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"

#define CHAIN_MAX 12
#define MAX_LEVELS 65535
#define TOLERANCE 1e-4 /* of constants that an exporter rounded to float32 */

/* One value per channel, or one for all. */
typedef struct vec {
    uint32_t n;      /* 1 or channels */
    double *v;
} vec;

/* State of a chain after some of its nodes; in the pre chain y = slope*x + shift is
 * the floor's argument, in the post chain slope is the value of one level. */
typedef struct cut {
    uint32_t outer; /* pre: tensor that enters here; post: tensor that leaves here */
    vec slope, shift;
    vec lo, hi;     /* bounds in levels; -inf, inf: none */
    bool scaled;    /* a node that scales is among them */
} cut;

typedef struct matcher {
    mst_edit *e;
    mst_arena arena;   /* of this match alone */
    uint32_t floor;    /* node */
    bool rounds;       /* Round: floor(x + 1/2) */
    int32_t axis;      /* of per-channel values; -1 until one is seen */
    uint32_t channels;
    cut pre[CHAIN_MAX], post[CHAIN_MAX];
    uint32_t n_pre, n_post;
    bool not_positive; /* a scale behind the floor is zero or negative */
} matcher;

/* What was chosen. */
typedef struct choice {
    const cut *pre, *post;
    int levels;
    bool has_gain;
} choice;

static double at(const vec *v, uint32_t i) { return v->v[v->n == 1 ? 0 : i]; }

static mst_status vec_new(matcher *m, uint32_t n, double fill, vec *out)
{
    out->n = n;
    out->v = mst_arena_array(&m->arena, n, sizeof *out->v);
    if (out->v == NULL)
        return edit_no_memory(m->e);
    for (uint32_t i = 0; i < n; i++)
        out->v[i] = fill;
    return MST_OK;
}

/* A constant as a vector; *fits is false when it varies along another axis. */
static mst_status vec_const(matcher *m, uint32_t tensor, int32_t axis, vec *out, bool *fits)
{
    const mst_tensor *t = edit_tensor(m->e, tensor);
    uint32_t n = (uint32_t)mst_tensor_elements(t);
    *fits = true;
    if (n > 1) {
        if (m->axis >= 0 && (m->axis != axis || m->channels != n)) {
            *fits = false;
            return MST_OK;
        }
        m->axis = axis;
        m->channels = n;
    }
    MST_TRY(vec_new(m, n, 0, out));
    for (uint32_t i = 0; i < n; i++)
        out->v[i] = edit_const_at(t, i);
    return MST_OK;
}

/* A constant operand of MIN or MAX: a scalar, or per channel of the node's shape. */
static bool bound_axis(const mst_tensor *k, const mst_tensor *y, int32_t *axis)
{
    *axis = (int32_t)y->rank - 1;
    for (uint32_t d = 0; d < k->rank; d++)
        if (k->dims[d] != 1) {
            if (mst_tensor_elements(k) != k->dims[d])
                return false;
            *axis = (int32_t)(y->rank - k->rank + d);
        }
    return true;
}

typedef struct link {
    enum { LINK_NONE, LINK_AFFINE, LINK_BOUND } kind;
    uint32_t data; /* tensor that enters */
    vec g, h;      /* AFFINE */
    vec lo, hi;    /* BOUND, in the units of the tensor */
} link;

/* What a node can contribute to a chain. */
static mst_status read_link(matcher *m, uint32_t i, link *out)
{
    const mst_node *n = edit_node(m->e, i);
    bool fits = true, fits2 = true;
    out->kind = LINK_NONE;
    out->data = n->in[0];
    if (n->op == MST_OP_AFFINE) {
        MST_TRY(vec_const(m, n->in[1], n->ip[MST_AFFINE_AXIS], &out->g, &fits));
        MST_TRY(vec_const(m, n->in[2], n->ip[MST_AFFINE_AXIS], &out->h, &fits2));
        out->kind = fits && fits2 ? LINK_AFFINE : LINK_NONE;
    } else if (n->op == MST_OP_CLIP) {
        MST_TRY(vec_new(m, 1, (double)n->fp[MST_CLIP_LO], &out->lo));
        MST_TRY(vec_new(m, 1, (double)n->fp[MST_CLIP_HI], &out->hi));
        out->kind = LINK_BOUND;
    } else if (n->op == MST_OP_BINARY &&
               (n->ip[MST_BINARY_FN] == MST_BIN_MIN || n->ip[MST_BINARY_FN] == MST_BIN_MAX)) {
        uint32_t k = mst_is_const(m->e->g, n->in[0]) ? 0 : 1;
        int32_t axis;
        bool is_min = n->ip[MST_BINARY_FN] == MST_BIN_MIN;
        if (!mst_is_const(m->e->g, n->in[k]) || mst_is_const(m->e->g, n->in[1 - k]) ||
            mst_tensor_elements(edit_tensor(m->e, n->in[1 - k])) != mst_tensor_elements(edit_tensor(m->e, n->out)) ||
            !bound_axis(edit_tensor(m->e, n->in[k]), edit_tensor(m->e, n->out), &axis))
            return MST_OK;
        out->data = n->in[1 - k];
        MST_TRY(vec_const(m, n->in[k], axis, is_min ? &out->hi : &out->lo, &fits));
        MST_TRY(vec_new(m, 1, is_min ? -(double)INFINITY : (double)INFINITY, is_min ? &out->lo : &out->hi));
        out->kind = fits ? LINK_BOUND : LINK_NONE;
    }
    return MST_OK;
}

static uint32_t vec_len(const vec *a, const vec *b) { return a->n > b->n ? a->n : b->n; }

/* out = a*b + c, elementwise */
static mst_status vec_fma(matcher *m, const vec *a, const vec *b, const vec *c, vec *out)
{
    uint32_t n = vec_len(a, b) > c->n ? vec_len(a, b) : c->n;
    vec r; /* out may be one of the operands */
    MST_TRY(vec_new(m, n, 0, &r));
    for (uint32_t i = 0; i < n; i++)
        r.v[i] = at(a, i) * at(b, i) + at(c, i);
    *out = r;
    return MST_OK;
}

/* The tighter of old bounds and (lo, hi) mapped to levels by y -> (y*scale + offset);
 * a negative scale swaps them. */
static mst_status tighten(matcher *m, cut *k, const vec *lo, const vec *hi, const vec *scale, const vec *offset)
{
    uint32_t n = vec_len(lo, hi);
    n = n > vec_len(scale, offset) ? n : vec_len(scale, offset);
    n = n > vec_len(&k->lo, &k->hi) ? n : vec_len(&k->lo, &k->hi);
    vec new_lo, new_hi;
    MST_TRY(vec_new(m, n, 0, &new_lo));
    MST_TRY(vec_new(m, n, 0, &new_hi));
    for (uint32_t i = 0; i < n; i++) {
        bool swap = at(scale, i) < 0;
        new_lo.v[i] = fmax(at(&k->lo, i), at(swap ? hi : lo, i) * at(scale, i) + at(offset, i));
        new_hi.v[i] = fmin(at(&k->hi, i), at(swap ? lo : hi, i) * at(scale, i) + at(offset, i));
    }
    k->lo = new_lo;
    k->hi = new_hi;
    return MST_OK;
}

static bool scales(const link *l)
{
    for (uint32_t i = 0; l->kind == LINK_AFFINE && i < l->g.n; i++)
        if (l->g.v[i] != 1)
            return true;
    return false;
}

static mst_status start_cut(matcher *m, uint32_t outer, cut *k)
{
    k->outer = outer;
    k->scaled = false;
    MST_TRY(vec_new(m, 1, 1, &k->slope));
    MST_TRY(vec_new(m, 1, m->rounds ? 0.5 : 0, &k->shift));
    MST_TRY(vec_new(m, 1, -(double)INFINITY, &k->lo));
    return vec_new(m, 1, (double)INFINITY, &k->hi);
}

/* Upwards from the floor's argument: argument = slope*outer + shift. */
static mst_status read_pre(matcher *m)
{
    mst_edit *e = m->e;
    uint32_t t = edit_node(e, m->floor)->in[0];
    MST_TRY(start_cut(m, t, &m->pre[0]));
    m->n_pre = 1;
    while (m->n_pre < CHAIN_MAX) {
        uint32_t i = e->producer[t];
        link l;
        /* a shared intermediate may still be looked through: the nodes stay for its other users */
        if (i == MST_NONE)
            return MST_OK;
        MST_TRY(read_link(m, i, &l));
        if (l.kind == LINK_NONE)
            return MST_OK;
        cut *k = &m->pre[m->n_pre];
        *k = m->pre[m->n_pre - 1];
        k->scaled = k->scaled || scales(&l);
        if (l.kind == LINK_AFFINE) {
            vec zero;
            MST_TRY(vec_new(m, 1, 0, &zero));
            MST_TRY(vec_fma(m, &k->slope, &l.h, &k->shift, &k->shift));
            MST_TRY(vec_fma(m, &k->slope, &l.g, &zero, &k->slope));
        } else {
            MST_TRY(tighten(m, k, &l.lo, &l.hi, &k->slope, &k->shift));
        }
        k->outer = t = l.data;
        m->n_pre++;
    }
    return MST_OK;
}

/* Downwards from the floor's result: value = slope*q, no offset allowed. */
static mst_status read_post(matcher *m)
{
    mst_edit *e = m->e;
    uint32_t t = edit_node(e, m->floor)->out;
    MST_TRY(start_cut(m, t, &m->post[0]));
    m->n_post = 1;
    while (m->n_post < CHAIN_MAX) {
        uint32_t i = edit_only_user(e, t);
        link l;
        if (i == MST_NONE)
            return MST_OK;
        MST_TRY(read_link(m, i, &l));
        if (l.kind == LINK_NONE || l.data != t)
            return MST_OK;
        cut *k = &m->post[m->n_post];
        *k = m->post[m->n_post - 1];
        k->scaled = k->scaled || scales(&l);
        vec zero;
        MST_TRY(vec_new(m, 1, 0, &zero));
        if (l.kind == LINK_AFFINE) {
            for (uint32_t c = 0; c < l.h.n; c++)
                if (l.h.v[c] != 0)
                    return MST_OK;
            for (uint32_t c = 0; c < l.g.n; c++)
                m->not_positive = m->not_positive || !(l.g.v[c] > 0);
            if (m->not_positive)
                return MST_OK;
            MST_TRY(vec_fma(m, &k->slope, &l.g, &zero, &k->slope));
        } else {
            vec inverse;
            MST_TRY(vec_new(m, k->slope.n, 0, &inverse));
            for (uint32_t c = 0; c < inverse.n; c++)
                inverse.v[c] = 1 / k->slope.v[c];
            MST_TRY(tighten(m, k, &l.lo, &l.hi, &inverse, &zero));
        }
        k->outer = t = edit_node(e, i)->out;
        m->n_post++;
    }
    return MST_OK;
}

/* Bounds of channel i in levels, those before the floor acting through it. */
static void bounds_of(const cut *pre, const cut *post, uint32_t i, double *lo, double *hi)
{
    double pre_lo = at(&pre->lo, i), pre_hi = at(&pre->hi, i);
    *lo = fmax(isfinite(pre_lo) ? floor(pre_lo + TOLERANCE) : pre_lo, at(&post->lo, i));
    *hi = fmin(isfinite(pre_hi) ? floor(pre_hi + TOLERANCE) : pre_hi, at(&post->hi, i));
}

static bool is_level(double hi)
{
    return hi >= 0.5 && hi <= MAX_LEVELS && fabs(hi - round(hi)) <= 0.01;
}

/* Levels from the bounds of both chains; 0: none, or not the same everywhere. */
static int levels_of(const cut *pre, const cut *post)
{
    uint32_t n = vec_len(&pre->hi, &post->hi);
    n = n > vec_len(&pre->lo, &post->lo) ? n : vec_len(&pre->lo, &post->lo);
    double levels = 0;
    for (uint32_t i = 0; i < n; i++) {
        double lo, hi;
        bounds_of(pre, post, i, &lo, &hi);
        if (!(fabs(lo) <= TOLERANCE) || !is_level(hi) || (i != 0 && round(hi) != levels))
            return 0;
        levels = round(hi);
    }
    return (int)levels;
}

/* slope*level = 1 everywhere (per channel or not): the staircase follows x */
static bool follows_input(const cut *pre, const cut *post)
{
    for (uint32_t i = 0, n = vec_len(&pre->slope, &post->slope); i < n; i++)
        if (fabs(at(&pre->slope, i) * at(&post->slope, i) - 1) > TOLERANCE)
            return false;
    return true;
}

static bool one_shift(const cut *pre, double *shift)
{
    *shift = pre->shift.v[0];
    for (uint32_t i = 1; i < pre->shift.n; i++)
        if (fabs(pre->shift.v[i] - *shift) > TOLERANCE)
            return false;
    return *shift > -TOLERANCE && *shift < 1;
}

enum { WANT_HALF = 1, WANT_SLOPE = 2 };

/* Levels of the QCFS between two cuts; 0: it is none, or not of the kind wanted. */
static int match_cuts(const cut *pre, const cut *post, int want)
{
    double shift;
    if (!one_shift(pre, &shift) || ((want & WANT_SLOPE) != 0 && !follows_input(pre, post)) ||
        ((want & WANT_HALF) != 0 && fabs(shift - 0.5) >= TOLERANCE))
        return 0;
    return levels_of(pre, post);
}

/* The cuts that make a QCFS. The longest chains win, so that theta comes out even where
 * the inner part alone is a staircase of unit height; but what follows a complete
 * activation and lowers its bound belongs to the next one. */
static bool choose_cuts(const matcher *m, int want, choice *c)
{
    c->levels = 0;
    for (uint32_t j = 0; j < m->n_post; j++)
        for (uint32_t i = m->n_pre; i-- > 0;) {
            int levels = match_cuts(&m->pre[i], &m->post[j], want);
            if (levels == 0 || (c->levels != 0 && levels != c->levels))
                continue;
            *c = (choice){.pre = &m->pre[i], .post = &m->post[j], .levels = levels};
            break;
        }
    return c->levels != 0;
}

/* Those with slope and a shift of 1/2 first. Where nothing scales the argument but the
 * result is scaled (Wx + b in levels), or no slope fits, the input gets a gain. */
static bool choose(const matcher *m, choice *c)
{
    choice gained;
    bool slope = choose_cuts(m, WANT_SLOPE | WANT_HALF, c) || choose_cuts(m, WANT_SLOPE, c);
    if (slope && (c->pre->scaled || c->post->scaled || !m->post[m->n_post - 1].scaled))
        return true;
    if (!choose_cuts(m, WANT_HALF, &gained) && !choose_cuts(m, 0, &gained))
        return slope;
    gained.has_gain = true;
    *c = gained;
    return true;
}

static mst_status emit_gain(matcher *m, const choice *c, uint32_t *x)
{
    const vec *slope = &c->pre->slope, *level = &c->post->slope;
    uint32_t n = vec_len(slope, level), g, h, node, in[3];
    vec gain;
    double zero = 0;
    MST_TRY(vec_new(m, n, 0, &gain));
    for (uint32_t i = 0; i < n; i++)
        gain.v[i] = at(slope, i) * at(level, i);
    MST_TRY(edit_const(m->e, n, gain.v, &g));
    MST_TRY(edit_const(m->e, 1, &zero, &h));
    in[0] = *x;
    in[1] = g;
    in[2] = h;
    const mst_tensor *t = edit_tensor(m->e, *x);
    uint32_t rank = t->rank;
    MST_TRY(edit_add(m->e, MST_OP_AFFINE, edit_node(m->e, m->floor)->name, 3, in, rank, t->dims, &node));
    edit_node(m->e, node)->ip[MST_AFFINE_AXIS] = m->axis >= 0 ? m->axis : (int32_t)rank - 1;
    *x = edit_node(m->e, node)->out;
    return MST_OK;
}

static mst_status emit_neuron(matcher *m, const choice *c)
{
    mst_edit *e = m->e;
    uint32_t x = c->pre->outer, theta_id, node, n = c->post->slope.n;
    vec theta;
    double shift;
    one_shift(c->pre, &shift);
    MST_TRY(vec_new(m, n, 0, &theta));
    for (uint32_t i = 0; i < n; i++)
        theta.v[i] = (double)c->levels * c->post->slope.v[i];
    if (c->has_gain)
        MST_TRY(emit_gain(m, c, &x));
    MST_TRY(edit_const(e, n, theta.v, &theta_id));
    uint32_t in[2] = {x, theta_id};
    const mst_tensor *t = edit_tensor(e, x);
    uint32_t rank = t->rank;
    MST_TRY(edit_add(e, MST_OP_NEURON, edit_node(e, m->floor)->name, 2, in, rank, t->dims, &node));
    mst_node *neuron = edit_node(e, node);
    neuron->ip[MST_NEURON_AXIS] = m->axis >= 0 && n > 1 ? m->axis : (int32_t)rank - 1;
    neuron->ip[MST_NEURON_LEVELS] = c->levels;
    neuron->ip[MST_NEURON_STAGE] = neuron->ip[MST_NEURON_BLOCK] = -1;
    neuron->fp[MST_NEURON_SHIFT] = (float)shift;
    edit_replace(e, c->post->outer, neuron->out);
    return MST_OK;
}

#define FORM "write it as theta*clip(floor(x*L/theta+1/2)/L, 0, 1) with constant theta and L"

/* Say what is wrong with the chains as far as they go. */
static mst_status refuse(const matcher *m)
{
    const char *name = edit_node(m->e, m->floor)->name;
    double lo, hi;
    bounds_of(&m->pre[m->n_pre - 1], &m->post[m->n_post - 1], 0, &lo, &hi);
    if (m->not_positive)
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': the QCFS activation around it has a theta that is not positive", name);
    if (!isfinite(lo) || !isfinite(hi))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': a floor or round that is not part of a QCFS activation: no bounds of 0 and L "
                        "levels were found around it; " FORM,
                        name);
    if (!(fabs(lo) <= TOLERANCE))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': its lower bound is %g levels, and a spiking neuron's is 0; " FORM, name, lo);
    if (!is_level(hi))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': its upper bound is L = %.10g levels, expected an integer of 1 to %d", name, hi,
                        MAX_LEVELS);
    return mst_fail(m->e->err, MST_EUNSUPPORTED,
                    "node '%s': its shift or its number of levels differs from channel to channel, or the shift is "
                    "not in [0,1); " FORM,
                    name);
}

/* Scaled by a negative number in front and behind: theta is negative. */
static bool negative_theta(const matcher *m)
{
    const vec *slope = &m->pre[m->n_pre - 1].slope;
    bool negative = false;
    for (uint32_t i = 0; i < slope->n; i++)
        negative = negative || slope->v[i] < 0;
    return negative && m->not_positive;
}

/* A neuron at the end of the pre chain bounds it: its values are 0 to theta. */
static mst_status bound_by_neuron(matcher *m)
{
    cut *k = &m->pre[m->n_pre - 1];
    uint32_t i = m->e->producer[k->outer];
    vec zero, theta;
    bool fits;
    if (i == MST_NONE || edit_node(m->e, i)->op != MST_OP_NEURON)
        return MST_OK;
    MST_TRY(vec_const(m, edit_node(m->e, i)->in[1], edit_node(m->e, i)->ip[MST_NEURON_AXIS], &theta, &fits));
    if (!fits)
        return MST_OK;
    MST_TRY(vec_new(m, 1, 0, &zero));
    return tighten(m, k, &zero, &theta, &k->slope, &k->shift);
}

static mst_status rewrite_floor(matcher *m)
{
    choice c;
    MST_TRY(read_pre(m));
    MST_TRY(read_post(m));
    bool found = choose(m, &c);
    if (!found) {
        MST_TRY(bound_by_neuron(m));
        found = choose(m, &c);
    }
    return found && !negative_theta(m) ? emit_neuron(m, &c) : refuse(m);
}

static mst_status match_floor(mst_edit *e, uint32_t i)
{
    int32_t fn = edit_node(e, i)->ip[MST_UNARY_FN];
    if (edit_node(e, i)->op != MST_OP_UNARY || (fn != MST_UN_FLOOR && fn != MST_UN_ROUND))
        return MST_OK;
    if (edit_tensor(e, edit_node(e, i)->out)->rank == 0)
        return MST_OK;
    matcher m = {.e = e, .floor = i, .rounds = fn == MST_UN_ROUND, .axis = -1};
    m.arena.alloc = e->arena.alloc;
    mst_status st = rewrite_floor(&m);
    mst_arena_release(&m.arena);
    return st;
}

mst_status pass_qcfs(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        st = match_floor(&e, i);
    return edit_finish(&e, st);
}
