/* Normalizations written out in elementary operators, in whatever order: PyTorch before opset 17, Keras, flax,
 *
 *     d / sqrt(mean(d^2) + eps), d = x - mean(x)      x*r + (beta - mean(x)*r), r = gamma*rsqrt(var + eps)
 *     (x - mean(x)) * rsqrt(max(0, mean(x^2) - mean(x)^2) + eps)      x * rsqrt(mean(x^2) + eps)
 *
 * What nodes compute of the rows of one value is not read but tried: they are run on a few rows, in float64, and if
 * eps, scale and shift can be found with which it is a LayerNorm over the last axis, it becomes one LAYERNORM; with
 * which it is an RMSNorm, it is written in one form. A scale and shift behind are folded later.
 */
#include <math.h>
#include <string.h>

#include "converter/passes/norm_fn.h"
#include "converter/passes/passes.h"

#define MAX_MADE 8 /* nodes, of one normalization */
#define MAX_CHANNELS 16384u
#define WORK ((uint64_t)1 << 31) /* values computed in trials of a graph; then the rest stays as it is */

/* ---- what belongs to it ---- */

/* Is a tensor one value for each row of `like`, or as large as it? */
static bool is_row_value(const mst_tensor *t, const mst_tensor *like)
{
    mst_tensor one = *like;
    one.dims[like->rank - 1] = 1;
    return mst_same_shape(t, like) || mst_same_shape(t, &one);
}

/* A constant operand: one value, or, of a value for each channel, one for each channel of the last axis. */
static bool is_row_constant(const region *r, uint32_t tensor, const mst_tensor *y)
{
    const mst_tensor *t = edit_tensor(r->e, tensor);
    size_t n = mst_tensor_elements(t);
    return n == 1 || (n == r->channels && t->rank != 0 && t->dims[t->rank - 1] == r->channels &&
                      mst_same_shape(y, edit_tensor(r->e, r->out)));
}

static bool is_reduction(const mst_node *n, const mst_tensor *x)
{
    return (n->ip[MST_REDUCE_FN] == MST_RED_MEAN || n->ip[MST_REDUCE_FN] == MST_RED_SUM) &&
           n->ip[MST_REDUCE_AXES] == (int32_t)(1u << (x->rank - 1));
}

static bool fits(const region *r, uint32_t i)
{
    const mst_edit *e = r->e;
    const mst_node *n = edit_node(e, i);
    const mst_tensor *like = edit_tensor(e, r->out), *y = edit_tensor(e, n->out), *x = edit_tensor(e, n->in[0]);
    size_t rows = mst_tensor_elements(like) / r->channels;
    switch (n->op) {
    case MST_OP_REDUCE: return mst_same_shape(x, like) && is_reduction(n, x);
    case MST_OP_RESHAPE: /* of axes of length 1, where the mean has dropped its own */
        return mst_tensor_elements(x) == rows && mst_tensor_elements(y) == rows;
    case MST_OP_EXPAND: return is_row_value(x, like) && mst_same_shape(y, like);
    case MST_OP_AFFINE:
        return is_row_constant(r, n->in[1], y) && is_row_constant(r, n->in[2], y) &&
               (mst_tensor_elements(y) == rows || n->ip[MST_AFFINE_AXIS] == (int32_t)y->rank - 1);
    case MST_OP_CLIP: return true;
    case MST_OP_UNARY:
        return n->ip[MST_UNARY_FN] == MST_UN_SQRT || n->ip[MST_UNARY_FN] == MST_UN_RECIPROCAL ||
               n->ip[MST_UNARY_FN] == MST_UN_NEG || n->ip[MST_UNARY_FN] == MST_UN_ABS;
    case MST_OP_BINARY:
        for (uint32_t k = 0; k < 2; k++)
            if (mst_is_const(e->g, n->in[k]) ? !is_row_constant(r, n->in[k], y)
                                             : !is_row_value(edit_tensor(e, n->in[k]), like) &&
                                                   mst_tensor_elements(y) != rows)
                return false;
        return true;
    default: return false;
    }
}

/* ---- writing it anew ---- */

