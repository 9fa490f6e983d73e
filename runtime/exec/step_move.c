/* Movement: values go elsewhere unchanged. All but GATHER are strided copies. */
#include <string.h>

#include "runtime/exec/program.h"

static void copy_row(const float *x, ptrdiff_t sx, float *y, ptrdiff_t sy, size_t n)
{
    if (sx == 1 && sy == 1) {
        memcpy(y, x, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[(ptrdiff_t)i * sy] = x[(ptrdiff_t)i * sx];
}

static void copy_part(const exec_copy *c, const float *x, float *y)
{
    const exec_nd *nd = &c->nd;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[EXEC_ND_OPERANDS] = {c->in_at, c->out_at};
    do {
        copy_row(x + at[0], nd->stride[0][last], y + at[1], nd->stride[1][last], nd->dims[last]);
    } while (exec_nd_next(nd, pos, at));
}

static void run_move(mst_session *s, const exec_step *st)
{
    float *y = exec_out(s, st);
    if (st->u.move.fill)
        for (size_t i = 0; i < st->n; i++)
            y[i] = st->u.move.value;
    for (uint32_t k = 0; k < st->n_in; k++)
        copy_part(&st->u.move.parts[k], exec_in(s, st, k), y);
}

/* One part per input, each over shape `over`, with strides of a plain copy. */
static mst_status prepare_parts(exec_compiler *c, exec_step *st, bool over_input)
{
    st->run = run_move;
    st->u.move.parts = mst_arena_array(&c->p->arena, st->n_in, sizeof *st->u.move.parts);
    if (st->u.move.parts == NULL)
        return exec_no_memory(c);
    for (uint32_t k = 0; k < st->n_in; k++) {
        const mst_tensor *x = exec_in_tensor(c, k), *y = exec_out_tensor(c), *shape = over_input ? x : y;
        exec_nd *nd = &st->u.move.parts[k].nd;
        nd->rank = shape->rank;
        for (uint32_t d = 0; d < shape->rank; d++)
            nd->dims[d] = shape->dims[d];
        exec_nd_strides(x, nd->stride[0]);
        exec_nd_strides(y, nd->stride[1]);
    }
    return MST_OK;
}

mst_status exec_prepare_RESHAPE(exec_compiler *c, exec_step *st)
{
    (void)c;
    st->run = NULL; /* the output is its input's memory */
    return MST_OK;
}

mst_status exec_prepare_TRANSPOSE(exec_compiler *c, exec_step *st)
{
    MST_TRY(prepare_parts(c, st, false));
    exec_nd *nd = &st->u.move.parts[0].nd;
    ptrdiff_t own[MST_MAX_RANK];
    exec_nd_strides(exec_in_tensor(c, 0), own);
    for (uint32_t d = 0; d < nd->rank; d++)
        nd->stride[0][d] = own[c->node->ip[MST_TRANSPOSE_PERM + d]];
    exec_nd_collapse(nd);
    return MST_OK;
}

mst_status exec_prepare_SLICE(exec_compiler *c, exec_step *st)
{
    MST_TRY(prepare_parts(c, st, false));
    exec_copy *part = &st->u.move.parts[0];
    for (uint32_t d = 0; d < part->nd.rank; d++) {
        part->in_at += part->nd.stride[0][d] * c->node->ip[MST_SLICE_START + d];
        /* a step that is never taken may be any number: keep the product small */
        part->nd.stride[0][d] *= part->nd.dims[d] == 1 ? 1 : c->node->ip[MST_SLICE_STEP + d];
    }
    exec_nd_collapse(&part->nd);
    return MST_OK;
}

mst_status exec_prepare_CONCAT(exec_compiler *c, exec_step *st)
{
    MST_TRY(prepare_parts(c, st, true));
    int32_t axis = c->node->ip[MST_CONCAT_AXIS];
    ptrdiff_t at = 0;
    for (uint32_t k = 0; k < st->n_in; k++) {
        exec_copy *part = &st->u.move.parts[k];
        part->out_at = at * part->nd.stride[1][axis];
        at += (ptrdiff_t)part->nd.dims[axis];
        exec_nd_collapse(&part->nd);
    }
    return MST_OK;
}

mst_status exec_prepare_PAD(exec_compiler *c, exec_step *st)
{
    MST_TRY(prepare_parts(c, st, true));
    exec_copy *part = &st->u.move.parts[0];
    for (uint32_t d = 0; d < part->nd.rank; d++)
        part->out_at += part->nd.stride[1][d] * c->node->ip[MST_PAD_BEFORE + d];
    exec_nd_collapse(&part->nd);
    st->u.move.fill = true;
    st->u.move.value = c->node->fp[MST_PAD_VALUE];
    return MST_OK;
}

mst_status exec_prepare_EXPAND(exec_compiler *c, exec_step *st)
{
    MST_TRY(prepare_parts(c, st, false));
    exec_nd *nd = &st->u.move.parts[0].nd;
    exec_nd_broadcast(exec_in_tensor(c, 0), nd->rank, nd->dims, nd->stride[0]);
    exec_nd_collapse(nd);
    return MST_OK;
}

static void run_gather(mst_session *s, const exec_step *st)
{
    const exec_gather *q = &st->u.gather;
    const float *x = exec_in(s, st, 0);
    const int32_t *index = exec_at(s, st->in[1]);
    float *y = exec_out(s, st);
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++, y += q->inner)
            memcpy(y, x + (o * q->axis + (size_t)index[i]) * q->inner, q->inner * sizeof *y);
}

mst_status exec_prepare_GATHER(exec_compiler *c, exec_step *st)
{
    const mst_tensor *x = exec_in_tensor(c, 0);
    uint32_t axis = (uint32_t)c->node->ip[MST_GATHER_AXIS];
    exec_gather *q = &st->u.gather;
    st->run = run_gather;
    q->outer = q->inner = 1;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d < axis)
            q->outer *= x->dims[d];
        else if (d == axis)
            q->axis = x->dims[d];
        else
            q->inner *= x->dims[d];
    }
    q->n_index = mst_tensor_elements(exec_in_tensor(c, 1));
    return MST_OK;
}
