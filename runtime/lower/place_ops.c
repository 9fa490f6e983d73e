/* The memory of operations: how many steps a block has, buffers, scratch memory. */
#include "runtime/core/checked.h"
#include "runtime/lower/lowering.h"

/* Until now buffers have the size of one step. */
static mst_status size_buffers(lowering *lo)
{
    mst_program *p = lo->p;
    for (size_t i = 0; i < p->n_bufs; i++)
        if (!mst_mul_size(p->bufs[i].bytes, p->steps, &p->bufs[i].bytes) || p->bufs[i].bytes > RT_MAX_BYTES)
            return mst_fail(lo->err, MST_ELIMIT,
                            "a block of %u time steps of one tensor takes more than %llu bytes: use the step "
                            "schedule",
                            p->steps, (unsigned long long)RT_MAX_BYTES);
    return MST_OK;
}

/* Scratch memory of an operation, of one thread. */
static size_t scratch_of(const lowering *lo, const rt_op *op)
{
    if (op->kind == RT_OP_LAYER)
        return lo->target->layer_scratch(lo->p, op->expr);
    return op->kind == RT_OP_NODE ? op->node->scratch_bytes : 0;
}

/* Fused layers go over theirs again and again: all have the same, for each thread. */
static mst_status place_shared(lowering *lo, size_t *arena)
{
    mst_program *p = lo->p;
    for (size_t i = 0; i < p->n_ops; i++)
        if (scratch_of(lo, &p->ops[i]) > p->scratch_bytes)
            p->scratch_bytes = scratch_of(lo, &p->ops[i]);
    p->scratch_bytes = (p->scratch_bytes + 127) / 128 * 128;
    return plan_memory(p->bufs, p->n_bufs, (uint32_t)p->n_ops + 1, lo->tmp, arena, lo->err);
}

/* Threads that need memory of their own where every node runs by its operator's function. */
static size_t sharers(const lowering *lo, const rt_op *op) { return op->node->shares ? lo->p->threads : 1; }

/* Nodes that run one after the other: scratch memory is planned as buffers are. *scratch: where, in
 * the arena. */
static mst_status place_each(lowering *lo, size_t *arena)
{
    mst_program *p = lo->p;
    plan_buf *all = mst_arena_array(lo->tmp, p->n_bufs + p->n_ops, sizeof *all);
    size_t n = 0, b = 0;
    if (all == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < p->n_ops; i++) {
        for (; b < p->n_bufs && p->bufs[b].first <= i; b++)
            all[n++] = p->bufs[b];
        p->ops[i].scratch_apart = (scratch_of(lo, &p->ops[i]) + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
        all[n++] = (plan_buf){p->ops[i].scratch_apart * sharers(lo, &p->ops[i]), i, i, 0};
    }
    for (; b < p->n_bufs; b++)
        all[n++] = p->bufs[b];
    MST_TRY(plan_memory(all, n, (uint32_t)p->n_ops + 1, lo->tmp, arena, lo->err));
    b = n = 0;
    for (uint32_t i = 0; i < p->n_ops; i++) {
        for (; b < p->n_bufs && p->bufs[b].first <= i; b++)
            p->bufs[b].at = all[n++].at;
        p->ops[i].scratch = all[n++].at;
    }
    for (; b < p->n_bufs; b++)
        p->bufs[b].at = all[n++].at;
    return MST_OK;
}

static mst_status place_states(lowering *lo)
{
    for (uint32_t i = 0; i < lo->g->n_nodes; i++) {
        op_node *n = &lo->p->nodes[i];
        if (n->state_bytes != 0)
            MST_TRY(op_add_bytes(lo->err, n->state_bytes, 1, &n->state, &lo->p->bytes));
    }
    return MST_OK;
}

/* Behind what static nodes keep: buffers, which may lie where static nodes pass values to each other, as those run
 * before; then scratch memory, frames, states. */
mst_status low_place_ops(lowering *lo)
{
    mst_program *p = lo->p;
    size_t arena, at, scratch;
    bool each = lo->target == NULL;
    p->steps = each || op_counts(p->mode) ? 1 : lo->steps > RT_MAX_STEPS ? RT_MAX_STEPS
                                                                         : lo->steps;
    if (p->steps == 0)
        MST_TRY(lo->target->choose_steps(lo, &p->steps));
    MST_TRY(size_buffers(lo));
    MST_TRY(each ? place_each(lo, &arena) : place_shared(lo, &arena));
    MST_TRY(op_add_bytes(lo->err, arena > p->passed ? arena : p->passed, 1, &at, &p->bytes));
    MST_TRY(op_add_bytes(lo->err, p->scratch_bytes, p->threads, &scratch, &p->bytes));
    for (size_t i = 0; i < p->n_bufs; i++)
        p->bufs[i].at += at;
    for (size_t i = 0; i < p->n_ops; i++) {
        p->ops[i].scratch = each ? p->ops[i].scratch + at : scratch;
        p->ops[i].scratch_apart = each ? p->ops[i].scratch_apart : p->scratch_bytes;
    }
    if (rt_has_frames(p))
        MST_TRY(op_add_bytes(lo->err, p->input_n * sizeof(float), p->frames, &p->frames_at, &p->bytes));
    return place_states(lo);
}
