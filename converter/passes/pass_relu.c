/* ReLUs (bounds of 0 from below) become NEURONs, once thresholds for them are known: from data (mst/thresholds.h) or
 * from their own upper bound. Runs on a finished graph, whose nodes the thresholds were measured at; the passes behind
 * it in the table of convert.c then use what neurons allow. */
#include <math.h>

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

static bool is_relu(const mst_edit *e, uint32_t i)
{
    if (!edit_is(e, i, MST_OP_CLIP) || e->dead[i])
        return false;
    const mst_node *n = edit_node(e, i);
    if (qdq_mark(n) != 0 || n->fp[MST_CLIP_LO] != 0 || !(n->fp[MST_CLIP_HI] > 0))
        return false;
    uint32_t maker = edit_maker(e, i, 0);
    bool fires = edit_is(e, maker, MST_OP_NEURON) || edit_is(e, maker, MST_OP_MASK); /* a ReLU of spikes does nothing */
    return edit_tensor(e, n->out)->rank != 0 && !mst_is_const(e->g, n->in[0]) && !fires && !is_gate(e, n->out);
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
        (*out)[(*n)++] = (mst_relu){.node = i,
                                    .name = edit_node(&e, i)->name,
                                    .channels = t->dims[t->rank - 1],
                                    .bound = edit_node(&e, i)->fp[MST_CLIP_HI]};
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
    uint32_t out = edit_node(e, relu)->out, in[2] = {edit_node(e, relu)->in[0], theta};
    const mst_tensor shape = *edit_tensor(e, out);
    MST_TRY(edit_add(e, MST_OP_NEURON, edit_node(e, relu)->name, 2, in, shape.rank, shape.dims, &node));
    mst_node *neuron = edit_node(e, node);
    neuron->ip[MST_NEURON_AXIS] = (int32_t)shape.rank - 1;
    neuron->ip[MST_NEURON_LEVELS] = t->levels;
    neuron->fp[MST_NEURON_SHIFT] = 0.5f;
    edit_replace(e, out, neuron->out);
    edit_kill(e, relu);
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
