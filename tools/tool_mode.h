/* Options that say how spikes carry values: step by step, as counts, as digits of counts. */
#ifndef MST_TOOL_MODE_H
#define MST_TOOL_MODE_H

#include "mst/session.h"
#include "tools/tool_list.h"
#include "tools/tool_opts.h"

typedef struct mst_mode_opts {
    const char *mode, *thinning;
    mst_opt_uint levels, bits;
} mst_mode_opts;

#define MST_MODE_OPTIONS(m)                                                                                 \
    {"mode", 0, MST_OPT_STRING, &(m).mode, "NAME",                                                          \
     "{modes}: the paper's time steps, counts of spikes that a layer fires once it has its whole input, or " \
     "their binary digits (docs/EXECUTION.md; default: the model file's)", 0, 0},                           \
    {"levels", 0, MST_OPT_UINT, &(m).levels, "N",                                                           \
     "count, radix: levels of all layers (default: each layer's own)", 1, 255},                             \
    {"bits", 0, MST_OPT_UINT, &(m).bits, "K", "radix: 2^K - 1 levels for all layers", 1, 8},                \
    {"thinning", 0, MST_OPT_STRING, &(m).thinning, "NAME",                                                  \
     "how masks thin counts: {thinnings} (systematic has less scatter and is not the paper's)", 0, 0}

extern const mst_list mst_list_modes, mst_list_thinnings;

/* Fill mode, levels and thinning of o: as the options say, otherwise as g has them stored. steps: what -T says, which
 * count takes as its levels. EINVAL with what is wrong. */
mst_status mst_mode_take(const mst_mode_opts *m, const mst_graph *g, const mst_opt_uint *steps, mst_run_opts *o,
                         mst_err *err);

/* "count": as --mode has it. */
const char *mst_mode_name(mst_run_mode mode);
/* Does a sample take one window a layer, instead of time steps? */
static inline bool mst_mode_counts(mst_run_mode mode) { return mode == MST_RUN_COUNT || mode == MST_RUN_RADIX; }

#endif
