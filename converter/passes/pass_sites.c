/* Says of each NEURON where it sits: Q, K, V, attention, projection, MLP, CONV, with
 * stage and block. Follows the graph as it is: an attention is a product of two
 * live factors whose result reaches, through neurons, softmax and constants, the
 * first factor of another product. */
#include <string.h>

#include "converter/passes/passes.h"

#define MAX_WALK 64

typedef struct site_walk {
    mst_edit *e;
    int block, stage;
    size_t stage_size; /* elements of Q: changes where a stage begins */
    bool has_attention;
} site_walk;

static bool moves(const mst_edit *e, uint32_t i)
{
    return (mst_op_get(edit_node(e, i)->op)->flags & MST_F_MOVE) != 0;
}

static bool both_live(const mst_edit *e, uint32_t i)
{
    return !mst_is_const(e->g, edit_node(e, i)->in[0]) && !mst_is_const(e->g, edit_node(e, i)->in[1]);
}

/* The live input of a node that has one. */
static uint32_t live_input(const mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    return n->op == MST_OP_BINARY && mst_is_const(e->g, n->in[0]) ? n->in[1] : n->in[0];
}

/* Upwards through movement, masks and scales to a node of the given kind. */
static uint32_t back_to(const mst_edit *e, uint32_t tensor, mst_op op)
{
    for (int hops = 0; hops < MAX_WALK; hops++) {
        uint32_t i = e->producer[tensor];
        if (i == MST_NONE || edit_node(e, i)->op == op)
            return i;
        if (!moves(e, i) && edit_node(e, i)->op != MST_OP_MASK && edit_node(e, i)->op != MST_OP_AFFINE)
            return MST_NONE;
        tensor = edit_node(e, i)->in[0];
    }
    return MST_NONE;
}

static void label(const site_walk *w, uint32_t neuron, mst_site site)
{
    if (neuron == MST_NONE || edit_node(w->e, neuron)->op != MST_OP_NEURON)
        return;
    mst_node *n = edit_node(w->e, neuron);
    if (n->ip[MST_NEURON_SITE] != MST_SITE_OTHER)
        return;
    n->ip[MST_NEURON_SITE] = (int32_t)site;
    n->ip[MST_NEURON_BLOCK] = w->block;
    n->ip[MST_NEURON_STAGE] = w->stage;
}

/* Downwards from a tensor, one user at a time, through what may stand between two
 * layers, to a node of the given kind. Passes through neurons only if told to;
 * those that it met are in met[]. */
static uint32_t forward_to(const mst_edit *e, uint32_t tensor, mst_op op, bool through_neurons, uint32_t *met,
                           uint32_t *n_met)
{
    if (n_met != NULL)
        *n_met = 0;
    for (int hops = 0; hops < MAX_WALK; hops++) {
        uint32_t i = edit_only_user(e, tensor);
        if (i == MST_NONE || edit_node(e, i)->op == op)
            return i;
        const mst_node *n = edit_node(e, i);
        bool passes = moves(e, i) || n->op == MST_OP_MASK || n->op == MST_OP_AFFINE || n->op == MST_OP_CLIP ||
                      n->op == MST_OP_SOFTMAX || (n->op == MST_OP_BINARY && !both_live(e, i));
        if (n->op == MST_OP_NEURON && through_neurons) {
            met[(*n_met)++] = i;
            passes = true;
        }
        if (!passes)
            return MST_NONE;
        tensor = n->out;
    }
    return MST_NONE;
}

/* A neuron that makes several of Q, K and V is none of them: its mask would fall on all. */
static void label_factors(const site_walk *w, uint32_t qk, uint32_t av)
{
    const mst_edit *e = w->e;
    uint32_t q = back_to(e, edit_node(e, qk)->in[0], MST_OP_NEURON);
    uint32_t k = back_to(e, edit_node(e, qk)->in[1], MST_OP_NEURON);
    uint32_t v = back_to(e, edit_node(e, av)->in[1], MST_OP_NEURON);
    label(w, q, q == k || q == v ? MST_SITE_OTHER : MST_SITE_Q);
    label(w, k, k == q || k == v ? MST_SITE_OTHER : MST_SITE_K);
    label(w, v, v == q || v == k ? MST_SITE_OTHER : MST_SITE_V);
}

