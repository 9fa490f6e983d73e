/* Activations in every spelling to one form. Elementwise nodes between two values may compute a line, a bound or a
 * staircase in many ways:
 *
 *     x + (floor(x + 1/2) - x)     |x| - |x - a|     sum over k of (x >= t_k)     -floor(-x)
 *
 * What they compute is followed exactly (stair_fn.h), as a function of the one value that they start from; where it is
 * one of the three, they are written anew as affine, bound, or affine-floor-bound-affine, which pass_qcfs.c reads. The
 * fewest nodes that make such a function are taken, so that what follows an activation stays its own.
 */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"
#include "converter/passes/qcfs_chain.h"
#include "converter/passes/stair_fn.h"

#define MAX_REGION 96 /* nodes */
#define MAX_ENDS 12   /* nodes behind the one that it was found by */
/* Some seconds, and some ten; networks of 28 million parameters in the longest spelling need 2^26 in all. */
static const stair_limits usual = {.vain = (uint64_t)1 << 26, .all = (uint64_t)1 << 30};

/* What a pass over a graph has followed. */
typedef struct effort {
    stair_limits limits;
    uint64_t vain, all;
} effort;

static bool is_enough(const effort *f) { return f->vain > f->limits.vain || f->all >= f->limits.all; }

/* Nodes that compute tensor `out` from tensor `root` alone. */
typedef struct region {
    mst_edit *e;
    const uint32_t *rank; /* [nodes] order of execution; nodes made later have the place of those they replace */
    uint32_t root, out;
    uint32_t node[MAX_REGION]; /* last first */
    uint32_t n;
    int32_t axis; /* of constants per channel; -1: none */
    uint32_t channels;
    effort *effort;
} region;

/* ---- what belongs to a region ---- */

static bool unary_fits(int32_t fn)
{
    return fn == MST_UN_FLOOR || fn == MST_UN_CEIL || fn == MST_UN_ROUND || fn == MST_UN_SIGN || fn == MST_UN_ABS;
}

static bool binary_fits(int32_t fn)
{
    return fn == MST_BIN_ADD || fn == MST_BIN_SUB || fn == MST_BIN_MUL || fn == MST_BIN_MIN || fn == MST_BIN_MAX;
}

/* A constant operand: one value, or one per channel of the region's only channel axis. */
static bool const_fits(region *r, uint32_t tensor, int32_t axis)
{
    uint32_t n = (uint32_t)mst_tensor_elements(edit_tensor(r->e, tensor));
    if (n == 1)
        return true;
    if (r->axis >= 0 && (r->axis != axis || r->channels != n))
        return false;
    r->axis = axis;
    r->channels = n;
    return true;
}

static bool const_operand_fits(region *r, uint32_t tensor)
{
    int32_t axis;
    return qcfs_bound_axis(edit_tensor(r->e, tensor), edit_tensor(r->e, r->out), &axis) && const_fits(r, tensor, axis);
}

static bool node_fits(region *r, uint32_t i)
{
    const mst_edit *e = r->e;
    const mst_node *n = edit_node(e, i);
    if (!mst_same_shape(edit_tensor(e, n->out), edit_tensor(e, r->out)) || qdq_mark(n) != 0)
        return false;
    switch (n->op) {
    case MST_OP_AFFINE:
        return const_fits(r, n->in[1], n->ip[MST_AFFINE_AXIS]) && const_fits(r, n->in[2], n->ip[MST_AFFINE_AXIS]);
    case MST_OP_CLIP: return true;
    case MST_OP_UNARY: return unary_fits(n->ip[MST_UNARY_FN]);
    case MST_OP_BINARY:
        for (uint32_t k = 0; k < 2; k++)
            if (mst_is_const(e->g, n->in[k]) ? !const_operand_fits(r, n->in[k])
                                             : !mst_same_shape(edit_tensor(e, n->in[k]), edit_tensor(e, r->out)))
                return false;
        return binary_fits(n->ip[MST_BINARY_FN]);
    default: return false;
    }
}

/* ---- from the end upwards: each value that all of it goes through ---- */

typedef struct frontier {
    uint32_t tensor[MAX_REGION + 2];
    uint32_t n;
} frontier;

static void frontier_add(frontier *f, uint32_t tensor)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->tensor[i] == tensor)
            return;
    f->tensor[f->n++] = tensor;
}

static bool is_later(const region *r, uint32_t a, uint32_t b)
{
    return r->rank[a] != r->rank[b] ? r->rank[a] > r->rank[b] : a > b;
}

