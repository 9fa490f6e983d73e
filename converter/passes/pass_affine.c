/* Folds each AFFINE (BatchNorm, scales, biases) into a neighbour, in float64:
 *
 *   upwards    into the LINEAR or CONV that makes its input, into a product's
 *              ALPHA, a LAYERNORM's scale and shift, an AFFINE before it, or both
 *              operands of a sum of such;
 *   downwards  if every reader of its output can take it: LINEAR and CONV (where
 *              padding stays exact), products (a scale), NEURON (gain and bias of
 *              its input current; MST paper, Eq. 8, 9), another AFFINE;
 *   a scale    at last into the threshold of the neuron in front and in front of that.
 *
 * Both directions look through data movement and means that keep the channel axis. What
 * cannot be folded stays.
 */
#include <math.h>
#include <string.h>

#include "converter/passes/affine_fold.h"
#include "converter/passes/passes.h"

#define MAX_READERS 64
#define MAX_MOVES 32
#define MAX_SUMS 4 /* of sums */
#define MAX_RETRY 64

/* Index i of the axis belongs to channel i / inner, counted round. */
typedef struct reader {
    uint32_t node, slot;
    int32_t axis;
    uint32_t inner;
} reader;

/* AFFINEs to look at again: those that took another, or are new. */
typedef struct retry {
    uint32_t node[MAX_RETRY];
    uint32_t n;
} retry;

/* More than there is room for stay where they are. */
static void retry_add(retry *r, uint32_t node)
{
    if (r->n < MAX_RETRY)
        r->node[r->n++] = node;
}

/* ---- upwards ---- */

/* W[..][o] *= g[o]; b[o] = b[o]*g[o] + h[o] */
static mst_status into_weights_above(fold *f, uint32_t target)
{
    double *w, *b;
    size_t rows;
    uint32_t outs;
    MST_TRY(fold_own_weights(f, target, &w, &b, &rows, &outs));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t o = 0; o < outs; o++)
            w[r * outs + o] *= fold_g(f, o);
    for (uint32_t o = 0; o < outs; o++)
        b[o] = b[o] * fold_g(f, o) + fold_h(f, o);
    return MST_OK;
}

/* The scale and shift of a LayerNorm: g2*(g1*x + h1) + h2 per element of the last axis */
static mst_status into_layernorm_above(fold *f, uint32_t target)
{
    mst_edit *e = f->e;
    const mst_node *n = edit_node(e, target);
    uint32_t old[2] = {n->n_in > 1 ? n->in[1] : MST_NONE, n->n_in > 2 ? n->in[2] : MST_NONE}, in[3] = {n->in[0]};
    const mst_tensor *x = edit_tensor(e, n->in[0]);
    uint32_t channels = x->dims[x->rank - 1];
    double *g, *h;
    MST_TRY(edit_new_const(e, 1, &channels, &g, &in[1]));
    MST_TRY(edit_new_const(e, 1, &channels, &h, &in[2]));
    fold_refresh(f);
    for (uint32_t i = 0; i < channels; i++) {
        double g1 = old[0] != MST_NONE ? mst_const_at(edit_tensor(e, old[0]), i) : 1;
        double h1 = old[1] != MST_NONE ? mst_const_at(edit_tensor(e, old[1]), i) : 0;
        g[i] = fold_g(f, i) * g1;
        h[i] = fold_g(f, i) * h1 + fold_h(f, i);
    }
    return edit_reinput(e, target, 3, in);
}

static void scale_product(const fold *f, mst_node *matmul)
{
    matmul->fp[MST_MATMUL_ALPHA] = (float)((double)matmul->fp[MST_MATMUL_ALPHA] * fold_g(f, 0));
}

static bool is_sum(const mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    return n->op == MST_OP_BINARY && (n->ip[MST_BINARY_FN] == MST_BIN_ADD || n->ip[MST_BINARY_FN] == MST_BIN_SUB) &&
           !mst_is_const(e->g, n->in[0]) && !mst_is_const(e->g, n->in[1]) &&
           mst_same_shape(edit_tensor(e, n->in[0]), edit_tensor(e, n->in[1]));
}

/* The node above tensor t that can take f, and the axis of its output; MST_NONE: none. A sum takes it if both of its
 * operands are made by such. */
