/* Folds each AFFINE (BatchNorm, scales, biases) into a neighbour, in float64:
 *
 *   upwards    into the LINEAR or CONV that makes its input, into a product's
 *              ALPHA, a LAYERNORM's scale and shift, or an AFFINE before it;
 *   downwards  if every reader of its output can take it: LINEAR and CONV (where
 *              padding stays exact), products (a scale), NEURON (gain and bias of
 *              its input current; MST paper, Eq. 8, 9);
 *   a scale    else into the threshold of the neuron in front and in front of that.
 *
 * Both directions look through data movement and means that keep the channel axis. What
 * cannot be folded stays.
 */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"

#define MAX_READERS 64
#define MAX_MOVES 32

/* The AFFINE being folded. */
typedef struct fold {
    mst_edit *e;
    uint32_t node;
    uint32_t n_g, n_h;
    const mst_tensor *g, *h; /* refreshed after the tensor array may have grown */
    bool scalar;             /* one g and one h: no channel axis */
    bool no_offset;          /* h is 0 */
} fold;

typedef struct reader {
    uint32_t node, slot;
    int32_t axis;
} reader;

static double g_at(const fold *f, size_t i) { return mst_const_at(f->g, f->n_g == 1 ? 0 : i); }
static double h_at(const fold *f, size_t i) { return mst_const_at(f->h, f->n_h == 1 ? 0 : i); }

static void refresh(fold *f)
{
    const mst_node *n = edit_node(f->e, f->node);
    f->g = edit_tensor(f->e, n->in[1]);
    f->h = edit_tensor(f->e, n->in[2]);
}

static fold open_fold(mst_edit *e, uint32_t node)
{
    fold f = {.e = e, .node = node};
    refresh(&f);
    f.n_g = (uint32_t)mst_tensor_elements(f.g);
    f.n_h = (uint32_t)mst_tensor_elements(f.h);
    f.scalar = f.n_g == 1 && f.n_h == 1;
    f.no_offset = true;
    for (uint32_t i = 0; i < f.n_h; i++)
        f.no_offset = f.no_offset && mst_const_at(f.h, i) == 0;
    return f;
}

/* The axis of shape `to` that holds the same channels as `axis` of shape `from`, one
 * being a reshape of the other; -1: they are mixed. */
static int32_t reshape_axis(const mst_tensor *from, const mst_tensor *to, int32_t axis)
{
    uint64_t after = 1, after_to = 1;
    for (uint32_t d = (uint32_t)axis + 1; d < from->rank; d++)
        after *= from->dims[d];
    for (uint32_t d = to->rank; d-- > 0; after_to *= to->dims[d])
        if (after_to == after && to->dims[d] == from->dims[axis])
            return (int32_t)d;
    return -1;
}

/* The same across a mean over other axes, with which an affine commutes. */
static int32_t mean_axis(const mst_tensor *x, const mst_tensor *y, uint32_t reduced, int32_t axis, bool up)
{
    mst_tensor kept = *x;
    for (uint32_t d = 0; d < x->rank; d++)
        if ((reduced >> d & 1) != 0)
            kept.dims[d] = 1;
    if (!up && (reduced >> axis & 1) != 0)
        return -1;
    return up ? reshape_axis(y, &kept, axis) : reshape_axis(&kept, y, axis);
}

/* The channel axis on the other side of movement node i; up: from its output to its
 * input. -1: the channels do not survive, or the node is none of these. */
static int32_t axis_across(const fold *f, uint32_t i, int32_t axis, bool up)
{
    const mst_node *n = edit_node(f->e, i);
    const mst_tensor *x = edit_tensor(f->e, n->in[0]), *y = edit_tensor(f->e, n->out);
    switch (n->op) {
    case MST_OP_RESHAPE:
        if (f->scalar)
            return 0;
        return up ? reshape_axis(y, x, axis) : reshape_axis(x, y, axis);
    case MST_OP_TRANSPOSE:
        if (f->scalar)
            return 0;
        for (uint32_t d = 0; d < x->rank; d++)
            if (up ? d == (uint32_t)axis : n->ip[MST_TRANSPOSE_PERM + d] == axis)
                return up ? n->ip[MST_TRANSPOSE_PERM + d] : (int32_t)d;
        return -1;
    case MST_OP_SLICE:
        return f->scalar ? 0 : x->dims[axis] == y->dims[axis] && n->ip[MST_SLICE_STEP + axis] == 1 ? axis
                                                                                                   : -1;
    case MST_OP_GATHER: return f->scalar && !up ? 0 : -1;
    case MST_OP_REDUCE:
        if (n->ip[MST_REDUCE_FN] != MST_RED_MEAN)
            return -1;
        return f->scalar ? 0 : mean_axis(x, y, (uint32_t)n->ip[MST_REDUCE_AXES], axis, up);
    case MST_OP_POOL: /* a window that counts padding would dilute an offset */
        if (n->ip[MST_POOL_FN] != MST_RED_MEAN || (n->ip[MST_POOL_COUNT_PAD] != 0 && !f->no_offset))
            return -1;
        return f->scalar ? 0 : axis == 3 ? 3
                                         : -1;
    default: return -1;
    }
}