/* Replace the value that is made last by what its node reads; false: it is the input, or made by something else. */
static bool step_up(region *r, frontier *f)
{
    uint32_t last = MST_NONE, at = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        uint32_t p = r->e->producer[f->tensor[i]];
        if (p != MST_NONE && (last == MST_NONE || is_later(r, p, last))) {
            last = p;
            at = i;
        }
    }
    if (last == MST_NONE || r->n == MAX_REGION || !node_fits(r, last))
        return false;
    f->tensor[at] = f->tensor[--f->n];
    r->node[r->n++] = last;
    const mst_node *n = edit_node(r->e, last);
    for (uint32_t k = 0; k < (n->op == MST_OP_BINARY ? 2u : 1u); k++)
        if (!mst_is_const(r->e->g, n->in[k]))
            frontier_add(f, n->in[k]);
    return f->n != 0;
}

/* ---- what it computes ---- */

static double const_at(const region *r, uint32_t tensor, uint32_t channel)
{
    const mst_tensor *t = edit_tensor(r->e, tensor);
    return mst_const_at(t, mst_tensor_elements(t) == 1 ? 0 : channel);
}

typedef struct known {
    uint32_t tensor[MAX_REGION + 1];
    stair_fn fn[MAX_REGION + 1];
    uint32_t n;
} known;

static stair_fn value_of(const region *r, stair_ctx *c, const known *k, uint32_t tensor, uint32_t channel)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->tensor[i] == tensor)
            return k->fn[i];
    return stair_constant(c, const_at(r, tensor, channel));
}

static stair_fn compute(const region *r, stair_ctx *c, const known *k, const mst_node *n, uint32_t channel)
{
    stair_fn a = value_of(r, c, k, n->in[0], channel);
    switch (n->op) {
    case MST_OP_AFFINE: return stair_affine(c, &a, const_at(r, n->in[1], channel), const_at(r, n->in[2], channel));
    case MST_OP_CLIP: return stair_clip(c, &a, (double)n->fp[MST_CLIP_LO], (double)n->fp[MST_CLIP_HI]);
    case MST_OP_UNARY: return stair_unary(c, &a, (mst_unary_fn)n->ip[MST_UNARY_FN]);
    default: break;
    }
    mst_binary_fn fn = (mst_binary_fn)n->ip[MST_BINARY_FN];
    uint32_t which = mst_is_const(r->e->g, n->in[0]) ? 0 : 1;
    if ((fn == MST_BIN_MIN || fn == MST_BIN_MAX) && mst_is_const(r->e->g, n->in[which])) {
        double bound = const_at(r, n->in[which], channel), inf = (double)INFINITY;
        a = value_of(r, c, k, n->in[1 - which], channel);
        return fn == MST_BIN_MIN ? stair_clip(c, &a, -inf, bound) : stair_clip(c, &a, bound, inf);
    }
    stair_fn b = value_of(r, c, k, n->in[1], channel);
    return stair_binary(c, &a, &b, fn);
}

/* Steps whose top is 0 are read from the other side: as steps of -x that start at 0. */
static void turn(stair_shape *s)
{
    double top = s->base + s->n * s->q;
    if (s->kind != STAIR_STEPS || s->open || s->n == 0 || fabs(s->base) <= 1e-4 * fabs(s->q) ||
        fabs(top) > 1e-4 * fabs(s->q))
        return;
    s->first = -(s->first + (s->n - 1) * s->width);
    s->base = 0;
    s->q = -s->q;
    s->slope = -1;
    s->tie = s->tie == STAIR_UP ? STAIR_DOWN : s->tie == STAIR_DOWN ? STAIR_UP
                                                                    : STAIR_EVEN;
}

/* The function of one channel, floors followed to so many levels. */
static mst_status shape_of(const region *r, uint32_t channel, uint32_t levels, stair_shape *s)
{
    mst_arena arena = {.alloc = r->e->arena.alloc};
    stair_ctx c = {.arena = &arena, .fits = true, .levels = levels, .most = r->effort->limits.all - r->effort->all};
    known k = {.n = 0};
    k.tensor[0] = r->root;
    k.fn[k.n++] = stair_identity(&c);
    for (uint32_t i = r->n; i-- > 0 && c.fits;) {
        const mst_node *n = edit_node(r->e, r->node[i]);
        k.tensor[k.n] = n->out;
        k.fn[k.n] = compute(r, &c, &k, n, channel);
        k.n++;
    }
    *s = (stair_shape){.kind = STAIR_OTHER};
    if (c.fits)
        *s = stair_classify(&c, &k.fn[k.n - 1]);
    bool no_memory = c.no_memory;
    r->effort->all += c.work;
    mst_arena_release(&arena);
    MST_TRY(no_memory ? edit_no_memory(r->e) : MST_OK);
    turn(s);
    return MST_OK;
}