static uint32_t taker_above(const fold *f, uint32_t t, int32_t *axis, int depth)
{
    mst_edit *e = f->e;
    for (int moves = 0; moves < MAX_MOVES; moves++) {
        uint32_t p = e->producer[t];
        int32_t other[2] = {*axis, *axis};
        if (p == MST_NONE || e->uses[t] != 1)
            return MST_NONE;
        const mst_node *n = edit_node(e, p);
        bool takes;
        switch (n->op) {
        case MST_OP_LINEAR:
        case MST_OP_CONV:
        case MST_OP_LAYERNORM: takes = fold_on_last_axis(f, edit_tensor(e, n->out), *axis); break;
        case MST_OP_MATMUL: takes = f->scalar && f->no_offset; break;
        case MST_OP_AFFINE: takes = f->scalar || fold_open(e, p).scalar || n->ip[MST_AFFINE_AXIS] == *axis; break;
        case MST_OP_BINARY:
            takes = depth < MAX_SUMS && is_sum(e, p) && n->in[0] != n->in[1] &&
                    taker_above(f, n->in[0], &other[0], depth + 1) != MST_NONE &&
                    taker_above(f, n->in[1], &other[1], depth + 1) != MST_NONE;
            break;
        default:
            *axis = fold_axis_across(f, p, *axis, true);
            if (*axis < 0)
                return MST_NONE;
            t = n->in[0];
            continue;
        }
        return takes ? p : MST_NONE;
    }
    return MST_NONE;
}

/* g*(a + b) + h = (g*a + h) + g*b: two AFFINEs that are folded in turn. */
static mst_status part_of_sum(const fold *f, uint32_t sum, uint32_t k, int32_t axis, uint32_t *part)
{
    mst_edit *e = f->e;
    uint32_t in[3] = {edit_node(e, sum)->in[k], edit_node(e, f->node)->in[1], edit_node(e, f->node)->in[2]};
    double zero = 0;
    if (k == 1)
        MST_TRY(edit_const(e, 1, &zero, &in[2]));
    const mst_tensor x = *edit_tensor(e, in[0]);
    MST_TRY(edit_add(e, MST_OP_AFFINE, edit_node(e, f->node)->name, 3, in, x.rank, x.dims, part));
    edit_node(e, *part)->ip[MST_AFFINE_AXIS] = axis;
    edit_set_input(e, sum, k, edit_node(e, *part)->out);
    return MST_OK;
}

static mst_status fold_up(fold *f, bool *done, retry *again)
{
    mst_edit *e = f->e;
    int32_t axis = edit_node(e, f->node)->ip[MST_AFFINE_AXIS];
    uint32_t p = taker_above(f, edit_node(e, f->node)->in[0], &axis, 0), part[2];
    *done = p != MST_NONE;
    if (!*done)
        return MST_OK;
    mst_node *n = edit_node(e, p);
    switch (n->op) {
    case MST_OP_MATMUL:
        scale_product(f, n);
        return MST_OK;
    case MST_OP_LAYERNORM: return into_layernorm_above(f, p);
    case MST_OP_AFFINE: {
        fold first = fold_open(e, p);
        retry_add(again, p);
        return fold_join(&first, f, p, f->scalar ? n->ip[MST_AFFINE_AXIS] : axis);
    }
    case MST_OP_BINARY:
        for (uint32_t k = 0; k < 2; k++) {
            MST_TRY(part_of_sum(f, p, k, axis, &part[k]));
            retry_add(again, part[k]);
        }
        return MST_OK;
    default: return into_weights_above(f, p);
    }
}

/* ---- downwards ---- */

/* No window of this CONV touches the padding. */
static bool never_pads(const mst_edit *e, const mst_node *n)
{
    const mst_tensor *x = edit_tensor(e, n->in[0]), *w = edit_tensor(e, n->in[1]), *y = edit_tensor(e, n->out);
    for (int i = 0; i < 2; i++) {
        int64_t last = (int64_t)(y->dims[1 + i] - 1) * n->ip[MST_CONV_STRIDE + i] +
                       (int64_t)(w->dims[i] - 1) * n->ip[MST_CONV_DILATION + i];
        if (n->ip[MST_CONV_PAD + i] != 0 || last >= x->dims[1 + i])
            return false;
    }
    return true;
}

