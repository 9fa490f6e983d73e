/* Products whose second factor is transposed on the way: Q K^T reads K as it is,
 * rows of both factors contiguous along the contraction. */
#include <string.h>

#include "converter/passes/passes.h"

static mst_status visit(mst_edit *e, uint32_t i)
{
    uint32_t t = edit_maker(e, i, 1);
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
