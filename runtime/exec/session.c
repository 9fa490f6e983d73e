/* Runs a program: one sample at a time, step by step. Allocates only in create. */
#include <string.h>

#include "runtime/exec/program.h"

size_t mst_program_session_bytes(const mst_program *p)
{
    return sizeof(mst_session) + p->bytes + p->g->n_nodes * sizeof(uint64_t) + 2 * p->n_layers * sizeof(uint64_t) +
           p->output_n * sizeof(double) + (p->block != NULL ? blk_session_bytes(p) : 0);
}

mst_status mst_session_create(const mst_program *p, mst_session **out, mst_err *err)
{
    mst_session *s = mst_alloc(p->alloc, sizeof *s);
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a session");
    s->p = p;
    /* every tensor is written before it is read; the input may stay as it is: zeros */
    s->mem = mst_alloc_aligned_raw(p->alloc, p->bytes);
    s->node_ops = mst_alloc_array(p->alloc, p->g->n_nodes, sizeof *s->node_ops);
    s->fired = mst_alloc_array(p->alloc, p->n_layers, sizeof *s->fired);
    s->spikes = mst_alloc_array(p->alloc, p->n_layers, sizeof *s->spikes);
    s->sum = mst_alloc_array(p->alloc, p->output_n, sizeof *s->sum);
    if (s->mem == NULL || s->node_ops == NULL || s->fired == NULL || s->spikes == NULL || s->sum == NULL) {
        mst_session_destroy(s);
        return mst_fail(err, MST_ENOMEM, "out of memory: a session needs %zu bytes", mst_program_session_bytes(p));
    }
    if (p->block != NULL) {
        mst_status st = blk_session_create(p, &s->block, err);
        if (st != MST_OK) {
            mst_session_destroy(s);
            return st;
        }
    }
    memset(s->mem, 0, p->input_n * sizeof(float));
    if (exec_has_frames(p))
        memset(s->mem + p->frames_at, 0, p->frames * p->input_n * sizeof(float));
    mst_session_begin(s, NULL, 0);
    *out = s;
    return MST_OK;
}

void mst_session_destroy(mst_session *s)
{
    if (s == NULL)
        return;
    const mst_program *p = s->p;
    blk_session_destroy(p, s->block);
    mst_free_aligned(p->alloc, s->mem, p->bytes);
    mst_free_array(p->alloc, s->node_ops, p->g->n_nodes, sizeof *s->node_ops);
    mst_free_array(p->alloc, s->fired, p->n_layers, sizeof *s->fired);
    mst_free_array(p->alloc, s->spikes, p->n_layers, sizeof *s->spikes);
    mst_free_array(p->alloc, s->sum, p->output_n, sizeof *s->sum);
    mst_free(p->alloc, s, sizeof *s);
}

void exec_reset_membranes(const mst_session *s, const exec_neuron *q)
{
    float *v = (float *)(void *)(s->mem + q->v);
    for (size_t o = 0; o < q->ch.outer; o++)
        for (size_t c = 0; c < q->ch.channels; c++)
            for (size_t i = 0; i < q->ch.inner; i++)
                *v++ = q->k.shift * q->k.theta[c];
}

/* Float mode is one pass: over the mean of the frames, which makes the same mean current. */
static void take_mean(mst_session *s, const float *x)
{
    const mst_program *p = s->p;
    float *mean = (float *)(void *)s->mem;
    memcpy(mean, x, p->input_n * sizeof *x);
    for (uint32_t f = 1; f < p->frames; f++)
        for (size_t i = 0; i < p->input_n; i++)
            mean[i] += x[f * p->input_n + i];
    for (size_t i = 0; i < p->input_n; i++)
        mean[i] /= (float)p->frames;
}

static void take_input(mst_session *s, const float *x)
{
    const mst_program *p = s->p;
    if (p->frames == 1)
        memcpy(s->mem, x, p->input_n * sizeof *x);
    else if (exec_has_frames(p))
        memcpy(s->mem + p->frames_at, x, p->frames * p->input_n * sizeof *x);
    else
        take_mean(s, x);
}

void mst_session_begin(mst_session *s, const float *x, uint32_t sample)
{
    const mst_program *p = s->p;
    if (x != NULL)
        take_input(s, x);
    s->sample = sample;
    s->time = 0;
    s->last_run = 0;
    s->counters = (mst_counters){0};
    memset(s->node_ops, 0, p->g->n_nodes * sizeof *s->node_ops);
    memset(s->fired, 0, p->n_layers * sizeof *s->fired);
    memset(s->spikes, 0, p->n_layers * sizeof *s->spikes);
    for (size_t i = 0; i < p->output_n; i++)
        s->sum[i] = 0;
}

