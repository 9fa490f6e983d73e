/* Sums and averages of pairs' values that another pair rounds: many are right between two levels but for what float32
 * rounds off. So they are computed as ONNX Runtime computes them: each level times its scale, the sums in its order, an
 * average divided by the scale. */
#include <string.h>

#include "converter/passes/qdq_state.h"

#define MAX_MOVES 16

/* One that moves values, seen from behind. */
static bool is_move(const mst_edit *e, uint32_t i)
{
    return edit_is(e, i, MST_OP_TRANSPOSE) || edit_is(e, i, MST_OP_RESHAPE);
}

/* The node that makes what arrives at tensor t, moved at most. */
static uint32_t maker_of(const mst_edit *e, uint32_t t)
{
    for (int moves = 0; moves < MAX_MOVES && is_move(e, e->producer[t]); moves++)
        t = edit_node(e, e->producer[t])->in[0];
    return e->producer[t];
}

/* x * scale or x / scale; no AFFINE, for that would be folded. */
static mst_status emit_scaled(mst_edit *e, mst_binary_fn fn, uint32_t x, double scale, const char *name, uint32_t *y)
{
    uint32_t in[2] = {x}, node;
    MST_TRY(edit_const(e, 1, &scale, &in[1]));
    const mst_tensor shape = *edit_tensor(e, x);
    MST_TRY(edit_add(e, MST_OP_BINARY, name, 2, in, shape.rank, shape.dims, &node));
    edit_node(e, node)->ip[MST_BINARY_FN] = (int32_t)fn;
    edit_node(e, node)->ip[QDQ_MARK] = 1;
    *y = edit_node(e, node)->out;
    return MST_OK;
}

/* ONNX Runtime sums windows of 2x2 by columns; a half is exact, so that the sums may be halved in between. */
static mst_status split_pool(mst_edit *e, uint32_t pool)
{
    const mst_node *n = edit_node(e, pool);
    const mst_tensor x = *edit_tensor(e, n->in[0]), y = *edit_tensor(e, n->out);
    const int32_t *ip = n->ip;
    for (uint32_t d = 0; d < 2; d++)
        if (ip[MST_POOL_KERNEL + d] != 2 || ip[MST_POOL_PAD + d] != 0 || ip[MST_POOL_DILATION + d] != 1 ||
            (int64_t)(y.dims[1 + d] - 1) * ip[MST_POOL_STRIDE + d] + 2 > (int64_t)x.dims[1 + d])
            return MST_OK;
    uint32_t dims[4] = {1, y.dims[1], x.dims[2], x.dims[3]}, in = n->in[0], first;
    MST_TRY(edit_add(e, MST_OP_POOL, n->name, 1, &in, 4, dims, &first));
    mst_node *rows = edit_node(e, first), *columns = edit_node(e, pool);
    memcpy(rows->ip, columns->ip, sizeof rows->ip);
    rows->ip[MST_POOL_KERNEL + 1] = rows->ip[MST_POOL_STRIDE + 1] = 1;
    columns->ip[MST_POOL_KERNEL] = columns->ip[MST_POOL_STRIDE] = 1;
    edit_set_input(e, pool, 0, rows->out);
    return MST_OK;
}

/* Input k of a node, where it is what a pair puts out, moved at most: as each level times the scale, rounded as in
 * ONNX Runtime. *found: it is, or was before. */
static mst_status exact_values(qdq *q, uint32_t node, uint32_t k, bool *found, bool *fresh)
{
    mst_edit *e = q->e;
    uint32_t t = edit_node(e, node)->in[k], y;
    *found = *fresh = false;
    for (int moves = 0; t < q->n_tensors && q->pair_out[t] == MST_NONE; moves++, k = 0, t = edit_node(e, node)->in[0]) {
        node = e->producer[t];
        if (moves == MAX_MOVES || !is_move(e, node))
            return MST_OK;
    }
    *found = true;
    if (t >= q->n_tensors)
        return MST_OK;
    const qdq_pair *of = &q->pairs->at[q->pair_out[t]];
    *found = *fresh = of->one_scale;
    if (!of->one_scale)
        return MST_OK;
    MST_TRY(emit_scaled(e, MST_BIN_MUL, edit_node(e, of->bound)->out, of->told.scale, of->told.name, &y));
    edit_set_input(e, node, k, y);
    if (e->uses[t] == 0)
        edit_kill(e, e->producer[t]);
    return MST_OK;
}

static mst_status follow_average(qdq *q, uint32_t pair)
{
    mst_edit *e = q->e;
    const qdq_pair *p = &q->pairs->at[pair];
    uint32_t x = qdq_source(q, p), pool = maker_of(e, x), y;
    bool found, fresh;
    if (!edit_is(e, pool, MST_OP_POOL) || !p->one_scale)
        return MST_OK;
    MST_TRY(exact_values(q, pool, 0, &found, &fresh));
    if (!found)
        return MST_OK;
    if (fresh)
        MST_TRY(split_pool(e, pool));
    MST_TRY(emit_scaled(e, MST_BIN_DIV, x, p->told.scale, p->told.name, &y));
    edit_set_input(e, p->round, 0, y);
    return MST_OK;
}

/* Functions of pairs' values (LeakyRelu, say), which another pair rounds: divided by its scale, not multiplied. */
static mst_status follow_function(qdq *q, uint32_t pair)
{
    const qdq_pair *p = &q->pairs->at[pair];
    uint32_t x = qdq_source(q, p), y;
    if (!p->one_scale || x >= q->n_tensors || !q->of_pairs[x] || q->averaged[x])
        return MST_OK;
    MST_TRY(emit_scaled(q->e, MST_BIN_DIV, x, p->told.scale, p->told.name, &y));
    edit_set_input(q->e, p->round, 0, y);
    return MST_OK;
}

/* Sums of two pairs' values, which a third one rounds: some are right between two levels, too (qcfs_sum.c). */
static mst_status follow_sum(qdq *q, uint32_t pair)
{
    mst_edit *e = q->e;
    uint32_t sum = maker_of(e, qdq_source(q, &q->pairs->at[pair]));
    bool found, fresh;
    if (!edit_is(e, sum, MST_OP_BINARY) || edit_node(e, sum)->ip[MST_BINARY_FN] != MST_BIN_ADD)
        return MST_OK;
    for (uint32_t k = 0; k < 2; k++)
        if (!mst_is_const(e->g, edit_node(e, sum)->in[k]))
            MST_TRY(exact_values(q, sum, k, &found, &fresh));
    return MST_OK;
}

mst_status qdq_compute_exactly(qdq *q)
{
    for (uint32_t k = 0; k < q->pairs->n; k++)
        if (q->pairs->at[k].told.fate == MST_PAIR_ROUNDS && q->averaged[qdq_source(q, &q->pairs->at[k])])
            MST_TRY(follow_average(q, k));
    for (uint32_t k = 0; k < q->pairs->n; k++)
        if (q->pairs->at[k].told.fate == MST_PAIR_ROUNDS || q->pairs->at[k].told.fate == MST_PAIR_NEURON)
            MST_TRY(follow_sum(q, k));
    for (uint32_t k = 0; k < q->pairs->n; k++)
        if (q->pairs->at[k].told.fate == MST_PAIR_ROUNDS)
            MST_TRY(follow_function(q, k));
    return MST_OK;
}
