/* Turns the prepared nodes of a program into its operations: decides what stays bits, what is added up
 * strip by strip, and what falls back to the operators' functions on float buffers. Runs nothing. */
#include "runtime/lower/lowering.h"

/* ---- nodes ------------------------------------------------------------------------ */

static mst_status compile_move(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    low_value *v = &lo->values[n->out];
    if (!mst_node_moves_spikes(n) || !low_may_move(lo, n))
        return low_fall_back(lo, node);
    v->kind = LOW_MOVED;
    uint32_t base = low_move_base(lo, n->out);
    const rt_expr *e = base != MST_NONE ? lo->values[base].expr : NULL;
    bool costly = e != NULL && lo->values[base].kind == LOW_EXPR && (e->syn != NULL || e->prod != NULL);
    return costly && v->readers != 1 ? low_fall_back(lo, node) : MST_OK;
}

static mst_status compile_synapse(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    rt_expr *e;
    if (n->op == MST_OP_MATMUL)
        MST_TRY(low_make_product(lo, node, &e));
    else
        MST_TRY(low_make_synapse(lo, node, &e));
    return e != NULL ? low_set_expr(lo, n->out, e) : low_fall_back(lo, node);
}

/* Where each row of the broadcast constant or static tensor starts. */
static mst_status static_term(lowering *lo, uint32_t tensor, uint32_t out, rt_ref ref, rt_term *t)
{
    const mst_tensor *x = &lo->g->tensors[tensor], *y = &lo->g->tensors[out];
    uint32_t cols = rt_last_dim(y);
    size_t pos[MST_MAX_RANK] = {0}, rows = mst_tensor_elements(y) / cols;
    uint32_t dims[MST_MAX_RANK] = {0};
    int32_t stride[MST_MAX_RANK] = {0};
    uint32_t *row = mst_arena_array(&lo->p->arena, rows, sizeof *row);
    if (row == NULL)
        return low_no_memory(lo);
    for (uint32_t d = 0; d < y->rank; d++)
        dims[d] = y->dims[d];
    nd_broadcast(x, y->rank, dims, stride);
    size_t at = 0;
    for (size_t r = 0; r < rows; r++) {
        row[r] = (uint32_t)at;
        for (uint32_t d = y->rank; d-- > 1;) {
            at += (size_t)stride[d - 1];
            if (++pos[d - 1] < dims[d - 1])
                break;
            at -= (size_t)stride[d - 1] * dims[d - 1];
            pos[d - 1] = 0;
        }
    }
    *t = (rt_term){.kind = RT_TERM_ROWS, .ref = ref, .row = row, .one = rt_last_dim(x) == 1 && cols != 1};
    return MST_OK;
}

static bool same_rows(const lowering *lo, uint32_t a, uint32_t b)
{
    const mst_tensor *x = &lo->g->tensors[a], *y = &lo->g->tensors[b];
    return mst_tensor_elements(x) == mst_tensor_elements(y) && rt_last_dim(x) == rt_last_dim(y);
}

static bool is_one_term(const rt_expr *e)
{
    return e->syn == NULL && e->prod == NULL && e->n_terms == 1 && e->terms[0].kind != RT_TERM_AFFINE;
}

static mst_status add_both(lowering *lo, uint32_t out, uint32_t a, uint32_t b, rt_expr **e)
{
    rt_expr *x, *y;
    MST_TRY(low_as_expr(lo, a, false, &x));
    MST_TRY(low_as_expr(lo, b, false, &y));
    if (is_one_term(y))
        return low_add_term(lo, out, a, x, &y->terms[0], e);
    if (is_one_term(x)) /* sums commute, to the bit */
        return low_add_term(lo, out, b, y, &x->terms[0], e);
    rt_term t = {.kind = RT_TERM_FLOAT, .tensor = b};
    MST_TRY(low_as_float(lo, b, &t.buf));
    return low_add_term(lo, out, a, x, &t, e);
}

