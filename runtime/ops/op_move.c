/* Movement: values go elsewhere unchanged. All but GATHER are strided copies. */
#include <string.h>

#include "runtime/ops/op.h"

/* A float, or a number of spikes. */
typedef uint32_t __attribute__((may_alias)) word;

static void copy_row(const word *x, ptrdiff_t sx, word *y, ptrdiff_t sy, size_t n)
{
    if (sx == 1 && sy == 1) {
        memcpy(y, x, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[(ptrdiff_t)i * sy] = x[(ptrdiff_t)i * sx];
}

void op_copy_words(const op_copy *c, const void *from, void *to)
{
    const word *x = from;
    word *y = to;
    const nd_loop *nd = &c->nd;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {c->in_at, c->out_at};
    do {
        copy_row(x + at[0], nd->stride[0][last], y + at[1], nd->stride[1][last], nd->dims[last]);
    } while (nd_next(nd, pos, at));
}

static void run_move(op_call *c)
{
    float *y = c->out;
    if (c->node->u.move.fill)
        for (size_t i = 0; i < c->node->n; i++)
            y[i] = c->node->u.move.value;
    for (uint32_t k = 0; k < c->node->n_in; k++)
        op_copy_words(&c->node->u.move.parts[k], op_in(c, k), y);
}

/* One part per input, each over shape `over`, with strides of a plain copy. */
static mst_status prepare_parts(op_prep *c, op_node *op, bool over_input)
{
    op->run = run_move;
    op->u.move.parts = mst_arena_array(c->arena, op->n_in, sizeof *op->u.move.parts);
    if (op->u.move.parts == NULL)
        return op_no_memory(c->err);
    for (uint32_t k = 0; k < op->n_in; k++) {
        const mst_tensor *x = op_in_tensor(c, k), *y = op_out_tensor(c), *shape = over_input ? x : y;
        nd_loop *nd = &op->u.move.parts[k].nd;
        nd->rank = shape->rank;
        for (uint32_t d = 0; d < shape->rank; d++)
            nd->dims[d] = shape->dims[d];
        nd_strides(x, nd->stride[0]);
        nd_strides(y, nd->stride[1]);
    }
    return MST_OK;
}

mst_status op_prepare_RESHAPE(op_prep *c, op_node *op)
{
    (void)c;
    op->run = NULL; /* the output is its input's memory */
    return MST_OK;
}

mst_status op_prepare_TRANSPOSE(op_prep *c, op_node *op)
{
    MST_TRY(prepare_parts(c, op, false));
    nd_loop *nd = &op->u.move.parts[0].nd;
    int32_t own[MST_MAX_RANK];
    nd_strides(op_in_tensor(c, 0), own);
    for (uint32_t d = 0; d < nd->rank; d++)
        nd->stride[0][d] = own[c->node->ip[MST_TRANSPOSE_PERM + d]];
    nd_collapse(nd);
    return MST_OK;
}

mst_status op_prepare_SLICE(op_prep *c, op_node *op)
{
    MST_TRY(prepare_parts(c, op, false));
    op_copy *part = &op->u.move.parts[0];
    for (uint32_t d = 0; d < part->nd.rank; d++) {
        part->in_at += (ptrdiff_t)part->nd.stride[0][d] * c->node->ip[MST_SLICE_START + d];
        /* a step that is never taken may be any number: keep the product small */
        part->nd.stride[0][d] *= part->nd.dims[d] == 1 ? 1 : c->node->ip[MST_SLICE_STEP + d];
    }
    nd_collapse(&part->nd);
    return MST_OK;
}

mst_status op_prepare_CONCAT(op_prep *c, op_node *op)
{
    MST_TRY(prepare_parts(c, op, true));
    int32_t axis = c->node->ip[MST_CONCAT_AXIS];
    ptrdiff_t at = 0;
    for (uint32_t k = 0; k < op->n_in; k++) {
        op_copy *part = &op->u.move.parts[k];
        part->out_at = at * part->nd.stride[1][axis];
        at += part->nd.dims[axis];
        nd_collapse(&part->nd);
    }
    return MST_OK;
}

mst_status op_prepare_PAD(op_prep *c, op_node *op)
{
    MST_TRY(prepare_parts(c, op, true));
    op_copy *part = &op->u.move.parts[0];
    for (uint32_t d = 0; d < part->nd.rank; d++)
        part->out_at += (ptrdiff_t)part->nd.stride[1][d] * c->node->ip[MST_PAD_BEFORE + d];
    nd_collapse(&part->nd);
    op->u.move.fill = true;
    op->u.move.value = c->node->fp[MST_PAD_VALUE];
    return MST_OK;
}

mst_status op_prepare_EXPAND(op_prep *c, op_node *op)
{
    MST_TRY(prepare_parts(c, op, false));
    nd_loop *nd = &op->u.move.parts[0].nd;
    nd_broadcast(op_in_tensor(c, 0), nd->rank, nd->dims, nd->stride[0]);
    nd_collapse(nd);
    return MST_OK;
}
