/* Channel-last layout: pushes each TRANSPOSE past elementwise nodes, so that the
 * ones that lowering put around convolutions meet and cancel, and BatchNorm stands
 * next to the layer that it folds into. */
#include <string.h>

#include "converter/passes/layout_mask.h"
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

/* What nobody reads any more must not count as a reader. */
static void drop_unused(mst_edit *e, uint32_t i)
{
    if (e->uses[edit_node(e, i)->out] == 0)
        edit_kill(e, i);
}

static mst_status sink_transpose(mst_edit *e, uint32_t i, uint32_t t, int param)
{
    int32_t perm[MST_MAX_RANK];
    mst_node *n = edit_node(e, i);
    memcpy(perm, &edit_node(e, t)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    if (param >= 0)
        n->ip[param] = perm[n->ip[param]];
    uint32_t source = edit_node(e, t)->in[0];
    edit_set_input(e, i, 0, source);
    drop_unused(e, t);
    return transpose_after(e, i, perm, source);
}

/* Padding follows its axes. */
static mst_status sink_pad(mst_edit *e, uint32_t i, uint32_t t)
{
    int32_t perm[MST_MAX_RANK], before[MST_MAX_RANK];
    uint32_t source = edit_node(e, t)->in[0], out = edit_node(e, i)->out, rank = edit_tensor(e, out)->rank, node;
    const mst_tensor shape = *edit_tensor(e, out);
    memcpy(perm, &edit_node(e, t)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    memcpy(before, &edit_node(e, i)->ip[MST_PAD_BEFORE], sizeof before);
    edit_set_input(e, i, 0, source);
    drop_unused(e, t);
    MST_TRY(edit_add(e, MST_OP_TRANSPOSE, edit_node(e, i)->name, 1, &out, rank, shape.dims, &node));
    memcpy(&edit_node(e, node)->ip[MST_TRANSPOSE_PERM], perm, rank * sizeof *perm);
    edit_replace_but(e, out, edit_node(e, node)->out, node);
    for (uint32_t d = 0; d < rank; d++) {
        edit_tensor(e, out)->dims[perm[d]] = shape.dims[d];
        edit_node(e, i)->ip[MST_PAD_BEFORE + perm[d]] = before[d];
    }
    return MST_OK;
}

/* Zeros in front of a convolution, or of the transpose that it reads, are its own padding, where each window still
 * touches what is not padding. */
static mst_status take_pad(mst_edit *e, uint32_t i)
{
    uint32_t t = transpose_behind(e, i, 0), p = edit_maker(e, t != MST_NONE ? t : i, 0), node;
    int32_t perm[MST_MAX_RANK] = {0, 1, 2, 3}, before[2];
    if (!edit_is(e, p, MST_OP_PAD) || edit_node(e, p)->fp[MST_PAD_VALUE] != 0)
        return MST_OK;
    if (t != MST_NONE)
        memcpy(perm, &edit_node(e, t)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    mst_node *conv = edit_node(e, i);
    const mst_node *pad = edit_node(e, p);
    const mst_tensor x = *edit_tensor(e, pad->in[0]), *w = edit_tensor(e, conv->in[1]), *y = edit_tensor(e, conv->out);
    const uint32_t dims[4] = {x.dims[perm[0]], x.dims[perm[1]], x.dims[perm[2]], x.dims[perm[3]]};
    for (int d = 0; d < 4; d += 3)
        if (dims[d] != edit_tensor(e, conv->in[0])->dims[d])
            return MST_OK;
    for (int k = 0; k < 2; k++) {
        before[k] = conv->ip[MST_CONV_PAD + k] + pad->ip[MST_PAD_BEFORE + perm[1 + k]];
        int64_t reach = (int64_t)(w->dims[k] - 1) * conv->ip[MST_CONV_DILATION + k];
        if (before[k] > reach ||
            (int64_t)(y->dims[1 + k] - 1) * conv->ip[MST_CONV_STRIDE + k] >= (int64_t)before[k] + dims[1 + k])
            return MST_OK;
    }
    memcpy(&conv->ip[MST_CONV_PAD], before, sizeof before);
    uint32_t source = pad->in[0];
    if (t != MST_NONE) {
        MST_TRY(edit_add(e, MST_OP_TRANSPOSE, edit_node(e, t)->name, 1, &source, 4, dims, &node));
        memcpy(&edit_node(e, node)->ip[MST_TRANSPOSE_PERM], perm, sizeof perm);
        source = edit_node(e, node)->out;
    }
    edit_set_input(e, i, 0, source);
    drop_unused(e, t != MST_NONE ? t : p);
    return MST_OK;
}

/* A constant that varies along one axis at most. */
static bool is_line(const mst_tensor *k, uint32_t rank)
{
    uint32_t n = 0;
    for (uint32_t d = 0; d < k->rank; d++)
        n += k->dims[d] != 1;
    return k->data != NULL && n <= 1 && k->rank <= rank;
}

/* Let input k of a node, such a constant beside y = transpose(x), stand beside x. */
static mst_status move_line(mst_edit *e, uint32_t i, uint32_t k, const int32_t *perm, uint32_t rank)
{
    uint32_t dims[MST_MAX_RANK], fresh;
    double *values;
    const mst_tensor old = *edit_tensor(e, edit_node(e, i)->in[k]);
    if (mst_tensor_elements(&old) == 1 && old.rank <= 1)
        return MST_OK;
    for (uint32_t d = 0; d < rank; d++)
        dims[perm[d]] = d + old.rank >= rank ? old.dims[d + old.rank - rank] : 1;
    MST_TRY(edit_new_const(e, rank, dims, &values, &fresh));
    for (size_t j = 0; j < mst_tensor_elements(&old); j++)
        values[j] = mst_const_at(&old, j);
    edit_set_input(e, i, k, fresh);
    return MST_OK;
}

/* Both operands through the same permutation, or one of them a constant that varies along one axis at most. */
static mst_status sink_binary(mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    uint32_t of[2] = {transpose_behind(e, i, 0), transpose_behind(e, i, 1)}, some = of[0] != MST_NONE ? of[0] : of[1];
    int32_t perm[MST_MAX_RANK];
    if (some == MST_NONE)
        return MST_OK;
    uint32_t rank = edit_tensor(e, n->out)->rank, source = edit_node(e, some)->in[0];
    memcpy(perm, &edit_node(e, some)->ip[MST_TRANSPOSE_PERM], sizeof perm);
    for (uint32_t k = 0; k < 2; k++) {
        const mst_tensor *x = edit_tensor(e, n->in[k]);
        bool line = of[k] == MST_NONE && is_line(x, rank);
        bool same = of[k] != MST_NONE && mst_same_shape(x, edit_tensor(e, n->out)) &&
                    memcmp(perm, &edit_node(e, of[k])->ip[MST_TRANSPOSE_PERM], rank * sizeof perm[0]) == 0;
        if (!line && !same)
            return MST_OK;
    }
    for (uint32_t k = 0; k < 2; k++)
        if (of[k] != MST_NONE)
            edit_set_input(e, i, k, edit_node(e, of[k])->in[0]);
        else
            MST_TRY(move_line(e, i, k, perm, rank));
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
    drop_unused(e, t);
    const mst_node *n = edit_node(e, i);
    for (uint32_t d = 0; d < edit_tensor(e, n->out)->rank; d++)
        if (n->ip[MST_TRANSPOSE_PERM + d] != (int32_t)d)
            return;
    edit_replace(e, n->out, n->in[0]);
    edit_kill(e, i);
}

/* Let node i, elementwise, read tensor source instead of the RESHAPE of it: its old users read a RESHAPE of it. */
static mst_status reshape_after(mst_edit *e, uint32_t i, uint32_t source)
{
    uint32_t old = edit_node(e, i)->out, reshape = edit_maker(e, i, 0), node;
    mst_tensor shape = *edit_tensor(e, old);
    edit_set_input(e, i, 0, source);
    drop_unused(e, reshape);
    MST_TRY(edit_add(e, MST_OP_RESHAPE, edit_node(e, i)->name, 1, &old, shape.rank, shape.dims, &node));
    edit_replace_but(e, old, edit_node(e, node)->out, node);
    edit_tensor(e, old)->rank = edit_tensor(e, source)->rank;
    memcpy(edit_tensor(e, old)->dims, edit_tensor(e, source)->dims, sizeof shape.dims);
    return MST_OK;
}

/* A reshape that only moves axes of length 1 is a transpose, as which it may meet another. */
static void read_as_transpose(mst_edit *e, uint32_t i)
{
    mst_node *n = edit_node(e, i);
    const mst_tensor *x = edit_tensor(e, n->in[0]), *y = edit_tensor(e, n->out);
    int32_t perm[MST_MAX_RANK];
    uint32_t at[2] = {0, 0}; /* next axis of x: of length 1, longer */
    if (n->op != MST_OP_RESHAPE || x->rank != y->rank)
        return;
    for (uint32_t d = 0; d < y->rank; d++) {
        uint32_t longer = y->dims[d] != 1;
        while (at[longer] < x->rank && (x->dims[at[longer]] != 1) != longer)
            at[longer]++;
        if (at[longer] == x->rank || x->dims[at[longer]] != y->dims[d])
            return;
        perm[d] = (int32_t)at[longer]++;
    }
    n->op = MST_OP_TRANSPOSE;
    memcpy(&n->ip[MST_TRANSPOSE_PERM], perm, y->rank * sizeof perm[0]);
}

/* Two reshapes in a row are one, or none. */
static void join_reshapes(mst_edit *e, uint32_t i)
{
    uint32_t r = edit_maker(e, i, 0);
    if (!edit_is(e, r, MST_OP_RESHAPE))
        return;
    edit_set_input(e, i, 0, edit_node(e, r)->in[0]);
    drop_unused(e, r);
    const mst_node *n = edit_node(e, i);
    if (!mst_same_shape(edit_tensor(e, n->in[0]), edit_tensor(e, n->out)))
        return;
    edit_replace(e, n->out, n->in[0]);
    edit_kill(e, i);
}

static bool is_uniform(const mst_edit *e, const mst_node *n)
{
    for (uint32_t k = 1; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && mst_tensor_elements(edit_tensor(e, n->in[k])) != 1)
            return false;
    return true;
}

/* The same for all elements, wherever they are? */
static bool is_pointwise(const mst_edit *e, uint32_t i)
{
    const mst_node *n = edit_node(e, i);
    return n->op == MST_OP_CLIP || n->op == MST_OP_UNARY || (n->op == MST_OP_AFFINE && is_uniform(e, n));
}

/* Is movement m, in front of a pointwise node, inside of an activation? */
static bool is_inside(const mst_edit *e, uint32_t m)
{
    while (edit_is(e, m, MST_OP_RESHAPE) || edit_is(e, m, MST_OP_TRANSPOSE))
        m = edit_maker(e, m, 0);
    return m != MST_NONE && is_pointwise(e, m);
}

/* The axis parameter of elementwise node i once it stands in front of reshape r; -1: the channels are mixed there. */
static int32_t axis_before(const mst_edit *e, uint32_t i, uint32_t r, int param)
{
    const mst_node *n = edit_node(e, i);
    const mst_tensor *x = edit_tensor(e, edit_node(e, r)->in[0]);
    if (param < 0 || is_uniform(e, n))
        return (int32_t)x->rank - 1;
    return edit_reshape_axis(edit_tensor(e, n->out), x, n->ip[param]);
}

/* An elementwise node goes in front of the movement that it reads: a neuron, a scale, a bound stands at what makes its
 * current. early: only through reshapes inside of an activation. */
static mst_status sink_unit(mst_edit *e, uint32_t i, bool early)
{
    const int param = axis_param(edit_node(e, i)->op);
    for (uint32_t m = edit_maker(e, i, 0); param != -2; m = edit_maker(e, i, 0)) {
        if (edit_is(e, m, MST_OP_TRANSPOSE)) {
            MST_TRY(sink_transpose(e, i, m, param));
            continue;
        }
        if (!edit_is(e, m, MST_OP_RESHAPE) || edit_is(e, i, MST_OP_SOFTMAX) ||
            edit_tensor(e, edit_node(e, m)->in[0])->rank == 0 || (early && !(is_pointwise(e, i) && is_inside(e, m))))
            return MST_OK;
        int32_t axis = axis_before(e, i, m, param);
        if (axis < 0)
            return MST_OK;
        if (param >= 0)
            edit_node(e, i)->ip[param] = axis;
        MST_TRY(reshape_after(e, i, edit_node(e, m)->in[0]));
    }
    return MST_OK;
}

/* A scale behind masks and movement belongs to the activation in front: put it there. */
static mst_status raise_scale(mst_edit *e, uint32_t i, bool *done)
{
    const mst_node *n = edit_node(e, i);
    int32_t axis = n->ip[MST_AFFINE_AXIS];
    uint32_t t = n->in[0], top = MST_NONE, in[3] = {0, n->in[1], n->in[2]}, node;
    bool uniform = is_uniform(e, n);
    *done = false;
    bool scales = layout_only_scales(e, n);
    for (uint32_t p = e->producer[t]; scales && p != MST_NONE && e->uses[t] == 1; p = e->producer[t]) {
        const mst_node *m = edit_node(e, p);
        if (m->op != MST_OP_MASK && m->op != MST_OP_TRANSPOSE && !(m->op == MST_OP_RESHAPE && uniform))
            break;
        axis = m->op == MST_OP_TRANSPOSE && !uniform ? m->ip[MST_TRANSPOSE_PERM + axis] : axis;
        top = p;
        t = m->in[0];
    }
    if (top == MST_NONE || e->uses[t] != 1 || e->producer[t] == MST_NONE || edit_tensor(e, t)->rank == 0 ||
        !is_pointwise(e, e->producer[t]))
        return MST_OK;
    *done = true;
    in[0] = t;
    const mst_tensor shape = *edit_tensor(e, t);
    MST_TRY(edit_add(e, MST_OP_AFFINE, n->name, 3, in, shape.rank, shape.dims, &node));
    edit_node(e, node)->ip[MST_AFFINE_AXIS] = uniform ? (int32_t)shape.rank - 1 : axis;
    edit_set_input(e, top, 0, edit_node(e, node)->out);
    edit_replace(e, edit_node(e, i)->out, edit_node(e, i)->in[0]);
    edit_kill(e, i);
    return MST_OK;
}

/* early: no neurons are known yet */
static mst_status visit(mst_edit *e, uint32_t i, bool early)
{
    const mst_node *n = edit_node(e, i);
    bool raised = false;
    if (n->op == MST_OP_BINARY)
        return sink_binary(e, i);
    if (n->op == MST_OP_MASK)
        return early ? MST_OK : layout_raise_mask(e, i);
    if (n->op == MST_OP_CONV)
        return early ? MST_OK : take_pad(e, i);
    if (n->op == MST_OP_RESHAPE)
        join_reshapes(e, i);
    if (!e->dead[i])
        read_as_transpose(e, i);
    if (early && n->op == MST_OP_AFFINE)
        MST_TRY(raise_scale(e, i, &raised));
    uint32_t t = raised || e->dead[i] ? MST_NONE : transpose_behind(e, i, 0);
    if (t != MST_NONE && n->op == MST_OP_TRANSPOSE)
        join_transposes(e, i, t);
    else if (t != MST_NONE && n->op == MST_OP_REDUCE)
        sink_reduce(e, i, t);
    else if (t != MST_NONE && n->op == MST_OP_PAD && !early)
        return sink_pad(e, i, t);
    return raised || e->dead[i] ? MST_OK : sink_unit(e, i, early);
}

/* One walk in execution order is enough: what a node leaves behind, its users,
 * which come later, pick up. */
static mst_status walk(mst_graph *g, bool early, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        if (!e.dead[i])
            st = visit(&e, i, early);
    return edit_finish(&e, st);
}

mst_status pass_sink(mst_graph *g, mst_err *err) { return walk(g, true, err); }

mst_status pass_layout(mst_graph *g, mst_err *err)
{
    MST_TRY(walk(g, false, err));
    layout_number_masks(g);
    return MST_OK;
}