/* ---- writing it anew ---- */

/* What an affine has for each channel. */
typedef struct pairs {
    uint32_t n;
    double *g, *h;
} pairs;

static mst_status new_pairs(mst_edit *e, uint32_t n, pairs *p)
{
    p->n = n;
    p->g = mst_arena_array(&e->arena, n, sizeof *p->g);
    p->h = mst_arena_array(&e->arena, n, sizeof *p->h);
    return p->g != NULL && p->h != NULL ? MST_OK : edit_no_memory(e);
}

static mst_status emit(const region *r, mst_op op, uint32_t n_in, uint32_t *in, const char *name, uint32_t *node)
{
    const mst_tensor like = *edit_tensor(r->e, r->out);
    MST_TRY(edit_add(r->e, op, name, n_in, in, like.rank, like.dims, node));
    in[0] = edit_node(r->e, *node)->out;
    return MST_OK;
}

static mst_status emit_affine(const region *r, const pairs *p, const char *name, uint32_t *x)
{
    uint32_t in[3] = {*x}, node;
    bool same = true;
    for (uint32_t i = 0; i < p->n; i++)
        same = same && p->g[i] == 1 && p->h[i] == 0;
    if (same)
        return MST_OK;
    MST_TRY(edit_const(r->e, p->n, p->g, &in[1]));
    MST_TRY(edit_const(r->e, p->n, p->h, &in[2]));
    MST_TRY(emit(r, MST_OP_AFFINE, 3, in, name, &node));
    edit_node(r->e, node)->ip[MST_AFFINE_AXIS] = r->axis >= 0 ? r->axis : (int32_t)edit_tensor(r->e, r->out)->rank - 1;
    *x = in[0];
    return MST_OK;
}

static mst_status emit_clip(const region *r, double lo, double hi, const char *name, uint32_t *x)
{
    uint32_t node;
    MST_TRY(emit(r, MST_OP_CLIP, 1, x, name, &node));
    edit_node(r->e, node)->fp[MST_CLIP_LO] = (float)lo;
    edit_node(r->e, node)->fp[MST_CLIP_HI] = (float)hi;
    return MST_OK;
}

/* A number that is a whole one, but for rounding. */
static double whole(double x) { return fabs(x - round(x)) <= 1e-4 ? round(x) : x; }

/* x to y in front of a staircase of unit steps, and back behind it; *level: where the first jump starts from. */
static mst_status emit_steps(const region *r, const stair_shape *s, uint32_t n, const char *name, uint32_t *x)
{
    static const mst_unary_fn stairs[] = {
        [STAIR_UP] = MST_UN_FLOOR, [STAIR_DOWN] = MST_UN_CEIL, [STAIR_EVEN] = MST_UN_ROUND};
    pairs in, out;
    uint32_t node;
    double level = whole(s[0].base / s[0].q);
    MST_TRY(new_pairs(r->e, n, &in));
    MST_TRY(new_pairs(r->e, n, &out));
    if (level != round(level))
        level = 0;
    /* the first jump is at 1 for floor, 0 for ceil, 1/2 for round: to the level above */
    double jump = level + (s[0].tie == STAIR_UP ? 1 : s[0].tie == STAIR_DOWN ? 0
                                                                             : 0.5);
    for (uint32_t i = 0; i < n; i++) {
        double width = s[i].width, first = s[i].first;
        if (width == 0) /* one jump: in the middle of its level, where that can be */
            width = first > 0 ? 2 * first : fabs(s[i].q);
        double slope = 1 / width;
        in.g[i] = (s[i].slope < 0 ? -1 : 1) * slope;
        in.h[i] = whole(2 * (jump - first * slope)) / 2;
        out.g[i] = s[i].q;
        out.h[i] = s[i].base - level * s[i].q;
        if (fabs(out.h[i]) <= 1e-4 * fabs(s[i].q))
            out.h[i] = 0;
    }
    MST_TRY(emit_affine(r, &in, name, x));
    MST_TRY(emit(r, MST_OP_UNARY, 1, x, name, &node));
    edit_node(r->e, node)->ip[MST_UNARY_FN] = (int32_t)stairs[s[0].tie];
    if (!s[0].open)
        MST_TRY(emit_clip(r, level, level + s[0].n, name, x));
    return emit_affine(r, &out, name, x);
}

