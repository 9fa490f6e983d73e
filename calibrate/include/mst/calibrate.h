/* Conversion error: the quantized ANN against its spiking network, layer by layer.
 *
 * Two programs, one in float mode (the ANN) and one in spiking mode, see the same
 * samples; their NEURON layers pair by node name. For a neuron of a layer, on one
 * sample, with threshold theta, levels L and shift c = v(0)/theta:
 *
 *   a      activation of the ANN
 *   b      the same where the ANN has the weights as the spiking network stores them; a if those
 *          are not given
 *   phi    theta/T * (spikes in T steps), before any mask
 *   r      (v(T) - v(0))/T, the charge that was left over (Eq. 5 of the MST paper)
 *   m      phi + r, the mean input current of the spiking neuron: exact for soft reset
 *   Q(m,N) theta * clip(floor(m*N/theta + c)/N, 0, 1), the staircase with N levels
 *
 * The error e = phi - a is the sum of five parts, each reported apart:
 *   clipping      phi - Q(m,T) where m is outside [0,theta]: the mean current asks for fewer
 *                 spikes than none or more than one a step, yet some fired early or fell short
 *   unevenness    phi - Q(m,T) where m is inside: the current of m did not arrive evenly
 *   quantization  Q(m,T) - Q(m,L): T steps against L levels; where v(0) is tuned (mst/tune.h), c of Q(m,T) is the
 *                 tuned v(0)/theta, that of Q(m,L) the ANN's
 *   inherited     Q(m,L) - b: the mean current itself differs from the ANN's, by errors of the
 *                 layers before and by products whose factors fire together (attention)
 *   weights       b - a: what the type of the stored weights (f16, int8) changes in the ANN
 * (Clipping, quantization and unevenness are those of Bu et al., ICLR 2022.)
 *
 * Where the spiking network runs in count or radix mode with l levels (its own or those of its program), T plays no
 * part. What a neuron says is compared behind its mask, if one follows it (first of all, moved by nothing but RESHAPE):
 *
 *   a, b   as above, before any mask
 *   k      a behind the mask that the ANN itself has there, which float mode multiplies by its mean, 1 - ratio; a
 *          where it has none: an ANN without masks is compared with as it is, and its a is what the mask thins
 *   U      the current that the neuron took in, with the neuron's gain and bias
 *   S(N)   theta * (n/N) with n = floor(U*N/theta + c) clipped to 0..N: docs/EXECUTION.md, NEURON, each rounding
 *   y      S(l), the value of the spikes that it fired; y' of those that the mask left, y where there is none
 *   r      U - y, the charge that is left in the membrane, relative to v(0)
 *
 * The error e = y' - k is the sum of
 *   quantization  y - S(L) where U is inside [0,theta]: l levels against L; 0 for l = L
 *   clipping      the same where U is outside. Both staircases end at 0 and theta, so it is 0 but where c is so far
 *                 from 0..1 that they end elsewhere: these modes clip as the ANN does
 *   masks         (y' - y) - (k - a): what thinning takes away, beyond what the ANN's own mask does. Against an ANN
 *                 without masks its mean is -ratio times the mean of y
 *   inherited     S(L) - b: the current differs from the ANN's, by errors of the layers before
 *   weights       b - a
 * Unevenness is 0 by construction: all that arrives is in U. mst_calib_has_part says which parts a mode has. At l = L,
 * with float32 weights and no masks, each of them and e are 0 to the bit.
 *
 * Single-threaded by itself: workers measure samples in any order on any thread, and what they commit adds up without
 * rounding (mst_calib_sums), so every figure is the same for any number of threads, and for parts that are put
 * together.
 *
 *     mst_calib_create(ann, snn, &opts, &calib, &err);
 *     mst_calib_worker_create(calib, &worker, &err);          one a thread
 *     mst_calib_measure(worker, i, &err);                     any thread
 *     mst_calib_commit(worker);                               one at a time
 *     mst_calib_report_make(calib, &report, &err);
 */
#ifndef MST_CALIBRATE_H
#define MST_CALIBRATE_H

#include "mst/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Give sample i: x as mst_session_begin takes it, and its label (-1: none). Called from
 * mst_calib_measure, so from several threads where there are several workers. */
typedef mst_status (*mst_calib_get)(void *ctx, size_t i, float *x, int *label, mst_err *err);