static bool accepts(const fold *f, const reader *r)
{
    const mst_node *n = edit_node(f->e, r->node);
    const mst_tensor *x = edit_tensor(f->e, n->in[0]);
    if (r->inner != 1 && n->op != MST_OP_LINEAR)
        return false;
    switch (n->op) {
    case MST_OP_LINEAR: return r->slot == 0 && fold_on_last_axis(f, x, r->axis);
    case MST_OP_CONV: return r->slot == 0 && fold_on_last_axis(f, x, r->axis) && (f->no_offset || never_pads(f->e, n));
    case MST_OP_MATMUL: return f->scalar && f->no_offset;
    case MST_OP_AFFINE: {
        fold next = fold_open(f->e, r->node);
        return r->slot == 0 && (f->scalar || next.scalar || n->ip[MST_AFFINE_AXIS] == r->axis);
    }
    case MST_OP_NEURON: {
        /* theta, gain and this must share one channel axis */
        bool has_axis = false;
        for (uint32_t k = 1; k < n->n_in; k++)
            has_axis = has_axis || (n->in[k] != MST_NONE && mst_tensor_elements(edit_tensor(f->e, n->in[k])) > 1);
        return r->slot == 0 && (f->scalar || !has_axis || n->ip[MST_NEURON_AXIS] == r->axis);
    }
    default: return false;
    }
}

/* All nodes that read a tensor, through movement; false when one cannot take the AFFINE. */
static bool collect_readers(const fold *f, uint32_t tensor, int32_t axis, reader *out, uint32_t *n_out)
{
    const mst_edit *e = f->e;
    struct {
        uint32_t tensor;
        int32_t axis;
        uint32_t inner;
    } queue[MAX_READERS] = {{tensor, axis, 1}};
    uint32_t n_queue = 1;
    *n_out = 0;
    for (uint32_t at = 0; at < n_queue; at++) {
        uint32_t t = queue[at].tensor;
        if (t == e->g->output || e->uses[t] == 0)
            return false;
        for (uint32_t k = e->head[t]; k != MST_NONE; k = e->edge[k].next) {
            reader r = {e->edge[k].node, e->edge[k].slot, queue[at].axis, queue[at].inner};
            uint32_t inner = 1;
            int32_t across = r.slot == 0 && r.inner == 1 ? fold_axis_across(f, r.node, r.axis, false) : -1;
            bool moves = across >= 0;
            if (!moves && r.slot == 0 && r.inner == 1) {
                across = r.axis;
                moves = fold_flattened(f, r.node, &across, &inner);
            }
            if (moves && n_queue < MAX_READERS) {
                queue[n_queue].tensor = edit_node(e, r.node)->out;
                queue[n_queue].axis = across;
                queue[n_queue++].inner = inner;
            } else if (*n_out < MAX_READERS && accepts(f, &r)) {
                out[(*n_out)++] = r;
            } else {
                return false;
            }
        }
    }
    return true;
}

/* W[i][o] *= g[i]; b[o] += sum_i h[i]*W[i][o]; groups of a CONV see their own channels */
static mst_status into_weights_below(fold *f, const reader *at)
{
    const uint32_t target = at->node, channels = f->n_g > f->n_h ? f->n_g : f->n_h;
    const mst_node *n = edit_node(f->e, target);
    uint32_t groups = n->op == MST_OP_CONV ? (uint32_t)n->ip[MST_CONV_GROUP] : 1, outs;
    const mst_tensor *t = edit_tensor(f->e, n->in[1]);
    uint32_t ins = t->dims[t->rank - 2];
    double *w, *b;
    size_t rows;
    MST_TRY(fold_own_weights(f, target, &w, &b, &rows, &outs));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t o = 0; o < outs; o++) {
            size_t channel = (r % ins + (size_t)(o / (outs / groups)) * ins) / at->inner % channels;
            b[o] += w[r * outs + o] * fold_h(f, channel);
            w[r * outs + o] *= fold_g(f, channel);
        }
    return MST_OK;
}

