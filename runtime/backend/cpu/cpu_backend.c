/* The CPU back end's record: what it fuses, and what it keeps for programs and sessions. */
#include "runtime/backend/cpu/cpu_count.h"

/* Bits that fire or are stored, floats that are stored. Counts and signed spikes run by their operators. */
static bool fuses(mst_form source, rt_rule rule)
{
    return (source == MST_FORM_BITS && (rule == RT_STORE || rule == RT_FIRE_IF)) ||
           (source == MST_FORM_FLOAT && rule == RT_STORE);
}

/* The same lists serve both. */
static bool joins(const rt_op *op, const rt_op *before)
{
    if (!low_only_lists(op) || !low_only_lists(before))
        return false;
    const rt_expr *a = op->expr, *b = before->expr;
    const cpu_synapse *x = cpu_of(a->syn), *y = cpu_of(b->syn);
    return a->syn->bits.buf == b->syn->bits.buf && a->rows == b->rows && x->k == y->k && x->chunks == y->chunks &&
           (x->panels8 != NULL) == (y->panels8 != NULL);
}

static mst_status open_program(mst_program *p, mst_err *err)
{
    cpu_program *how = p->how = mst_alloc(p->alloc, sizeof *how);
    if (how == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a program");
    p->threads = p->threads < 1 ? 1 : p->threads > CPU_MAX_THREADS ? CPU_MAX_THREADS
                                                                   : p->threads;
    mst_block_kernels_select(p->k.isa, &how->k);
    MST_TRY(mst_count_kernels_select(mst_count_kernels_of(p->k.isa), &how->count, err));
    how->panel_room = cpu_panel_room(p->g);
    return MST_OK;
}

static void close_program(mst_program *p)
{
    for (rt_synapse *syn = p->synapses; syn != NULL; syn = syn->next)
        op_counts(p->mode) ? cpu_count_free(p->alloc, syn) : cpu_free_panels(p->alloc, syn);
    mst_free(p->alloc, p->how, sizeof(cpu_program));
}

static size_t n_totals(const mst_program *p) { return op_counts(p->mode) ? p->n_bufs : 0; }

static size_t session_bytes(const mst_program *p)
{
    return sizeof(cpu_session) + n_totals(p) * sizeof(uint64_t) + cpu_pool_bytes(p->threads);
}

static mst_status begin(mst_session *s, mst_err *err)
{
    cpu_session *how = s->how = mst_alloc(s->p->alloc, sizeof *how);
    if (how != NULL)
        how->totals = mst_alloc_array(s->p->alloc, n_totals(s->p), sizeof *how->totals);
    if (how == NULL || how->totals == NULL || cpu_pool_create(s->p->alloc, s->p->threads, &how->pool) != MST_OK)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for the threads of a session");
    return MST_OK;
}

static void end(mst_session *s)
{
    cpu_session *how = s->how;
    if (how == NULL)
        return;
    cpu_pool_destroy(s->p->alloc, how->pool);
    mst_free_array(s->p->alloc, how->totals, n_totals(s->p), sizeof *how->totals);
    mst_free(s->p->alloc, how, sizeof *how);
}

static void run(mst_session *s, const rt_op *op, uint32_t steps)
{
    if (op_counts(s->p->mode))
        cpu_count_run(s, op);
    else
        cpu_run(s, op, steps);
}

static const low_target spikes_target = {
    .fuses = fuses,
    .plan_synapse = cpu_plan_synapse,
    .pack_synapse = cpu_pack_synapse,
    .joins = joins,
    .choose_steps = cpu_choose_steps,
    .layer_scratch = cpu_layer_scratch,
};

/* Counts have kernels where weights are int8. */
static const low_target *target(const mst_program *p, bool int8)
{
    if (op_counts(p->mode))
        return int8 ? &cpu_count_target : NULL;
    return p->mode == MST_RUN_SPIKING ? &spikes_target : NULL;
}

const rt_backend rt_backend_cpu = {
    .name = "cpu",
    .target = target,
    .open = open_program,
    .close = close_program,
    .begin = begin,
    .end = end,
    .session_bytes = session_bytes,
    .run = run,
};
