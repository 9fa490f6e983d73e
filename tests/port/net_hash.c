/* One number for all that a network computes, in each mode: machines, C libraries and kernel sets must agree on it.
 *
 *   net_hash MODEL.bin STEPS
 *
 * A line for each mode, schedule and number of threads: its hash over two random samples. Public functions only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mst/facts.h"
#include "mst/session.h"

#define SAMPLES 2
#define OFFSET UINT64_C(0xcbf29ce484222325) /* FNV-1a, 64 bits */
#define PRIME UINT64_C(0x100000001b3)

static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * PRIME;
    return h;
}

static uint64_t hash_number(uint64_t h, uint64_t x) { return hash_bytes(h, &x, sizeof x); }

/* The logits of a step, and of each layer the spikes so far. */
static uint64_t hash_step(uint64_t h, const mst_session *s, const mst_program *p, uint32_t i)
{
    h = hash_bytes(h, mst_session_logits(s, i), mst_session_classes(s) * sizeof(float));
    for (size_t k = 0; k < mst_program_layers(p); k++) {
        h = hash_number(h, mst_session_layer_fired(s, i, k));
        h = hash_number(h, mst_session_layer_spikes(s, i, k));
    }
    return h;
}

/* What is left of a sample: membranes, sums. */
static uint64_t hash_end(uint64_t h, const mst_session *s, const mst_program *p)
{
    const mst_counters c = mst_session_counters(s);
    for (size_t k = 0; k < mst_program_layers(p); k++) {
        const float *v = mst_session_potential(s, k);
        if (v != NULL)
            h = hash_bytes(h, v, mst_program_layer(p, k)->neurons * sizeof *v);
        h = hash_number(h, mst_session_layer_ops(s, k));
    }
    h = hash_number(h, c.spikes);
    h = hash_number(h, c.spikes_before);
    h = hash_number(h, c.sops);
    return hash_number(h, c.macs);
}

static uint64_t hash_samples(mst_session *s, const mst_program *p, float *x, size_t n, uint32_t steps)
{
    uint64_t h = OFFSET;
    uint32_t state = 1;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        for (size_t i = 0; i < n; i++) {
            state = state * 1664525u + 1013904223u;
            x[i] = (float)(int)(state >> 20) / 1024.0f - 2; /* exact in float32, -2 to 2 */
        }
        mst_session_begin(s, x, sample);
        for (uint32_t t = 0, ran; t < steps; t += ran) {
            ran = mst_session_run(s, steps - t);
            for (uint32_t i = 0; i < ran; i++)
                h = hash_step(h, s, p, i);
        }
        h = hash_end(h, s, p);
    }
    return h;
}

static mst_status run(const mst_graph *g, const mst_run_opts *opts, uint32_t steps, mst_err *err)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    float *x = NULL;
    mst_status st = mst_program_create(g, opts, &p, err);
    if (st == MST_OK)
        st = mst_session_create(p, &s, err);
    if (st == MST_OK) {
        size_t n = mst_program_input_size(p);
        x = malloc(n * sizeof *x);
        st = x != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "no memory for the input");
        if (st == MST_OK)
            printf("mode %d schedule %d threads %u: %016" PRIx64 "\n", (int)opts->mode, (int)opts->schedule,
                   opts->threads, hash_samples(s, p, x, n, opts->mode == MST_RUN_SPIKING ? steps : 1));
    }
    free(x);
    mst_session_destroy(s);
    mst_program_destroy(p);
    return st;
}

int main(int argc, char **argv)
{
    static const struct {
        mst_run_mode mode;
        mst_schedule schedule;
        unsigned threads;
    } runs[] = {
        {MST_RUN_SPIKING, MST_SCHEDULE_STEP, 1},
        {MST_RUN_SPIKING, MST_SCHEDULE_BLOCK, 1},
        {MST_RUN_SPIKING, MST_SCHEDULE_BLOCK, 3},
        {MST_RUN_FLOAT, MST_SCHEDULE_STEP, 1},
        {MST_RUN_COUNT, MST_SCHEDULE_BLOCK, 2},
        {MST_RUN_RADIX, MST_SCHEDULE_BLOCK, 1},
        {MST_RUN_ANN, MST_SCHEDULE_STEP, 1},
    };
    mst_err err = {0};
    mst_graph *g = NULL;
    int steps = argc == 3 ? atoi(argv[2]) : 0;
    if (steps < 1) {
        fprintf(stderr, "usage: %s MODEL.bin STEPS\n", argv[0]);
        return 2;
    }
    mst_status st = mst_graph_load(argv[1], NULL, &g, &err);
    for (size_t i = 0; st == MST_OK && i < sizeof runs / sizeof runs[0]; i++) {
        const mst_run_opts opts = {.size = sizeof opts,
                                   .mode = runs[i].mode,
                                   .schedule = runs[i].schedule,
                                   .threads = runs[i].threads,
                                   .seed = mst_graph_seed(g)};
        st = run(g, &opts, (uint32_t)steps, &err);
    }
    mst_graph_destroy(g);
    if (st != MST_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    return st == MST_OK ? 0 : 1;
}
