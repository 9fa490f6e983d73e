/* Channel-last layout: pushes each TRANSPOSE past elementwise nodes, so that the
 * ones that lowering put around convolutions meet and cancel, and BatchNorm stands
 * next to the layer that it folds into. */
#include <string.h>

#include "converter/passes/passes.h"

static uint32_t transpose_behind(const mst_edit *e, uint32_t node, uint32_t k)
{
    uint32_t m = edit_maker(e, node, k);
    return m != MST_NONE && edit_node(e, m)->op == MST_OP_TRANSPOSE ? m : MST_NONE;
}

/* The parameter that names an axis, for operators that follow a transpose; -1: none,
 * -2: the operator cannot be moved. */
static int axis_param(mst_op op)
{
    switch (op) {
    case MST_OP_AFFINE: return MST_AFFINE_AXIS;
    case MST_OP_NEURON: return MST_NEURON_AXIS;
    case MST_OP_SOFTMAX: return MST_SOFTMAX_AXIS;
    case MST_OP_CLIP:
    case MST_OP_UNARY: return -1;
    default: return -2;
    }
}

/* Give node i output the shape of tensor like, behind a new TRANSPOSE with perm for its old users. */
static mst_status transpose_after(mst_edit *e, uint32_t i, const int32_t *perm, uint32_t like)
{
    mst_node *n = edit_node(e, i);
    uint32_t old = n->out, rank = edit_tensor(e, like)->rank, node;
    mst_tensor shape = *edit_tensor(e, old);
    MST_TRY(edit_add(e, MST_OP_TRANSPOSE, n->name, 1, &old, rank, shape.dims, &node));
    memcpy(&edit_node(e, node)->ip[MST_TRANSPOSE_PERM], perm, rank * sizeof *perm);
    edit_replace_but(e, old, edit_node(e, node)->out, node);
    memcpy(edit_tensor(e, old)->dims, edit_tensor(e, like)->dims, sizeof shape.dims);
    return MST_OK;
}

static mst_status sink_unit(mst_edit *e, uint32_t i, uint32_t t, int param)
{
    int32_t perm[MST_MAX_RANK];
    mst_node *n = edit_node(e, i);
    memcpy(perm, &edit_node(e, t)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    if (param >= 0)
        n->ip[param] = perm[n->ip[param]];
    uint32_t source = edit_node(e, t)->in[0];
    edit_set_input(e, i, 0, source);
    return transpose_after(e, i, perm, source);
}

/* Both operands through the same permutation, or one of them a scalar constant. */
static mst_status sink_binary(mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    uint32_t a = transpose_behind(e, i, 0), b = transpose_behind(e, i, 1), some = a != MST_NONE ? a : b;
    int32_t perm[MST_MAX_RANK];
    if (some == MST_NONE)
        return MST_OK;
    uint32_t rank = edit_tensor(e, n->out)->rank, source = edit_node(e, some)->in[0];
    memcpy(perm, &edit_node(e, some)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t t = k == 0 ? a : b;
        const mst_tensor *x = edit_tensor(e, n->in[k]);
        bool scalar = t == MST_NONE && x->data != NULL && mst_tensor_elements(x) == 1 && x->rank <= 1;
        bool same = t != MST_NONE && mst_same_shape(x, edit_tensor(e, n->out)) &&
                    memcmp(perm, &edit_node(e, t)->ip[MST_TRANSPOSE_PERM], rank * sizeof perm[0]) == 0;
        if (!scalar && !same)
            return MST_OK;
    }
    if (a != MST_NONE)
        edit_set_input(e, i, 0, edit_node(e, a)->in[0]);
    if (b != MST_NONE)
        edit_set_input(e, i, 1, edit_node(e, b)->in[0]);
    return transpose_after(e, i, perm, source);
}

/* A reduction over permuted axes reduces the original ones, if the kept axes keep their order. */
static void sink_reduce(mst_edit *e, uint32_t i, uint32_t t)
{
    mst_node *n = edit_node(e, i);
    const int32_t *perm = &edit_node(e, t)->ip[MST_TRANSPOSE_PERM];
    const mst_tensor *x = edit_tensor(e, n->in[0]);
    uint32_t axes = (uint32_t)n->ip[MST_REDUCE_AXES], moved = 0;
    int32_t last = -1;
    for (uint32_t d = 0; d < x->rank; d++) {
        if ((axes >> d & 1) != 0) {
            moved |= 1u << perm[d];
        } else if (x->dims[d] != 1) {
            if (perm[d] < last)
                return;
            last = perm[d];
        }
    }
    n->ip[MST_REDUCE_AXES] = (int32_t)moved;
    edit_set_input(e, i, 0, edit_node(e, t)->in[0]);
}

/* Two transposes in a row are one, or none. */
static void join_transposes(mst_edit *e, uint32_t i, uint32_t t)
{
    edit_join_transposes(e, i, t);
    const mst_node *n = edit_node(e, i);
    for (uint32_t d = 0; d < edit_tensor(e, n->out)->rank; d++)
        if (n->ip[MST_TRANSPOSE_PERM + d] != (int32_t)d)
            return;
    edit_replace(e, n->out, n->in[0]);
    edit_kill(e, i);
}

/* A mask takes its neuron's shape: it may stand before a reshape as well as behind. */
static mst_status sink_below_mask(mst_edit *e, uint32_t i)
{
    for (uint32_t m = edit_maker(e, i, 0); m != MST_NONE; m = edit_maker(e, i, 0)) {
        uint32_t source = edit_node(e, m)->in[0], old = edit_node(e, i)->out, node;
        if (edit_node(e, m)->op == MST_OP_TRANSPOSE) {
            MST_TRY(sink_unit(e, i, m, -1));
            continue;
        }
        if (edit_node(e, m)->op != MST_OP_RESHAPE)
            return MST_OK;
        mst_tensor shape = *edit_tensor(e, old);
        edit_set_input(e, i, 0, source);
        MST_TRY(edit_add(e, MST_OP_RESHAPE, edit_node(e, i)->name, 1, &old, shape.rank, shape.dims, &node));
        edit_replace_but(e, old, edit_node(e, node)->out, node);
        edit_tensor(e, old)->rank = edit_tensor(e, source)->rank;
        memcpy(edit_tensor(e, old)->dims, edit_tensor(e, source)->dims, sizeof shape.dims);
    }
    return MST_OK;
}

static mst_status visit(mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    if (n->op == MST_OP_BINARY)
        return sink_binary(e, i);
    if (n->op == MST_OP_MASK)
        return sink_below_mask(e, i);
    uint32_t t = transpose_behind(e, i, 0);
    if (t == MST_NONE)
        return MST_OK;
    if (n->op == MST_OP_TRANSPOSE) {
        join_transposes(e, i, t);
        return MST_OK;
    }
    if (n->op == MST_OP_REDUCE) {
        sink_reduce(e, i, t);
        return MST_OK;
    }
    int param = axis_param(n->op);
    return param == -2 ? MST_OK : sink_unit(e, i, t, param);
}

/* One walk in execution order is enough: what a node leaves behind, its users,
 * which come later, pick up. */
mst_status pass_layout(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        if (!e.dead[i])
            st = visit(&e, i);
    return edit_finish(&e, st);
}
