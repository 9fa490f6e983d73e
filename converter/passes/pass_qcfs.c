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

#include "converter/pairs.h"
#include "converter/passes/passes.h"
#include "converter/passes/qcfs_chain.h"

#define MAX_LEVELS 65535
#define TOLERANCE 1e-4 /* of a level: constants that an exporter rounded to float32 */
#define ROUNDING 4e-7  /* of a bound that is made of several */

/* What was chosen. */
typedef struct choice {
    const qcfs_cut *pre, *post;
    int levels;
    bool has_gain;
} choice;

/* Bounds of channel i in levels, those before the floor acting through it. */
static void bounds_of(const qcfs_cut *pre, const qcfs_cut *post, uint32_t i, double *lo, double *hi)
{
    double pre_lo = qcfs_at(&pre->lo, i), pre_hi = qcfs_at(&pre->hi, i);
    *lo = fmax(isfinite(pre_lo) ? floor(pre_lo + TOLERANCE) : pre_lo, qcfs_at(&post->lo, i));
    *hi = fmin(isfinite(pre_hi) ? floor(pre_hi + TOLERANCE) : pre_hi, qcfs_at(&post->hi, i));
}

/* Of many levels float32 does not tell a bound that exactly. */
static bool is_level(double hi)
{
    return hi >= 0.5 && hi <= MAX_LEVELS && fabs(hi - round(hi)) <= fmax(TOLERANCE, ROUNDING * hi);
}

/* Levels from the bounds of both chains; 0: none, or not the same everywhere. */
static int levels_of(const qcfs_cut *pre, const qcfs_cut *post)
{
    uint32_t n = qcfs_vec_len(&pre->hi, &post->hi);
    n = n > qcfs_vec_len(&pre->lo, &post->lo) ? n : qcfs_vec_len(&pre->lo, &post->lo);
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

/* |slope*level| is some number everywhere (per channel or not): with 1 the staircase follows x */
static bool follows_input(const qcfs_cut *pre, const qcfs_cut *post, double number)
{
    for (uint32_t i = 0, n = qcfs_vec_len(&pre->slope, &post->slope); i < n; i++)
        if (!(fabs(fabs(qcfs_at(&pre->slope, i) * qcfs_at(&post->slope, i)) / number - 1) <= TOLERANCE))
            return false;
    return true;
}

static bool one_shift(const qcfs_match *m, const qcfs_cut *pre, double *shift)
{
    *shift = pre->shift.v[0];
    for (uint32_t i = 1; i < pre->shift.n; i++)
        if (!(fabs(pre->shift.v[i] - *shift) <= TOLERANCE)) /* not a number: neither */
            return false;
    return *shift > -TOLERANCE && (*shift < 1 || (m->fn == MST_UN_CEIL && *shift < 1 + TOLERANCE));
}

enum { WANT_HALF = 1,
       WANT_SLOPE = 2 };

/* Levels of the QCFS between two cuts; 0: it is none, or not of the kind wanted. */
static int match_cuts(const qcfs_match *m, const qcfs_cut *pre, const qcfs_cut *post, int want)
{
    double shift;
    if (!one_shift(m, pre, &shift) || ((want & WANT_SLOPE) != 0 && !follows_input(pre, post, 1)) ||
        ((want & WANT_HALF) != 0 && !(fabs(shift - 0.5) < TOLERANCE)))
        return 0;
    return levels_of(pre, post);
}

/* The cuts that make a QCFS. The longest chains win, so that theta comes out even where
 * the inner part alone is a staircase of unit height; but what follows a complete
 * activation and lowers its bound belongs to the next one. */
static bool choose_cuts(const qcfs_match *m, int want, choice *c)
{
    c->levels = 0;
    for (uint32_t j = 0; j < m->n_post; j++)
        for (uint32_t i = m->n_pre; i-- > 0;) {
            int levels = match_cuts(m, &m->pre[i], &m->post[j], want);
            if (levels == 0 || (c->levels != 0 && levels != c->levels))
                continue;
            *c = (choice){.pre = &m->pre[i], .post = &m->post[j], .levels = levels};
            break;
        }
    return c->levels != 0;
}

/* Does the staircase follow the input between two cuts that both scale, one of them in more than one step: does it show
 * theta and L? Then what follows is a scale, if it be 1/L. Of x*s, floor, y/s, y/L nobody can tell. */
static bool shows_levels(const qcfs_match *m)
{
    for (uint32_t i = 0; i < m->n_pre; i++)
        for (uint32_t j = 0; j < m->n_post; j++)
            if (m->pre[i].scales != 0 && m->post[j].scales != 0 && m->pre[i].scales + m->post[j].scales > 2 &&
                follows_input(&m->pre[i], &m->post[j], 1))
                return true;
    return false;
}

/* The chains as far as they go, where all that keeps them from the slope is L: it was merged into the layer in front,
 * and theta is what the result says. */
static bool choose_without_levels(const qcfs_match *m, choice *c)
{
    const qcfs_cut *post = &m->post[m->n_post - 1];
    if (shows_levels(m))
        return false;
    for (uint32_t i = 0; i < m->n_pre; i++)
        if (follows_input(&m->pre[i], post, 1))
            return false;
    for (uint32_t i = m->n_pre; i-- > 0;) {
        int levels = match_cuts(m, &m->pre[i], post, 0);
        if (levels > 1 && follows_input(&m->pre[i], post, 1.0 / levels)) {
            *c = (choice){.pre = &m->pre[i], .post = post, .levels = levels, .has_gain = true};
            return true;
        }
    }
    return false;
}

/* Those with slope and a shift of 1/2 first. Where nothing scales the argument but the
 * result is scaled (Wx + b in levels), or no slope fits, the input gets a gain. */
static bool choose(const qcfs_match *m, choice *c)
{
    choice gained;
    if (choose_without_levels(m, c))
        return true;
    bool slope = choose_cuts(m, WANT_SLOPE | WANT_HALF, c) || choose_cuts(m, WANT_SLOPE, c);
    if (slope && (c->pre->scales != 0 || c->post->scales != 0 || m->post[m->n_post - 1].scales == 0))
        return true;
    if (!choose_cuts(m, WANT_HALF, &gained) && !choose_cuts(m, 0, &gained))
        return slope;
    gained.has_gain = true;
    *c = gained;
    return true;
}

/* Is a sign or a factor left of slope or level, once the neuron has theta? */
static bool has_negative(const qcfs_vec *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->v[i] < 0)
            return true;
    return false;
}

