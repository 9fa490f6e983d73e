/* Bounds of ReLU networks to one form. A bound is a chain of affines, clips, and minima and maxima with constants of
 * one value or one a channel; together they make clip(slope*x + base, lo, hi). What pass_stair.c made of PACT by |x|,
 * theta - relu(theta - relu(x)), theta * clip(x/theta, 0, 1) and trained bounds of each channel then are affine, clip
 * from 0, and, where the upper bound differs from channel to channel, a minimum with a constant, of which pass_relu.c
 * makes neurons.
 *
 * Where what a chain computes is x itself between its bounds, as much of the chain as that is taken, so that the bound
 * is the trained one; otherwise no more than it takes to begin at 0. */
#include <math.h>
#include <string.h>

#include "converter/pairs.h"
#include "converter/passes/passes.h"
#include "converter/passes/qcfs_chain.h"

#define MAX_CHAIN 12
#define NEAR 1e-6 /* of the upper bound, or of 1: what constants lose in float32 */

/* clip(slope*x + base, lo, hi), of each channel. */
typedef struct bound_fn {
    double *slope, *base, *lo, *hi; /* [n] */
} bound_fn;

typedef struct chain {
    mst_edit *e;
    mst_arena *arena;
    uint32_t node[MAX_CHAIN]; /* in the order of execution, each read by the next alone */
    uint32_t n;
    int32_t axis; /* of constants per channel; -1: none */
    uint32_t channels;
} chain;

/* The constant operand of a minimum or maximum; MST_NONE: it is none. */
static uint32_t bound_operand(const mst_edit *e, const mst_node *n)
{
    bool is_bound = n->op == MST_OP_BINARY &&
                    (n->ip[MST_BINARY_FN] == MST_BIN_MIN || n->ip[MST_BINARY_FN] == MST_BIN_MAX);
    uint32_t k = is_bound && mst_is_const(e->g, n->in[0]) ? 0 : 1;
    return is_bound && mst_is_const(e->g, n->in[k]) && !mst_is_const(e->g, n->in[1 - k]) ? k : MST_NONE;
}

/* The operand that is not constant. */
static uint32_t data_operand(const mst_edit *e, const mst_node *n)
{
    uint32_t k = bound_operand(e, n);
    return k == MST_NONE ? 0 : 1 - k;
}

static bool const_fits(chain *c, uint32_t tensor, int32_t axis)
{
    size_t n = mst_tensor_elements(edit_tensor(c->e, tensor));
    if (n == 1)
        return true;
    if (c->axis >= 0 && (c->axis != axis || c->channels != n))
        return false;
    c->axis = axis;
    c->channels = (uint32_t)n;
    return true;
}

static bool node_fits(chain *c, uint32_t i)
{
    const mst_edit *e = c->e;
    const mst_node *n = edit_node(e, i);
    int32_t axis;
    if (e->dead[i] || qdq_mark(n) != 0)
        return false;
    switch (n->op) {
    case MST_OP_AFFINE:
        return const_fits(c, n->in[1], n->ip[MST_AFFINE_AXIS]) && const_fits(c, n->in[2], n->ip[MST_AFFINE_AXIS]);
    case MST_OP_CLIP: return true;
    case MST_OP_BINARY: {
        uint32_t k = bound_operand(e, n);
        return k != MST_NONE && mst_same_shape(edit_tensor(e, n->in[1 - k]), edit_tensor(e, n->out)) &&
               qcfs_bound_axis(edit_tensor(e, n->in[k]), edit_tensor(e, n->out), &axis) &&
               const_fits(c, n->in[k], axis);
    }
    default: return false;
    }
}

static bool is_bound(const mst_edit *e, uint32_t i)
{
    return edit_is(e, i, MST_OP_CLIP) || bound_operand(e, edit_node(e, i)) != MST_NONE;
}

/* The chain that begins with the first of a row of such nodes. */
static void read_chain(chain *c, uint32_t i)
{
    for (; i != MST_NONE && c->n < MAX_CHAIN; i = edit_only_user(c->e, edit_node(c->e, i)->out)) {
        if ((c->n != 0 && edit_maker(c->e, i, data_operand(c->e, edit_node(c->e, i))) != c->node[c->n - 1]) ||
            !node_fits(c, i))
            return;
        c->node[c->n++] = i;
    }
}

static bool begins_chain(mst_edit *e, uint32_t i)
{
    chain c = {.e = e, .axis = -1};
    if (!node_fits(&c, i))
        return false;
    uint32_t before = edit_maker(e, i, data_operand(e, edit_node(e, i)));
    return before == MST_NONE || edit_only_user(e, edit_node(e, before)->out) != i || !node_fits(&c, before);
}

