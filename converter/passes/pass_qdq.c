/* What becomes of the pairs of QuantizeLinear and DequantizeLinear, on the graph as it was lowered, where a pair is
 *
 *     y = scale * clip(round(x / scale), lo, hi)
 *
 * Levels from 0 (behind a ReLU, of which a zero point at the end of the type's range is one) are left for pass_qcfs,
 * which makes neurons of them. Pairs whose input is on their levels already change nothing, those around a QCFS belong
 * to its spelling: both go. The others are marked as roundings that stay, or go where analog ones shall. */
#include <math.h>

#include "converter/passes/passes.h"
#include "converter/passes/qdq_state.h"

static double const_at(const mst_edit *e, uint32_t tensor, size_t i) { return mst_const_at(edit_tensor(e, tensor), i); }

/* Is node i what scales the whole numbers of a pair back? */
static bool is_exit(const mst_edit *e, const qdq_pair *p, uint32_t i)
{
    const mst_node *n = edit_node(e, i), *in = edit_node(e, p->scale_in);
    if (n->op != MST_OP_AFFINE || mst_tensor_elements(edit_tensor(e, n->in[2])) != 1 || const_at(e, n->in[2], 0) != 0)
        return false;
    size_t count = mst_tensor_elements(edit_tensor(e, n->in[1]));
    if (count != mst_tensor_elements(edit_tensor(e, in->in[1])) ||
        (count > 1 && n->ip[MST_AFFINE_AXIS] != in->ip[MST_AFFINE_AXIS]))
        return false;
    for (size_t c = 0; c < count; c++)
        if (1 / const_at(e, n->in[1], c) != const_at(e, in->in[1], c))
            return false;
    return true;
}

/* The one that reads tensor t, of those that are read themselves; MST_NONE: none, or several. */
static uint32_t only_reader(mst_edit *e, uint32_t t)
{
    for (uint32_t u = e->head[t], next; u != MST_NONE; u = next) {
        uint32_t i = e->edge[u].node;
        next = e->edge[u].next;
        if (e->uses[edit_node(e, i)->out] == 0)
            edit_kill(e, i);
    }
    return edit_only_user(e, t);
}

/* Bounds of the whole numbers (0..127 of uint8, say) are the pair's. */
static void join_bounds(mst_edit *e, qdq_pair *p)
{
    mst_node *bound = edit_node(e, p->bound);
    for (uint32_t i = only_reader(e, bound->out); edit_is(e, i, MST_OP_CLIP); i = only_reader(e, bound->out)) {
        const mst_node *next = edit_node(e, i);
        p->told.lo = (int)fmin(fmax(ceil((double)next->fp[MST_CLIP_LO]), p->told.lo), p->told.hi);
        p->told.hi = (int)fmax(fmin(floor((double)next->fp[MST_CLIP_HI]), p->told.hi), p->told.lo);
        bound->fp[MST_CLIP_LO] = (float)p->told.lo;
        bound->fp[MST_CLIP_HI] = (float)p->told.hi;
        edit_replace(e, next->out, bound->out);
        edit_kill(e, i);
    }
}

static void find_ends(qdq *q)
{
    mst_edit *e = q->e;
    for (uint32_t k = 0; k < q->pairs->n; k++) {
        qdq_pair *p = &q->pairs->at[k];
        join_bounds(e, p);
        q->pair_in[p->scale_in] = k;
        uint32_t first = MST_NONE; /* of several DequantizeLinears: the others are the same */
        for (uint32_t u = e->head[edit_node(e, p->bound)->out], next; u != MST_NONE; u = next) {
            uint32_t i = e->edge[u].node, out = edit_node(e, i)->out;
            next = e->edge[u].next;
            if (!is_exit(e, p, i))
                continue;
            if (first == MST_NONE) {
                q->pair_out[first = out] = k;
            } else {
                edit_replace(e, out, first);
                edit_kill(e, i);
            }
        }
    }
}

/* Let those who read the pair read its input. Whole numbers that something else reads, too, stay. */
static void bypass(qdq *q, uint32_t pair)
{
    mst_edit *e = q->e;
    qdq_pair *p = &q->pairs->at[pair];
    p->passed = true;
    for (uint32_t u = e->head[edit_node(e, p->bound)->out]; u != MST_NONE; u = e->edge[u].next) {
        uint32_t out = edit_node(e, e->edge[u].node)->out;
        if (q->pair_out[out] == pair)
            edit_replace(e, out, qdq_source(q, p));
    }
}

