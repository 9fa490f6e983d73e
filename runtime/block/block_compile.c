/* Turns the prepared steps of a program into the operations of the block schedule:
 * decides what stays bits, what is added up strip by strip, and what falls back to
 * the step handlers on float buffers. Runs nothing. */
#include "runtime/block/block.h"
#include "runtime/core/checked.h"

/* ---- nodes ------------------------------------------------------------------------ */

mst_status blk_fall_back(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    blk_value *v = &bc->values[n->out];
    blk_op *op;
    uint32_t *in = mst_arena_array(&bc->p->arena, n->n_in, sizeof *in);
    if (in == NULL)
        return blk_no_memory(bc);
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = MST_NONE;
        if (n->in[k] != MST_NONE && bc->values[n->in[k]].kind != BLK_STATIC)
            MST_TRY(blk_as_float(bc, n->in[k], &in[k]));
    }
    v->kind = BLK_FLOAT;
    v->has_buf = true;
    if (st->run == NULL) { /* RESHAPE: the same values */
        v->buf = in[0];
        return MST_OK;
    }
    for (uint32_t k = 0; k < n->n_in; k++)
        if (in[k] != MST_NONE)
            blk_use_buf(bc, in[k]);
    MST_TRY(blk_new_buf(bc, st->n * sizeof(float), &v->buf));
    MST_TRY(blk_new_op(bc, BLK_STEP, &op));
    if (bc->b->step_scratch < st->scratch_bytes)
        bc->b->step_scratch = st->scratch_bytes;
    op->step = st;
    op->in_buf = in;
    op->out_buf = v->buf;
    op->n = st->n;
    return MST_OK;
}

mst_status blk_set_expr(blk_compiler *bc, uint32_t tensor, blk_expr *e)
{
    blk_value *v = &bc->values[tensor];
    uint32_t buf;
    v->kind = BLK_EXPR;
    v->expr = e;
    if ((e->syn != NULL || e->prod != NULL) && v->readers != 1)
        MST_TRY(blk_as_float(bc, tensor, &buf));
    if (v->has_buf)
        v->kind = BLK_FLOAT;
    return MST_OK;
}

static mst_status compile_move(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_value *v = &bc->values[n->out];
    if ((n->op == MST_OP_PAD && n->fp[MST_PAD_VALUE] != 0.0f) || !blk_may_move(bc, n))
        return blk_fall_back(bc, node);
    v->kind = BLK_MOVED;
    uint32_t base = blk_move_base(bc, n->out);
    const blk_expr *e = base != MST_NONE ? bc->values[base].expr : NULL;
    bool costly = e != NULL && bc->values[base].kind == BLK_EXPR && (e->syn != NULL || e->prod != NULL);
    return costly && v->readers != 1 ? blk_fall_back(bc, node) : MST_OK;
}

static mst_status compile_synapse(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_expr *e;
    if (n->op == MST_OP_MATMUL)
        MST_TRY(blk_make_product(bc, node, &e));
    else
        MST_TRY(blk_make_synapse(bc, node, &e));
    return e != NULL ? blk_set_expr(bc, n->out, e) : blk_fall_back(bc, node);
}

/* Where each row of the broadcast constant or static tensor starts. */
static mst_status static_term(blk_compiler *bc, uint32_t tensor, uint32_t out, exec_ref ref, blk_term *t)
{
    const mst_tensor *x = &bc->g->tensors[tensor], *y = &bc->g->tensors[out];
    uint32_t cols = blk_last_dim(y);
    size_t dims[MST_MAX_RANK] = {0}, pos[MST_MAX_RANK] = {0}, rows = mst_tensor_elements(y) / cols;
    ptrdiff_t stride[MST_MAX_RANK] = {0};
    uint32_t *row = mst_arena_array(&bc->p->arena, rows, sizeof *row);
    if (row == NULL)
        return blk_no_memory(bc);
    for (uint32_t d = 0; d < y->rank; d++)
        dims[d] = y->dims[d];
    exec_nd_broadcast(x, y->rank, dims, stride);
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
    *t = (blk_term){.kind = BLK_TERM_ROWS, .ref = ref, .row = row, .one = blk_last_dim(x) == 1 && cols != 1};
    return MST_OK;
}

static bool same_rows(const blk_compiler *bc, uint32_t a, uint32_t b)
{
    const mst_tensor *x = &bc->g->tensors[a], *y = &bc->g->tensors[b];
    return mst_tensor_elements(x) == mst_tensor_elements(y) && blk_last_dim(x) == blk_last_dim(y);
}

