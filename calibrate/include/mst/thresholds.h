/* Thresholds from data: what turns the ReLU of a trained ANN into a quantization clip-floor-shift (QCFS)
 *
 *     Q(x; theta) = theta/L * clip(floor(x*L/theta + 1/2), 0, L)
 *
 * and so into an IF neuron. The ANN runs in float mode on some samples; of each site (the output of a node, channels
 * on its last axis) the positive activations are counted in 2,048 bins a channel, whose range is the least power of
 * two above the largest activation and grows with it: the counts, and all that follows from them, are the same in
 * whatever order samples come. For each channel, m being its largest activation and u the middles of its bins,
 *
 *     MSE       the theta among m*.04, .. m (80 of equal distance) with the least sum of (u - Q(u; theta))^2
 *     MAX       m (Diehl et al., IJCNN 2015)
 *     QUANTILE  that of all activations, zeros included, by the upper ends of bins (.999: Rueckauer et al., Frontiers
 *               in Neuroscience 2017)
 *
 * A channel with fewer than 500 positive activations, and each where thresholds are asked for by layer, takes that of
 * the layer, all channels together. No theta is below 1e-3 of the layer's largest activation (nor
 * above the site's bound, as no activation is); a layer without a positive activation has theta 1, or its bound.
 *
 * Single-threaded by itself, as mst/calibrate.h: one worker a thread, commits one at a time in any order.
 */
#ifndef MST_THRESHOLDS_H
#define MST_THRESHOLDS_H

#include "mst/calibrate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mst_theta_method { MST_THETA_MSE,
                                MST_THETA_MAX,
                                MST_THETA_QUANTILE } mst_theta_method;

typedef struct mst_theta_site {
    uint32_t node;  /* of the program's graph; its output has at least one axis */
    uint32_t fixed; /* 1: its bound is its threshold, nothing is measured (clipped activations trained so) */
    double bound;   /* above 0, may be infinite */
} mst_theta_site;

typedef struct mst_theta_opts {
    size_t size; /* sizeof(mst_theta_opts): mst/status.h */
    mst_theta_method method;
    double quantile; /* of QUANTILE, in (0,1] */
    int levels;      /* L, 1..255 */
    bool by_channel;
    size_t samples; /* that will be committed at most, 0: not known; channels that cannot reach 500 then share bins */
    mst_calib_get get;
    void *ctx;
} mst_theta_opts;

typedef struct mst_theta_fit mst_theta_fit;
typedef struct mst_theta_worker mst_theta_worker;

/* ann runs in float mode by the step schedule, which shows each node's output; it outlives the fit. The sites are
 * copied. Memory: 8 kB a channel, 4 GB at most (ENOMEM). EINVAL for a site that is no node or named twice, and for
 * wrong options. */
MST_API mst_status mst_theta_fit_create(const mst_program *ann, const mst_theta_site *sites, size_t n,
                                        const mst_theta_opts *opts, mst_theta_fit **out, mst_err *err);
MST_API void mst_theta_fit_destroy(mst_theta_fit *f); /* after its workers */

MST_API mst_status mst_theta_worker_create(mst_theta_fit *f, mst_theta_worker **out, mst_err *err);
MST_API void mst_theta_worker_destroy(mst_theta_worker *w);

/* Run the ANN on sample i; what it shows stays in the worker until it is committed. EINVAL where an activation is not
 * finite: the line names sample and node. */
MST_API mst_status mst_theta_measure(mst_theta_worker *w, size_t i, mst_err *err);
/* ELIMIT where a channel has been counted 2^32 times. */
MST_API mst_status mst_theta_commit(mst_theta_worker *w, mst_err *err);

/* What came out for a site. Shares and error are of the activations measured, as its theta quantizes them. */
typedef struct mst_theta_result {
    uint32_t node;
    const float *theta; /* [n], lent by the fit */
    size_t n;           /* 1, or the channels */
    double theta_min, theta_max;
    double positive;  /* share of activations that are */
    double saturated; /* share of the positive ones above theta, by whole bins */
    double silent;    /* share of the positive ones that become 0 */
    double error;     /* |x - Q(x)|_2 / |x|_2, by the middles of bins; NaN where every x is 0 */
    size_t by_layer;  /* channels that took the layer's theta for want of activations */
} mst_theta_result;

/* Thresholds from all samples committed so far; EINVAL if there are none. May be asked again. */
MST_API mst_status mst_theta_solve(mst_theta_fit *f, mst_err *err);
/* Site k, in the order given; after solve. NULL behind the last. */
MST_API const mst_theta_result *mst_theta_result_at(const mst_theta_fit *f, size_t k);

#ifdef __cplusplus
}
#endif
#endif
