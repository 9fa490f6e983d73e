/* Runs the operations of a block of steps one after the other and adds up what
 * they count. Allocates only in create. */
#include <string.h>

#include "runtime/block/block.h"

/* ---- sessions -------------------------------------------------------------------- */

/* Arrays of a session, one behind the other. */
typedef struct sizes {
    size_t log, sums;
} sizes;

static sizes sizes_of(const mst_program *p)
{
    const blk_program *b = p->block;
    return (sizes){2 * (size_t)b->steps * p->n_layers, (size_t)b->steps * p->output_n};
}

size_t blk_session_bytes(const mst_program *p)
{
    sizes n = sizes_of(p);
    return sizeof(blk_session) + n.log * sizeof(uint64_t) + n.sums * (sizeof(double) + sizeof(float)) +
           blk_pool_bytes(p->block->threads);
}

mst_status blk_session_create(const mst_program *p, blk_session **out, mst_err *err)
{
    const blk_program *b = p->block;
    sizes n = sizes_of(p);
    blk_session *bs = *out = mst_alloc(p->alloc, sizeof *bs);
    if (bs == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a session");
    bs->fired = mst_alloc_array(p->alloc, n.log, sizeof *bs->fired);
    bs->sums = mst_alloc_array(p->alloc, n.sums, sizeof *bs->sums);
    bs->logits = mst_alloc_array(p->alloc, n.sums, sizeof *bs->logits);
    if (bs->fired == NULL || bs->sums == NULL || bs->logits == NULL ||
        blk_pool_create(p->alloc, b->threads, &bs->pool) != MST_OK)
        return mst_fail(err, MST_ENOMEM, "out of memory: a session needs %zu bytes",
                        mst_program_session_bytes(p));
    bs->spikes = bs->fired + (size_t)b->steps * p->n_layers;
    return MST_OK;
}

void blk_session_destroy(const mst_program *p, blk_session *bs)
{
    if (bs == NULL)
        return;
    sizes n = sizes_of(p);
    blk_pool_destroy(p->alloc, bs->pool);
    mst_free_array(p->alloc, bs->fired, n.log, sizeof *bs->fired);
    mst_free_array(p->alloc, bs->sums, n.sums, sizeof *bs->sums);
    mst_free_array(p->alloc, bs->logits, n.sums, sizeof *bs->logits);
    mst_free(p->alloc, bs, sizeof *bs);
}

const float *blk_session_logits(const mst_session *s, uint32_t i)
{
    return s->block->logits + i * s->p->output_n;
}

const double *blk_session_sums(const mst_session *s, uint32_t i)
{
    return s->block->sums + i * s->p->output_n;
}

void blk_session_take_back(const mst_session *s, uint32_t i, size_t k, uint64_t *fired, uint64_t *spikes)
{
    for (uint32_t t = i + 1; t < s->last_run; t++) {
        *fired -= s->block->fired[t * s->p->n_layers + k];
        *spikes -= s->block->spikes[t * s->p->n_layers + k];
    }
}

/* ---- counting ---------------------------------------------------------------------- */

static void count_fired(mst_session *s, uint32_t layer, uint32_t t, uint64_t n)
{
    s->fired[layer] += n;
    s->counters.spikes_before += n;
    s->block->fired[t * s->p->n_layers + layer] += n;
}

static void count_spikes(mst_session *s, uint32_t layer, uint32_t t, uint64_t n)
{
    s->spikes[layer] += n;
    s->counters.spikes += n;
    s->block->spikes[t * s->p->n_layers + layer] += n;
}

/* Operations of the group's synapses, which share their lists, or of a product. */
static void add_ops(const blk_job *job)
{
    mst_session *s = job->s;
    uint64_t n = 0;
    for (unsigned i = 0; i < s->p->block->threads; i++) {
        n += s->block->ops[i];
        s->block->ops[i] = 0;
    }
    for (const blk_op *op = job->op; op <= job->op + job->op->joined; op++) {
        if (op->expr->syn != NULL)
            exec_count(s, op->expr->syn->step, n * op->expr->syn->group_out);
        if (op->expr->prod != NULL)
            exec_count(s, op->expr->prod->step, n);
    }
}

static void add_spikes(const blk_job *job, const blk_op *op)
{
    mst_session *s = job->s;
    for (uint32_t t = 0; t < job->steps && op->step != NULL; t++) {
        uint64_t n = s->p->block->k.count(blk_words(s, &op->out) + t * op->out.step, op->out.step);
        if (op->kind == BLK_MASK && op->step->u.mask.layer != MST_NONE)
            count_spikes(s, op->step->u.mask.layer, t, n);
        if (op->kind == BLK_LAYER)
            count_fired(s, op->step->u.neuron.layer, t, n);
        if (op->kind == BLK_LAYER && !s->p->layers[op->step->u.neuron.layer].masked)
            count_spikes(s, op->step->u.neuron.layer, t, n);
    }
}

/* ---- running ------------------------------------------------------------------------ */

/* Layer whose counts the step handler of an operator changes; MST_NONE: none. */
static uint32_t layer_of(const mst_session *s, const exec_step *st)
{
    switch (s->p->g->nodes[st->node].op) {
    case MST_OP_NEURON: return st->u.neuron.layer;
    case MST_OP_MASK: return st->u.mask.layer;
    default: return MST_NONE;
    }
}

/* The step handler on the buffers of step t of the block. */
static void run_step(mst_session *s, const blk_op *op, uint32_t t, unsigned thread)
{
    exec_step st = *op->step;
    exec_ref in[BLK_MAX_SOURCES];
    const mst_node *n = &s->p->g->nodes[st.node];
    uint32_t layer = layer_of(s, &st);
    uint64_t fired = layer != MST_NONE ? s->fired[layer] : 0,
             spikes = layer != MST_NONE ? s->spikes[layer] : 0;
    for (uint32_t k = 0; k < st.n_in; k++) {
        in[k] = op->step->in[k];
        if (op->in_buf[k] != MST_NONE)
            in[k] =
                (exec_ref){NULL, s->p->block->bufs[op->in_buf[k]].at +
                                     t * mst_tensor_elements(&s->p->g->tensors[n->in[k]]) * sizeof(float)};
    }
    st.in = in;
    st.scratch = s->p->block->scratch + thread * s->p->block->scratch_bytes;
    st.out = (exec_ref){NULL, s->p->block->bufs[op->out_buf].at + t * op->n * sizeof(float)};
    st.run(s, &st);
    if (layer != MST_NONE) {
        s->block->fired[t * s->p->n_layers + layer] += s->fired[layer] - fired;
        s->block->spikes[t * s->p->n_layers + layer] += s->spikes[layer] - spikes;
    }
}

/* In order: neurons and masks depend on the time, and synapses count. */
static void run_steps(mst_session *s, const blk_op *op, uint32_t steps)
{
    uint32_t before = s->time;
    if (before == 0 && s->p->g->nodes[op->step->node].op == MST_OP_NEURON)
        exec_reset_membranes(s, &op->step->u.neuron);
    for (uint32_t t = 0; t < steps; t++) {
        s->time = before + t + 1;
        run_step(s, op, t, 0);
    }
    s->time = before;
}

/* A part for each step. */
static void run_any_step(const blk_job *job, unsigned part, unsigned thread)
{
    run_step(job->s, job->op, part, thread);
}

/* Whether steps of a step handler can run in any order and at the same time. */
static bool is_pure(const mst_session *s, const blk_op *op)
{
    mst_op kind = s->p->g->nodes[op->step->node].op;
    return kind != MST_OP_NEURON && kind != MST_OP_MASK && (mst_op_get(kind)->flags & MST_F_SYNAPSE) == 0;
}

/* Below this many values of output, threads cost more than they do. */
#define MIN_SHARED 4096
/* Parts per thread: a thread that is held up leaves the rest to the others. */
#define PARTS 4
#define MIN_ROWS 8 /* of a part, where there are several per thread */

/* Columns of the group's layers together, and of the widest. */
static size_t group_cols(const blk_op *op, size_t *widest)
{
    size_t cols = 0;
    *widest = 0;
    for (const blk_op *one = op; one <= op + op->joined; one++) {
        cols += one->expr->cols;
        *widest = one->expr->cols > *widest ? one->expr->cols : *widest;
    }
    return cols;
}

static void split_steps(blk_job *job)
{
    if (job->op->n * job->steps >= MIN_SHARED && is_pure(job->s, job->op))
        job->parts = job->steps;
}

static void split_rows(blk_job *job, unsigned threads)
{
    const blk_op *op = job->op;
    bool layer = op->kind == BLK_LAYER;
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
static void split(blk_job *job)
{
    unsigned threads = blk_pool_threads(job->s->block->pool);
    job->parts = 1;
    job->by_rows = true;
    if (threads == 1)
        return;
    if (job->op->kind == BLK_STEP)
        split_steps(job);
    else
        split_rows(job, threads);
}

static void run_op(mst_session *s, const blk_op *op, uint32_t steps)
{
    static const blk_work work[] = {
        [BLK_STEP] = run_any_step,
        [BLK_MOVE] = blk_run_move,
        [BLK_MASK] = blk_run_mask,
        [BLK_LAYER] = blk_run_layer,
    };
    blk_job job = {.s = s, .op = op, .steps = steps, .work = work[op->kind]};
    split(&job);
    if (op->kind == BLK_LAYER && op->expr->to != NULL) /* rows share words, see blk_close_neurons */
        memset(blk_words(s, &op->out), 0, steps * op->out.step * sizeof(uint64_t));
    if (job.parts > 1)
        blk_pool_run(s->block->pool, &job);
    else if (op->kind == BLK_STEP)
        run_steps(s, op, steps);
    else
        job.work(&job, 0, 0);
    if (op->kind == BLK_STEP)
        return;
    if (op->kind == BLK_LAYER)
        add_ops(&job);
    for (uint32_t i = 0; i <= op->joined; i++)
        add_spikes(&job, op + i);
}

/* The outputs go where the step schedule leaves them, too; a buffer may lie there. */
static void keep_logits(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    bool is_static = p->block->out_buf == MST_NONE;
    for (uint32_t t = 0; t < steps; t++) {
        float *y = s->block->logits + t * p->output_n;
        memcpy(y,
               is_static ? exec_at(s, p->output)
                         : (float *)blk_buf_at(s, p->block->out_buf) + t * p->output_n,
               p->output_n * sizeof *y);
        for (size_t i = 0; i < p->output_n; i++) {
            s->sum[i] += (double)y[i];
            s->block->sums[t * p->output_n + i] = s->sum[i];
        }
    }
    if (!is_static)
        memcpy(s->mem + p->output.at, blk_session_logits(s, steps - 1), p->output_n * sizeof(float));
}

void blk_session_run(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    const blk_program *b = p->block;
    for (uint32_t i = 0; i < p->g->n_nodes && s->time == 0; i++)
        if (p->steps[i].is_static && p->steps[i].run != NULL)
            p->steps[i].run(s, &p->steps[i]);
    for (uint32_t t = 0; t < steps && b->in_buf != MST_NONE; t++)
        exec_show_frame(s, s->time + t + 1, (float *)blk_buf_at(s, b->in_buf) + t * p->input_n);
    memset(s->block->fired, 0, 2 * (size_t)b->steps * p->n_layers * sizeof *s->block->fired);
    for (size_t i = 0; i < b->n_ops; i += 1 + b->ops[i].joined)
        run_op(s, &b->ops[i], steps);
    keep_logits(s, steps);
    s->time += steps;
}
