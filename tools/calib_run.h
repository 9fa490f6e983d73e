/* A calibration over a data set, threads and ranks. Knows nothing of printing. */
#ifndef MST_CALIB_RUN_H
#define MST_CALIB_RUN_H

#include "mst/calibrate.h"
#include "mst/data.h"
#include "tools/calib_state.h"
#include "tools/tool_opts.h"

typedef struct mst_calib_job {
    const mst_program *ann, *snn;
    const mst_program *stored; /* the ANN with the weights of snn; NULL: the same weights */
    const mst_program *drawn;  /* the ANN with its masks drawn; NULL: it has none of the training */
    uint64_t seed;             /* the first of its draws */
    const mst_data *data;
    const mst_pick *pick; /* of data */
    bool skip_bad;
    unsigned threads;
    const mst_opt_uints *at;     /* ascending; T is the last */
    mst_versus *versus;          /* takes what both say of each sample; zero-initialised, the caller's to free */
    bool quiet;                  /* no progress bar */
    struct mst_journal *journal; /* where to go on from, and to say how far it came; NULL: none */
    uint64_t identity;           /* of all this and the run that it is part of: the same on all ranks */
} mst_calib_job;

/* EIO where it was stopped; where samples were measured before a failure, out is a report of these (else it has none),
 * on rank 0. A part of a run may have none that could be used. sums: "sums" of a part, JSON null of a whole run.
 * Release all in any case. */
mst_status mst_calib_run(const mst_calib_job *job, mst_calib_report *out, mst_outcome *outcome, json_t **sums,
                         mst_err *err);

#endif
