/* Runs a program: one sample at a time, its operations over blocks of time steps. Allocates only in
 * create. */
#include "runtime/session/reached.h"
#include "runtime/session/tap.h"

/* Arrays of a session: counts of layers and sums of logits have a row for each step and one before. */
static size_t log_size(const mst_program *p) { return (p->steps + (size_t)1) * p->n_layers; }
static size_t sums_size(const mst_program *p) { return (p->steps + (size_t)1) * p->output_n; }

size_t mst_program_session_bytes(const mst_program *p)
{
    size_t counts = p->g->n_nodes + 2 * log_size(p) + p->n_slots;
    return sizeof(mst_session) + p->bytes + counts * sizeof(uint64_t) + p->metered * sizeof(uint32_t) +
           sums_size(p) * (sizeof(double) + sizeof(float)) + p->backend->session_bytes(p);
}

static bool allocate(mst_session *s)
{
    const mst_program *p = s->p;
    /* every tensor is written before it is read; the input may stay as it is: zeros */
    s->mem = mst_alloc_aligned_raw(p->alloc, p->bytes);
    s->node_ops = mst_alloc_array(p->alloc, p->g->n_nodes, sizeof *s->node_ops);
    s->fired = mst_alloc_array(p->alloc, log_size(p), sizeof *s->fired);
    s->spikes = mst_alloc_array(p->alloc, log_size(p), sizeof *s->spikes);
    s->slots = mst_alloc_array(p->alloc, p->n_slots, sizeof *s->slots);
    s->metered = mst_alloc_array(p->alloc, p->metered, sizeof *s->metered);
    s->sums = mst_alloc_array(p->alloc, sums_size(p), sizeof *s->sums);
    s->logits = mst_alloc_array(p->alloc, sums_size(p), sizeof *s->logits);
    return s->mem != NULL && s->node_ops != NULL && s->fired != NULL && s->spikes != NULL && s->slots != NULL &&
           s->metered != NULL && s->sums != NULL && s->logits != NULL;
}

mst_status mst_session_create(const mst_program *p, mst_session **out, mst_err *err)
{
    mst_session *s = mst_alloc(p->alloc, sizeof *s);
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a session");
    s->p = p;
    mst_status st = allocate(s) ? p->backend->begin(s, err)
                                : mst_fail(err, MST_ENOMEM, "out of memory: a session needs %zu bytes",
                                           mst_program_session_bytes(p));
    if (st != MST_OK) {
        mst_session_destroy(s);
        return st;
    }
    memset(s->mem, 0, p->input_n * sizeof(float));
    if (rt_has_frames(p))
        memset(s->mem + p->frames_at, 0, p->frames * p->input_n * sizeof(float));
    s->seed = p->seed;
    mst_session_begin(s, NULL, 0);
    *out = s;
    return MST_OK;
}

void mst_session_destroy(mst_session *s)
{
    if (s == NULL)
        return;
    const mst_program *p = s->p;
    p->backend->end(s);
    mst_free_aligned(p->alloc, s->mem, p->bytes);
    mst_free_array(p->alloc, s->node_ops, p->g->n_nodes, sizeof *s->node_ops);
    mst_free_array(p->alloc, s->fired, log_size(p), sizeof *s->fired);
    mst_free_array(p->alloc, s->spikes, log_size(p), sizeof *s->spikes);
    mst_free_array(p->alloc, s->slots, p->n_slots, sizeof *s->slots);
    mst_free_array(p->alloc, s->metered, p->metered, sizeof *s->metered);
    mst_free_array(p->alloc, s->sums, sums_size(p), sizeof *s->sums);
    mst_free_array(p->alloc, s->logits, sums_size(p), sizeof *s->logits);
    mst_free(p->alloc, s, sizeof *s);
}

/* ---- input --------------------------------------------------------------------------- */

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
    else if (rt_has_frames(p))
        memcpy(s->mem + p->frames_at, x, p->frames * p->input_n * sizeof *x);
    else
        take_mean(s, x);
}