static mst_status add(const region *r, mst_op op, uint32_t n_in, const uint32_t *in, bool wide, uint32_t *out)
{
    mst_tensor like = *edit_tensor(r->e, r->out);
    uint32_t node;
    if (!wide)
        like.dims[like.rank - 1] = 1;
    MST_TRY(edit_add(r->e, op, edit_node(r->e, r->e->producer[r->out])->name, n_in, in, like.rank, like.dims, &node));
    *out = edit_node(r->e, node)->out;
    r->place[node] = r->place[r->e->producer[r->out]];
    return MST_OK;
}

static mst_node *made(const region *r, uint32_t tensor) { return edit_node(r->e, r->e->producer[tensor]); }

static mst_status add_affine(const region *r, uint32_t n_g, const double *g, uint32_t n_h, const double *h, bool wide,
                             uint32_t *x)
{
    uint32_t in[3] = {*x};
    MST_TRY(edit_const(r->e, n_g, g, &in[1]));
    MST_TRY(edit_const(r->e, n_h, h, &in[2]));
    MST_TRY(add(r, MST_OP_AFFINE, 3, in, wide, x));
    made(r, *x)->ip[MST_AFFINE_AXIS] = (int32_t)edit_tensor(r->e, *x)->rank - 1;
    return MST_OK;
}

/* x / sqrt(mean(x*x) + eps) */
static mst_status add_rms(const region *r, double eps, uint32_t *y)
{
    const double one = 1;
    uint32_t square, mean, in[2] = {r->root, r->root};
    MST_TRY(add(r, MST_OP_BINARY, 2, in, true, &square));
    made(r, square)->ip[MST_BINARY_FN] = MST_BIN_MUL;
    MST_TRY(add(r, MST_OP_REDUCE, 1, &square, false, &mean));
    made(r, mean)->ip[MST_REDUCE_FN] = MST_RED_MEAN;
    made(r, mean)->ip[MST_REDUCE_AXES] = (int32_t)(1u << (edit_tensor(r->e, square)->rank - 1));
    MST_TRY(add_affine(r, 1, &one, 1, &eps, false, &mean));
    MST_TRY(add(r, MST_OP_UNARY, 1, &mean, false, &in[1]));
    made(r, in[1])->ip[MST_UNARY_FN] = MST_UN_SQRT;
    MST_TRY(add(r, MST_OP_BINARY, 2, in, true, y));
    made(r, *y)->ip[MST_BINARY_FN] = MST_BIN_DIV;
    return MST_OK;
}

static mst_status write(const region *r, const norm *f)
{
    uint32_t y;
    bool scales = false, shifts = false;
    const double zero = 0;
    for (uint32_t i = 0; i < r->channels; i++) {
        scales = scales || fabs(f->g[i] - 1) > NORM_TOLERANCE;
        shifts = shifts || fabs(f->h[i]) > NORM_TOLERANCE * fabs(f->g[i]);
    }
    if (f->centered) {
        MST_TRY(add(r, MST_OP_LAYERNORM, 1, &r->root, true, &y));
        made(r, y)->fp[MST_LAYERNORM_EPS] = (float)f->eps;
    } else {
        MST_TRY(add_rms(r, f->eps, &y));
    }
    if (scales || shifts)
        MST_TRY(add_affine(r, r->channels, f->g, shifts ? r->channels : 1, shifts ? f->h : &zero, true, &y));
    edit_replace(r->e, r->out, y);
    return MST_OK;
}

/* ---- looking for it ---- */

static bool is_later(const region *r, uint32_t a, uint32_t b)
{
    return r->place[a] != r->place[b] ? r->place[a] > r->place[b] : a > b;
}

/* Add the node that makes what is made last; false: it does not fit, or there is none. */
static bool step_up(region *r)
{
    uint32_t last = MST_NONE, at_last = 0;
    for (uint32_t i = 0; i < r->n_open; i++) {
        uint32_t p = r->e->producer[r->open[i]];
        if (p != MST_NONE && (last == MST_NONE || is_later(r, p, last))) {
            last = p;
            at_last = i;
        }
    }
    if (last == MST_NONE || r->n == NORM_NODES || !fits(r, last))
        return false;
    const mst_node *node = edit_node(r->e, last);
    r->reduces = r->reduces || node->op == MST_OP_REDUCE;
    r->node[r->n++] = last;
    r->open[at_last] = r->open[--r->n_open];
    for (uint32_t k = 0; k < (node->op == MST_OP_BINARY ? 2u : 1u); k++) {
        bool known = mst_is_const(r->e->g, node->in[k]);
        for (uint32_t i = 0; i < r->n_open && !known; i++)
            known = r->open[i] == node->in[k];
        if (!known)
            r->open[r->n_open++] = node->in[k];
    }
    return true;
}

