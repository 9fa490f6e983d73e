/* Removes data movement that does nothing and joins chains of it. */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"

/* Does the permutation only move axes of length 1? Then no value moves. */
static bool moves_nothing(const mst_tensor *x, const int32_t *perm)
{
    int32_t last = -1;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (x->dims[perm[d]] == 1)
            continue;
        if (perm[d] < last)
            return false;
        last = perm[d];
    }
    return true;
}

static bool does_nothing(const mst_edit *e, const mst_node *n)
{
    const mst_tensor *x = edit_tensor(e, n->in[0]), *y = edit_tensor(e, n->out);
    switch (n->op) {
    case MST_OP_RESHAPE:
    case MST_OP_EXPAND:
    case MST_OP_PAD:
    case MST_OP_CONCAT: return mst_same_shape(x, y);
    case MST_OP_TRANSPOSE: return mst_same_shape(x, y) && moves_nothing(x, &n->ip[MST_TRANSPOSE_PERM]);
    case MST_OP_SLICE:
        for (uint32_t d = 0; d < x->rank; d++)
            if (n->ip[MST_SLICE_STEP + d] != 1 && x->dims[d] != 1)
                return false;
        return mst_same_shape(x, y);
    case MST_OP_CLIP: return n->fp[MST_CLIP_LO] == -INFINITY && n->fp[MST_CLIP_HI] == INFINITY;
    case MST_OP_AFFINE: {
        const mst_tensor *g = edit_tensor(e, n->in[1]), *h = edit_tensor(e, n->in[2]);
        return mst_tensor_elements(g) == 1 && mst_tensor_elements(h) == 1 && mst_const_at(g, 0) == 1 &&
               mst_const_at(h, 0) == 0;
    }
    default: return false;
    }
}

/* transpose of a transpose, reshape of a reshape: read the first one's input */
static void join_with_maker(mst_edit *e, uint32_t i)
{
    mst_node *n = edit_node(e, i);
    uint32_t m = edit_maker(e, i, 0);
    if (m == MST_NONE || edit_node(e, m)->op != n->op)
        return;
    if (n->op == MST_OP_TRANSPOSE) {
        edit_join_transposes(e, i, m);
    } else if (n->op == MST_OP_RESHAPE) {
        edit_set_input(e, i, 0, edit_node(e, m)->in[0]);
    }
}

static float clipped(float x, const mst_node *n)
{
    return x < n->fp[MST_CLIP_LO] ? n->fp[MST_CLIP_LO] : x > n->fp[MST_CLIP_HI] ? n->fp[MST_CLIP_HI]
                                                                                : x;
}

/* A bound of a bound (ReLU, then Min, as trained bounds are often written) is one: the first one's node, which names
 * the activation. Those of a quantized model's pairs stay with their rounding. */
static void join_bounds(mst_edit *e, uint32_t i)
{
    mst_node *n = edit_node(e, i);
    uint32_t m = edit_maker(e, i, 0);
    if (n->op != MST_OP_CLIP || m == MST_NONE || !edit_is(e, m, MST_OP_CLIP) ||
        edit_only_user(e, edit_node(e, m)->out) != i || qdq_mark(n) != 0 || qdq_mark(edit_node(e, m)) != 0)
        return;
    mst_node *first = edit_node(e, m);
    first->fp[MST_CLIP_LO] = clipped(first->fp[MST_CLIP_LO], n);
    first->fp[MST_CLIP_HI] = clipped(first->fp[MST_CLIP_HI], n);
    edit_replace(e, n->out, first->out);
    edit_kill(e, i);
}

mst_status pass_clean(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK; i++) {
        mst_node *n = edit_node(&e, i);
        if (e.dead[i])
            continue;
        join_with_maker(&e, i);
        join_bounds(&e, i);
        if (e.dead[i])
            continue;
        if (n->op == MST_OP_TRANSPOSE && moves_nothing(edit_tensor(&e, n->in[0]), &n->ip[MST_TRANSPOSE_PERM])) {
            n->op = MST_OP_RESHAPE;
            memset(n->ip, 0, sizeof n->ip);
            join_with_maker(&e, i);
        }
        if (does_nothing(&e, n)) {
            edit_replace(&e, n->out, n->in[0]);
            edit_kill(&e, i);
        }
    }
    return edit_finish(&e, st);
}
