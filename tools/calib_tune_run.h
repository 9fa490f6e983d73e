/* A tuning of v(0) over data sets and threads. Knows nothing of printing. */
#ifndef MST_CALIB_TUNE_RUN_H
#define MST_CALIB_TUNE_RUN_H

#include "mst/data.h"
#include "mst/tune.h"
#include "tools/tool_pick.h"

typedef struct mst_tune_job {
    const mst_program *ann;
    mst_graph *graph; /* of the spiking network; its tuning is dropped */
    const mst_run_opts *run;
    const mst_data *data;              /* samples to fit, and those held out where judge is NULL */
    const mst_data *judge;             /* NULL, or samples held out */
    const mst_pick *from, *judge_from; /* samples of these to draw from */
    size_t n;                          /* samples drawn from each, at most */
    double holdout;                    /* the share of data that is held out where judge is NULL */
    uint64_t seed;                     /* of what is drawn */
    uint32_t timesteps;
    unsigned threads;
    bool quiet; /* no progress bar */
} mst_tune_job;

/* *out, of all passes, is the caller's to destroy, before graph. EINVAL for too few samples. */
mst_status mst_tune_run(const mst_tune_job *job, mst_tune **out, mst_err *err);

#endif
