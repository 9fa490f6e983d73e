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

/* Static nodes run before operations do, so they share it. */
static void size_scratch(lowering *lo)
{
    mst_program *p = lo->p;
    size_t most = 0;
    for (uint32_t i = 0; i < p->n_static; i++)
        if (p->nodes[p->static_nodes[i]].scratch_bytes > most)
            most = p->nodes[p->static_nodes[i]].scratch_bytes;
    for (size_t i = 0; i < p->n_ops; i++) {
        const rt_op *op = &p->ops[i];
        size_t need = op->kind == RT_OP_LAYER  ? lo->target->layer_scratch(p, op->expr)
                      : op->kind == RT_OP_NODE ? op->node->scratch_bytes
                                               : 0;
        most = need > most ? need : most;
    }
    p->scratch_bytes = (most + 127) / 128 * 128;
}

mst_status low_place_ops(lowering *lo)
{
    mst_program *p = lo->p;
    size_t arena, at = p->transient; /* what static nodes pass to each other is not needed at the same time */
    p->steps = lo->target == NULL || op_counts(p->mode) ? 1 : lo->steps > RT_MAX_STEPS ? RT_MAX_STEPS : lo->steps;
    if (p->steps == 0)
        MST_TRY(lo->target->choose_steps(lo, &p->steps));
    MST_TRY(size_buffers(lo));
    size_scratch(lo);
    MST_TRY(plan_memory(p->bufs, p->n_bufs, (uint32_t)p->n_ops + 1, lo->tmp, &arena, lo->err));
    if (at > p->transient_end || arena > p->transient_end - at)
        MST_TRY(op_add_bytes(lo->err, arena, 1, &at, &p->bytes));
    for (size_t i = 0; i < p->n_bufs; i++)
        p->bufs[i].at += at;
    return op_add_bytes(lo->err, p->scratch_bytes, p->threads, &p->scratch, &p->bytes);
}
