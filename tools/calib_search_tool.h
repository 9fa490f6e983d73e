/* --search-masks and --search-levels of mstcalib: options, and a search from the model to the policy. */
#ifndef MST_CALIB_SEARCH_TOOL_H
#define MST_CALIB_SEARCH_TOOL_H

#include "tools/calib_search.h"
#include "tools/tool_model.h"
#include "tools/tool_paths.h"

#define MST_SEARCH_HOLDOUT 0.5 /* by default: a bound on what is lost wants many */

typedef struct mst_search_said {
    const char *masks, *levels; /* policies to write */
    const char *metric, *sites;
    mst_opt_real budget, save;
    mst_opt_reals ladder;
} mst_search_said;

#define MST_SEARCH_OPTIONS(s) \
    {"search-masks", 0, MST_OPT_OUTPUT, &(s).masks, "P.yaml", \
     "find mask ratios for each site and block that save the most within --budget on samples of DATA (-n, default " \
     "2000), judge them on samples held out, and write a policy (docs/CONVERSION.md, \"Searched policies\")", \
     MST_PATH_POLICY, 0}, \
        {"search-levels", 0, MST_OPT_OUTPUT, &(s).levels, "P.yaml", \
         "count, radix: the same for the levels of each layer", MST_PATH_POLICY, 0}, \
        {"budget", 0, MST_OPT_REAL, &(s).budget, "P", \
         "--search: points of top-1 that may be lost (default .5), at a confidence of 97.5 % for what is searched " \
         "and for one value for all, each: 95 % for both together", \
         0, 0}, \
        {"save", 0, MST_OPT_REAL, &(s).save, "P", \
         "--search: instead of a budget: save P % of the spikes (or energy) or more, also on the samples held out, " \
         "and lose as little as can be", \
         0, 0}, \
        {"search-sites", 0, MST_OPT_STRING, &(s).sites, "all|paper", \
         "--search-masks: all neurons (the default), or those that the paper masks (paper): q, k, attn, mlp_fc1, " \
         "conv", \
         0, 0}, \
        {"metric", 0, MST_OPT_STRING, &(s).metric, "spikes|energy", \
         "--search: what is to be saved: spikes (the default), or energy of operations (--energy-set)", 0, 0}, \
    { \
        "ladder", 0, MST_OPT_REALS, &(s).ladder, "A,B,..", \
            "--search: ratios or levels to try (default: 7 ratios from .02 to .98; levels 12,8,6,4,3,2, radix " \
            "63,31,15,7,3)", \
            0, 0 \
    }

/* Either of them? */
static inline const char *mst_search_out(const mst_search_said *s) { return s->masks != NULL ? s->masks : s->levels; }

/* Options against each other; EINVAL is a usage error. */
mst_status mst_search_check(const mst_search_said *s, mst_err *err);
/* And against the mode, once that is known. */
mst_status mst_search_check_mode(const mst_search_said *s, const mst_run_opts *run, mst_err *err);

/* What is searched: files as given, a loaded graph, how to run it. */
typedef struct mst_search_call {
    const mst_search_said *said;
    const mst_common_opts *common;
    const char *const *args; /* MODEL.onnx MODEL.bin DATA [DATA] */
    size_t n_args;
    mst_graph *graph;
    const mst_run_opts *run;
    uint32_t steps; /* T; 1 in the other modes than step */
    double holdout;
    const mst_energy_set *energy;
} mst_search_call;

/* Search, tell, write. EINVAL where nothing is found: the policy is not written then, but the figures are. */
mst_status mst_search_tool(const mst_search_call *call, mst_err *err);

#endif
