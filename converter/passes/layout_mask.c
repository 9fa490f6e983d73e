/* See layout_mask.h. A mask draws for each element, each by itself: in front of what only moves all of them it does the
 * same as behind it. */
#include "converter/passes/layout_mask.h"

#include <string.h>

bool layout_only_scales(const mst_edit *e, const mst_node *n)
{
    const mst_tensor *h = edit_tensor(e, n->in[2]);
    for (size_t k = 0; k < mst_tensor_elements(h); k++)
        if (mst_const_at(h, k) != 0)
            return false;
    return true;
}

/* Let the mask read what node m reads; a copy of m follows it. */
static mst_status stand_before(mst_edit *e, uint32_t mask, uint32_t m)
{
    const mst_node from = *edit_node(e, m);
    const uint32_t old = edit_node(e, mask)->out, in[3] = {old, from.n_in > 1 ? from.in[1] : MST_NONE,
                                                           from.n_in > 2 ? from.in[2] : MST_NONE};
    const mst_tensor shape = *edit_tensor(e, old), source = *edit_tensor(e, from.in[0]);
    uint32_t node;
    MST_TRY(edit_add(e, from.op, from.name, from.n_in, in, shape.rank, shape.dims, &node));
    memcpy(edit_node(e, node)->ip, from.ip, sizeof from.ip);
    memcpy(edit_node(e, node)->fp, from.fp, sizeof from.fp);
    edit_replace_but(e, old, edit_node(e, node)->out, node);
    edit_set_input(e, mask, 0, from.in[0]);
    if (e->uses[from.out] == 0)
        edit_kill(e, m);
    edit_tensor(e, old)->rank = source.rank;
    memcpy(edit_tensor(e, old)->dims, source.dims, sizeof source.dims);
    return MST_OK;
}

/* Places of an axis that are there once each. */
typedef struct places {
    uint8_t *seen;
    uint32_t n, left;
    bool twice;
} places;

static mst_status places_begin(mst_edit *e, places *p, uint32_t n)
{
    *p = (places){.seen = mst_arena_array(&e->arena, n, 1), .n = n, .left = n};
    return p->seen != NULL ? MST_OK : edit_no_memory(e);
}

static void places_take(places *p, int64_t at)
{
    p->twice = p->twice || at < 0 || at >= p->n || p->seen[at] != 0;
    if (p->twice)
        return;
    p->seen[at] = 1;
    p->left--;
}

/* Does a GATHER take each place of its axis once? */
static mst_status is_order(mst_edit *e, const mst_node *n, bool *yes)
{
    const mst_tensor *x = edit_tensor(e, n->in[0]), *index = edit_tensor(e, n->in[1]);
    const int32_t *at = index->data;
    places p;
    *yes = false;
    if (at == NULL || index->rank != 1 || index->dims[0] != x->dims[n->ip[MST_GATHER_AXIS]])
        return MST_OK;
    MST_TRY(places_begin(e, &p, index->dims[0]));
    for (uint32_t k = 0; k < index->dims[0]; k++)
        places_take(&p, at[k]);
    *yes = !p.twice;
    return MST_OK;
}

/* The axis along which a slice is shorter than what it is of; MST_NONE: there is not one alone. */
static uint32_t cut_axis(const mst_tensor *x, const mst_tensor *y)
{
    uint32_t axis = MST_NONE;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (x->dims[d] == y->dims[d])
            continue;
        if (axis != MST_NONE)
            return MST_NONE;
        axis = d;
    }
    return axis;
}

