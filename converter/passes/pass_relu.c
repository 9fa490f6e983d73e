/* ReLUs (bounds of 0 from below) become NEURONs, once thresholds for them are known: from data (mst/thresholds.h) or
 * from their own upper bound. Runs on a finished graph, whose nodes the thresholds were measured at; the passes behind
 * it in the table of convert.c then use what neurons allow. */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"

/* Does the value go, scaled at most, into a product with another live one? Then it is a gate (hard swish, squeeze and
 * excitation), not the activation of a layer. */
static bool is_gate(const mst_edit *e, uint32_t tensor)
{
    uint32_t user = edit_only_user(e, tensor);
    while (edit_is(e, user, MST_OP_AFFINE) || edit_is(e, user, MST_OP_RESHAPE) || edit_is(e, user, MST_OP_EXPAND))
        user = edit_only_user(e, edit_node(e, user)->out);
    if (!edit_is(e, user, MST_OP_BINARY))
        return false;
    const mst_node *n = edit_node(e, user);
    return n->ip[MST_BINARY_FN] == MST_BIN_MUL && !mst_is_const(e->g, n->in[0]) && !mst_is_const(e->g, n->in[1]);
}

static bool is_function(const mst_edit *e, uint32_t i)
{
    return edit_is(e, i, MST_OP_UNARY) && !mst_node_is_linear(e->g, edit_node(e, i));
}

/* Is it one part of an Elu, Selu or Celu: of the two sides of 0, one is an exponential function of a ReLU? */
static bool is_of_exponential(const mst_edit *e, uint32_t relu)
{
    const mst_node *n = edit_node(e, relu);
    uint32_t user = edit_only_user(e, n->out);
    while (edit_is(e, user, MST_OP_AFFINE))
        user = edit_only_user(e, edit_node(e, user)->out);
    if (is_function(e, user))
        return true;
    for (uint32_t k = 0; edit_is(e, user, MST_OP_BINARY) && k < 2; k++) {
        uint32_t other = edit_maker(e, user, k);
        while (edit_is(e, other, MST_OP_AFFINE))
            other = edit_maker(e, other, 0);
        if (is_function(e, other) && strcmp(edit_node(e, other)->name, n->name) == 0)
            return true;
    }
    return false;
}

/* The minimum with an upper bound for each channel that alone reads a ReLU; MST_NONE: none. */
static uint32_t bound_behind(const mst_edit *e, uint32_t clip)
{
    const mst_node *n = edit_node(e, clip);
    uint32_t user = edit_only_user(e, n->out);
    if (!edit_is(e, user, MST_OP_BINARY) || !isinf(n->fp[MST_CLIP_HI]))
        return MST_NONE;
    const mst_node *min = edit_node(e, user);
    const mst_tensor *k = edit_tensor(e, min->in[1]), *y = edit_tensor(e, min->out);
    bool fits = min->ip[MST_BINARY_FN] == MST_BIN_MIN && mst_is_const(e->g, min->in[1]) && k->rank != 0 &&
                k->dims[k->rank - 1] == y->dims[y->rank - 1] && mst_same_shape(edit_tensor(e, n->out), y) &&
                mst_tensor_elements(k) == k->dims[k->rank - 1];
    for (size_t c = 0; fits && c < mst_tensor_elements(k); c++)
        fits = mst_const_at(k, c) > 0 && isfinite(mst_const_at(k, c));
    return fits ? user : MST_NONE;
}

/* The clip from 0 that node i, which ends the activation of a layer, is or reads; MST_NONE: it ends none. */
static uint32_t clip_of(const mst_edit *e, uint32_t i)
{
    if (e->dead[i])
        return MST_NONE;
    uint32_t clip = edit_is(e, i, MST_OP_BINARY) ? edit_maker(e, i, 0) : i;
    if (!edit_is(e, clip, MST_OP_CLIP))
        return MST_NONE;
    const mst_node *n = edit_node(e, clip);
    if (qdq_mark(n) != 0 || n->fp[MST_CLIP_LO] != 0 || !(n->fp[MST_CLIP_HI] > 0) ||
        bound_behind(e, clip) != (clip == i ? MST_NONE : i))
        return MST_NONE;
    uint32_t maker = edit_maker(e, clip, 0), out = edit_node(e, i)->out;
    bool fires = edit_is(e, maker, MST_OP_NEURON) || edit_is(e, maker, MST_OP_MASK); /* a ReLU of spikes does nothing */
    bool fits = edit_tensor(e, out)->rank != 0 && !mst_is_const(e->g, n->in[0]) && !fires && !is_gate(e, out);
    return fits && !is_of_exponential(e, i) ? clip : MST_NONE;
}

static bool is_relu(const mst_edit *e, uint32_t i) { return clip_of(e, i) != MST_NONE; }

