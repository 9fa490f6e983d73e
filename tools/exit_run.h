/* Samples that stop early: at the first stage at which the network is sure. A stage is a time step of step mode, or a
 * whole run with one number of levels in count and radix mode, where what earlier stages cost adds up. All stages are
 * run, so that the same samples are known as they end. Knows nothing of printing.
 */
#ifndef MST_EXIT_RUN_H
#define MST_EXIT_RUN_H

#include "mst/data.h"
#include "mst/energy.h"
#include "mst/session.h"
#include "tools/tool_opts.h"
#include "tools/tool_pick.h"

typedef struct mst_exit_stage {
    uint32_t at;    /* time step, or levels */
    double latency; /* steps until it has its answer, earlier stages included */
    double updates; /* of neurons, likewise */
} mst_exit_stage;

/* What a network says and has cost at a stage. */
typedef struct mst_exit_seen {
    uint32_t said;       /* class */
    float margin;        /* docs/EXECUTION.md, "Early exit" */
    mst_counters counts; /* of all stages so far */
} mst_exit_seen;

typedef struct mst_exit_job {
    const mst_graph *graph;
    mst_run_opts run;
    const mst_opt_uints *at; /* ascending: steps, the last is T; or levels */
    double margin;           /* a sample stops where its margin is no less; above 1: at the last stage */
    const mst_data *data;
    const uint32_t *samples; /* [n] */
    size_t n;
    unsigned threads;
    bool quiet;
    void *ctx;
    /* In the order of samples, one at a time: what was seen at each stage [at->n], the stage at which it stops, logits
     * of that [classes]; label -1: not known. */
    mst_status (*take)(void *ctx, uint32_t sample, int label, const mst_exit_seen *seen, size_t stop,
                       const float *logits, mst_err *err);
} mst_exit_job;

/* A network in all its stages. */
typedef struct mst_exit_facts {
    size_t n;
    bool counts; /* stages are levels: runs of their own */
    mst_exit_stage stage[MST_OPT_MAX_LIST];
    double neurons, dense_ops, dense_static; /* of a pass */
} mst_exit_facts;

/* EINVAL: a logit is no number; facts are filled once programs are made. */
mst_status mst_exit_run(const mst_exit_job *job, mst_exit_facts *facts, mst_err *err);

/* "margin:0.9"; EINVAL. */
mst_status mst_exit_parse(const char *text, double *margin, mst_err *err);

/* Steps at which a sample may stop: T in eight, or all steps of fewer, where at is empty; otherwise T is its last. */
void mst_exit_steps(mst_opt_uints *at, uint32_t steps);

/* n of that many, NaN of none; and its standard error. */
double mst_exit_share(uint64_t n, uint64_t of);
double mst_exit_share_se(uint64_t n, uint64_t of);

#endif