void mst_session_reseed(mst_session *s, uint64_t seed) { s->seed = seed; }

void mst_session_begin(mst_session *s, const float *x, uint32_t sample)
{
    const mst_program *p = s->p;
    if (x != NULL)
        take_input(s, x);
    s->sample = sample;
    s->time = 0;
    s->last_run = 0;
    memset(s->node_ops, 0, p->g->n_nodes * sizeof *s->node_ops);
    memset(s->fired, 0, p->n_layers * sizeof *s->fired);
    memset(s->spikes, 0, p->n_layers * sizeof *s->spikes);
    memset(s->slots, 0, p->n_slots * sizeof *s->slots);
    for (size_t i = 0; i < p->output_n; i++)
        s->sums[i] = 0;
}

/* What the input shows at each step of the block. */
static void show_frames(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    const float *frames = (const float *)(const void *)(s->mem + p->frames_at);
    for (uint32_t t = 0; t < steps && p->in_buf != MST_NONE; t++)
        memcpy((float *)rt_buf_at(s, p->in_buf) + t * p->input_n, frames + (s->time + t) % p->frames * p->input_n,
               p->input_n * sizeof *frames);
}

/* ---- running --------------------------------------------------------------------------- */

/* The row of the newest step becomes row 0; the others are to be added to. */
static void open_rows(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    size_t n = p->n_layers;
    memmove(s->fired, s->fired + s->last_run * n, n * sizeof *s->fired);
    memmove(s->spikes, s->spikes + s->last_run * n, n * sizeof *s->spikes);
    memmove(s->sums, s->sums + s->last_run * p->output_n, p->output_n * sizeof *s->sums);
    memset(s->fired + n, 0, steps * n * sizeof *s->fired);
    memset(s->spikes + n, 0, steps * n * sizeof *s->spikes);
}

/* Sums since begin. */
static void close_rows(mst_session *s, uint32_t steps)
{
    size_t n = s->p->n_layers;
    for (size_t i = n; i < (steps + (size_t)1) * n; i++) {
        s->fired[i] += s->fired[i - n];
        s->spikes[i] += s->spikes[i - n];
    }
}

/* The sums start anew with the step from which on logits are read. */
static void keep_logits(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    const float *y = p->out_buf != MST_NONE ? rt_buf_at(s, p->out_buf) : rt_at(s, p->output);
    size_t n = p->output_n, apart = p->out_buf != MST_NONE ? n : 0;
    for (uint32_t t = 0; t < steps; t++, y += apart) {
        memcpy(s->logits + t * n, y, n * sizeof *y);
        bool anew = s->time + t + 1 == p->readout_from;
        for (size_t i = 0; i < n; i++)
            s->sums[(t + 1) * n + i] = (anew ? 0 : s->sums[t * n + i]) + (double)y[i];
    }
}

static void run_static(mst_session *s)
{
    const mst_program *p = s->p;
    for (uint32_t i = 0; i < p->n_static; i++) {
        const op_node *n = &p->nodes[p->static_nodes[i]];
        if (n->run == NULL)
            continue;
        s->node_ops[n->index] += rt_call_node(s, n, NULL, 0, (rt_share){0}, s->mem + n->scratch);
        if (s->tap != NULL)
            rt_tap_static(s, n);
    }
}

uint32_t mst_session_run(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    steps = steps < p->steps ? steps : p->steps;
    open_rows(s, steps);
    s->last_run = steps;
    if (steps == 0)
        return 0;
    if (s->time == 0)
        run_static(s);
    show_frames(s, steps);
    const rt_meter *m = p->meters;
    for (size_t i = 0; i < p->n_ops; i += 1 + p->ops[i].joined) {
        p->backend->run(s, &p->ops[i], steps);
        m = rt_read_meters(s, m, i + p->ops[i].joined, steps);
        for (uint32_t j = 0; j <= p->ops[i].joined && s->tap != NULL; j++)
            rt_tap_op(s, &p->ops[i + j], steps);
    }
    keep_logits(s, steps);
    close_rows(s, steps);
    rt_add_reached(s, steps);
    s->time += steps;
    return steps;
}