mst_status blk_add_term(blk_compiler *bc, uint32_t tensor, uint32_t of, const blk_expr *e, const blk_term *t,
                        blk_expr **out)
{
    bool full = e->n_terms == BLK_MAX_TERMS;
    MST_TRY(blk_new_expr(bc, tensor, full ? 2 : e->n_terms + 1, out));
    blk_term *terms = (*out)->terms;
    if (full) {
        terms[0].kind = BLK_TERM_FLOAT;
        (*out)->n_terms = 1;
        MST_TRY(blk_as_float(bc, of, &terms[0].buf));
    } else {
        for (uint32_t i = 0; i < e->n_terms; i++)
            terms[i] = e->terms[i];
        **out = *e;
        (*out)->terms = terms;
    }
    terms[(*out)->n_terms++] = *t;
    return MST_OK;
}

static bool is_one_term(const blk_expr *e)
{
    return e->syn == NULL && e->prod == NULL && e->n_terms == 1 && e->terms[0].kind != BLK_TERM_AFFINE;
}

static mst_status add_both(blk_compiler *bc, uint32_t out, uint32_t a, uint32_t b, blk_expr **e)
{
    blk_expr *x, *y;
    MST_TRY(blk_as_expr(bc, a, false, &x));
    MST_TRY(blk_as_expr(bc, b, false, &y));
    if (is_one_term(y))
        return blk_add_term(bc, out, a, x, &y->terms[0], e);
    if (is_one_term(x)) /* sums commute, to the bit */
        return blk_add_term(bc, out, b, y, &x->terms[0], e);
    blk_term t = {.kind = BLK_TERM_FLOAT};
    MST_TRY(blk_as_float(bc, b, &t.buf));
    return blk_add_term(bc, out, a, x, &t, e);
}

static mst_status compile_binary(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    uint32_t a = n->in[0], b = n->in[1], other = 1;
    if (bc->values[a].kind == BLK_STATIC) {
        a = n->in[1];
        b = n->in[0];
        other = 0;
    }
    bool with_static = bc->values[b].kind == BLK_STATIC;
    if (n->ip[MST_BINARY_FN] != MST_BIN_ADD || !same_rows(bc, a, n->out) ||
        (!with_static && !same_rows(bc, b, n->out)))
        return blk_fall_back(bc, node);
    blk_expr *e, *x;
    if (with_static) {
        blk_term t;
        MST_TRY(static_term(bc, b, n->out, st->in[other], &t));
        MST_TRY(blk_as_expr(bc, a, false, &x));
        MST_TRY(blk_add_term(bc, n->out, a, x, &t, &e));
    } else {
        MST_TRY(add_both(bc, n->out, a, b, &e));
    }
    return blk_set_expr(bc, n->out, e);
}

static mst_status compile_mask(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    blk_value *v = &bc->values[n->out];
    blk_bits in;
    blk_op *op;
    bool ok;
    MST_TRY(blk_as_bits(bc, n->in[0], &in, &ok));
    if (!ok)
        return blk_fall_back(bc, node);
    blk_use_buf(bc, in.buf);
    MST_TRY(blk_new_bits(bc, n->out, &v->bits));
    MST_TRY(blk_new_op(bc, BLK_MASK, &op));
    op->step = &bc->p->steps[node];
    op->in = in;
    op->out = v->bits;
    v->kind = BLK_BITS;
    v->has_bits = true;
    return MST_OK;
}

static mst_status compile_node(blk_compiler *bc, uint32_t node)
{
    const mst_node *n = &bc->g->nodes[node];
    switch (n->op) {
    case MST_OP_LINEAR:
    case MST_OP_CONV:
    case MST_OP_MATMUL: return compile_synapse(bc, node);
    case MST_OP_BINARY: return compile_binary(bc, node);
    case MST_OP_AFFINE: return blk_compile_affine(bc, node);
    case MST_OP_NEURON: return blk_compile_neuron(bc, node);
    case MST_OP_MASK: return compile_mask(bc, node);
    default:
        return (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 ? compile_move(bc, node)
                                                            : blk_fall_back(bc, node);
    }
}

/* ---- the program -------------------------------------------------------------------- */

static mst_status note_values(blk_compiler *bc)
{
    bc->values = mst_arena_array(&bc->c->tmp, bc->g->n_tensors, sizeof *bc->values);
    if (bc->values == NULL)
        return blk_no_memory(bc);
    for (uint32_t i = 0; i < bc->g->n_nodes; i++) {
        const mst_node *n = &bc->g->nodes[i];
        if (bc->p->steps[i].is_static)
            continue;
        bc->values[n->out].kind = BLK_FLOAT;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k] != MST_NONE)
                bc->values[n->in[k]].readers++;
    }
    bc->values[bc->g->output].readers++;
    return MST_OK;
}

/* An input that changes from step to step is floats, which blk_session_run puts there. */
static mst_status note_input(blk_compiler *bc)
{
    blk_value *v = &bc->values[bc->g->input];
    bc->b->in_buf = MST_NONE;
    if (!exec_has_frames(bc->p))
        return MST_OK;
    MST_TRY(blk_new_buf(bc, bc->p->input_n * sizeof(float), &bc->b->in_buf));
    v->kind = BLK_FLOAT;
    v->has_buf = true;
    v->buf = bc->b->in_buf;
    return MST_OK;
}