static mst_status compile_binary(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_node *pre = &lo->p->nodes[node];
    uint32_t a = n->in[0], b = n->in[1], other = 1;
    if (lo->values[a].kind == LOW_STATIC) {
        a = n->in[1];
        b = n->in[0];
        other = 0;
    }
    bool with_static = lo->values[b].kind == LOW_STATIC;
    if (n->ip[MST_BINARY_FN] != MST_BIN_ADD || !same_rows(lo, a, n->out) ||
        (!with_static && !same_rows(lo, b, n->out)))
        return low_fall_back(lo, node);
    rt_expr *e, *x;
    if (with_static) {
        rt_term t;
        MST_TRY(static_term(lo, b, n->out, pre->in[other], &t));
        MST_TRY(low_as_expr(lo, a, false, &x));
        MST_TRY(low_add_term(lo, n->out, a, x, &t, &e));
    } else {
        MST_TRY(add_both(lo, n->out, a, b, &e));
    }
    return low_set_expr(lo, n->out, e);
}

static mst_status compile_mask(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    low_value *v = &lo->values[n->out];
    rt_value in;
    rt_op *op;
    bool ok;
    MST_TRY(low_as_bits(lo, n->in[0], &in, &ok));
    if (!ok)
        return low_fall_back(lo, node);
    low_use_buf(lo, in.buf);
    MST_TRY(low_new_bits(lo, n->out, &v->bits));
    MST_TRY(low_new_op(lo, RT_OP_MASK, n->out, &op));
    op->node = &lo->p->nodes[node];
    op->in = in;
    op->out = v->bits;
    v->kind = LOW_BITS;
    v->has_bits = true;
    return MST_OK;
}

static mst_status compile_node(lowering *lo, uint32_t node)
{
    const mst_node *n = &lo->g->nodes[node];
    /* numbers beside sums are made by operators' functions alone */
    bool beside = lo->p->facts[n->out].numbers && !lo->p->facts[n->out].train;
    if (lo->target == NULL || beside)
        return low_fall_back(lo, node);
    switch (n->op) {
    case MST_OP_LINEAR:
    case MST_OP_CONV:
    case MST_OP_MATMUL: return compile_synapse(lo, node);
    case MST_OP_BINARY: return compile_binary(lo, node);
    case MST_OP_AFFINE: return low_compile_affine(lo, node);
    case MST_OP_NEURON: return low_compile_neuron(lo, node);
    case MST_OP_MASK: return compile_mask(lo, node);
    default:
        return (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 ? compile_move(lo, node)
                                                            : low_fall_back(lo, node);
    }
}

/* ---- all nodes -------------------------------------------------------------------- */

static mst_status note_values(lowering *lo)
{
    lo->values = mst_arena_array(lo->tmp, lo->g->n_tensors, sizeof *lo->values);
    if (lo->values == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < lo->g->n_nodes; i++) {
        const mst_node *n = &lo->g->nodes[i];
        if (lo->p->nodes[i].is_static)
            continue;
        lo->values[n->out].kind = LOW_FLOAT;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k] != MST_NONE)
                lo->values[n->in[k]].readers++;
    }
    lo->values[lo->g->output].readers++;
    return MST_OK;
}

/* An input that changes from step to step is floats, which the driver puts there. */
static mst_status note_input(lowering *lo)
{
    low_value *v = &lo->values[lo->g->input];
    lo->p->in_buf = MST_NONE;
    if (!rt_has_frames(lo->p))
        return MST_OK;
    MST_TRY(low_new_buf(lo, lo->p->input_n * sizeof(float), &lo->p->in_buf));
    v->kind = LOW_FLOAT;
    v->has_buf = true;
    v->buf = lo->p->in_buf;
    return MST_OK;
}

static mst_status make_ops(lowering *lo)
{
    const uint32_t *order;
    uint32_t n;
    MST_TRY(note_values(lo));
    MST_TRY(note_input(lo));
    MST_TRY(low_node_order(lo, &order, &n));
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(compile_node(lo, order[i]));
    lo->p->out_buf = MST_NONE;
    if (lo->values[lo->g->output].kind != LOW_STATIC) {
        MST_TRY(low_as_float(lo, lo->g->output, &lo->p->out_buf));
        low_use_buf(lo, lo->p->out_buf);
    }
    low_keep_groups(lo);
    return MST_OK;
}

mst_status low_make_ops(lowering *lo)
{
    MST_TRY(make_ops(lo));
    return low_place_ops(lo);
}
