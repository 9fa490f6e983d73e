/* What a fuzz target does with a graph: what compiles must run, in both schedules to the same counts, in each mode. */
#ifndef MST_FUZZ_RUN_BOTH_H
#define MST_FUZZ_RUN_BOTH_H

#include <stdlib.h>
#include <string.h>

#include "mst/session.h"

#define FUZZ_BYTES (64u << 20) /* of state, and operations: larger graphs are only compiled */
#define FUZZ_OPS (1u << 24)
#define FUZZ_STEPS 3u

/* False: too large, or refused. */
static inline bool fuzz_run(const mst_graph *g, const mst_run_opts *opts, mst_counters *c)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_err err = {MST_OK, ""};
    if (mst_program_create(g, opts, &p, &err) != MST_OK) {
        if (err.text[0] == '\0')
            abort();
        return false;
    }
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    bool small = mst_program_session_bytes(p) <= FUZZ_BYTES && mst_program_dense_ops(p) <= FUZZ_OPS;
    float *x = small ? malloc(n * sizeof *x) : NULL;
    bool ran = x != NULL && mst_session_create(p, &s, &err) == MST_OK;
    if (ran) {
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(i % 7) / 3 - 0.5f;
        mst_session_begin(s, x, 0);
        for (uint32_t t = 0; t < (opts->mode == MST_RUN_SPIKING ? FUZZ_STEPS : 1);)
            t += mst_session_run(s, FUZZ_STEPS - t);
        *c = mst_session_counters(s);
    }
    free(x);
    mst_session_destroy(s);
    mst_program_destroy(p);
    return ran;
}

static inline void fuzz_run_both(const mst_graph *g)
{
    static const mst_run_mode modes[] = {MST_RUN_SPIKING, MST_RUN_COUNT, MST_RUN_RADIX};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        mst_counters step, block;
        mst_run_opts o = {.size = sizeof o, .seed = 1, .mode = modes[i]};
        if (!fuzz_run(g, &o, &step))
            continue;
        o.schedule = MST_SCHEDULE_BLOCK;
        if (fuzz_run(g, &o, &block) && memcmp(&step, &block, sizeof step) != 0)
            abort();
    }
}

#endif