/* gain*(g*x + h) + bias */
static mst_status into_neuron(fold *f, const reader *r)
{
    mst_edit *e = f->e;
    const mst_node *n = edit_node(e, r->node);
    uint32_t old_gain = n->n_in > 2 ? n->in[2] : MST_NONE, old_bias = n->n_in > 3 ? n->in[3] : MST_NONE;
    uint32_t in[4] = {n->in[0], n->in[1]}, count = f->n_g > f->n_h ? f->n_g : f->n_h;
    if (old_gain != MST_NONE) {
        uint32_t a = (uint32_t)mst_tensor_elements(edit_tensor(e, old_gain));
        uint32_t b = (uint32_t)mst_tensor_elements(edit_tensor(e, old_bias));
        count = count > a ? count : a;
        count = count > b ? count : b;
    }
    double *gain, *bias;
    MST_TRY(edit_new_const(e, 1, &count, &gain, &in[2]));
    MST_TRY(edit_new_const(e, 1, &count, &bias, &in[3]));
    fold_refresh(f);
    for (uint32_t i = 0; i < count; i++) {
        double g0 = 1, b0 = 0;
        if (old_gain != MST_NONE) {
            const mst_tensor *tg = edit_tensor(e, old_gain), *tb = edit_tensor(e, old_bias);
            g0 = mst_const_at(tg, mst_tensor_elements(tg) == 1 ? 0 : i);
            b0 = mst_const_at(tb, mst_tensor_elements(tb) == 1 ? 0 : i);
        }
        gain[i] = g0 * fold_g(f, i);
        bias[i] = g0 * fold_h(f, i) + b0;
    }
    if (!f->scalar)
        edit_node(e, r->node)->ip[MST_NEURON_AXIS] = r->axis;
    return edit_reinput(e, r->node, 4, in);
}

/* The next AFFINE reads what this one read. */
static mst_status into_affine_below(fold *f, const reader *r)
{
    fold next = fold_open(f->e, r->node);
    return fold_join(f, &next, r->node, f->scalar ? edit_node(f->e, r->node)->ip[MST_AFFINE_AXIS] : r->axis);
}

static mst_status fold_down(fold *f, bool *done)
{
    mst_edit *e = f->e;
    reader readers[MAX_READERS];
    uint32_t n;
    *done = collect_readers(f, edit_node(e, f->node)->out, edit_node(e, f->node)->ip[MST_AFFINE_AXIS], readers, &n);
    for (uint32_t k = 0; k < n && *done; k++) {
        mst_node *r = edit_node(e, readers[k].node);
        if (r->op == MST_OP_MATMUL)
            scale_product(f, r);
        else if (r->op == MST_OP_NEURON)
            MST_TRY(into_neuron(f, &readers[k]));
        else if (r->op == MST_OP_AFFINE)
            MST_TRY(into_affine_below(f, &readers[k]));
        else
            MST_TRY(into_weights_below(f, &readers[k]));
    }
    return MST_OK;
}

/* A node that picks channels of its input, along axis: those that index (a Gather) or its start and step (a Slice)
 * say. */
typedef struct pick {
    uint32_t node;
    int32_t axis;
    const int32_t *index; /* NULL: a Slice */
} pick;

/* Is node p->node one, or does it only move values to one? */
static bool find_pick(const fold *f, pick *p)
{
    const mst_edit *e = f->e;
    for (int moves = 0; moves < MAX_MOVES && p->node != MST_NONE; moves++) {
        const mst_node *n = edit_node(e, p->node);
        if (n->op == MST_OP_SLICE)
            return true;
        if (n->op == MST_OP_GATHER && n->ip[MST_GATHER_AXIS] == p->axis) {
            p->index = edit_tensor(e, n->in[1])->data;
            return edit_tensor(e, n->in[1])->rank == 1;
        }
        p->axis = fold_axis_across(f, p->node, p->axis, false);
        if (p->axis < 0)
            return false;
        p->node = edit_only_user(e, n->out);
    }
    return false;
}

/* The AFFINE once more, behind a pick, of the channels that are left there. */
static mst_status behind_pick(fold *f, const pick *p, uint32_t *affine)
{
    mst_edit *e = f->e;
    const mst_node *n = edit_node(e, p->node);
    const mst_tensor y = *edit_tensor(e, n->out);
    uint32_t count = y.dims[p->axis], in[3] = {n->out};
    const int32_t start = n->ip[MST_SLICE_START + p->axis], step = n->ip[MST_SLICE_STEP + p->axis];
    double *g, *h;
    MST_TRY(edit_new_const(e, 1, &count, &g, &in[1]));
    MST_TRY(edit_new_const(e, 1, &count, &h, &in[2]));
    fold_refresh(f);
    for (uint32_t k = 0; k < count; k++) {
        size_t from = p->index != NULL ? (size_t)p->index[k] : (size_t)(start + (int32_t)k * step);
        g[k] = fold_g(f, from);
        h[k] = fold_h(f, from);
    }
    MST_TRY(edit_add(e, MST_OP_AFFINE, edit_node(e, f->node)->name, 3, in, y.rank, y.dims, affine));
    edit_node(e, *affine)->ip[MST_AFFINE_AXIS] = p->axis;
    edit_replace_but(e, in[0], edit_node(e, *affine)->out, *affine);
    return MST_OK;
}

