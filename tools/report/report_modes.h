/* The other ways of running the same network, on the same samples: counts and digits of as many levels as its layers
 * have, and of fewer. For a page of a run in time steps. */
#ifndef MST_REPORT_MODES_H
#define MST_REPORT_MODES_H

#include "tools/run_figures.h"

#define MST_MODES_MAX 5

typedef struct mst_modes_job {
    const mst_graph *graph;
    const mst_run_opts *run; /* in time steps: seed, instruction set, frames, thinning */
    const mst_data *data;
    const mst_pick *pick;
    const mst_energy *energy;
    unsigned threads;
    bool skip_bad, quiet;
} mst_modes_job;

typedef struct mst_modes {
    size_t n;
    mst_run_facts runs[MST_MODES_MAX]; /* by mode, those of more levels behind; each at one point */
    mst_program *programs[MST_MODES_MAX];
} mst_modes;

/* Run them. A mode that the network has no form for is left out; all of them, where the user stops. What making a
 * program, reading or running gives. Release in any case. */
mst_status mst_modes_run(const mst_modes_job *job, mst_modes *modes, mst_err *err);
void mst_modes_free(mst_modes *modes);

#endif