static mst_status choose_steps(blk_compiler *bc)
{
    blk_program *b = bc->b;
    blk_need need = {0};
    double alive = 0; /* bytes, summed over operations */
    MST_TRY(exec_plan(b->bufs, b->n_bufs, (uint32_t)b->n_ops + 1, &bc->c->tmp, &need.most_passed, bc->c->err));
    for (size_t i = 0; i < b->n_bufs; i++)
        alive += (double)b->bufs[i].bytes * (b->bufs[i].last - b->bufs[i].first + 1);
    need.passed = (size_t)(alive / (double)(b->n_ops + 1));
    for (size_t i = 0; i < b->n_ops; i++)
        if (b->ops[i].kind == BLK_LAYER && blk_layer_hot(b->ops[i].expr) > need.hot)
            need.hot = blk_layer_hot(b->ops[i].expr);
    b->steps = blk_choose_steps(blk_find_caches(), need);
    return MST_OK;
}

/* Until now they have the size of one step. */
static mst_status size_buffers(blk_compiler *bc)
{
    blk_program *b = bc->b;
    for (size_t i = 0; i < b->n_bufs; i++)
        if (!mst_mul_size(b->bufs[i].bytes, b->steps, &b->bufs[i].bytes) || b->bufs[i].bytes > EXEC_MAX_BYTES)
            return mst_fail(bc->c->err, MST_ELIMIT,
                            "a block of %u time steps of one tensor takes more than %llu bytes: use the step "
                            "schedule",
                            b->steps, (unsigned long long)EXEC_MAX_BYTES);
    for (size_t i = 0; i < b->n_ops; i++) {
        size_t need = b->ops[i].kind == BLK_LAYER ? blk_layer_scratch(b, b->ops[i].expr) : b->step_scratch;
        b->scratch_bytes = b->scratch_bytes < need ? need : b->scratch_bytes;
    }
    return MST_OK;
}

static mst_status place(blk_compiler *bc)
{
    blk_program *b = bc->b;
    mst_program *p = bc->p;
    size_t arena, at;
    blk_keep_groups(bc);
    if (b->steps == 0)
        MST_TRY(choose_steps(bc));
    MST_TRY(size_buffers(bc));
    MST_TRY(exec_plan(b->bufs, b->n_bufs, (uint32_t)b->n_ops + 1, &bc->c->tmp, &arena, bc->c->err));
    at = p->transient; /* the step schedule's values: not needed at the same time */
    if (at > p->transient_end || arena > p->transient_end - at)
        MST_TRY(exec_add_bytes(bc->c, arena, 1, &at, &p->bytes));
    for (size_t i = 0; i < b->n_bufs; i++)
        b->bufs[i].at += at;
    b->scratch_bytes = (b->scratch_bytes + 127) / 128 * 128;
    return exec_add_bytes(bc->c, b->scratch_bytes, b->threads, &b->scratch, &p->bytes);
}

static mst_status compile(blk_compiler *bc)
{
    const uint32_t *order;
    uint32_t n;
    MST_TRY(note_values(bc));
    MST_TRY(note_input(bc));
    MST_TRY(blk_node_order(bc, &order, &n));
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(compile_node(bc, order[i]));
    bc->b->out_buf = MST_NONE;
    if (bc->values[bc->g->output].kind != BLK_STATIC) {
        MST_TRY(blk_as_float(bc, bc->g->output, &bc->b->out_buf));
        blk_use_buf(bc, bc->b->out_buf);
    }
    return place(bc);
}

mst_status blk_program_create(exec_compiler *c, uint32_t steps, unsigned threads)
{
    mst_program *p = c->p;
    blk_compiler bc = {.c = c, .p = p, .g = c->g, .panel_room = blk_panel_room(c->g)};
    bc.b = p->block = mst_alloc(p->alloc, sizeof *p->block);
    if (p->block == NULL)
        return blk_no_memory(&bc);
    p->block->steps = steps > BLK_MAX_STEPS ? BLK_MAX_STEPS : steps;
    p->block->threads = threads < 1 ? 1 : threads > BLK_MAX_THREADS ? BLK_MAX_THREADS : threads;
    mst_block_kernels_select(p->k.isa, &p->block->k);
    return compile(&bc);
}

void blk_program_destroy(const mst_allocator *alloc, blk_program *b)
{
    if (b == NULL)
        return;
    for (blk_synapse *syn = b->synapses, *next; syn != NULL; syn = next) {
        next = syn->next;
        blk_free_panels(alloc, syn);
    }
    mst_free_array(alloc, b->ops, b->cap_ops, sizeof *b->ops);
    mst_free_array(alloc, b->bufs, b->cap_bufs, sizeof *b->bufs);
    mst_free(alloc, b, sizeof *b);
}

uint32_t blk_program_steps(const blk_program *b) { return b->steps; }
