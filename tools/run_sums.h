/* What a run adds up over its samples: whole numbers only, so that the sums of parts are the sums of all. */
#ifndef MST_RUN_SUMS_H
#define MST_RUN_SUMS_H

#include "mst/session.h"
#include "tools/run_confusion.h"
#include "tools/tool_opts.h"
#include "tools/tool_outcome.h"

/* At one of the steps asked for. */
typedef struct mst_run_at {
    uint64_t right, right5; /* of the labelled: the label has the largest logit, one of the five largest */
    mst_counters counts;    /* from the first step on */
} mst_run_at;

typedef struct mst_run_layer_sums {
    uint64_t fired, spikes, ops; /* before the mask, after it, of the layers that feed it; all steps */
} mst_run_layer_sums;

typedef struct mst_run_sums {
    mst_arena arena;
    mst_outcome outcome;
    uint64_t samples, labelled; /* taken */
    size_t n_at, n_layers;
    mst_run_at at[MST_OPT_MAX_LIST];
    mst_counters all;           /* of all steps */
    mst_run_layer_sums *layers; /* [n_layers] */
    mst_confusion confusion;    /* at the last step asked for */
    double seconds;             /* of simulation, of the thread that had most; no reading, no waiting */
} mst_run_sums;

/* Zero, but for the outcome, which is the caller's to make. ENOMEM. Release with mst_run_sums_free in any case. */
mst_status mst_run_sums_make(mst_run_sums *s, size_t n_at, size_t n_layers, mst_err *err);
void mst_run_sums_free(mst_run_sums *s);

/* Samples, counts at each step and of each layer; NULL: out of memory. mst_confusion_json is apart. */
json_t *mst_run_sums_json(const mst_run_sums *s);
/* Add what that says, and what the outcome and the confusion matrix beside it say (mst_outcome_json, "confusion"): run
 * is the object that has "sums" and these. EFORMAT: not of so many steps and layers, or not whole; ENOMEM. */
mst_status mst_run_sums_add(mst_run_sums *s, const json_t *run, mst_err *err);

#endif
