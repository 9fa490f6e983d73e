/* MATMUL of two spike tensors: where each batch lies. */
#include "runtime/lower/lowering.h"

/* First rows of each batch of an operand; batch: shape and strides in elements. */
static mst_status first_rows(lowering *lo, const nd_loop *nd, int operand, size_t cols, size_t n,
                             const uint32_t **out)
{
    uint32_t *row = mst_arena_array(&lo->p->arena, n, sizeof *row), last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0}, k = 0;
    ptrdiff_t at[ND_OPERANDS] = {0};
    if (row == NULL)
        return low_no_memory(lo);
    do {
        for (size_t i = 0; i < nd->dims[last]; i++)
            row[k++] = (uint32_t)((size_t)(at[operand] + (ptrdiff_t)i * nd->stride[operand][last]) / cols);
    } while (nd_next(nd, pos, at));
    *out = row;
    return MST_OK;
}

static mst_status each_batch_alone(lowering *lo, rt_product *q)
{
    uint32_t *group = mst_arena_array(&lo->p->arena, q->batches + 1, sizeof *group);
    if (group == NULL)
        return low_no_memory(lo);
    for (size_t i = 0; i <= q->batches; i++)
        group[i] = (uint32_t)i;
    q->group = group;
    q->n_groups = (uint32_t)q->batches;
    return MST_OK;
}

mst_status low_make_product(lowering *lo, uint32_t node, rt_expr **expr)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_node *pre = &lo->p->nodes[node];
    const op_matmul *m = &pre->u.matmul;
    bool a_ok, b_ok = false;
    rt_value a, b;
    *expr = NULL;
    if ((m->rule != OP_COINCIDE && m->rule != OP_COUNTS) || m->k > UINT16_MAX)
        return MST_OK;
    MST_TRY(low_as_bits(lo, n->in[0], &a, &a_ok));
    if (a_ok)
        MST_TRY(low_as_bits(lo, n->in[1], &b, &b_ok));
    if (!b_ok)
        return MST_OK;
    rt_product *q = mst_arena_alloc(&lo->p->arena, sizeof *q);
    rt_expr *e = mst_arena_alloc(&lo->p->arena, sizeof *e);
    if (q == NULL || e == NULL)
        return low_no_memory(lo);
    *q = (rt_product){.node = pre,
                      .a = a,
                      .b = b,
                      .batches = pre->n / (m->m * m->n),
                      .m = m->m,
                      .n = m->n,
                      .k = m->k,
                      .trans_b = m->trans_b};
    MST_TRY(first_rows(lo, &m->batch, 0, a.cols, q->batches, &q->a_row));
    MST_TRY(first_rows(lo, &m->batch, 1, b.cols, q->batches, &q->b_row));
    MST_TRY(each_batch_alone(lo, q));
    e->prod = q;
    e->rows = q->batches * q->m;
    e->cols = (uint32_t)q->n;
    *expr = e;
    return MST_OK;
}