void mst_session_step(mst_session *s)
{
    mst_session_run(s, 1);
}

/* ---- results ----------------------------------------------------------------------------- */

/* Row of step i: the last run's steps have rows 1..last_run. */
static uint32_t row_of(const mst_session *s, uint32_t i) { return i < s->last_run ? i + 1 : s->last_run; }

uint32_t mst_session_time(const mst_session *s) { return s->time; }
size_t mst_session_classes(const mst_session *s) { return s->p->output_n; }

const float *mst_session_logits(const mst_session *s, uint32_t i)
{
    uint32_t row = row_of(s, i);
    return s->logits + (row != 0 ? row - 1 : 0) * s->p->output_n;
}

void mst_session_mean_logits(const mst_session *s, uint32_t i, float *out)
{
    uint32_t row = row_of(s, i), time = s->time - s->last_run + row;
    uint32_t n = time < s->p->readout_from ? time : time - s->p->readout_from + 1;
    for (size_t k = 0; k < s->p->output_n; k++)
        out[k] = n != 0 ? (float)(s->sums[row * s->p->output_n + k] / (double)n) : 0.0f;
}

uint64_t mst_session_layer_fired(const mst_session *s, uint32_t i, size_t k)
{
    return k < s->p->n_layers ? s->fired[row_of(s, i) * s->p->n_layers + k] : 0;
}

uint64_t mst_session_layer_spikes(const mst_session *s, uint32_t i, size_t k)
{
    return k < s->p->n_layers ? s->spikes[row_of(s, i) * s->p->n_layers + k] : 0;
}

uint64_t mst_session_layer_ops(const mst_session *s, size_t k)
{
    const mst_program *p = s->p;
    uint64_t ops = 0;
    for (size_t i = k < p->n_layers ? p->layer_feed_at[k] : 0; k < p->n_layers && i < p->layer_feed_at[k + 1]; i++)
        ops += s->node_ops[p->layer_feed[i]];
    return ops;
}

void mst_session_layer_sums(const mst_session *s, uint64_t *fired, uint64_t *spikes, uint64_t *ops)
{
    for (size_t k = 0; k < s->p->n_layers; k++) {
        if (fired != NULL)
            fired[k] = mst_session_layer_fired(s, MST_LAST, k);
        if (spikes != NULL)
            spikes[k] = mst_session_layer_spikes(s, MST_LAST, k);
        if (ops != NULL)
            ops[k] = mst_session_layer_ops(s, k);
    }
}

mst_counters mst_session_counters(const mst_session *s)
{
    const mst_program *p = s->p;
    mst_counters c = {0};
    for (size_t k = 0; k < p->n_layers; k++) {
        c.spikes_before += mst_session_layer_fired(s, MST_LAST, k);
        c.spikes += mst_session_layer_spikes(s, MST_LAST, k);
    }
    for (uint32_t i = 0; i < p->g->n_nodes; i++)
        *(p->nodes[i].counts_sops ? &c.sops : &c.macs) += s->node_ops[i];
    return c;
}

void mst_counters_add(mst_counters *to, const mst_counters *from)
{
    to->spikes += from->spikes;
    to->spikes_before += from->spikes_before;
    to->sops += from->sops;
    to->macs += from->macs;
}

const float *mst_session_potential(const mst_session *s, size_t k)
{
    const mst_program *p = s->p;
    if (k >= p->n_layers || p->mode != MST_RUN_SPIKING)
        return NULL;
    const op_node *n = &p->nodes[p->layers[k].node];
    if (s->time == 0)
        n->reset(n, s->mem + n->state);
    return (const float *)(const void *)(s->mem + n->state);
}
