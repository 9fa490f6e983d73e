/* Runs a program: one sample at a time, step by step. Allocates only in create. */
#include <string.h>

#include "runtime/exec/program.h"

size_t mst_program_session_bytes(const mst_program *p)
{
    return sizeof(mst_session) + p->bytes + p->g->n_nodes * sizeof(uint64_t) + 2 * p->n_layers * sizeof(uint64_t) +
           p->output_n * sizeof(double);
}

mst_status mst_session_create(const mst_program *p, mst_session **out, mst_err *err)
{
    mst_session *s = mst_alloc(p->alloc, sizeof *s);
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a session");
    s->p = p;
    s->mem = mst_alloc_aligned(p->alloc, p->bytes);
    s->node_ops = mst_alloc_array(p->alloc, p->g->n_nodes, sizeof *s->node_ops);
    s->fired = mst_alloc_array(p->alloc, p->n_layers, sizeof *s->fired);
    s->spikes = mst_alloc_array(p->alloc, p->n_layers, sizeof *s->spikes);
    s->sum = mst_alloc_array(p->alloc, p->output_n, sizeof *s->sum);
    if (s->mem == NULL || s->node_ops == NULL || s->fired == NULL || s->spikes == NULL || s->sum == NULL) {
        mst_session_destroy(s);
        return mst_fail(err, MST_ENOMEM, "out of memory: a session needs %zu bytes", mst_program_session_bytes(p));
    }
    mst_session_begin(s, NULL, 0);
    *out = s;
    return MST_OK;
}

void mst_session_destroy(mst_session *s)
{
    if (s == NULL)
        return;
    const mst_program *p = s->p;
    mst_free_aligned(p->alloc, s->mem, p->bytes);
    mst_free_array(p->alloc, s->node_ops, p->g->n_nodes, sizeof *s->node_ops);
    mst_free_array(p->alloc, s->fired, p->n_layers, sizeof *s->fired);
    mst_free_array(p->alloc, s->spikes, p->n_layers, sizeof *s->spikes);
    mst_free_array(p->alloc, s->sum, p->output_n, sizeof *s->sum);
    mst_free(p->alloc, s, sizeof *s);
}

static void reset_membranes(mst_session *s, const exec_neuron *q)
{
    float *v = (float *)(void *)(s->mem + q->v);
    for (size_t o = 0; o < q->ch.outer; o++)
        for (size_t c = 0; c < q->ch.channels; c++)
            for (size_t i = 0; i < q->ch.inner; i++)
                *v++ = q->k.shift * q->k.theta[c];
}

void mst_session_begin(mst_session *s, const float *x, uint32_t sample)
{
    const mst_program *p = s->p;
    if (x != NULL)
        memcpy(s->mem, x, p->input_n * sizeof *x);
    s->sample = sample;
    s->time = 0;
    s->counters = (mst_counters){0};
    memset(s->node_ops, 0, p->g->n_nodes * sizeof *s->node_ops);
    memset(s->fired, 0, p->n_layers * sizeof *s->fired);
    memset(s->spikes, 0, p->n_layers * sizeof *s->spikes);
    for (size_t i = 0; i < p->output_n; i++)
        s->sum[i] = 0;
    for (size_t k = 0; k < p->n_layers && p->mode == MST_RUN_SPIKING; k++)
        reset_membranes(s, &p->steps[p->layers[k].node].u.neuron);
}

void mst_session_step(mst_session *s)
{
    const mst_program *p = s->p;
    bool first = s->time == 0;
    s->time++;
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

uint32_t mst_session_time(const mst_session *s) { return s->time; }
size_t mst_session_classes(const mst_session *s) { return s->p->output_n; }
const float *mst_session_logits(const mst_session *s) { return exec_at(s, s->p->output); }
mst_counters mst_session_counters(const mst_session *s) { return s->counters; }

void mst_session_mean_logits(const mst_session *s, float *out)
{
    for (size_t i = 0; i < s->p->output_n; i++)
        out[i] = s->time != 0 ? (float)(s->sum[i] / (double)s->time) : 0.0f;
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
    return (const float *)(const void *)(s->mem + p->steps[p->layers[k].node].u.neuron.v);
}

void mst_session_observe(mst_session *s, mst_observer fn, void *ctx)
{
    s->observer = fn;
    s->observer_ctx = ctx;
}