static bool can_go_down(mst_edit *e, uint32_t affine)
{
    fold f = fold_open(e, affine);
    reader readers[MAX_READERS];
    uint32_t n;
    return collect_readers(&f, edit_node(e, affine)->out, edit_node(e, affine)->ip[MST_AFFINE_AXIS], readers, &n);
}

/* Where all that reads it picks channels (Gather, Split), and what reads these can take their part of it. */
static mst_status fold_past_picks(fold *f, bool *done, retry *again)
{
    mst_edit *e = f->e;
    const uint32_t t = edit_node(e, f->node)->out;
    const int32_t axis = edit_node(e, f->node)->ip[MST_AFFINE_AXIS];
    uint32_t made[MAX_RETRY], n = 0;
    pick picks[MAX_RETRY];
    bool all = !f->scalar && t != e->g->output && e->uses[t] + again->n <= MAX_RETRY && e->uses[t] != 0;
    for (uint32_t k = e->head[t]; k != MST_NONE && all; k = e->edge[k].next) {
        picks[n] = (pick){.node = e->edge[k].node, .axis = axis};
        all = e->edge[k].slot == 0 && find_pick(f, &picks[n++]);
    }
    const uint32_t n_picks = all ? n : 0;
    for (n = 0; n < n_picks && all; n++) {
        MST_TRY(behind_pick(f, &picks[n], &made[n]));
        all = can_go_down(e, made[n]);
    }
    for (uint32_t k = 0; k < n; k++) {
        if (all) {
            retry_add(again, made[k]);
            continue;
        }
        edit_replace(e, edit_node(e, made[k])->out, edit_node(e, made[k])->in[0]);
        edit_kill(e, made[k]);
    }
    *done = all && n_picks != 0;
    return MST_OK;
}

/* ---- the neuron in front ---- */

/* The neuron whose spikes, moved or masked, are all that f reads; *axis becomes that of its output. */
static uint32_t neuron_above(const fold *f, int32_t *axis)
{
    mst_edit *e = f->e;
    uint32_t t = edit_node(e, f->node)->in[0];
    *axis = edit_node(e, f->node)->ip[MST_AFFINE_AXIS];
    for (int moves = 0; moves < MAX_MOVES; moves++) {
        uint32_t p = e->producer[t];
        if (p == MST_NONE || e->uses[t] != 1)
            return MST_NONE;
        if (edit_is(e, p, MST_OP_NEURON))
            return accepts(f, &(reader){p, 0, *axis, 1}) ? p : MST_NONE;
        if (!edit_is(e, p, MST_OP_MASK))
            *axis = fold_axis_across(f, p, *axis, true);
        if (*axis < 0)
            return MST_NONE;
        t = edit_node(e, p)->in[0];
    }
    return MST_NONE;
}

static bool only_signs(const fold *f)
{
    for (uint32_t i = 0; i < f->n_g; i++)
        if (fabs(fold_g(f, i)) != 1)
            return false;
    return true;
}

/* theta' = |g|*theta, and what is left of g: its signs. */
static mst_status scale_theta(fold *f, uint32_t neuron, int32_t axis)
{
    mst_edit *e = f->e;
    double *theta, *sign;
    const mst_tensor old = *edit_tensor(e, edit_node(e, neuron)->in[1]);
    uint32_t n = (uint32_t)mst_tensor_elements(&old), fresh, signs;
    n = n > f->n_g ? n : f->n_g;
    MST_TRY(edit_new_const(e, 1, &n, &theta, &fresh));
    MST_TRY(edit_new_const(e, 1, &f->n_g, &sign, &signs));
    fold_refresh(f);
    for (uint32_t i = 0; i < n; i++)
        theta[i] = fabs(fold_g(f, i)) * mst_const_at(&old, mst_tensor_elements(&old) == 1 ? 0 : i);
    for (uint32_t i = 0; i < f->n_g; i++)
        sign[i] = fold_g(f, i) < 0 ? -1 : 1;
    edit_set_input(e, neuron, 1, fresh);
    edit_set_input(e, f->node, 1, signs);
    if (!f->scalar)
        edit_node(e, neuron)->ip[MST_NEURON_AXIS] = axis;
    return MST_OK;
}