/* *x scaled by g, along the channels of the match. */
static mst_status emit_scale(qcfs_match *m, const qcfs_vec *gain, uint32_t *x)
{
    uint32_t g, h, node, in[3];
    double zero = 0;
    MST_TRY(edit_const(m->e, gain->n, gain->v, &g));
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

/* What the slope is beyond 1/|level|: a factor that was merged into the layer in front, a sign. */
static mst_status emit_gain(qcfs_match *m, const choice *c, uint32_t *x)
{
    const qcfs_vec *slope = &c->pre->slope, *level = &c->post->slope;
    qcfs_vec gain;
    if (!c->has_gain && !has_negative(slope))
        return MST_OK;
    MST_TRY(qcfs_vec_new(m, qcfs_vec_len(slope, level), 0, &gain));
    for (uint32_t i = 0; i < gain.n; i++) {
        double g = qcfs_at(slope, i) * fabs(qcfs_at(level, i));
        gain.v[i] = c->has_gain ? g : g < 0 ? -1
                                            : 1;
    }
    return emit_scale(m, &gain, x);
}

static mst_status emit_sign(qcfs_match *m, const qcfs_vec *level, uint32_t *y)
{
    qcfs_vec sign;
    if (!has_negative(level))
        return MST_OK;
    MST_TRY(qcfs_vec_new(m, level->n, 0, &sign));
    for (uint32_t i = 0; i < level->n; i++)
        sign.v[i] = level->v[i] < 0 ? -1 : 1;
    return emit_scale(m, &sign, y);
}

/* v(0)/theta. The numbers of an exporter are rounded to float32. Where a jump belongs to the level below it (ceil),
 * less by what the current of the highest level is rounded to, so that a current right at it does not fire. */
static double shift_of(const qcfs_match *m, const choice *c, bool down)
{
    double shift;
    one_shift(m, c->pre, &shift);
    if (fabs(2 * shift - round(2 * shift)) <= 1e-5)
        shift = round(2 * shift) / 2;
    return down ? shift - fmin(ldexp(1, ilogb((double)c->levels + 1) + 1 - 24), TOLERANCE) : shift;
}

static mst_status emit_neuron(qcfs_match *m, const choice *c)
{
    mst_edit *e = m->e;
    uint32_t x = c->pre->outer, theta_id, node, n = c->post->slope.n;
    qcfs_vec theta;
    bool up, down;
    mst_node *floor = edit_node(e, m->floor);
    qcfs_round_ties(m, c->pre, c->levels, &up, &down);
    if (up && down && floor->ip[QDQ_MARK] > 0) {
        floor->ip[QDQ_MARK] = -floor->ip[QDQ_MARK]; /* stays a rounding */
        return MST_OK;
    }
    MST_TRY(qcfs_vec_new(m, n, 0, &theta));
    for (uint32_t i = 0; i < n; i++)
        theta.v[i] = (double)c->levels * fabs(c->post->slope.v[i]);
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
    neuron->ip[QDQ_MARK] = edit_node(e, m->floor)->ip[QDQ_MARK];
    neuron->fp[MST_NEURON_SHIFT] = (float)shift_of(m, c, (down && !up) || m->fn == MST_UN_CEIL);
    neuron->ip[MST_NEURON_EVEN] = m->fn == MST_UN_ROUND && up == down && neuron->fp[MST_NEURON_SHIFT] == 0.5f;
    if (neuron->ip[QDQ_MARK] != 0)
        MST_TRY(qcfs_sum_shift(m, c->pre, &c->post[0], c->levels, neuron));
    uint32_t y = neuron->out;
    MST_TRY(emit_sign(m, &c->post->slope, &y));
    edit_replace(e, c->post->outer, y);
    return MST_OK;
}

#define FORM "write it as theta*clip(floor(x*L/theta+1/2)/L, 0, 1) with constant theta and L"

/* Say what is wrong with the chains as far as they go. */
static mst_status refuse(const qcfs_match *m)
{
    const char *name = edit_node(m->e, m->floor)->name;
    double lo, hi;
    bounds_of(&m->pre[m->n_pre - 1], &m->post[m->n_post - 1], 0, &lo, &hi);
    if (m->fn == MST_UN_SIGN)
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': a Sign, which is 0 at 0, halfway between two levels: no neuron does that; write a "
                        "step as x >= 0 or x > 0; --allow-analog keeps it as an analog function",
                        name);
    if (m->zero_level)
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': the QCFS activation around it has a theta that is 0 or not finite", name);
    if (!isfinite(lo) || !isfinite(hi))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': a floor, ceil, round or sign that is not part of a QCFS activation: no bounds "
                        "of 0 and L levels were found around it; " FORM,
                        name);
    if (!(fabs(lo) <= TOLERANCE))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': its lower bound is %g levels, and a spiking neuron's is 0 (there are no signed "
                        "neurons yet); " FORM,
                        name, lo);
    if (!is_level(hi))
        return mst_fail(m->e->err, MST_EUNSUPPORTED,
                        "node '%s': its upper bound is L = %.10g levels, expected an integer of 1 to %d", name, hi,
                        MAX_LEVELS);
    return mst_fail(m->e->err, MST_EUNSUPPORTED,
                    "node '%s': its shift or its number of levels differs from channel to channel, or the shift is "
                    "not in [0,1); " FORM,
                    name);
}