static void visit_attention(site_walk *w, uint32_t qk)
{
    mst_edit *e = w->e;
    uint32_t met[MAX_WALK], n_met;
    if (!edit_is(e, qk, MST_OP_MATMUL) || !both_live(e, qk))
        return;
    uint32_t av = forward_to(e, edit_node(e, qk)->out, MST_OP_MATMUL, true, met, &n_met);
    if (av == MST_NONE)
        return;
    size_t size = mst_tensor_elements(edit_tensor(e, edit_node(e, qk)->in[0]));
    w->stage += !w->has_attention || size != w->stage_size;
    w->block++;
    w->stage_size = size;
    w->has_attention = true;
    label_factors(w, qk, av);
    for (uint32_t k = 0; k < n_met; k++)
        label(w, met[k], MST_SITE_ATTN);
    uint32_t after = forward_to(e, edit_node(e, av)->out, MST_OP_NEURON, false, NULL, NULL), t = edit_node(e, av)->out;
    if (after != MST_NONE) {
        label(w, after, MST_SITE_AV);
        t = edit_node(e, after)->out;
    }
    uint32_t proj = forward_to(e, t, MST_OP_LINEAR, false, NULL, NULL);
    if (proj != MST_NONE)
        label(w, forward_to(e, edit_node(e, proj)->out, MST_OP_NEURON, false, NULL, NULL), MST_SITE_PROJ);
}

/* fc1 -> neuron -> fc2 that returns to fc1's width, in the block of the last attention before it */
static void visit_mlp(site_walk *w, uint32_t fc1)
{
    mst_edit *e = w->e;
    if (!w->has_attention || !edit_is(e, fc1, MST_OP_LINEAR))
        return;
    uint32_t neuron = forward_to(e, edit_node(e, fc1)->out, MST_OP_NEURON, false, NULL, NULL);
    if (neuron == MST_NONE || edit_node(e, neuron)->ip[MST_NEURON_SITE] != MST_SITE_OTHER)
        return;
    uint32_t fc2 = forward_to(e, edit_node(e, neuron)->out, MST_OP_LINEAR, false, NULL, NULL);
    if (fc2 == MST_NONE)
        return;
    const mst_tensor *w1 = edit_tensor(e, edit_node(e, fc1)->in[1]), *w2 = edit_tensor(e, edit_node(e, fc2)->in[1]);
    if (w1->dims[0] != w2->dims[1] || w1->dims[1] != w2->dims[0])
        return;
    label(w, neuron, MST_SITE_MLP_FC1);
    label(w, forward_to(e, edit_node(e, fc2)->out, MST_OP_NEURON, false, NULL, NULL), MST_SITE_MLP_FC2);
}

/* Does a CONV feed this tensor through linear nodes (residual sums included)? */
static bool fed_by_conv(const mst_edit *e, uint32_t tensor, int depth)
{
    for (int hops = 0; hops < MAX_WALK; hops++) {
        uint32_t i = e->producer[tensor];
        if (i == MST_NONE || edit_is(e, i, MST_OP_CONV))
            return i != MST_NONE;
        const mst_node *n = edit_node(e, i);
        if (n->op == MST_OP_BINARY && both_live(e, i)) {
            if (depth >= 3 || fed_by_conv(e, n->in[0], depth + 1))
                return depth < 3;
            tensor = n->in[1];
            depth++;
            continue;
        }
        if (!moves(e, i) && n->op != MST_OP_AFFINE && n->op != MST_OP_BINARY)
            return false;
        tensor = live_input(e, i);
    }
    return false;
}

/* Networks without attention: every neuron of a convolution is a site; a stage ends
 * where the image shrinks. */
static void visit_conv_neuron(site_walk *w, uint32_t i)
{
    mst_edit *e = w->e;
    if (!edit_is(e, i, MST_OP_NEURON) || !fed_by_conv(e, edit_node(e, i)->in[0], 0))
        return;
    const mst_tensor *t = edit_tensor(e, edit_node(e, i)->out);
    size_t pixels = mst_tensor_elements(t) / t->dims[t->rank - 1];
    w->stage += w->block < 0 || pixels != w->stage_size;
    w->stage_size = pixels;
    w->block++;
    label(w, i, MST_SITE_CONV);
}

mst_status pass_sites(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    site_walk w = {.e = &e, .block = -1, .stage = -1};
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK; i++)
        visit_attention(&w, i);
    bool transformer = w.has_attention;
    w = (site_walk){.e = &e, .block = -1, .stage = -1};
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK; i++) {
        if (!transformer) {
            visit_conv_neuron(&w, i);
        } else if (edit_is(&e, i, MST_OP_NEURON) && edit_node(&e, i)->ip[MST_NEURON_SITE] == MST_SITE_ATTN) {
            w.has_attention = true;
            w.block = edit_node(&e, i)->ip[MST_NEURON_BLOCK];
            w.stage = edit_node(&e, i)->ip[MST_NEURON_STAGE];
        } else {
            visit_mlp(&w, i);
        }
    }
    return edit_finish(&e, st);
}
