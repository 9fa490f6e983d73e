/* Runs an operation over a block of steps, shared by threads, and adds up what it counts. */
#include "runtime/backend/cpu/cpu_tile.h"

/* ---- counting ---------------------------------------------------------------------- */

/* What the threads counted. */
static uint64_t take_ops(const cpu_job *job)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < job->s->p->threads; i++) {
        n += job->ops[i];
        job->ops[i] = 0;
    }
    return n;
}

/* Operations of the group's synapses, which share their lists, or of a product. */
static void add_ops(const cpu_job *job)
{
    uint64_t n = take_ops(job), *node_ops = job->s->node_ops;
    if (job->op->kind == RT_OP_NODE)
        node_ops[job->op->node->index] += n;
    for (const rt_op *op = job->op; op->kind == RT_OP_LAYER && op <= job->op + job->op->joined; op++) {
        if (op->expr->syn != NULL)
            node_ops[op->expr->syn->node->index] += n * op->expr->syn->group_out;
        if (op->expr->prod != NULL)
            node_ops[op->expr->prod->node->index] += n;
    }
}

static void add_spikes(const cpu_job *job, const rt_op *op)
{
    mst_session *s = job->s;
    if (op->node == NULL || op->node->layer == MST_NONE)
        return;
    for (uint32_t t = 0; t < job->steps; t++) {
        uint64_t n = job->k->count(rt_words(s, &op->out) + t * op->out.step, op->out.step);
        if (op->kind == RT_OP_MASK)
            rt_count_spikes(s, op->node->layer, t, n);
        else
            rt_count_fired(s, op->node->layer, t, n);
    }
}

/* ---- layers ----------------------------------------------------------------------------- */

static void run_terms(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_expr *e = job->op->expr;
    const mst_program *p = job->s->p;
    cpu_tile tile;
    cpu_tile_layout(p, e, rt_scratch(job->s, job->op, thread), &tile);
    size_t blocks = (e->cols + MSTB_COLS - 1) / MSTB_COLS;
    for (size_t r = cpu_split(e->rows, part, job->parts); r < cpu_split(e->rows, part + 1, job->parts); r++)
        for (size_t j = 0; j < blocks; j++)
            cpu_finish_strip(job, (cpu_place){r, j}, tile.x);
}

static void run_layer(const cpu_job *job, unsigned part, unsigned thread)
{
    if (job->op->expr->syn != NULL)
        cpu_run_synapse(job, part, thread);
    else if (job->op->expr->prod != NULL)
        cpu_run_product(job, part, thread);
    else
        run_terms(job, part, thread);
}

/* v(0) that was tuned lies in memory before the first block. */
static void write_membranes(const cpu_job *job)
{
    for (const rt_op *op = job->op; op->kind == RT_OP_LAYER && op <= job->op + job->op->joined; op++)
        if (op->fire.rule == RT_FIRE_IF && op->fire.first == NULL)
            op->node->reset(op->node, job->s->mem + op->node->state);
}

/* ---- how threads share ------------------------------------------------------------------- */

/* Below this many values of output, threads cost more than they do. */
#define MIN_SHARED 4096
/* Parts per thread: a thread that is held up leaves the rest to the others. */
#define PARTS 4
#define MIN_ROWS 8 /* of a part, where there are several per thread */

/* Columns of the group's layers together, and of the widest. */
static size_t group_cols(const rt_op *op, size_t *widest)
{
    size_t cols = 0;
    *widest = 0;
    for (const rt_op *one = op; one <= op + op->joined; one++) {
        cols += one->expr->cols;
        *widest = one->expr->cols > *widest ? one->expr->cols : *widest;
    }
    return cols;
}

static void split_steps(cpu_job *job)
{
    if (job->op->out.step * job->steps >= MIN_SHARED && job->op->node->is_pure)
        job->parts = job->steps;
}

static void split_rows(cpu_job *job, unsigned threads)
{
    const rt_op *op = job->op;
    bool layer = op->kind == RT_OP_LAYER;
    size_t widest = 0, rows = layer ? op->expr->rows : op->out.rows,
           cols = layer ? group_cols(op, &widest) : op->out.words;
    if (rows * cols * job->steps < MIN_SHARED)
        return;
    if (layer && op->expr->prod != NULL) /* a group of batches is work enough for a part */
        rows = op->expr->prod->n_groups * MIN_ROWS;
    job->parts = rows >= (size_t)threads * PARTS * MIN_ROWS ? threads * PARTS : threads;
    job->by_rows = rows >= (size_t)job->parts * MIN_ROWS || widest < 2 * (size_t)threads * MSTB_COLS;
}

/* How the threads share an operation. */
static void split(cpu_job *job)
{
    unsigned threads = cpu_pool_threads(((const cpu_session *)job->s->how)->pool);
    job->parts = 1;
    job->by_rows = true;
    if (threads == 1)
        return;
    if (job->op->kind == RT_OP_NODE)
        split_steps(job);
    else
        split_rows(job, threads);
}

void cpu_run(mst_session *s, const rt_op *op, uint32_t steps)
{
    static const cpu_work work[] = {
        [RT_OP_NODE] = cpu_run_node,
        [RT_OP_MOVE] = cpu_run_move,
        [RT_OP_MASK] = cpu_run_mask,
        [RT_OP_LAYER] = run_layer,
    };
    cpu_session *cs = s->how;
    cpu_job job = {.s = s, .k = cpu_kernels(s->p), .ops = cs->ops, .op = op, .steps = steps, .work = work[op->kind]};
    split(&job);
    if (s->time == 0)
        write_membranes(&job);
    if (op->kind == RT_OP_LAYER && op->expr->to != NULL) /* rows share words, see cpu_close_neurons */
        memset(rt_words(s, &op->out), 0, steps * op->out.step * sizeof(uint64_t));
    if (job.parts > 1)
        cpu_pool_run(cs->pool, &job);
    else if (op->kind == RT_OP_NODE)
        cpu_run_node_steps(&job);
    else
        job.work(&job, 0, 0);
    if (op->kind == RT_OP_NODE || op->kind == RT_OP_LAYER)
        add_ops(&job);
    for (uint32_t i = 0; i <= op->joined && op->kind != RT_OP_NODE; i++)
        add_spikes(&job, op + i);
}