typedef struct mst_calib_opts {
    size_t size;        /* sizeof(mst_calib_opts): mst/status.h */
    const uint32_t *at; /* time steps to report, ascending, [n_at]; T is the last. Count and radix mode: not read */
    uint32_t n_at;
    mst_calib_get get;
    void *ctx;
    const mst_program *stored; /* NULL, or the ANN with the weights as snn has them, in float mode */
    const mst_program *drawn;  /* NULL, or the ANN with its masks drawn (MST_RUN_ANN) */
    uint64_t seed;             /* the first of MST_CALIB_DRAWS, one after another, of those masks */
} mst_calib_opts;

#define MST_CALIB_DRAWS 3

typedef enum mst_calib_part {
    MST_PART_CLIPPING,
    MST_PART_UNEVENNESS,
    MST_PART_QUANTIZATION,
    MST_PART_MASKS,
    MST_PART_INHERITED,
    MST_PART_WEIGHTS,
    MST_PART_COUNT
} mst_calib_part;
MST_API const char *mst_calib_part_name(mst_calib_part part);
/* Can it be anything but 0 in a network of that mode? Not masks in step, not unevenness in count and radix. */
MST_API bool mst_calib_has_part(mst_run_mode mode, mst_calib_part part);

/* One pair of NEURON layers at a time step t (in the place of T above), over neurons and samples. */
typedef struct mst_calib_layer {
    const char *name; /* lent by the spiking program's graph */
    mst_site site;
    int stage, block;
    uint64_t neurons;
    double theta;                     /* mean over channels */
    int levels;                       /* L */
    int run_levels;                   /* l in count and radix mode; 0 in step */
    double rate;                      /* spikes after the mask / (neurons * t); count: l, radix: bits(l) for T */
    double mae;                       /* mean |e| */
    double mae_se;                    /* its standard error over samples; NaN for one sample */
    double rel_l2;                    /* |e|_2 / |a|_2; NaN where every a is 0 */
    double max;                       /* largest |e| */
    double bias;                      /* mean e */
    double within;                    /* share of neurons with |e| <= theta/(2L) */
    double residual;                  /* mean |r| */
    double part_abs[MST_PART_COUNT];  /* mean |part| */
    double part_mean[MST_PART_COUNT]; /* mean part: they add up to bias */
    uint64_t fired, spikes, ops;      /* sums over samples of mst_session_layer_fired, _spikes, _ops */
} mst_calib_layer;

typedef struct mst_calib_point {
    uint32_t t;          /* count and radix mode have one point, 1 */
    double top1;         /* of the labelled samples; NaN without labels */
    double agreement;    /* share of samples where both networks choose the same class */
    double logit_rel_l2; /* |mean logits(t) - ANN logits|_2 / |ANN logits|_2, over all samples */
    mst_counters counts; /* of the spiking network, sums over samples */
} mst_calib_point;

typedef struct mst_calib_report {
    mst_arena arena;        /* owns the arrays */
    mst_run_mode mode;      /* of the spiking network */
    uint32_t depth, window; /* count and radix mode: mst_program_depth and _window; latency is their product */
    bool stored;            /* there was an ANN with the stored weights */
    size_t samples, labelled;
    double ann_top1;                         /* NaN without labels */
    double stored_top1, stored_logit_rel_l2; /* of the ANN with the stored weights; NaN where not given */
    bool drawn;                              /* there was an ANN whose masks are drawn */
    double drawn_top1[MST_CALIB_DRAWS];      /* of that, a seed each; NaN where not given */
    mst_calib_point *points;
    uint32_t n_points;
    mst_calib_layer *layers; /* at T, execution order of the spiking network */
    size_t n_layers;
    mst_calib_layer *layers_at; /* [n_points][n_layers] at each point; the last are `layers` */
} mst_calib_report;

typedef struct mst_calib mst_calib;
typedef struct mst_calib_worker mst_calib_worker;

/* ann and opts->stored run in float mode, snn in another; all outlive the calibration. In count and radix mode snn
 * has the schedule MST_SCHEDULE_STEP, which shows the currents of neurons. The graph of stored is that of ann but
 * for its weights. EINVAL names the layer that has no partner or another size. */
MST_API mst_status mst_calib_create(const mst_program *ann, const mst_program *snn,
                                    const mst_calib_opts *opts, mst_calib **out, mst_err *err);
MST_API void mst_calib_destroy(mst_calib *c); /* after its workers */

