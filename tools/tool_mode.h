/* Options that say how spikes carry values: step by step, as counts, as digits of counts. */
#ifndef MST_TOOL_MODE_H
#define MST_TOOL_MODE_H

#include "mst/session.h"
#include "tools/tool_list.h"
#include "tools/tool_opts.h"

/* Of one run, or of what a model file is told. */
typedef struct mst_mode_opts {
    const char *mode, *thinning;
    mst_opt_uint levels, bits;
} mst_mode_opts;

/* Of several runs. */
typedef struct mst_runs_opts {
    const char *mode, *thinning;
    mst_opt_uints levels, bits;
} mst_runs_opts;

#define MST_MODE_OPTIONS_OF(m, kind, more, n, n_help, k, k_help) \
    {"mode", 0, MST_OPT_STRING, &(m).mode, "NAME", \
     "{modes}: the paper's time steps, counts of spikes that a layer fires once it has its whole input, or " \
     "their binary digits" more " (docs/EXECUTION.md; default: the model file's)", \
     0, 0}, \
        {"levels", 0, kind, &(m).levels, n, "count, radix: levels of all layers " n_help, 1, 255}, \
        {"bits", 0, kind, &(m).bits, k, "radix: 2^K - 1 levels for all layers" k_help, 1, 8}, \
    { \
        "thinning", 0, MST_OPT_STRING, &(m).thinning, "NAME", \
            "how masks thin counts: {thinnings} (systematic has less scatter and is not the paper's)", 0, 0 \
    }
#define MST_MODE_OPTIONS(m) \
    MST_MODE_OPTIONS_OF(m, MST_OPT_UINT, "", "N", "(default: each layer's own)", "K", "")
#define MST_RUNS_OPTIONS(m) \
    MST_MODE_OPTIONS_OF(m, MST_OPT_UINTS, "; ann: no spikes, the network before it was converted", "N,..", \
                        "(default: each layer's own); several: a run each", "K,..", "; several: a run each")

/* modes: those of a spiking network; run_modes: and the ANN. */
extern const mst_list mst_list_modes, mst_list_run_modes, mst_list_thinnings;

/* Fill mode, levels and thinning of o: as the options say, otherwise as g has them stored. steps: what -T says, which
 * count takes as its levels. EINVAL with what is wrong. */
mst_status mst_mode_take(const mst_mode_opts *m, const mst_graph *g, const mst_opt_uint *steps, mst_run_opts *o,
                         mst_err *err);
/* The same of several runs, which differ in *levels: at least one, 0 for each layer's own; o->levels is the first. */
mst_status mst_runs_take(const mst_runs_opts *m, const mst_graph *g, const mst_opt_uints *steps, mst_run_opts *o,
                         mst_opt_uints *levels, mst_err *err);

#define MST_READOUT_OPTION(said) \
    { \
        "readout-from", 0, MST_OPT_STRING, &(said), "S|auto", \
            "step mode: the logits of steps S to t are averaged (before S: 1 to t); auto: T/2 + 1, or what the model " \
            "was tuned for (default: 1)", \
            0, 0 \
    }
/* Fill readout_from of o, whose mode is known, as --readout-from says (NULL: 1). steps: T. What auto makes of it knows
 * nothing of the data: it is what g was tuned for, if that was for this T, or T/2 + 1. EINVAL with what is wrong. */
mst_status mst_readout_take(const char *said, const mst_graph *g, uint32_t steps, mst_run_opts *o, mst_err *err);

/* One line in text, if g is tuned, but for another mode, T or readout than o and steps are; false otherwise. */
bool mst_tuning_differs(const mst_graph *g, const mst_run_opts *o, uint32_t steps, char *text, size_t n);

/* Does a sample take one window a layer, instead of time steps? */
static inline bool mst_mode_counts(mst_run_mode mode) { return mode == MST_RUN_COUNT || mode == MST_RUN_RADIX; }

#endif