static bool on_last_axis(const fold *f, const mst_tensor *t, int32_t axis)
{
    return f->scalar || axis == (int32_t)t->rank - 1;
}

/* ---- upwards ---- */

/* The constant in an input slot as float64 values that only this node reads. */
static mst_status own_const(fold *f, uint32_t node, uint32_t slot, double **data)
{
    mst_edit *e = f->e;
    uint32_t old = edit_node(e, node)->in[slot], fresh;
    if (edit_tensor(e, old)->dtype == MST_F64 && e->uses[old] == 1) {
        *data = (double *)(uintptr_t)edit_tensor(e, old)->data; /* made by the converter: writable */
        return MST_OK;
    }
    mst_tensor t = *edit_tensor(e, old);
    MST_TRY(edit_new_const(e, t.rank, t.dims, data, &fresh));
    refresh(f);
    for (size_t i = 0, n = mst_tensor_elements(&t); i < n; i++)
        (*data)[i] = mst_const_at(&t, i);
    edit_set_input(e, node, slot, fresh);
    return MST_OK;
}

/* Weight [rows][outs] and bias [outs] (made if there is none) of a LINEAR or CONV. */
static mst_status own_weights(fold *f, uint32_t target, double **w, double **b, size_t *rows, uint32_t *outs)
{
    mst_edit *e = f->e;
    const mst_tensor *t = edit_tensor(e, edit_node(e, target)->in[1]);
    *outs = t->dims[t->rank - 1];
    *rows = mst_tensor_elements(t) / *outs;
    const mst_node *n = edit_node(e, target);
    if (n->n_in < 3 || n->in[2] == MST_NONE) {
        uint32_t in[3] = {n->in[0], n->in[1]};
        MST_TRY(edit_new_const(e, 1, outs, b, &in[2]));
        refresh(f);
        MST_TRY(edit_reinput(e, target, 3, in));
    }
    MST_TRY(own_const(f, target, 1, w));
    return own_const(f, target, 2, b);
}

/* W[..][o] *= g[o]; b[o] = b[o]*g[o] + h[o] */
static mst_status into_weights_above(fold *f, uint32_t target)
{
    double *w, *b;
    size_t rows;
    uint32_t outs;
    MST_TRY(own_weights(f, target, &w, &b, &rows, &outs));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t o = 0; o < outs; o++)
            w[r * outs + o] *= g_at(f, o);
    for (uint32_t o = 0; o < outs; o++)
        b[o] = b[o] * g_at(f, o) + h_at(f, o);
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
    refresh(f);
    for (uint32_t i = 0; i < channels; i++) {
        double g1 = old[0] != MST_NONE ? mst_const_at(edit_tensor(e, old[0]), i) : 1;
        double h1 = old[1] != MST_NONE ? mst_const_at(edit_tensor(e, old[1]), i) : 0;
        g[i] = g_at(f, i) * g1;
        h[i] = g_at(f, i) * h1 + h_at(f, i);
    }
    return edit_reinput(e, target, 3, in);
}