static bool is_read(const qdq *q, const qdq_pair *p)
{
    const mst_edit *e = q->e;
    for (uint32_t u = e->head[edit_node(e, p->bound)->out]; u != MST_NONE; u = e->edge[u].next)
        if (e->uses[edit_node(e, e->edge[u].node)->out] != 0)
            return true;
    return e->g->output == edit_node(e, p->bound)->out;
}

static void decide(qdq *q, uint32_t pair, mst_pair_fate fate, const char *reason)
{
    q->pairs->at[pair].told.fate = fate;
    q->pairs->at[pair].told.reason = reason;
}

/* ---- around a QCFS ---- */

/* The input of an elementwise node or a movement that its values come from; MST_NONE: it is none of these. */
static uint32_t passes_on(const mst_edit *e, const mst_node *n)
{
    switch (n->op) {
    case MST_OP_AFFINE:
    case MST_OP_CLIP:
    case MST_OP_RESHAPE:
    case MST_OP_TRANSPOSE:
    case MST_OP_SLICE:
    case MST_OP_GATHER: return 0;
    case MST_OP_BINARY:
        return mst_is_const(e->g, n->in[0]) ? 1 : mst_is_const(e->g, n->in[1]) ? 0
                                                                               : MST_NONE;
    default: return MST_NONE;
    }
}

#define IN_QCFS "inside of a QCFS activation, or beside one: that has levels of its own"

/* Does input k of node i go, moved, scaled or added, into its result? */
static bool is_part(const mst_edit *e, const mst_node *n, uint32_t k)
{
    bool adds = n->op == MST_OP_BINARY && (n->ip[MST_BINARY_FN] == MST_BIN_ADD || n->ip[MST_BINARY_FN] == MST_BIN_SUB);
    return passes_on(e, n) == k || ((adds || n->op == MST_OP_CONCAT) && !mst_is_const(e->g, n->in[k]));
}

/* What goes into the chain of pairs that ends with tensor t, which belong to a staircase; t where it ends none. */
static uint32_t before_pairs(qdq *q, uint32_t t)
{
    uint32_t start = t, at;
    while (q->pair_out[start] != MST_NONE && q->before[start] == MST_NONE) {
        decide(q, q->pair_out[start], MST_PAIR_IN_QCFS, IN_QCFS);
        start = qdq_source(q, &q->pairs->at[q->pair_out[start]]);
    }
    start = q->before[start] != MST_NONE ? q->before[start] : start;
    for (at = t; q->pair_out[at] != MST_NONE && q->before[at] == MST_NONE;) {
        q->before[at] = start;
        at = qdq_source(q, &q->pairs->at[q->pair_out[at]]);
    }
    return start;
}

/* From a staircase upwards: what it reads comes without pairs. */
static void walk_up(qdq *q, uint32_t staircase)
{
    mst_edit *e = q->e;
    uint32_t n = 0;
    q->stack[n++] = staircase;
    while (n != 0) {
        uint32_t i = q->stack[--n];
        for (uint32_t k = 0; k < edit_node(e, i)->n_in; k++) {
            if (i != staircase && !is_part(e, edit_node(e, i), k))
                continue;
            uint32_t t = before_pairs(q, edit_node(e, i)->in[k]);
            if (t != edit_node(e, i)->in[k])
                edit_set_input(e, i, k, t);
            if (!q->seen_up[t] && e->producer[t] != MST_NONE) {
                q->seen_up[t] = true;
                q->stack[n++] = e->producer[t];
            }
        }
    }
}

/* From its result downwards: what reads it reads it without pairs. */
static void walk_down(qdq *q, uint32_t staircase)
{
    mst_edit *e = q->e;
    uint32_t n = 0;
    q->stack[n++] = staircase;
    while (n != 0) {
        uint32_t t = edit_node(e, q->stack[--n])->out;
        /* who reads t because of a bypass comes in front of those that are known */
        for (uint32_t first = e->head[t], known = MST_NONE; first != known; known = first, first = e->head[t])
            for (uint32_t u = first; u != known; u = e->edge[u].next) {
                uint32_t i = e->edge[u].node, out = edit_node(e, i)->out;
                if (q->pair_in[i] != MST_NONE && !q->pairs->at[q->pair_in[i]].passed) {
                    decide(q, q->pair_in[i], MST_PAIR_IN_QCFS, IN_QCFS);
                    bypass(q, q->pair_in[i]);
                } else if (q->pair_in[i] == MST_NONE && passes_on(e, edit_node(e, i)) != MST_NONE &&
                           !q->seen_down[out]) {
                    q->seen_down[out] = true;
                    q->stack[n++] = i;
                }
            }
    }
}