/* ---- what it computes ---- */

static double at(const chain *c, uint32_t tensor, uint32_t channel)
{
    const mst_tensor *t = edit_tensor(c->e, tensor);
    return mst_const_at(t, mst_tensor_elements(t) == 1 ? 0 : channel);
}

static void clamp(bound_fn *f, uint32_t k, double lo, double hi)
{
    f->lo[k] = fmin(fmax(f->lo[k], lo), hi);
    f->hi[k] = fmax(fmin(f->hi[k], hi), lo);
}

static void scale(bound_fn *f, uint32_t k, double g, double h)
{
    double lo = g * f->lo[k] + h, hi = g * f->hi[k] + h;
    f->slope[k] *= g;
    f->base[k] = g * f->base[k] + h;
    f->lo[k] = g < 0 ? hi : lo;
    f->hi[k] = g < 0 ? lo : hi;
}

/* One more node behind what f is. */
static void follow(const chain *c, const mst_node *n, bound_fn *f)
{
    uint32_t operand = bound_operand(c->e, n);
    double inf = (double)INFINITY;
    for (uint32_t k = 0; k < c->channels; k++) {
        if (n->op == MST_OP_AFFINE) {
            scale(f, k, at(c, n->in[1], k), at(c, n->in[2], k));
        } else if (n->op == MST_OP_CLIP) {
            clamp(f, k, (double)n->fp[MST_CLIP_LO], (double)n->fp[MST_CLIP_HI]);
        } else {
            double value = at(c, n->in[operand], k);
            bool min = n->ip[MST_BINARY_FN] == MST_BIN_MIN;
            clamp(f, k, min ? -inf : value, min ? value : inf);
        }
    }
}

/* Does it begin at 0 and end at a bound, everywhere? Then its lower bounds are 0. */
static bool from_0(const chain *c, bound_fn *f)
{
    for (uint32_t k = 0; k < c->channels; k++)
        if (!isfinite(f->hi[k]) || !(f->hi[k] > 0) || !(fabs(f->lo[k]) <= NEAR * f->hi[k]) || f->slope[k] == 0 ||
            !isfinite(f->slope[k]) || !isfinite(f->base[k]))
            return false;
    for (uint32_t k = 0; k < c->channels; k++)
        f->lo[k] = 0;
    return true;
}

static bool is_identity(const chain *c, const bound_fn *f)
{
    for (uint32_t k = 0; k < c->channels; k++)
        if (fabs(f->slope[k] - 1) > NEAR || fabs(f->base[k]) > NEAR * f->hi[k])
            return false;
    return true;
}

static bool new_fn(const chain *c, bound_fn *f)
{
    double *v = mst_arena_array(c->arena, 4 * (size_t)c->channels, sizeof *v);
    if (v == NULL)
        return false;
    *f = (bound_fn){v, v + c->channels, v + 2 * (size_t)c->channels, v + 3 * (size_t)c->channels};
    return true;
}

static void start(const chain *c, bound_fn *f)
{
    for (uint32_t k = 0; k < c->channels; k++) {
        f->slope[k] = 1;
        f->base[k] = 0;
        f->lo[k] = -(double)INFINITY;
        f->hi[k] = (double)INFINITY;
    }
}

/* ---- choosing, and writing it anew ---- */

typedef struct part {
    uint32_t first, last; /* of the chain's nodes */
    bool identity, found;
    bound_fn f;
} part;

static void keep(const chain *c, part *best, uint32_t first, uint32_t last, const bound_fn *f)
{
    *best = (part){.first = first, .last = last, .identity = is_identity(c, f), .found = true, .f = best->f};
    memcpy(best->f.slope, f->slope, 4 * (size_t)c->channels * sizeof *f->slope);
}

/* The longest part that is x between its bounds, or else the shortest that begins at 0. */
static mst_status choose(const chain *c, part *best)
{
    bound_fn f;
    if (!new_fn(c, &f) || !new_fn(c, &best->f))
        return edit_no_memory(c->e);
    for (uint32_t first = 0; first < c->n; first++) {
        bool bounded = false;
        start(c, &f);
        for (uint32_t last = first; last < c->n; last++) {
            follow(c, edit_node(c->e, c->node[last]), &f);
            bounded = bounded || is_bound(c->e, c->node[last]);
            if (!bounded || !from_0(c, &f))
                continue;
            uint32_t length = last - first, known = best->last - best->first;
            bool identity = is_identity(c, &f);
            if (!best->found || (identity && (!best->identity || length > known)) ||
                (!identity && !best->identity && length < known))
                keep(c, best, first, last, &f);
        }
    }
    return MST_OK;
}