/* The tensor of which a CONCAT joins all parts, each once and all for it alone; MST_NONE: there is none. */
static mst_status find_whole(mst_edit *e, uint32_t concat, uint32_t *whole)
{
    const mst_node *c = edit_node(e, concat);
    uint32_t first = edit_maker(e, concat, 0), source, axis;
    places p;
    *whole = MST_NONE;
    if (!edit_is(e, first, MST_OP_SLICE) || e->uses[c->out] != 1)
        return MST_OK;
    source = edit_node(e, first)->in[0];
    const mst_tensor *x = edit_tensor(e, source);
    axis = cut_axis(x, edit_tensor(e, c->in[0]));
    if (axis == MST_NONE || e->uses[source] != c->n_in)
        return MST_OK;
    MST_TRY(places_begin(e, &p, x->dims[axis]));
    for (uint32_t k = 0; k < c->n_in; k++) {
        uint32_t s = edit_maker(e, concat, k);
        const mst_tensor *y = edit_tensor(e, c->in[k]);
        if (!edit_is(e, s, MST_OP_SLICE) || edit_node(e, s)->in[0] != source || cut_axis(x, y) != axis)
            return MST_OK;
        const int32_t *ip = edit_node(e, s)->ip;
        for (uint32_t i = 0; i < y->dims[axis]; i++)
            places_take(&p, ip[MST_SLICE_START + axis] + (int64_t)i * ip[MST_SLICE_STEP + axis]);
    }
    if (!p.twice && p.left == 0)
        *whole = source;
    return MST_OK;
}

/* The mask of a CONCAT of all parts of a tensor is one of the tensor: *mask is this one. */
static mst_status stand_before_parts(mst_edit *e, uint32_t *mask, uint32_t concat, uint32_t whole)
{
    const mst_node old = *edit_node(e, *mask);
    const mst_tensor shape = *edit_tensor(e, whole);
    uint32_t node, n = edit_node(e, concat)->n_in;
    MST_TRY(edit_add(e, MST_OP_MASK, old.name, 1, &whole, shape.rank, shape.dims, &node));
    memcpy(edit_node(e, node)->ip, old.ip, sizeof old.ip);
    memcpy(edit_node(e, node)->fp, old.fp, sizeof old.fp);
    for (uint32_t k = 0; k < n; k++)
        edit_set_input(e, edit_maker(e, concat, k), 0, edit_node(e, node)->out);
    edit_replace(e, old.out, old.in[0]);
    edit_kill(e, *mask);
    *mask = node;
    return MST_OK;
}

/* What two masks keep is what both keep. */
static void join(mst_edit *e, uint32_t mask, uint32_t before)
{
    mst_node *m = edit_node(e, mask), *b = edit_node(e, before);
    static const int ratios[2] = {MST_MASK_RATIO, MST_MASK_TRAINED};
    for (int k = 0; k < 2; k++) {
        double kept = (1 - (double)b->fp[ratios[k]]) * (1 - (double)m->fp[ratios[k]]);
        b->fp[ratios[k]] = (float)(1 - kept);
    }
    edit_replace(e, m->out, b->out);
    edit_kill(e, mask);
}

mst_status layout_raise_mask(mst_edit *e, uint32_t mask)
{
    for (uint32_t m = edit_maker(e, mask, 0); m != MST_NONE; m = edit_maker(e, mask, 0)) {
        const mst_node *n = edit_node(e, m);
        uint32_t whole = MST_NONE;
        bool before = n->op == MST_OP_TRANSPOSE || n->op == MST_OP_RESHAPE ||
                      (n->op == MST_OP_AFFINE && layout_only_scales(e, n));
        if (n->op == MST_OP_MASK && e->uses[n->out] == 1) {
            join(e, mask, m);
            return MST_OK;
        }
        if (n->op == MST_OP_GATHER)
            MST_TRY(is_order(e, n, &before));
        else if (n->op == MST_OP_CONCAT)
            MST_TRY(find_whole(e, m, &whole));
        if (whole != MST_NONE)
            MST_TRY(stand_before_parts(e, &mask, m, whole));
        else if (before)
            MST_TRY(stand_before(e, mask, m));
        else
            return MST_OK;
    }
    return MST_OK;
}

void layout_number_masks(mst_graph *g)
{
    int32_t next = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK)
            g->nodes[i].ip[MST_MASK_INDEX] = next++;
}
