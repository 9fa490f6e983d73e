/* One network on the same samples, again and again, as it is set: what it says against how it was at first, and what it
 * costs. Knows nothing of what is set, nor of printing.
 *
 * Masks are drawn. All networks are run with the same draws, so that these do not count as differences. What the
 * network said before is the mean of other draws, which no network is nearer to by chance.
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
    unsigned draws;      /* of a network with masks: runs with run.seed and the seeds behind it; >= 1 */
    unsigned references; /* the seeds behind those, of which what the network said before is the mean; >= 1 */
    unsigned threads;
    const mst_energy_set *energy;
    mst_progress *progress; /* of all runs: told after each sample */
    size_t done;            /* samples run, of all runs */
    bool keep;              /* right of each trial */
    /* of the network as it was */
    mst_arena arena;
    size_t classes;
    double *p;        /* [n][classes] probabilities */
    int32_t *class;   /* [n] label, or where there is none the largest of these */
    float *was_right; /* [n] share of the draws */
    double *was_kl;   /* [n] mean of the draws' divergences from p: 0 without masks */
    size_t labelled;
} mst_trial_set;

/* Of one network, means over samples and draws; top-1 is of the labels (of the classes of the network as it was where a
 * sample has none). Standard errors are over samples, of the means over draws. */
typedef struct mst_trial {
    float *right;         /* [n] share of the draws, in the arena of the set; NULL unless that keeps it */
    double top1, top1_se; /* share */
    double loss, loss_se; /* of top-1 against the network as it was, of pairs; above 0 where this one is worse */
    double loss_bound;    /* not more is lost, at a confidence of 97.5 % */
    double kl, kl_se;     /* nats: divergence of the classes from those of the network as it was, less its own */
    double spikes, fired, sops, macs;
    double energy, ann; /* pJ of the operations of a sample; of its ANN's */
} mst_trial;

/* Run the graph as it is now, of a set that is zero behind `keep`: what others are compared with. Release with
 * mst_trials_free in any case. EINVAL: a logit is no number; ENOMEM. */
mst_status mst_trials_begin(mst_trial_set *s, mst_trial *as_is, mst_err *err);
void mst_trials_free(mst_trial_set *s);

/* Run graph as it is now on the first n of the samples. */
mst_status mst_trial_run(mst_trial_set *s, size_t n, mst_trial *out, mst_err *err);

/* Runs over the samples that a trial of graph as it is now takes. */
unsigned mst_trial_draws(const mst_trial_set *s);

/* Of a against b, which kept right: top-1 and the standard error of pairs. */
void mst_trial_pairs(const mst_trial *a, const mst_trial *b, size_t n, double *change, double *se);

#endif