/* A staircase of the model's own. */
static bool is_stair(const mst_node *n)
{
    int32_t fn = n->op == MST_OP_UNARY && qdq_mark(n) == 0 ? n->ip[MST_UNARY_FN] : -1;
    return fn == MST_UN_FLOOR || fn == MST_UN_ROUND || fn == MST_UN_CEIL || fn == MST_UN_SIGN;
}

static void find_stairs(qdq *q)
{
    mst_edit *e = q->e;
    for (uint32_t i = 0; i < e->g->n_nodes; i++) {
        if (!is_stair(edit_node(e, i)))
            continue;
        walk_up(q, i);
        walk_down(q, i);
    }
}

/* ---- what values are, node by node ---- */

static bool all_inputs(const mst_node *n, const bool *of)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && !of[n->in[k]])
            return false;
    return true;
}

static bool is_of_qcfs(const qdq *q, const mst_node *n)
{
    bool linear = (mst_op_get(n->op)->flags & MST_F_SYNAPSE) == 0 && mst_node_is_linear(q->e->g, n), live = false;
    for (uint32_t k = 0; k < n->n_in && (linear || n->op == MST_OP_CLIP || n->op == MST_OP_MASK); k++) {
        if (n->in[k] == MST_NONE || mst_is_const(q->e->g, n->in[k]))
            continue;
        if (!q->of_qcfs[n->in[k]])
            return false;
        live = true;
    }
    return live;
}

/* The levels that all inputs are on. */
static uint32_t common_grid(const qdq *q, const mst_node *n)
{
    for (uint32_t k = 1; k < n->n_in; k++)
        if (q->grid[n->in[k]] != q->grid[n->in[0]])
            return MST_NONE;
    return q->grid[n->in[0]];
}

static bool is_mean(const mst_node *n)
{
    return (n->op == MST_OP_POOL && n->ip[MST_POOL_FN] == MST_RED_MEAN) ||
           (n->op == MST_OP_REDUCE && n->ip[MST_REDUCE_FN] != MST_RED_MAX);
}

static bool is_of_pairs(const qdq *q, const mst_node *n)
{
    bool live = false, elementwise = n->op == MST_OP_AFFINE || n->op == MST_OP_CLIP || n->op == MST_OP_UNARY ||
                                     n->op == MST_OP_BINARY || (mst_op_get(n->op)->flags & MST_F_MOVE) != 0;
    for (uint32_t k = 0; k < n->n_in && elementwise; k++) {
        if (n->in[k] == MST_NONE || mst_is_const(q->e->g, n->in[k]))
            continue;
        live = true;
        elementwise = q->of_pairs[n->in[k]];
    }
    return live && elementwise;
}

