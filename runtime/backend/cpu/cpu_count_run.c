/* Runs an operation on counts and what is joined to it, shared by threads, and adds up what they count. */
#include "runtime/backend/cpu/cpu_count.h"

/* Below this many outputs, threads cost more than they do. */
#define MIN_SHARED 8192
#define PARTS 4 /* a thread: one that is held up leaves the rest to the others */

/* Rows of a node that shares. */
static void run_node(const cpu_job *job, unsigned part, unsigned thread)
{
    job->ops[thread] += rt_call_node(job->s, job->op->node, job->op, 0, (rt_share){part, job->parts},
                                     rt_scratch(job->s, job->op, thread));
}

static const cpu_work work[] = {
    [RT_OP_NODE] = run_node,
    [RT_OP_MOVE] = cpu_count_move,
    [RT_OP_MASK] = cpu_count_mask,
    [RT_OP_LAYER] = cpu_count_layer,
    [RT_OP_NUMBERS] = cpu_count_unpack,
    [RT_OP_COUNTS] = cpu_count_pack,
};

static size_t rows_of(const rt_op *op)
{
    if (op->expr != NULL)
        return op->expr->prod != NULL ? op->expr->prod->n_groups : op->expr->rows;
    return op->out.rows;
}

static void split(cpu_job *job, unsigned threads)
{
    const rt_op *op = job->op;
    size_t outputs = op->expr != NULL ? op->expr->rows * op->expr->cols : op->out.step, rows = rows_of(op);
    job->parts = 1;
    if (threads == 1 || outputs < MIN_SHARED || (op->kind == RT_OP_NODE && !op->node->shares))
        return;
    if (op->kind == RT_OP_NODE) { /* each part reads all weights */
        job->parts = rows >= 2 * (size_t)threads ? threads : 1;
        return;
    }
    job->parts = rows >= (size_t)threads * PARTS ? threads * PARTS : rows >= threads ? threads
                                                                                     : 1;
}

static void add_ops(const cpu_job *job)
{
    const rt_op *op = job->op;
    uint64_t n = 0;
    for (unsigned i = 0; i < job->s->p->threads; i++) {
        n += job->ops[i];
        job->ops[i] = 0;
    }
    const op_node *node = op->kind == RT_OP_NODE    ? op->node
                          : op->kind != RT_OP_LAYER ? NULL
                          : op->expr->syn != NULL   ? op->expr->syn->node
                          : op->expr->prod != NULL  ? op->expr->prod->node
                                                    : NULL;
    if (node != NULL)
        job->s->node_ops[node->index] += n;
}

static void add_spikes(mst_session *s, const rt_op *op)
{
    if (op->kind == RT_OP_NODE || op->node == NULL || op->node->layer == MST_NONE)
        return;
    uint64_t n = cpu_count_total(s, &op->out);
    if (op->kind == RT_OP_MASK)
        rt_count_spikes(s, op->node->layer, 0, n);
    else
        rt_count_fired(s, op->node->layer, 0, n);
}

void cpu_count_run(mst_session *s, const rt_op *op)
{
    cpu_session *cs = s->how;
    cpu_job job = {.s = s, .ops = cs->ops, .op = op, .steps = 1, .by_rows = true, .work = work[op->kind]};
    split(&job, cpu_pool_threads(cs->pool));
    if (op->kind == RT_OP_LAYER && op->expr->syn != NULL) {
        cpu_count_border(s, op);
        cs->ops[0] += cpu_count_synapse_ops(s, op->expr->syn);
    }
    for (uint32_t i = 0; i <= op->joined; i++)
        if (op[i].out.form == MST_FORM_COUNT)
            cpu_count_forget(s, &op[i].out);
    if (job.parts > 1)
        cpu_pool_run(cs->pool, &job);
    else if (op->kind == RT_OP_NODE)
        cpu_run_node_steps(&job);
    else
        job.work(&job, 0, 0);
    add_ops(&job);
    for (uint32_t i = 0; i <= op->joined; i++)
        add_spikes(s, op + i);
}