/* g2*(g1*x + h1) + h2 */
static mst_status into_affine_above(fold *f, uint32_t target, int32_t axis)
{
    mst_edit *e = f->e;
    fold first = open_fold(e, target);
    uint32_t n = first.n_g > first.n_h ? first.n_g : first.n_h, in[3] = {edit_node(e, target)->in[0]};
    n = n > f->n_g ? n : f->n_g;
    n = n > f->n_h ? n : f->n_h;
    double *gd, *hd;
    MST_TRY(edit_new_const(e, 1, &n, &gd, &in[1]));
    MST_TRY(edit_new_const(e, 1, &n, &hd, &in[2]));
    refresh(f);
    refresh(&first);
    for (uint32_t i = 0; i < n; i++) {
        gd[i] = g_at(f, i) * g_at(&first, i);
        hd[i] = g_at(f, i) * h_at(&first, i) + h_at(f, i);
    }
    if (!f->scalar)
        edit_node(e, target)->ip[MST_AFFINE_AXIS] = axis;
    return edit_reinput(e, target, 3, in);
}

/* *merged: the AFFINE that took this one, MST_NONE when it was another node. */
static mst_status fold_up(fold *f, bool *done, uint32_t *merged)
{
    mst_edit *e = f->e;
    uint32_t t = edit_node(e, f->node)->in[0];
    int32_t axis = edit_node(e, f->node)->ip[MST_AFFINE_AXIS];
    for (int moves = 0; moves < MAX_MOVES; moves++) {
        uint32_t p = e->producer[t];
        if (p == MST_NONE || e->uses[t] != 1)
            return MST_OK;
        mst_node *n = edit_node(e, p);
        if (n->op == MST_OP_LINEAR || n->op == MST_OP_CONV) {
            *done = on_last_axis(f, edit_tensor(e, n->out), axis);
            return *done ? into_weights_above(f, p) : MST_OK;
        }
        if (n->op == MST_OP_MATMUL) {
            *done = f->scalar && f->no_offset;
            if (*done)
                n->fp[MST_MATMUL_ALPHA] = (float)((double)n->fp[MST_MATMUL_ALPHA] * g_at(f, 0));
            return MST_OK;
        }
        if (n->op == MST_OP_LAYERNORM) {
            *done = on_last_axis(f, edit_tensor(e, n->out), axis);
            return *done ? into_layernorm_above(f, p) : MST_OK;
        }
        if (n->op == MST_OP_AFFINE) {
            fold first = open_fold(e, p);
            *done = f->scalar || first.scalar || n->ip[MST_AFFINE_AXIS] == axis;
            *merged = *done ? p : MST_NONE;
            return *done ? into_affine_above(f, p, axis) : MST_OK;
        }
        axis = axis_across(f, p, axis, true);
        if (axis < 0)
            return MST_OK;
        t = n->in[0];
    }
    return MST_OK;
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
    switch (n->op) {
    case MST_OP_LINEAR: return r->slot == 0 && on_last_axis(f, x, r->axis);
    case MST_OP_CONV: return r->slot == 0 && on_last_axis(f, x, r->axis) && (f->no_offset || never_pads(f->e, n));
    case MST_OP_MATMUL: return f->scalar && f->no_offset;
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
    } queue[MAX_READERS] = {{tensor, axis}};
    uint32_t n_queue = 1;
    *n_out = 0;
    for (uint32_t at = 0; at < n_queue; at++) {
        uint32_t t = queue[at].tensor;
        if (t == e->g->output || e->uses[t] == 0)
            return false;
        for (uint32_t k = e->head[t]; k != MST_NONE; k = e->edge[k].next) {
            reader r = {e->edge[k].node, e->edge[k].slot, queue[at].axis};
            int32_t across = r.slot == 0 ? axis_across(f, r.node, r.axis, false) : -1;
            if (across >= 0 && n_queue < MAX_READERS) {
                queue[n_queue].tensor = edit_node(e, r.node)->out;
                queue[n_queue++].axis = across;
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
static mst_status into_weights_below(fold *f, uint32_t target)
{
    const mst_node *n = edit_node(f->e, target);
    uint32_t groups = n->op == MST_OP_CONV ? (uint32_t)n->ip[MST_CONV_GROUP] : 1, outs;
    const mst_tensor *t = edit_tensor(f->e, n->in[1]);
    uint32_t ins = t->dims[t->rank - 2];
    double *w, *b;
    size_t rows;
    MST_TRY(own_weights(f, target, &w, &b, &rows, &outs));
    for (size_t r = 0; r < rows; r++)
        for (uint32_t o = 0; o < outs; o++) {
            size_t channel = r % ins + (size_t)(o / (outs / groups)) * ins;
            b[o] += w[r * outs + o] * h_at(f, channel);
            w[r * outs + o] *= g_at(f, channel);
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
    refresh(f);
    for (uint32_t i = 0; i < count; i++) {
        double g0 = 1, b0 = 0;
        if (old_gain != MST_NONE) {
            const mst_tensor *tg = edit_tensor(e, old_gain), *tb = edit_tensor(e, old_bias);
            g0 = mst_const_at(tg, mst_tensor_elements(tg) == 1 ? 0 : i);
            b0 = mst_const_at(tb, mst_tensor_elements(tb) == 1 ? 0 : i);
        }
        gain[i] = g0 * g_at(f, i);
        bias[i] = g0 * h_at(f, i) + b0;
    }
    if (!f->scalar)
        edit_node(e, r->node)->ip[MST_NEURON_AXIS] = r->axis;
    return edit_reinput(e, r->node, 4, in);
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
            r->fp[MST_MATMUL_ALPHA] = (float)((double)r->fp[MST_MATMUL_ALPHA] * g_at(f, 0));
        else if (r->op == MST_OP_NEURON)
            MST_TRY(into_neuron(f, &readers[k]));
        else
            MST_TRY(into_weights_below(f, readers[k].node));
    }
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
            return accepts(f, &(reader){p, 0, *axis}) ? p : MST_NONE;
        if (!edit_is(e, p, MST_OP_MASK))
            *axis = axis_across(f, p, *axis, true);
        if (*axis < 0)
            return MST_NONE;
        t = edit_node(e, p)->in[0];
    }
    return MST_NONE;
}

static bool only_signs(const fold *f)
{
    for (uint32_t i = 0; i < f->n_g; i++)
        if (fabs(g_at(f, i)) != 1)
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
    refresh(f);
    for (uint32_t i = 0; i < n; i++)
        theta[i] = fabs(g_at(f, i)) * mst_const_at(&old, mst_tensor_elements(&old) == 1 ? 0 : i);
    for (uint32_t i = 0; i < f->n_g; i++)
        sign[i] = g_at(f, i) < 0 ? -1 : 1;
    edit_set_input(e, neuron, 1, fresh);
    edit_set_input(e, f->node, 1, signs);
    if (!f->scalar)
        edit_node(e, neuron)->ip[MST_NEURON_AXIS] = axis;
    return MST_OK;
}

/* g*theta*s(x) = theta'*s(|g|*x), but for signs. The scale of the current is an AFFINE of its own, tried again. */
static mst_status into_neuron_above(fold *f, bool *done, uint32_t *again)
{
    mst_edit *e = f->e;
    int32_t axis;
    uint32_t neuron = f->no_offset ? neuron_above(f, &axis) : MST_NONE, in[3];
    if (neuron == MST_NONE || only_signs(f))
        return MST_OK;
    double *gain, zero = 0;
    bool negative = false;
    for (uint32_t i = 0; i < f->n_g; i++) {
        negative = negative || g_at(f, i) < 0;
        if (g_at(f, i) == 0)
            return MST_OK;
    }
    MST_TRY(edit_new_const(e, 1, &f->n_g, &gain, &in[1]));
    MST_TRY(edit_const(e, 1, &zero, &in[2]));
    refresh(f);
    for (uint32_t i = 0; i < f->n_g; i++)
        gain[i] = fabs(g_at(f, i));
    in[0] = edit_node(e, neuron)->in[0];
    const mst_tensor x = *edit_tensor(e, in[0]);
    MST_TRY(edit_add(e, MST_OP_AFFINE, edit_node(e, f->node)->name, 3, in, x.rank, x.dims, again));
    edit_node(e, *again)->ip[MST_AFFINE_AXIS] = axis;
    edit_set_input(e, neuron, 0, edit_node(e, *again)->out);
    *done = !negative;
    return scale_theta(f, neuron, axis);
}

/* An AFFINE that took the next one has other readers now, and is tried again: *again. */
static mst_status visit(mst_edit *e, uint32_t i, uint32_t *again)
{
    *again = MST_NONE;
    if (e->dead[i] || edit_node(e, i)->op != MST_OP_AFFINE)
        return MST_OK;
    fold f = open_fold(e, i);
    bool done = false;
    MST_TRY(fold_up(&f, &done, again));
    if (!done)
        MST_TRY(fold_down(&f, &done));
    if (!done)
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
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        for (uint32_t at = i; at != MST_NONE && st == MST_OK;)
            st = visit(&e, at, &at);
    return edit_finish(&e, st);
}