/* What is known of the result of a node that is of no pair. */
static void follow(qdq *q, const mst_node *n)
{
    uint32_t x = n->in[0], y = n->out;
    q->of_qcfs[y] = is_stair(n) || is_of_qcfs(q, n);
    q->of_pairs[y] = is_of_pairs(q, n);
    bool mean = is_mean(n), has = (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 || n->op == MST_OP_MASK;
    if (has || n->op == MST_OP_POOL || n->op == MST_OP_REDUCE) {
        bool zero = n->op != MST_OP_PAD || n->fp[MST_PAD_VALUE] == 0;
        uint32_t grid = n->op == MST_OP_CONCAT ? common_grid(q, n) : q->grid[x];
        q->grid[y] = mean || !zero ? MST_NONE : grid;
        q->averaged[y] = mean ? q->grid[x] != MST_NONE || q->averaged[x] : q->averaged[x];
        q->from_0[y] = n->op == MST_OP_CONCAT ? all_inputs(n, q->from_0) : q->from_0[x] && zero;
    } else if (n->op == MST_OP_CLIP) {
        bool open = !(n->fp[MST_CLIP_LO] > 0) && (n->fp[MST_CLIP_LO] == 0 || isinf(n->fp[MST_CLIP_LO]));
        q->grid[y] = open && isinf(n->fp[MST_CLIP_HI]) ? q->grid[x] : MST_NONE;
        q->averaged[y] = q->averaged[x];
        q->from_0[y] = n->fp[MST_CLIP_LO] >= 0 || (q->from_0[x] && n->fp[MST_CLIP_HI] >= 0);
    } else if (n->op == MST_OP_AFFINE) {
        q->averaged[y] = q->averaged[x];
    } else if (n->op == MST_OP_BINARY && n->ip[MST_BINARY_FN] == MST_BIN_ADD) {
        q->from_0[y] = all_inputs(n, q->from_0);
    }
}

/* Are all values on the levels of one pair levels of another? */
static bool same_levels(const qdq *q, uint32_t grid, const qdq_pair *p)
{
    if (grid == MST_NONE || !p->one_scale)
        return false;
    const qdq_pair *g = &q->pairs->at[grid];
    return g->one_scale && fabs(g->told.scale - p->told.scale) <= 0 && g->told.lo >= p->told.lo &&
           g->told.hi <= p->told.hi;
}

static void keep_rounding(qdq *q, uint32_t pair)
{
    const qdq_pair *p = &q->pairs->at[pair];
    edit_node(q->e, p->round)->ip[QDQ_MARK] = edit_node(q->e, p->bound)->ip[QDQ_MARK] = -(int32_t)pair - 1;
}

/* Does a ReLU follow wherever the pair is read? */
static bool before_relus(const qdq *q, uint32_t pair)
{
    const mst_edit *e = q->e;
    const qdq_pair *p = &q->pairs->at[pair];
    bool relu = false;
    for (uint32_t u = e->head[edit_node(e, p->bound)->out]; u != MST_NONE; u = e->edge[u].next) {
        uint32_t out = edit_node(e, e->edge[u].node)->out;
        if (e->uses[out] == 0)
            continue;
        if (q->pair_out[out] != pair || out == e->g->output)
            return false;
        for (uint32_t v = e->head[out]; v != MST_NONE; v = e->edge[v].next) {
            const mst_node *n = edit_node(e, e->edge[v].node);
            if (n->op != MST_OP_CLIP || !(n->fp[MST_CLIP_LO] >= 0))
                return false;
            relu = true;
        }
    }
    return relu;
}

/* Why a pair cannot be a neuron; NULL: it can. */
static const char *analog_reason(qdq *q, uint32_t pair)
{
    const qdq_pair *p = &q->pairs->at[pair];
    mst_node *bound = edit_node(q->e, p->bound);
    uint32_t x = qdq_source(q, p);
    if (p->told.lo < 0 && !q->from_0[x] && !before_relus(q, pair))
        return "its levels begin below 0, and signed neurons are not there yet";
    if (p->told.lo > 0 || p->told.hi < 1 || edit_tensor(q->e, x)->rank == 0)
        return "its levels do not begin at 0";
    if (q->averaged[x])
        return "it rounds averages, which are often right between two levels: the even one is taken, a neuron fires";
    bound->fp[MST_CLIP_LO] = 0;
    q->pairs->at[pair].told.lo = 0;
    return NULL;
}

static bool is_relu(const mst_edit *e, uint32_t i)
{
    return edit_is(e, i, MST_OP_CLIP) && edit_node(e, i)->fp[MST_CLIP_LO] == 0 &&
           isinf(edit_node(e, i)->fp[MST_CLIP_HI]) && qdq_mark(edit_node(e, i)) == 0;
}

/* ReLUs in front of a neuron and behind do nothing. */
static void skip_relus(qdq *q, uint32_t pair)
{
    mst_edit *e = q->e;
    const qdq_pair *p = &q->pairs->at[pair];
    uint32_t i = edit_maker(e, p->scale_in, 0);
    if (is_relu(e, i))
        edit_set_input(e, p->scale_in, 0, edit_node(e, i)->in[0]);
    for (uint32_t u = e->head[edit_node(e, p->bound)->out]; u != MST_NONE; u = e->edge[u].next) {
        uint32_t out = edit_node(e, e->edge[u].node)->out;
        for (uint32_t v = q->pair_out[out] == pair ? e->head[out] : MST_NONE; v != MST_NONE;) {
            uint32_t relu = e->edge[v].node;
            v = e->edge[v].next;
            if (!is_relu(e, relu))
                continue;
            edit_replace(e, edit_node(e, relu)->out, out);
            edit_kill(e, relu);
            v = e->head[out];
        }
    }
}

static void visit_pair(qdq *q, uint32_t pair, bool drop_analog)
{
    qdq_pair *p = &q->pairs->at[pair];
    uint32_t x = qdq_source(q, p);
    if (!is_read(q, p))
        return;
    if (q->of_qcfs[x]) {
        decide(q, pair, MST_PAIR_IN_QCFS, IN_QCFS);
        bypass(q, pair);
        return;
    }
    if (same_levels(q, q->grid[x], p)) {
        decide(q, pair, MST_PAIR_SAME, "what it reads is on its levels already");
        bypass(q, pair);
        return;
    }
    const char *reason = analog_reason(q, pair);
    if (reason == NULL) {
        decide(q, pair, MST_PAIR_NEURON, "");
        skip_relus(q, pair);
    } else if (drop_analog) {
        decide(q, pair, MST_PAIR_DROPPED, reason);
        bypass(q, pair);
    } else {
        decide(q, pair, MST_PAIR_ROUNDS, reason);
        keep_rounding(q, pair);
    }
}

/* Nodes are in order, as lowering made them. */
static void visit_all(qdq *q, bool drop_analog)
{
    for (uint32_t i = 0; i < q->e->g->n_nodes; i++) {
        const mst_node *n = edit_node(q->e, i);
        uint32_t pair = q->pair_out[n->out];
        if (q->e->dead[i])
            continue;
        if (pair != MST_NONE) {
            q->grid[n->out] = pair;
            q->of_pairs[n->out] = true;
            q->from_0[n->out] = q->pairs->at[pair].told.lo >= 0 || q->from_0[qdq_source(q, &q->pairs->at[pair])];
        } else if (q->pair_in[i] != MST_NONE) {
            visit_pair(q, q->pair_in[i], drop_analog);
        } else if (qdq_mark(n) == 0) {
            follow(q, n);
        }
    }
}

static uint32_t *none(mst_edit *e, uint32_t n)
{
    uint32_t *of = mst_arena_array(&e->arena, (size_t)n + 1, sizeof *of);
    for (uint32_t i = 0; of != NULL && i < n; i++)
        of[i] = MST_NONE;
    return of;
}

static mst_status begin(qdq *q)
{
    mst_edit *e = q->e;
    uint32_t n = e->g->n_nodes, t = e->g->n_tensors;
    q->n_tensors = t;
    q->pair_in = none(e, n);
    q->stack = none(e, n);
    q->pair_out = none(e, t);
    q->grid = none(e, t);
    q->before = none(e, t);
    q->averaged = mst_arena_array(&e->arena, t, sizeof *q->averaged);
    q->from_0 = mst_arena_array(&e->arena, t, sizeof *q->from_0);
    q->of_qcfs = mst_arena_array(&e->arena, t, sizeof *q->of_qcfs);
    q->of_pairs = mst_arena_array(&e->arena, t, sizeof *q->of_pairs);
    q->seen_up = mst_arena_array(&e->arena, t, sizeof *q->seen_up);
    q->seen_down = mst_arena_array(&e->arena, t, sizeof *q->seen_down);
    bool ok = q->pair_in != NULL && q->stack != NULL && q->pair_out != NULL && q->grid != NULL && q->before != NULL;
    ok = ok && q->averaged != NULL && q->from_0 != NULL && q->of_qcfs != NULL && q->of_pairs != NULL;
    ok = ok && q->seen_up != NULL && q->seen_down != NULL;
    return ok ? MST_OK : edit_no_memory(e);
}

mst_status pass_qdq(mst_graph *g, qdq_pairs *pairs, bool drop_analog, mst_err *err)
{
    mst_edit e;
    qdq q = {.e = &e, .pairs = pairs};
    if (pairs->n == 0)
        return MST_OK;
    mst_status st = edit_begin(&e, g, err);
    if (st == MST_OK)
        st = begin(&q);
    if (st == MST_OK) {
        find_ends(&q);
        find_stairs(&q);
        visit_all(&q, drop_analog);
        st = qdq_compute_exactly(&q);
    }
    return edit_finish(&e, st);
}

/* What the passes behind made of it. */
void qdq_settle(const mst_graph *g, qdq_pairs *pairs)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        int32_t mark = qdq_mark(n);
        if (n->op == MST_OP_UNARY && mark != 0) {
            mst_pair *told = &pairs->at[(mark < 0 ? -mark : mark) - 1].told;
            if (told->fate != MST_PAIR_ROUNDS)
                told->reason = "it reads another quantizer, some of whose levels are right between two of its own";
            told->fate = MST_PAIR_ROUNDS;
        }
    }
}
