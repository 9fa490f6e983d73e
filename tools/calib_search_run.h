/* One network on the same samples, again and again, as it is set: what it says against how it was at first, and what it
 * costs. Knows nothing of what is set, nor of printing.
 */
#ifndef MST_CALIB_SEARCH_RUN_H
#define MST_CALIB_SEARCH_RUN_H

#include "mst/data.h"
#include "mst/session.h"
#include "tools/run_energy.h"
#include "tools/tool_output.h"

/* What does not change. Samples are numbered as in their data set: masks are drawn by these. */
typedef struct mst_trial_set {
    mst_graph *graph;
    mst_run_opts run;
    uint32_t steps; /* T; 1 in the other modes than step */
    const mst_data *data;
    const uint32_t *at; /* [n] samples */
    size_t n;
    unsigned threads;
    const mst_energy_set *energy;
    mst_progress *progress; /* of all runs: told after each sample */
    size_t done;            /* samples run, of all runs */
    /* of the first run, which the others are compared with */
    mst_arena arena;
    size_t classes;
    float *logits;  /* [n][classes] */
    int32_t *class; /* [n] label, or where there is none what the first run said */
    size_t labelled;
} mst_trial_set;

/* Of one run, means over samples; top-1 is of the labels (of the first run's classes where a sample has none). */
typedef struct mst_trial {
    bool *right;          /* [n], in the arena of the set */
    double top1, top1_se; /* share */
    double loss, loss_se; /* of top-1 against the first run, of pairs; above 0 where this run is worse */
    double kl, kl_se;     /* nats: of the distribution over classes (softmax of the logits) from the first run's */
    double spikes, fired, sops, macs;
    double energy, ann; /* pJ of the operations of a sample; of its ANN's */
} mst_trial;

/* Of a set that is zero but for the fields before the arena. Release with mst_trials_free in any case. ENOMEM. */
mst_status mst_trials_make(mst_trial_set *s, mst_err *err);
void mst_trials_free(mst_trial_set *s);

/* Run graph as it is now; the first run is the one that others are compared with. EINVAL: a logit is no number. */
mst_status mst_trial_run(mst_trial_set *s, mst_trial *out, mst_err *err);

/* Of a against b: top-1 and the standard error of pairs. */
void mst_trial_pairs(const mst_trial *a, const mst_trial *b, size_t n, double *change, double *se);

#endif
