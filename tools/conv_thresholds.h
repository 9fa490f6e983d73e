/* mstconv --calibrate: ReLUs become neurons with thresholds from a data set, and the network that comes out is tried
 * on other samples of it.
 */
#ifndef MST_CONV_THRESHOLDS_H
#define MST_CONV_THRESHOLDS_H

#include "mst/convert.h"
#include "mst/thresholds.h"
#include "tools/tool_opts.h"

typedef struct mst_threshold_opts {
    const char *data; /* NULL: none, as with the method "bound" */
    mst_opt_uint limit, threads;
    const char *grain, *method; /* NULL: channel, mse */
} mst_threshold_opts;

#define MST_THRESHOLD_OPTIONS(t) \
    {"calibrate", 0, MST_OPT_INPUT, &(t).data, "DATA", \
     "ReLUs become neurons of --levels levels (default 16) with thresholds from samples of DATA (as mstrun takes " \
     "it)", \
     0, 0}, \
        {"limit", 'n', MST_OPT_UINT, &(t).limit, "N", \
         "of --calibrate: so many samples, and as many others to try the network on (default: 128)", 1, 1u << 24}, \
        {"theta", 0, MST_OPT_STRING, &(t).grain, "GRAIN", \
         "of --calibrate: a threshold for each channel (the default) or layer", 0, 0}, \
        {"theta-method", 0, MST_OPT_STRING, &(t).method, "NAME", \
         "of --calibrate: mse (the default), max, p99.9 or another percentile; bound: upper bounds of clipped " \
         "ReLUs, without DATA", \
         0, 0}, \
    { \
        "threads", 0, MST_OPT_UINT, &(t).threads, "N", \
            "of --calibrate: threads; results do not depend on it (default: all processors)", 1, 1024 \
    }

/* What became of one ReLU. */
typedef struct mst_threshold_row {
    const char *name;
    bool fixed; /* its bound was taken, nothing measured */
    mst_theta_result result;
} mst_threshold_row;

typedef struct mst_thresholds {
    mst_arena arena;         /* owns the rows and their thresholds */
    mst_threshold_row *rows; /* execution order */
    size_t n;
    int levels;
    const char *method, *grain;
    size_t samples; /* measured */
    /* on samples held back, in count mode: */
    size_t held;            /* 0: not tried */
    const char *untried;    /* why not */
    size_t agree;           /* samples whose class is the ANN's */
    double divergence;      /* mean of KL(softmax of the ANN's logits || of the network's), nats */
    double spikes;          /* a sample */
    uint32_t depth, window; /* their product is the latency */
} mst_thresholds;

bool mst_thresholds_asked(const mst_threshold_opts *o);
/* The texts; EINVAL is a usage error. */
mst_status mst_thresholds_check(const mst_threshold_opts *o, mst_err *err);
/* Measure g, whose preprocessing is set, and make neurons of its ReLUs. Release out in any case. */
mst_status mst_thresholds_set(const mst_threshold_opts *o, int levels, const mst_import_opts *iopts, mst_graph *g,
                              bool quiet, mst_thresholds *out, mst_err *err);
/* Fill the second half of t: snn, as it will be written, against the model that it was made from. */
mst_status mst_thresholds_try(const mst_threshold_opts *o, const mst_graph *ann, const mst_graph *snn, bool quiet,
                              mst_thresholds *t, mst_err *err);
void mst_thresholds_free(mst_thresholds *t);

/* conv_samples.c: which sample of a data set is number i of those measured (held: of those held back). Spread evenly,
 * so that a data set in the order of its classes shows all of them. */
typedef struct mst_spread {
    size_t count;          /* of the data set */
    size_t measured, held; /* of them */
} mst_spread;
mst_spread mst_spread_of(size_t count, size_t wanted);
size_t mst_spread_at(const mst_spread *s, bool held, size_t i);

#endif
