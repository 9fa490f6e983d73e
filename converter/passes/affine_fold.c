/* See affine_fold.h. */
#include "converter/passes/affine_fold.h"

double fold_g(const fold *f, size_t i) { return mst_const_at(f->g, f->n_g == 1 ? 0 : i); }
double fold_h(const fold *f, size_t i) { return mst_const_at(f->h, f->n_h == 1 ? 0 : i); }

void fold_refresh(fold *f)
{
    const mst_node *n = edit_node(f->e, f->node);
    f->g = edit_tensor(f->e, n->in[1]);
    f->h = edit_tensor(f->e, n->in[2]);
}

/* How many values stand for a constant: one, if all are the same. */
static uint32_t distinct(const mst_tensor *t)
{
    size_t n = mst_tensor_elements(t), i = 1;
    while (i < n && mst_const_at(t, i) == mst_const_at(t, 0))
        i++;
    return i < n ? (uint32_t)n : 1;
}

fold fold_open(mst_edit *e, uint32_t node)
{
    fold f = {.e = e, .node = node};
    fold_refresh(&f);
    f.n_g = distinct(f.g);
    f.n_h = distinct(f.h);
    f.scalar = f.n_g == 1 && f.n_h == 1;
    f.no_offset = true;
    for (uint32_t i = 0; i < f.n_h; i++)
        f.no_offset = f.no_offset && mst_const_at(f.h, i) == 0;
    return f;
}

/* The axis of the channels across a mean over other axes, with which an affine commutes. */
static int32_t mean_axis(const mst_tensor *x, const mst_tensor *y, uint32_t reduced, int32_t axis, bool up)
{
    mst_tensor kept = *x;
    for (uint32_t d = 0; d < x->rank; d++)
        if ((reduced >> d & 1) != 0)
            kept.dims[d] = 1;
    if (!up && (reduced >> axis & 1) != 0)
        return -1;
    return up ? edit_reshape_axis(y, &kept, axis) : edit_reshape_axis(&kept, y, axis);
}

/* The channel axis on the other side of movement node i; up: from its output to its
 * input. -1: the channels do not survive, or the node is none of these. */
int32_t fold_axis_across(const fold *f, uint32_t i, int32_t axis, bool up)
{
    const mst_node *n = edit_node(f->e, i);
    const mst_tensor *x = edit_tensor(f->e, n->in[0]), *y = edit_tensor(f->e, n->out);
    switch (n->op) {
    case MST_OP_RESHAPE:
        if (f->scalar)
            return 0;
        return up ? edit_reshape_axis(y, x, axis) : edit_reshape_axis(x, y, axis);
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
    case MST_OP_GATHER: {
        int32_t at = n->ip[MST_GATHER_AXIS], more = (int32_t)edit_tensor(f->e, n->in[1])->rank - 1;
        if (f->scalar)
            return up ? -1 : 0;
        if (axis < at)
            return axis;
        return axis <= (up ? at + more : at) ? -1 : up ? axis - more
                                                       : axis + more;
    }
    case MST_OP_PAD: /* a scale leaves zeros zeros */
        return !f->no_offset || n->fp[MST_PAD_VALUE] != 0                            ? -1
               : f->scalar                                                           ? 0
               : x->dims[axis] == y->dims[axis] && n->ip[MST_PAD_BEFORE + axis] == 0 ? axis
                                                                                     : -1;
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

/* Channels that a reshape flattens together with other axes: *axis of y, and how many of its indices belong to one. */
bool fold_flattened(const fold *f, uint32_t reshape, int32_t *axis, uint32_t *inner)
{
    const mst_node *n = edit_node(f->e, reshape);
    const mst_tensor *x = edit_tensor(f->e, n->in[0]), *y = edit_tensor(f->e, n->out);
    uint64_t after = 1, after_y = 1;
    if (n->op != MST_OP_RESHAPE)
        return false;
    for (uint32_t d = (uint32_t)*axis + 1; d < x->rank; d++)
        after *= x->dims[d];
    for (uint32_t d = y->rank; d-- > 0; after_y *= y->dims[d])
        if (after % after_y == 0 && y->dims[d] % (after / after_y * x->dims[*axis]) == 0) {
            *axis = (int32_t)d;
            *inner = (uint32_t)(after / after_y);
            return true;
        }
    return false;
}

bool fold_on_last_axis(const fold *f, const mst_tensor *t, int32_t axis)
{
    return f->scalar || axis == (int32_t)t->rank - 1;
}

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
    fold_refresh(f);
    for (size_t i = 0, n = mst_tensor_elements(&t); i < n; i++)
        (*data)[i] = mst_const_at(&t, i);
    edit_set_input(e, node, slot, fresh);
    return MST_OK;
}

/* Weight [rows][outs] and bias [outs] (made if there is none) of a LINEAR or CONV. */
mst_status fold_own_weights(fold *f, uint32_t target, double **w, double **b, size_t *rows, uint32_t *outs)
{
    mst_edit *e = f->e;
    const mst_tensor *t = edit_tensor(e, edit_node(e, target)->in[1]);
    *outs = t->dims[t->rank - 1];
    *rows = mst_tensor_elements(t) / *outs;
    const mst_node *n = edit_node(e, target);
    if (n->n_in < 3 || n->in[2] == MST_NONE) {
        uint32_t in[3] = {n->in[0], n->in[1]};
        MST_TRY(edit_new_const(e, 1, outs, b, &in[2]));
        fold_refresh(f);
        MST_TRY(edit_reinput(e, target, 3, in));
    }
    MST_TRY(own_const(f, target, 1, w));
    return own_const(f, target, 2, b);
}

/* g2*(g1*x + h1) + h2, second behind first, into the node of one of them. */
mst_status fold_join(fold *first, fold *second, uint32_t target, int32_t axis)
{
    mst_edit *e = first->e;
    uint32_t n = first->n_g > first->n_h ? first->n_g : first->n_h, in[3] = {edit_node(e, target)->in[0]};
    n = n > second->n_g ? n : second->n_g;
    n = n > second->n_h ? n : second->n_h;
    double *gd, *hd;
    MST_TRY(edit_new_const(e, 1, &n, &gd, &in[1]));
    MST_TRY(edit_new_const(e, 1, &n, &hd, &in[2]));
    fold_refresh(first);
    fold_refresh(second);
    for (uint32_t i = 0; i < n; i++) {
        gd[i] = fold_g(second, i) * fold_g(first, i);
        hd[i] = fold_g(second, i) * fold_h(first, i) + fold_h(second, i);
    }
    edit_node(e, target)->ip[MST_AFFINE_AXIS] = axis;
    return edit_reinput(e, target, 3, in);
}