/* Chains and the choice between their cuts. */
static mst_status match(qcfs_match *m, choice *c, bool *found)
{
    MST_TRY(qcfs_read_pre(m));
    MST_TRY(qcfs_read_post(m));
    *found = choose(m, c);
    if (*found)
        return MST_OK;
    MST_TRY(qcfs_bound_by_neuron(m));
    *found = choose(m, c);
    return MST_OK;
}

/* what is left, or what can be one */
static bool is_stair(const mst_edit *e, uint32_t i, bool left)
{
    const mst_node *n = edit_node(e, i);
    int32_t fn = n->op == MST_OP_UNARY ? n->ip[MST_UNARY_FN] : -1;
    if (qdq_mark(n) < 0 || (qdq_mark(n) > 0 && left))
        return false;
    return fn == MST_UN_FLOOR || fn == MST_UN_ROUND || fn == MST_UN_CEIL ||
           (left && fn == MST_UN_SIGN && n->ip[SIGN_MARK] != 0);
}

enum { LOOK,      /* is it one? */
       TO_NEURON, /* make it one */
       SAY_WHY }; /* of a staircase that did not become one */

static mst_status visit(mst_edit *e, uint32_t i, int what, bool *found)
{
    *found = false;
    if (!is_stair(e, i, what == SAY_WHY))
        return MST_OK;
    qcfs_match m = {.e = e, .floor = i, .fn = (mst_unary_fn)edit_node(e, i)->ip[MST_UNARY_FN], .axis = -1};
    choice c;
    m.arena.alloc = e->arena.alloc;
    mst_status st = MST_OK;
    if (edit_tensor(e, edit_node(e, i)->out)->rank != 0)
        st = match(&m, &c, found);
    if (st == MST_OK && what == SAY_WHY)
        st = refuse(&m);
    else if (st == MST_OK && what == TO_NEURON && *found)
        st = emit_neuron(&m, &c);
    mst_arena_release(&m.arena);
    return st;
}

mst_status qcfs_is_found(mst_edit *e, uint32_t i, bool *found) { return visit(e, i, LOOK, found); }

static mst_status walk(mst_graph *g, int what, mst_err *err)
{
    mst_edit e;
    bool found;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        st = visit(&e, i, what, &found);
    return edit_finish(&e, st);
}

mst_status pass_qcfs(mst_graph *g, mst_err *err) { return walk(g, TO_NEURON, err); }
mst_status pass_fits(mst_graph *g, mst_err *err) { return walk(g, SAY_WHY, err); }