/* Upwards to the next value, as large as the result, that all comes from. */
static bool next_root(region *r)
{
    while (step_up(r))
        if (r->n_open == 1 && r->reduces &&
            mst_same_shape(edit_tensor(r->e, r->open[0]), edit_tensor(r->e, r->out))) {
            r->root = r->open[0];
            return true;
        }
    return false;
}

/* A LayerNorm is an RMSNorm of the differences to the mean: look behind them. */
static mst_status look(region *r, mst_arena *arena, bool *found)
{
    region rms_region;
    norm f, rms;
    bool solved, is_rms = false;
    while (next_root(r)) {
        MST_TRY(norm_solve(r, arena, &f, &solved));
        *found = solved && f.centered;
        if (*found)
            return write(r, &f);
        if (solved && !is_rms) {
            is_rms = true;
            rms_region = *r;
            rms = f;
        }
    }
    *found = is_rms;
    return is_rms ? write(&rms_region, &rms) : MST_OK;
}

/* Does node i end a normalization? */
static mst_status try_end(mst_edit *e, uint32_t *place, uint64_t *work, uint32_t i, bool *found)
{
    region r = {.e = e, .place = place, .work = work, .out = edit_node(e, i)->out};
    const mst_tensor *y = edit_tensor(e, r.out);
    *found = false;
    r.channels = y->rank != 0 ? y->dims[y->rank - 1] : 0;
    r.open[r.n_open++] = r.out;
    if (r.channels < 2 || r.channels > MAX_CHANNELS)
        return MST_OK;
    mst_arena arena = {.alloc = e->arena.alloc};
    mst_status st = look(&r, &arena, found);
    mst_arena_release(&arena);
    return st;
}

/* From the root of a mean square on, the first value that is a normalization. */
static mst_status visit(mst_edit *e, uint32_t *place, uint64_t *work, uint32_t i)
{
    uint32_t t = edit_node(e, i)->out;
    bool found = false;
    for (int hops = 0; hops < NORM_NODES && !found; hops++) {
        uint32_t first = MST_NONE; /* of several users: they meet again */
        for (uint32_t k = e->head[t]; k != MST_NONE; k = e->edge[k].next)
            first = first == MST_NONE || e->edge[k].node > first ? e->edge[k].node : first;
        if (first == MST_NONE)
            return MST_OK;
        t = edit_node(e, first)->out;
        MST_TRY(try_end(e, place, work, first, &found));
    }
    return MST_OK;
}

/* A square root, or 1 over it, which may be written as a power. */
static bool is_root(const mst_graph *g, uint32_t i)
{
    const mst_node *n = &g->nodes[i];
    if (n->op == MST_OP_UNARY)
        return n->ip[MST_UNARY_FN] == MST_UN_SQRT;
    if (n->op != MST_OP_BINARY || n->ip[MST_BINARY_FN] != MST_BIN_POW || !mst_is_const(g, n->in[1]))
        return false;
    const mst_tensor *k = &g->tensors[n->in[1]];
    return mst_tensor_elements(k) == 1 && fabs(mst_const_at(k, 0)) == 0.5;
}

mst_status pass_layernorm(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    uint32_t n = g->n_nodes, roots = 0, *place = NULL;
    uint64_t work = WORK;
    for (uint32_t i = 0; i < n; i++)
        roots += is_root(g, i);
    if (st == MST_OK && (place = mst_arena_array(&e.arena, n + (size_t)MAX_MADE * roots, sizeof *place)) == NULL)
        st = edit_no_memory(&e);
    for (uint32_t i = 0; i < n && st == MST_OK; i++)
        place[i] = i;
    for (uint32_t i = 0; i < n && st == MST_OK; i++)
        if (is_root(g, i))
            st = visit(&e, place, &work, i);
    return edit_finish(&e, st);
}