/* Upper bounds of a ReLU: one for all, or those of channels. */
static mst_status read_bounds(mst_edit *e, uint32_t i, mst_arena *arena, mst_relu *r)
{
    const mst_node *n = edit_node(e, i);
    r->bound = (double)n->fp[MST_CLIP_HI];
    if (n->op == MST_OP_CLIP)
        return MST_OK;
    float *bounds = mst_arena_array(arena, r->channels, sizeof *bounds);
    if (bounds == NULL)
        return edit_no_memory(e);
    r->bound = 0;
    for (uint32_t c = 0; c < r->channels; c++) {
        bounds[c] = (float)mst_const_at(edit_tensor(e, n->in[1]), c);
        r->bound = fmax(r->bound, (double)bounds[c]);
    }
    r->bounds = bounds;
    return MST_OK;
}

mst_status mst_relus_find(mst_graph *g, mst_arena *arena, mst_relu **out, size_t *n, mst_err *err)
{
    mst_edit e;
    *n = 0;
    mst_status st = edit_begin(&e, g, err);
    *out = mst_arena_array(arena, (size_t)g->n_nodes + 1, sizeof **out);
    if (st == MST_OK && *out == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory for the ReLUs of %u nodes", g->n_nodes);
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK; i++) {
        if (!is_relu(&e, i))
            continue;
        const mst_tensor *t = edit_tensor(&e, edit_node(&e, i)->out);
        mst_relu *r = &(*out)[(*n)++];
        *r = (mst_relu){.node = i, .name = edit_node(&e, clip_of(&e, i))->name, .channels = t->dims[t->rank - 1]};
        st = read_bounds(&e, i, arena, r);
    }
    mst_arena_release(&e.arena); /* nothing was edited: node numbers stay as they are */
    return st;
}

static mst_status check(const mst_edit *e, const mst_threshold *t)
{
    if (t->node >= e->g->n_nodes || !is_relu(e, t->node))
        return mst_fail(e->err, MST_EINVAL, "threshold for node %u, which is no ReLU", t->node);
    const mst_node *n = edit_node(e, t->node);
    const mst_tensor *x = edit_tensor(e, n->out);
    if (t->levels < 1 || t->levels > MST_MAX_RUN_LEVELS || (t->n != 1 && t->n != x->dims[x->rank - 1]))
        return mst_fail(e->err, MST_EINVAL, "node '%s': %zu thresholds of %d levels, expected 1 or %u of 1 to %d",
                        n->name, t->n, t->levels, x->dims[x->rank - 1], MST_MAX_RUN_LEVELS);
    for (size_t c = 0; c < t->n; c++)
        if (!(t->theta[c] > 0) || !isfinite(t->theta[c]))
            return mst_fail(e->err, MST_EINVAL, "node '%s': threshold %zu is %g, expected a number above 0", n->name,
                            c, (double)t->theta[c]);
    return MST_OK;
}

static mst_status replace(mst_edit *e, const mst_threshold *t)
{
    double *values;
    uint32_t theta, node, dims[1] = {(uint32_t)t->n}, relu = t->node;
    MST_TRY(edit_new_const(e, 1, dims, &values, &theta));
    for (size_t c = 0; c < t->n; c++)
        values[c] = (double)t->theta[c];
    uint32_t clip = clip_of(e, relu), out = edit_node(e, relu)->out, in[2] = {edit_node(e, clip)->in[0], theta};
    const mst_tensor shape = *edit_tensor(e, out);
    MST_TRY(edit_add(e, MST_OP_NEURON, edit_node(e, clip)->name, 2, in, shape.rank, shape.dims, &node));
    mst_node *neuron = edit_node(e, node);
    neuron->ip[MST_NEURON_AXIS] = (int32_t)shape.rank - 1;
    neuron->ip[MST_NEURON_LEVELS] = t->levels;
    neuron->fp[MST_NEURON_SHIFT] = 0.5f;
    edit_replace(e, out, neuron->out);
    edit_kill(e, relu);
    if (clip != relu)
        edit_kill(e, clip);
    return MST_OK;
}

/* Where each neuron sits is found anew: blocks are counted, and a pair of Linears may have become an MLP. */
static void forget_sites(mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON) {
            g->nodes[i].ip[MST_NEURON_SITE] = MST_SITE_OTHER;
            g->nodes[i].ip[MST_NEURON_STAGE] = g->nodes[i].ip[MST_NEURON_BLOCK] = -1;
        }
}

mst_status pass_relu(mst_graph *g, const mst_threshold *thresholds, size_t n, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (size_t i = 0; i < n && st == MST_OK; i++)
        st = check(&e, &thresholds[i]);
    for (size_t i = 0; i < n && st == MST_OK; i++)
        st = replace(&e, &thresholds[i]);
    st = edit_finish(&e, st);
    if (st == MST_OK)
        forget_sites(g);
    return st;
}