/* A bound of 0 to hi between two scales, hi per channel where it must be. */
static mst_status emit_bound(const region *r, const stair_shape *s, uint32_t n, const char *name, uint32_t *x)
{
    pairs line, back;
    bool one = true;
    MST_TRY(new_pairs(r->e, n, &line));
    MST_TRY(new_pairs(r->e, n, &back));
    for (uint32_t i = 0; i < n; i++)
        one = one && fabs(s[i].lo - s[0].lo) <= 0 && fabs(s[i].hi - s[0].hi) <= 0;
    double lo = s[0].lo, hi = s[0].hi, inf = (double)INFINITY;
    bool scaled = s[0].kind == STAIR_CLIP && !one && isfinite(lo) && isfinite(hi);
    for (uint32_t i = 0; i < n; i++) {
        double span = scaled ? s[i].hi - s[i].lo : 1, low = scaled ? s[i].lo : !one && isfinite(lo) ? s[i].lo
                                                                           : !one && isfinite(hi)   ? s[i].hi
                                                                                                    : 0;
        line.g[i] = s[i].slope / span;
        line.h[i] = (s[i].base - low) / span;
        back.g[i] = span;
        back.h[i] = low;
    }
    MST_TRY(emit_affine(r, &line, name, x));
    if (s[0].kind == STAIR_CLIP && one)
        MST_TRY(emit_clip(r, lo, hi, name, x));
    else if (s[0].kind == STAIR_CLIP)
        MST_TRY(emit_clip(r, isfinite(lo) ? 0 : -inf, scaled ? 1 : isfinite(hi) ? 0
                                                                                : inf,
                          name, x));
    return emit_affine(r, &back, name, x);
}

/* ---- choosing ---- */

static bool same_form(const stair_shape *a, const stair_shape *b)
{
    return a->kind == b->kind && a->n == b->n && a->open == b->open && a->tie == b->tie &&
           isfinite(a->lo) == isfinite(b->lo) && isfinite(a->hi) == isfinite(b->hi) &&
           (a->kind != STAIR_STEPS || fabs(a->base / a->q - b->base / b->q) <= 1e-4);
}

/* What is looked for around a trigger. */
typedef struct wish {
    uint32_t trigger;
    bool steps_from_0; /* a floor is a staircase already: only one that starts at 0 is better */
    bool turned;       /* steps down, too: taken only where nothing behind makes them steps up */
} wish;

/* Of another channel that may have the same form: as far as that one needs it, else as far as any. */
static mst_status shape_like(const region *r, uint32_t channel, const stair_shape *first, stair_shape *s)
{
    uint32_t levels = first->kind == STAIR_STEPS && !first->open ? 2 * first->n + 8 : STAIR_LEVELS;
    if (levels < STAIR_LEVELS) {
        MST_TRY(shape_of(r, channel, levels, s));
        if (same_form(first, s))
            return MST_OK;
    }
    return shape_of(r, channel, STAIR_LEVELS, s);
}

/* Shapes of all channels, in the edit's arena; NULL: they are not of one form, or not one that is taken. */
static mst_status shapes_of(const region *r, const wish *w, stair_shape **out, uint32_t *n)
{
    stair_shape first;
    *out = NULL;
    *n = r->axis >= 0 ? r->channels : 1;
    MST_TRY(shape_of(r, 0, STAIR_LEVELS, &first));
    bool from_0 = first.kind == STAIR_STEPS && !first.open && fabs(first.base) <= 1e-4 * fabs(first.q);
    if (first.kind == STAIR_OTHER || (w->steps_from_0 && !from_0) || (first.slope < 0 && from_0 && !w->turned))
        return MST_OK;
    stair_shape *s = mst_arena_array(&r->e->arena, *n, sizeof *s);
    if (s == NULL)
        return edit_no_memory(r->e);
    s[0] = first;
    for (uint32_t i = 1; i < *n; i++) {
        MST_TRY(shape_like(r, i, &first, &s[i]));
        if (!same_form(&s[0], &s[i]))
            return MST_OK;
    }
    *out = s;
    return MST_OK;
}

static mst_status rewrite(const region *r, const stair_shape *s, uint32_t n)
{
    uint32_t x = r->root;
    const char *name = edit_node(r->e, r->node[0])->name;
    for (uint32_t i = 0; i < r->n; i++)
        if (edit_is(r->e, r->node[i], MST_OP_UNARY))
            name = edit_node(r->e, r->node[i])->name; /* that of the first staircase: what policies may know it by */
    if (s[0].kind == STAIR_STEPS)
        MST_TRY(emit_steps(r, s, n, name, &x));
    else
        MST_TRY(emit_bound(r, s, n, name, &x));
    edit_replace(r->e, r->out, x);
    for (uint32_t i = 0; i < r->n; i++)
        if (r->e->uses[edit_node(r->e, r->node[i])->out] == 0)
            edit_kill(r->e, r->node[i]);
    return MST_OK;
}

