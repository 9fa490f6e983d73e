/* mstrun --exit: samples stop at the first stage at which the network is sure. */
#ifndef MST_RUN_EXIT_H
#define MST_RUN_EXIT_H

#include "tools/exit_sums.h"
#include "tools/run_sim.h"

#define MST_EXIT_OPTION(said) \
    { \
        "exit", 0, MST_OPT_STRING, &(said), "margin:M", \
            "a sample stops at the first step of --at (default: T in eight), or of the levels of --levels, at which " \
            "its largest probability is M above the second; told beside the same samples run to the end " \
            "(docs/EXECUTION.md, \"Early exit\")", \
            0, 0 \
    }

typedef struct mst_run_exit {
    const char *model, *data; /* as given */
    const mst_graph *graph;
    const mst_run_opts *run;
    const mst_sim_opts *opts;    /* data, samples, threads, steps, predictions */
    const mst_opt_uints *levels; /* of its stages in count and radix mode */
    double margin;
    const mst_energy_set *energy;
    const char *json; /* NULL: none */
    bool aside;       /* text goes to stderr */
} mst_run_exit;

/* What --exit says, and that no option is with it which is of samples that all run to the end. EINVAL. */
mst_status mst_exit_check(const char *said, double *margin, mst_err *err);
/* A mode that spikes; of counts several levels, which are sorted. EINVAL. */
mst_status mst_exit_check_mode(mst_run_mode mode, mst_opt_uints *levels, mst_err *err);

/* Run, tell; *result, zero before, is what was told. */
mst_status mst_run_exit_run(const mst_run_exit *r, mst_exit_result *result, mst_err *err);

#endif
