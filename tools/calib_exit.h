/* mstcalib --exit-budget: how sure a network must be to stop early, found on samples, judged on others. */
#ifndef MST_CALIB_EXIT_H
#define MST_CALIB_EXIT_H

#include "tools/calib_draw.h"
#include "tools/exit_sums.h"
#include "tools/tool_model.h"

typedef struct mst_exit_said {
    mst_opt_real budget;
    mst_opt_uints levels;
} mst_exit_said;

#define MST_EXIT_BUDGET_OPTIONS(s) \
    {"exit-budget", 0, MST_OPT_REAL, &(s).budget, "P", \
     "find the margin of mstrun --exit that loses P points of top-1 at most on samples of DATA (-n, default 2000), " \
     "and judge it on samples held out; step mode: at the steps of -T (default: T in eight)", \
     0, 0}, \
    { \
        "exit-levels", 0, MST_OPT_UINTS, &(s).levels, "A,B,..", \
            "--exit-budget: levels to try in count and radix mode", 1, MST_MAX_RUN_LEVELS \
    }

/* Options against each other; EINVAL is a usage error. */
mst_status mst_exit_said_check(const mst_exit_said *s, mst_err *err);
/* Once the mode of run is known: which steps (what -T says, T in eight for one number or none) or levels are stages, in
 * *steps, ascending; and the readout of run. EINVAL. */
mst_status mst_exit_stages(const mst_exit_said *s, const mst_graph *g, const char *readout, mst_run_opts *run,
                           mst_opt_uints *steps, mst_err *err);

typedef struct mst_exit_call {
    const mst_exit_said *said;
    const mst_common_opts *common;
    const char *const *args; /* MODEL.onnx MODEL.bin DATA [DATA] */
    size_t n_args;
    const mst_graph *graph;
    const mst_run_opts *run;
    const mst_opt_uints *at; /* steps or levels, ascending */
    double holdout;
    const mst_energy_set *energy;
} mst_exit_call;

/* Measure, decide, judge, tell. */
mst_status mst_exit_tool(const mst_exit_call *call, mst_err *err);

#endif