/* A node that may be part of another spelling. */
static bool is_trigger(const mst_edit *e, uint32_t i, bool *steps_only)
{
    const mst_node *n = edit_node(e, i);
    int32_t fn = n->op == MST_OP_UNARY ? n->ip[MST_UNARY_FN] : -1;
    *steps_only = fn == MST_UN_FLOOR || fn == MST_UN_CEIL || fn == MST_UN_ROUND;
    if (n->op == MST_OP_BINARY)
        return binary_fits(n->ip[MST_BINARY_FN]) && !mst_is_const(e->g, n->in[0]) && !mst_is_const(e->g, n->in[1]);
    return fn >= 0 && unary_fits(fn) && qdq_mark(n) == 0;
}

static bool contains(const region *r, uint32_t node)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->node[i] == node)
            return true;
    return false;
}

/* All regions that end with tensor out and hold the trigger, the smallest first; of a single jump, which every line in
 * front of it only moves, the largest. */
static mst_status try_end(mst_edit *e, const uint32_t *rank, const wish *w, effort *f, uint32_t out, bool *done)
{
    region r = {.e = e, .rank = rank, .out = out, .axis = -1, .effort = f}, best = {.n = 0};
    frontier up = {.tensor = {out}, .n = 1};
    stair_shape *s = NULL;
    uint32_t n = 0;
    while (!is_enough(f) && step_up(&r, &up)) {
        stair_shape *found;
        uint32_t n_found;
        f->all++;
        if (up.n != 1 || !contains(&r, w->trigger))
            continue;
        r.root = up.tensor[0];
        MST_TRY(shapes_of(&r, w, &found, &n_found));
        bool jump = found != NULL && found[0].kind == STAIR_STEPS && found[0].n == 1;
        if (found != NULL && (s == NULL || jump)) {
            best = r;
            s = found;
            n = n_found;
        }
        if (s != NULL && !jump)
            break;
    }
    *done = s != NULL;
    return *done ? rewrite(&best, s, n) : MST_OK;
}

static mst_status try_ends(mst_edit *e, uint32_t *rank, const wish *w, effort *f, bool *done)
{
    uint32_t end = w->trigger;
    for (int k = 0; k < MAX_ENDS && end != MST_NONE && !*done; k++) {
        uint32_t before = e->g->n_nodes;
        MST_TRY(try_end(e, rank, w, f, edit_node(e, end)->out, done));
        for (uint32_t fresh = before; fresh < e->g->n_nodes; fresh++)
            rank[fresh] = rank[end];
        end = edit_only_user(e, edit_node(e, end)->out);
    }
    return MST_OK;
}

static mst_status visit(mst_edit *e, uint32_t *rank, uint32_t i, effort *f)
{
    wish w = {.trigger = i};
    const uint64_t before = f->all;
    bool done = false, is_qcfs = false;
    if (!is_trigger(e, i, &w.steps_from_0))
        return MST_OK;
    if (w.steps_from_0)
        MST_TRY(qcfs_is_found(e, i, &is_qcfs));
    if (is_qcfs)
        return MST_OK;
    MST_TRY(try_ends(e, rank, &w, f, &done));
    w.turned = true;
    if (!done)
        MST_TRY(try_ends(e, rank, &w, f, &done));
    if (!done)
        f->vain += f->all - before;
    return MST_OK;
}

mst_status pass_stair_within(mst_graph *g, stair_limits limits, uint64_t *followed, mst_err *err)
{
    mst_edit e;
    effort f = {.limits = limits};
    mst_status st = edit_begin(&e, g, err);
    uint32_t n = g->n_nodes, *rank = mst_arena_array(&e.arena, 5 * (size_t)n + 1, sizeof *rank);
    if (st == MST_OK && rank == NULL)
        st = edit_no_memory(&e);
    for (uint32_t i = 0; i < n && st == MST_OK; i++)
        rank[i] = i;
    for (uint32_t i = 0; i < n && st == MST_OK; i++)
        if (!e.dead[i] && e.uses[edit_node(&e, i)->out] != 0)
            st = visit(&e, rank, i, &f);
    *followed = f.all;
    return edit_finish(&e, st);
}

mst_status pass_stair(mst_graph *g, mst_err *err)
{
    uint64_t followed;
    return pass_stair_within(g, usual, &followed, err);
}