/* bias' = |g|*bias: what the neuron adds to its current by itself has the unit of theta. */
static mst_status scale_bias(fold *f, uint32_t neuron)
{
    mst_edit *e = f->e;
    const mst_node *n = edit_node(e, neuron);
    if (n->n_in < 4 || n->in[3] == MST_NONE)
        return MST_OK;
    const mst_tensor old = *edit_tensor(e, n->in[3]);
    uint32_t count = (uint32_t)mst_tensor_elements(&old), fresh;
    count = count > f->n_g ? count : f->n_g;
    double *bias;
    MST_TRY(edit_new_const(e, 1, &count, &bias, &fresh));
    fold_refresh(f);
    for (uint32_t i = 0; i < count; i++)
        bias[i] = fabs(fold_g(f, i)) * mst_const_at(&old, mst_tensor_elements(&old) == 1 ? 0 : i);
    edit_set_input(e, neuron, 3, fresh);
    return MST_OK;
}

/* g*theta*s(x) = theta'*s(|g|*x), but for signs. The scale of the current is an AFFINE of its own, tried again. */
static mst_status into_neuron_above(fold *f, bool *done, retry *again)
{
    mst_edit *e = f->e;
    int32_t axis;
    uint32_t neuron = f->no_offset ? neuron_above(f, &axis) : MST_NONE, in[3], scale;
    if (neuron == MST_NONE || only_signs(f))
        return MST_OK;
    double *gain, zero = 0;
    bool negative = false;
    for (uint32_t i = 0; i < f->n_g; i++) {
        negative = negative || fold_g(f, i) < 0;
        if (fold_g(f, i) == 0)
            return MST_OK;
    }
    MST_TRY(edit_new_const(e, 1, &f->n_g, &gain, &in[1]));
    MST_TRY(edit_const(e, 1, &zero, &in[2]));
    fold_refresh(f);
    for (uint32_t i = 0; i < f->n_g; i++)
        gain[i] = fabs(fold_g(f, i));
    in[0] = edit_node(e, neuron)->in[0];
    const mst_tensor x = *edit_tensor(e, in[0]);
    MST_TRY(edit_add(e, MST_OP_AFFINE, edit_node(e, f->node)->name, 3, in, x.rank, x.dims, &scale));
    retry_add(again, scale);
    edit_node(e, scale)->ip[MST_AFFINE_AXIS] = axis;
    edit_set_input(e, neuron, 0, edit_node(e, scale)->out);
    *done = !negative;
    MST_TRY(scale_bias(f, neuron));
    return scale_theta(f, neuron, axis);
}

static bool does_nothing(const fold *f)
{
    for (uint32_t i = 0; i < f->n_g; i++)
        if (fold_g(f, i) != 1)
            return false;
    return f->no_offset;
}

/* into_neurons: what nothing else could take */
static mst_status visit(mst_edit *e, uint32_t i, bool into_neurons, retry *again)
{
    if (e->dead[i] || edit_node(e, i)->op != MST_OP_AFFINE)
        return MST_OK;
    fold f = fold_open(e, i);
    bool done = does_nothing(&f);
    if (!done)
        MST_TRY(fold_up(&f, &done, again));
    if (!done)
        MST_TRY(fold_down(&f, &done));
    if (!done)
        MST_TRY(fold_past_picks(&f, &done, again));
    if (!done && into_neurons)
        MST_TRY(into_neuron_above(&f, &done, again));
    if (done) {
        edit_replace(e, edit_node(e, i)->out, edit_node(e, i)->in[0]);
        edit_kill(e, i);
    }
    return MST_OK;
}

mst_status pass_affine(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    const uint32_t n = g->n_nodes;
    for (uint32_t k = 0; k < 2 * n && st == MST_OK; k++)
        for (retry again = {{k % n}, 1}; again.n != 0 && st == MST_OK;)
            st = visit(&e, again.node[--again.n], k >= n, &again);
    return edit_finish(&e, st);
}