static mst_status emit_affine(const chain *c, const bound_fn *f, const char *name, const mst_tensor *like, uint32_t *x)
{
    uint32_t in[3] = {*x}, node;
    MST_TRY(edit_const(c->e, c->channels, f->slope, &in[1]));
    MST_TRY(edit_const(c->e, c->channels, f->base, &in[2]));
    MST_TRY(edit_add(c->e, MST_OP_AFFINE, name, 3, in, like->rank, like->dims, &node));
    edit_node(c->e, node)->ip[MST_AFFINE_AXIS] = c->axis >= 0 ? c->axis : (int32_t)like->rank - 1;
    *x = edit_node(c->e, node)->out;
    return MST_OK;
}

/* min(x, hi), hi of each channel */
static mst_status emit_min(const chain *c, const bound_fn *f, const char *name, const mst_tensor *like, uint32_t *x)
{
    uint32_t dims[MST_MAX_RANK], rank = like->rank - (uint32_t)c->axis, in[2] = {*x}, node;
    double *hi;
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == 0 ? c->channels : 1;
    MST_TRY(edit_new_const(c->e, rank, dims, &hi, &in[1]));
    memcpy(hi, f->hi, c->channels * sizeof *hi);
    MST_TRY(edit_add(c->e, MST_OP_BINARY, name, 2, in, like->rank, like->dims, &node));
    edit_node(c->e, node)->ip[MST_BINARY_FN] = MST_BIN_MIN;
    *x = edit_node(c->e, node)->out;
    return MST_OK;
}

static mst_status emit(const chain *c, const part *p)
{
    mst_edit *e = c->e;
    const mst_node *head = edit_node(e, c->node[p->first]);
    uint32_t x = head->in[data_operand(e, head)], node, y = edit_node(e, c->node[p->last])->out;
    const mst_tensor like = *edit_tensor(e, y);
    const char *name = NULL; /* of the first bound: what the activation is known by */
    bool same = true;
    for (uint32_t i = p->last + 1; i-- > p->first;)
        name = is_bound(e, c->node[i]) ? edit_node(e, c->node[i])->name : name;
    for (uint32_t k = 0; k < c->channels; k++)
        same = same && fabs(p->f.hi[k] - p->f.hi[0]) <= 0;
    if (!p->identity)
        MST_TRY(emit_affine(c, &p->f, name, &like, &x));
    MST_TRY(edit_add(e, MST_OP_CLIP, name, 1, &x, like.rank, like.dims, &node));
    edit_node(e, node)->fp[MST_CLIP_LO] = 0;
    edit_node(e, node)->fp[MST_CLIP_HI] = same ? (float)p->f.hi[0] : INFINITY;
    x = edit_node(e, node)->out;
    if (!same)
        MST_TRY(emit_min(c, &p->f, name, &like, &x));
    edit_replace(e, y, x);
    for (uint32_t i = p->first; i <= p->last; i++)
        edit_kill(e, c->node[i]);
    return MST_OK;
}

/* A clip from 0 as it is, or a ReLU and the minimum with bounds of channels, is what would be written. */
static bool is_written(const chain *c, const part *p)
{
    const mst_node *first = edit_node(c->e, c->node[p->first]);
    if (first->op != MST_OP_CLIP || first->fp[MST_CLIP_LO] != 0)
        return false;
    return p->first == p->last || (p->last == p->first + 1 && isinf(first->fp[MST_CLIP_HI]) &&
                                   edit_is(c->e, c->node[p->last], MST_OP_BINARY) &&
                                   edit_node(c->e, c->node[p->last])->ip[MST_BINARY_FN] == MST_BIN_MIN);
}

static mst_status visit(mst_edit *e, uint32_t i)
{
    mst_arena arena = {.alloc = e->arena.alloc};
    chain c = {.e = e, .arena = &arena, .axis = -1, .channels = 1};
    part best = {.found = false};
    read_chain(&c, i);
    mst_status st = choose(&c, &best);
    if (st == MST_OK && best.found && !is_written(&c, &best))
        st = emit(&c, &best);
    mst_arena_release(&arena);
    return st;
}

mst_status pass_bound(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        if (begins_chain(&e, i))
            st = visit(&e, i);
    return edit_finish(&e, st);
}
