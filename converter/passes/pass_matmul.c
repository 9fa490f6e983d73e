/* Products in their simplest form. A second factor that is transposed on the way: Q K^T reads K as it is, rows of both
 * factors contiguous along the contraction. A convolution that has one output pixel, which sees all of the image: a
 * LINEAR. */
#include <string.h>

#include "converter/passes/passes.h"

/* Is the kernel as large as the image? */
static bool sees_all(const mst_edit *e, const mst_node *conv)
{
    const mst_tensor *x = edit_tensor(e, conv->in[0]), *w = edit_tensor(e, conv->in[1]);
    for (int k = 0; k < 2; k++)
        if (conv->ip[MST_CONV_PAD + k] != 0 || w->dims[k] != x->dims[1 + k] ||
            edit_tensor(e, conv->out)->dims[1 + k] != 1 || (conv->ip[MST_CONV_DILATION + k] != 1 && w->dims[k] != 1))
            return false;
    return conv->ip[MST_CONV_GROUP] == 1 && edit_tensor(e, conv->out)->dims[0] == 1;
}

static mst_status conv_to_linear(mst_edit *e, uint32_t i)
{
    mst_node *n = edit_node(e, i);
    const mst_tensor w = *edit_tensor(e, n->in[1]);
    uint32_t all = w.dims[0] * w.dims[1] * w.dims[2], dims[2] = {all, w.dims[3]}, row[4] = {1, 1, 1, all}, flat;
    uint32_t in[3] = {n->in[0], MST_NONE, n->n_in > 2 ? n->in[2] : MST_NONE}, n_in = n->n_in;
    MST_TRY(mst_graph_add_tensor(e->g, w.name, w.dtype, 2, dims, w.data, &in[1], e->err));
    MST_TRY(edit_add(e, MST_OP_RESHAPE, n->name, 1, in, 4, row, &flat)); /* which makes the tensor known, too */
    in[0] = edit_node(e, flat)->out;
    n = edit_node(e, i);
    n->op = MST_OP_LINEAR;
    memset(n->ip, 0, sizeof n->ip);
    return edit_reinput(e, i, n_in, in);
}

static mst_status visit(mst_edit *e, uint32_t i)
{
    uint32_t t = edit_maker(e, i, 1);
    if (edit_is(e, i, MST_OP_CONV) && sees_all(e, edit_node(e, i)))
        return conv_to_linear(e, i);
    if (edit_node(e, i)->op != MST_OP_MATMUL || t == MST_NONE || edit_node(e, t)->op != MST_OP_TRANSPOSE)
        return MST_OK;
    const mst_node *trans = edit_node(e, t);
    uint32_t rank = edit_tensor(e, trans->out)->rank, x = trans->in[0], node;
    int32_t perm[MST_MAX_RANK];
    memcpy(perm, &trans->ip[MST_TRANSPOSE_PERM], sizeof perm);
    bool trans_b = edit_node(e, i)->ip[MST_MATMUL_TRANS_B] != 0;
    uint32_t k_axis = rank - (trans_b ? 1 : 2); /* of the contraction, in the factor as it is now */
    if (perm[k_axis] != (int32_t)rank - 1 || trans_b)
        return MST_OK;
    int32_t swap = perm[rank - 1];
    perm[rank - 1] = perm[rank - 2];
    perm[rank - 2] = swap;
    uint32_t dims[MST_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = edit_tensor(e, x)->dims[perm[d]];
    MST_TRY(edit_add(e, MST_OP_TRANSPOSE, trans->name, 1, &x, rank, dims, &node));
    memcpy(&edit_node(e, node)->ip[MST_TRANSPOSE_PERM], perm, sizeof perm);
    edit_node(e, i)->ip[MST_MATMUL_TRANS_B] = 1;
    edit_set_input(e, i, 1, edit_node(e, node)->out);
    return MST_OK;
}

mst_status pass_matmul(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        st = visit(&e, i);
    return edit_finish(&e, st);
}