static void run_nodes(mst_session *s)
{
    const mst_program *p = s->p;
    bool first = s->time == 0;
    s->time++;
    for (size_t k = 0; k < p->n_layers && first && p->mode == MST_RUN_SPIKING; k++)
        exec_reset_membranes(s, &p->steps[p->layers[k].node].u.neuron);
    if (exec_has_frames(p))
        exec_show_frame(s, s->time, (float *)(void *)s->mem);
    for (uint32_t i = 0; i < p->g->n_nodes; i++) {
        const exec_step *st = &p->steps[i];
        if (st->is_static && !first)
            continue;
        if (st->run != NULL)
            st->run(s, st);
        if (s->observer != NULL)
            s->observer(s->observer_ctx, s, i, exec_at(s, st->out), st->n);
    }
    const float *y = exec_at(s, p->output);
    for (size_t i = 0; i < p->output_n; i++)
        s->sum[i] += (double)y[i];
}

uint32_t mst_session_run(mst_session *s, uint32_t steps)
{
    uint32_t most = s->observer == NULL ? mst_program_block_steps(s->p) : 1;
    steps = steps < most ? steps : most;
    s->last_run = 0;
    if (steps == 0)
        return 0;
    if (s->block != NULL && s->observer == NULL) {
        blk_session_run(s, steps);
        s->last_run = steps;
    } else {
        run_nodes(s);
    }
    return steps;
}

void mst_session_step(mst_session *s)
{
    mst_session_run(s, 1);
}

uint32_t mst_session_time(const mst_session *s) { return s->time; }
size_t mst_session_classes(const mst_session *s) { return s->p->output_n; }
const float *mst_session_logits(const mst_session *s) { return exec_at(s, s->p->output); }
mst_counters mst_session_counters(const mst_session *s) { return s->counters; }

void mst_session_mean_logits(const mst_session *s, float *out)
{
    for (size_t i = 0; i < s->p->output_n; i++)
        out[i] = s->time != 0 ? (float)(s->sum[i] / (double)s->time) : 0.0f;
}

const float *mst_session_logits_at(const mst_session *s, uint32_t i)
{
    return i < s->last_run ? blk_session_logits(s, i) : mst_session_logits(s);
}

void mst_session_mean_logits_at(const mst_session *s, uint32_t i, float *out)
{
    if (i >= s->last_run) {
        mst_session_mean_logits(s, out);
        return;
    }
    const double *sum = blk_session_sums(s, i);
    double time = (double)(s->time - s->last_run + i + 1);
    for (size_t k = 0; k < s->p->output_n; k++)
        out[k] = (float)(sum[k] / time);
}

void mst_session_layer_at(const mst_session *s, uint32_t i, size_t k, uint64_t *fired, uint64_t *spikes)
{
    *fired = mst_session_layer_fired(s, k);
    *spikes = mst_session_layer_spikes(s, k);
    if (k < s->p->n_layers && i < s->last_run)
        blk_session_take_back(s, i, k, fired, spikes);
}

uint64_t mst_session_layer_fired(const mst_session *s, size_t k)
{
    return k < s->p->n_layers ? s->fired[k] : 0;
}

uint64_t mst_session_layer_spikes(const mst_session *s, size_t k)
{
    return k < s->p->n_layers ? s->spikes[k] : 0;
}

uint64_t mst_session_layer_ops(const mst_session *s, size_t k)
{
    const mst_program *p = s->p;
    uint64_t ops = 0;
    for (size_t i = k < p->n_layers ? p->layer_feed_at[k] : 0; k < p->n_layers && i < p->layer_feed_at[k + 1]; i++)
        ops += s->node_ops[p->layer_feed[i]];
    return ops;
}

const float *mst_session_potential(const mst_session *s, size_t k)
{
    const mst_program *p = s->p;
    if (k >= p->n_layers || p->mode != MST_RUN_SPIKING)
        return NULL;
    const exec_neuron *q = &p->steps[p->layers[k].node].u.neuron;
    if (s->time == 0)
        exec_reset_membranes(s, q);
    return (const float *)(const void *)(s->mem + q->v);
}

void mst_session_observe(mst_session *s, mst_observer fn, void *ctx)
{
    s->observer = fn;
    s->observer_ctx = ctx;
}
