/* Puts the masks of a model file into the ANN it was converted from: networks that were trained with masks are not
 * themselves without. Runs nothing. */
#include "tools/calib_masks.h"

#include <string.h>

#include "mst/calibrate.h"

bool mst_masks_trained(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK && g->nodes[i].fp[MST_MASK_TRAINED] > 0)
            return true;
    return false;
}

uint32_t *mst_masks_behind(const mst_graph *g, mst_arena *tmp)
{
    uint32_t *maker = mst_arena_array(tmp, g->n_tensors, sizeof *maker); /* NEURON whose spikes a tensor has */
    uint32_t *mask = mst_arena_array(tmp, g->n_nodes, sizeof *mask);
    if (maker == NULL || mask == NULL)
        return NULL;
    memset(maker, 0xff, g->n_tensors * sizeof *maker);
    memset(mask, 0xff, g->n_nodes * sizeof *mask);
    for (uint32_t i = 0; i < g->n_nodes; i++) { /* in execution order */
        const mst_node *n = &g->nodes[i];
        uint32_t from = n->n_in != 0 && n->in[0] != MST_NONE ? maker[n->in[0]] : MST_NONE;
        if (n->op == MST_OP_NEURON)
            maker[n->out] = i;
        else if (n->op == MST_OP_RESHAPE)
            maker[n->out] = from;
        else if (n->op == MST_OP_MASK && from != MST_NONE && mask[from] == MST_NONE)
            mask[from] = i;
    }
    return mask;
}

/* What reads tensor `from` reads `to`, all but node `but`. */
static mst_status rewire(mst_graph *g, uint32_t but, uint32_t from, uint32_t to, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        mst_node *n = &g->nodes[i];
        bool reads = false;
        for (uint32_t k = 0; k < n->n_in; k++)
            reads = reads || n->in[k] == from;
        if (!reads || i == but)
            continue;
        uint32_t *in = mst_arena_copy(&g->arena, n->in, n->n_in * sizeof *in); /* nodes may share theirs */
        if (in == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory: the inputs of '%s'", n->name);
        for (uint32_t k = 0; k < n->n_in; k++)
            in[k] = in[k] == from ? to : in[k];
        n->in = in;
    }
    g->output = g->output == from ? to : g->output;
    return MST_OK;
}

/* A MASK like `like`, with the given ratio, behind node k: what is made must stand in front of what reads it. */
static mst_status add_mask(mst_graph *g, uint32_t k, const mst_node *like, float ratio, mst_err *err)
{
    uint32_t from = g->nodes[k].out, out, last = g->n_nodes;
    mst_node *end, mask;
    mst_tensor t = g->tensors[from]; /* they move as one is added */
    MST_TRY(mst_graph_add_tensor(g, t.name, t.dtype, t.rank, t.dims, NULL, &out, err));
    MST_TRY(mst_graph_add_node(g, MST_OP_MASK, g->nodes[k].name, 1, &from, out, &end, err));
    mask = *end;
    memcpy(mask.ip, like->ip, sizeof mask.ip);
    memcpy(mask.fp, like->fp, sizeof mask.fp);
    mask.fp[MST_MASK_RATIO] = ratio;
    memmove(&g->nodes[k + 2], &g->nodes[k + 1], (last - k - 1) * sizeof *g->nodes);
    g->nodes[k + 1] = mask;
    return rewire(g, k + 1, from, out, err);
}

/* Node indices move as masks are added: pairs first, then masks from the last to the first. */
static mst_status give(mst_graph *ann, const mst_graph *snn, bool trained, mst_arena *tmp, mst_err *err)
{
    const uint32_t *wanted = mst_masks_behind(snn, tmp), *own = mst_masks_behind(ann, tmp);
    uint32_t at = 0, n = ann->n_nodes, *like = mst_arena_array(tmp, n, sizeof *like);
    if (wanted == NULL || own == NULL || like == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: the masks of the ANN");
    memset(like, 0xff, n * sizeof *like);
    for (uint32_t i = 0; i < snn->n_nodes; i++) {
        if (snn->nodes[i].op != MST_OP_NEURON)
            continue;
        const mst_node *partner = mst_calib_partner_node(ann, &snn->nodes[i], &at);
        if (partner == NULL)
            return mst_fail(err, MST_EINVAL,
                            "layer '%s': in the spiking network, not in the ANN: is the model another one?",
                            snn->nodes[i].name);
        like[partner - ann->nodes] = wanted[i];
    }
    for (uint32_t k = n; k-- > 0;) {
        if (like[k] == MST_NONE)
            continue;
        const mst_node *mask = &snn->nodes[like[k]];
        float ratio = mask->fp[trained ? MST_MASK_TRAINED : MST_MASK_RATIO];
        if (own[k] == MST_NONE && ratio >= 0)
            MST_TRY(add_mask(ann, k, mask, ratio, err));
        else if (own[k] != MST_NONE && trained)
            ann->nodes[own[k]].ip[MST_MASK_INDEX] = mask->ip[MST_MASK_INDEX];
    }
    return MST_OK;
}

mst_status mst_masks_give(mst_graph *ann, const mst_graph *snn, bool trained, mst_err *err)
{
    mst_arena tmp = {0};
    mst_status st = give(ann, snn, trained, &tmp, err);
    if (trained)
        ann->meta.trained_on = snn->meta.trained_on;
    mst_arena_release(&tmp);
    return st;
}