MST_API mst_status mst_calib_worker_create(mst_calib *c, mst_calib_worker **out, mst_err *err);
MST_API void mst_calib_worker_destroy(mst_calib_worker *w);

/* Run both networks on sample i; the figures stay in the worker until they are committed. EINVAL also where a current
 * was not to be seen. */
MST_API mst_status mst_calib_measure(mst_calib_worker *w, size_t i, mst_err *err);
MST_API void mst_calib_commit(mst_calib_worker *w);
/* The layer of the ANN that layer k of the spiking network stands for. EINVAL names a layer without one, or with one of
 * another size. */
MST_API mst_status mst_calib_partner(const mst_program *ann, const mst_program *snn, size_t k, uint32_t *partner,
                                     mst_err *err);
/* The node of g with the name and operator of a node of another graph. Both graphs keep the order of the model: the
 * search goes on behind the last find, *from (0 at first), so that nodes of one name pair in order. NULL: none. */
MST_API const mst_node *mst_calib_partner_node(const mst_graph *g, const mst_node *node, uint32_t *from);
/* Of the sample measured last: its label (-1: none), the class that the ANN says, and what the spiking network says at
 * each point, said [n_at]. */
MST_API void mst_calib_said(const mst_calib_worker *w, int *label, uint32_t *ann, uint32_t *said);

/* Figures of all samples committed so far; EINVAL if there are none. Release with _free. */
MST_API mst_status mst_calib_report_make(const mst_calib *c, mst_calib_report *out, mst_err *err);
MST_API void mst_calib_report_free(mst_calib_report *r);

/* What is added up over samples, apart from the networks: as lines of text it can be kept and added to that of other
 * samples, in any order, to the sums over all of them, to the bit. */
typedef struct mst_calib_sums mst_calib_sums;
#define MST_CALIB_LINE 16384 /* room for a line, with its end */

/* Zero, of so many layers and points. ENOMEM. */
MST_API mst_status mst_calib_sums_create(size_t n_layers, size_t n_points, mst_calib_sums **out, mst_err *err);
MST_API void mst_calib_sums_destroy(mst_calib_sums *s);
/* Those that c commits to, lent; other calls see what is done to them. */
MST_API mst_calib_sums *mst_calib_sums_of(mst_calib *c);
MST_API void mst_calib_sums_clear(mst_calib_sums *s);
MST_API size_t mst_calib_sums_samples(const mst_calib_sums *s);
MST_API size_t mst_calib_sums_labelled(const mst_calib_sums *s);

/* The sums are so many lines, of printable ASCII; line i into out, of MST_CALIB_LINE bytes. */
MST_API size_t mst_calib_sums_lines(const mst_calib_sums *s);
MST_API void mst_calib_sums_line(const mst_calib_sums *s, size_t i, char *out);
/* Add what line i of others says. EFORMAT: it is none, or of other layers; sums are then of no use. */
MST_API mst_status mst_calib_sums_add(mst_calib_sums *s, size_t i, const char *line, mst_err *err);

/* A report of c without figures; ENOMEM. Release with _free in any case. */
MST_API mst_status mst_calib_describe(const mst_calib *c, mst_calib_report *out, mst_err *err);
/* The same where there is no calibration: room for so many layers and points (1 or more); what they are is the caller's
 * to set: mode, depth, window, stored, the t of each point, and layers_at, at each point, but for figures. ENOMEM.
 * Release with _free in any case. */
MST_API mst_status mst_calib_report_begin(mst_calib_report *out, size_t n_layers, size_t n_points, mst_err *err);
/* Its figures; s has as many layers and points. Means over no sample are NaN. */
MST_API void mst_calib_sums_report(const mst_calib_sums *s, mst_calib_report *out);

/* ---- how sure shares of samples are ---- */

/* The exact test of McNemar: of pairs, `lost` are right by the first alone, `gained` by the second alone. How probable
 * it is that chance splits them as far from the middle as this, if neither is better; two-sided, 1 without any. */
MST_API double mst_paired_p(uint64_t lost, uint64_t gained);
/* The interval of Clopper and Pearson: with 95 % probability the share in the population, of which k of n samples were
 * found. k at most n; NaN where n is 0. */
typedef struct mst_interval {
    double low, high;
} mst_interval;
MST_API mst_interval mst_share_interval(uint64_t k, uint64_t n);

#ifdef __cplusplus
}
#endif
#endif
