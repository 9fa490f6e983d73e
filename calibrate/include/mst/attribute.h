/* Attribution: what accuracy each cause of the conversion error, and each layer, costs: by what-if runs.
 *
 * The spiking network runs once a sample. Of each NEURON layer k it leaves phi_k, the value of its spikes (theta/T *
 * spikes; count and radix mode: theta/l * n), and phi'_k behind the mask. Its graph and the ANN's in float mode, both
 * with these values in all layers, give the currents B_k and A_k that the layer would get. So what happens in the layer
 * alone is a chain:
 *
 *   A_k                      the ANN's current; its activation is Q_A(A_k), Q the staircase with L levels
 *   network, weights         B_k in place of A_k (and, for network, theta and shift of the .bin, its L in count and
 *                            radix mode): the network is another one, or its weights are int8 or f16. The constants
 *                            of both graphs tell which
 *   products, islands        m_k = phi + residual (mst/calibrate.h), the real mean current, in place of B_k: where
 *                            products of spikes, or other functions that are not linear (softmax, LayerNorm, max
 *                            pooling), see single steps
 *   quantization             T levels in place of L (count, radix: l in place of the .bin's L); where v(0) is tuned,
 *                            with it
 *   clipping, unevenness     phi - Q(m_k), for m_k outside of 0..theta and inside
 *   masks                    phi'/phi: what the mask left of the layer's spikes, in place of what the ANN has there
 *   readout                  of the logits: the mean from step readout_from on in place of that over all steps
 *
 * A what-if run is the ANN in float mode in which layers have some of these changes: differences and shares are those
 * of the sample's spiking run, the staircase sees the currents of the what-if run. With none it is the ANN, with all
 * of them the spiking network, both to the bit of their logits (step mode: but for rounding of sums over T).
 *
 *   away   all changes but this one: what is better than in the spiking network
 *   alone  this one only: what is worse than in the ANN
 *   share  causes added one by one, in the order of mst_cause and in the opposite one, the mean of both: shares add up
 *          to the whole loss, whatever causes do to one another
 *
 * A part is a layer with all its own causes (what it inherits is not its own), or a network block of several layers.
 * What the effects of all causes (or parts) leave of the loss is the rest: they act together, more or less than alone.
 *
 * Single-threaded by itself, as mst/calibrate.h; workers measure in any order, commits come in sample order:
 *
 *     mst_attrib_create(ann, snn, &opts, &attrib, &err);
 *     mst_attrib_worker_create(attrib, &worker, &err);           one a thread
 *     min(n, MST_ATTRIB_CHOICE) samples from all over the data, which may be sorted:
 *         mst_attrib_measure(worker, i, &err), mst_attrib_commit(worker);
 *     mst_attrib_choose(attrib, &err);                           the layers that harm most; no measurement in progress
 *     samples 0..n-1: mst_attrib_measure, mst_attrib_commit;
 *     mst_attrib_report_make(attrib, &report, &err);
 */
#ifndef MST_ATTRIBUTE_H
#define MST_ATTRIBUTE_H

#include "mst/calibrate.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MST_ATTRIB_CHOICE 32 /* samples that layers are chosen by, and the statistics of the input are taken from */

typedef enum mst_cause {
    MST_CAUSE_NETWORK,
    MST_CAUSE_WEIGHTS,
    MST_CAUSE_PRODUCTS,
    MST_CAUSE_ISLANDS,
    MST_CAUSE_QUANTIZATION,
    MST_CAUSE_CLIPPING,
    MST_CAUSE_UNEVENNESS,
    MST_CAUSE_MASKS,
    MST_CAUSE_READOUT,
    MST_CAUSE_COUNT
} mst_cause;
MST_API const char *mst_cause_name(int cause); /* "network"; NULL when unknown */

typedef struct mst_attrib_opts {
    size_t size;           /* sizeof(mst_attrib_opts): mst/status.h */
    uint32_t steps;        /* T; count and radix mode: not read, as readout_from */
    uint32_t readout_from; /* as snn has it: mst_run_opts */
    size_t layers;         /* to take away and to leave alone, at most; 0: none */
    mst_calib_get get;     /* of samples, each time they are measured */
    void *ctx;
} mst_attrib_opts;

/* Of a what-if run against another, on the same samples. */
typedef struct mst_attrib_effect {
    double points, points_se; /* top-1, share of the labelled, and the standard error of pairs; NaN without labels */
    double logit;             /* |logits - ANN's|_2 / |ANN's|_2: how much less (away), or more (alone, share), it is */
} mst_attrib_effect;

typedef struct mst_attrib_cause {
    mst_cause cause;
    mst_attrib_effect away, alone, share;
} mst_attrib_cause;

typedef struct mst_attrib_part {
    uint32_t layer;    /* of the spiking network; MST_NONE: all layers of a block */
    int block;         /* its number, -1: none */
    size_t n_layers;   /* in it */
    mst_cause largest; /* the cause with most own error in it */
    mst_attrib_effect away, alone;
} mst_attrib_part;

/* A NEURON layer; behind the last of them, one for the logits, whose name is "" and whose theta is 0. */
typedef struct mst_attrib_layer {
    const char *name; /* lent by the spiking program's graph */
    mst_site site;
    int stage, block;
    double theta_ratio;           /* theta of the spiking network over the ANN's, mean over channels; 1: the same */
    int levels;                   /* the ANN's L */
    int snn_levels;               /* L of the spiking network's file; steps do not use it */
    int run_levels;               /* l in count and radix mode, T in step */
    double ratio;                 /* of the mask behind it; 0: none */
    double trained;               /* ratio trained with; -1: not known */
    bool differs;                 /* network: theta, L, shift, or what its current is made with is not the ANN's */
    double own_rel_l2;            /* own error over the ANN's activation for the same input; NaN where that is 0 */
    double size[MST_CAUSE_COUNT]; /* mean |own error| by cause, over that activation's mean; NaN where that is 0 */
    double harm;                  /* of the choice: logit error of this layer alone; NaN where none was made */
} mst_attrib_layer;

typedef struct mst_attrib_report {
    mst_arena arena; /* owns the arrays */
    mst_run_mode mode;
    uint32_t steps, readout_from; /* of step mode; 1 in the others */
    size_t samples, labelled;
    double ann_top1, snn_top1; /* NaN without labels */
    mst_attrib_effect loss;    /* of the spiking network */
    mst_attrib_cause *causes;  /* those that this network can have */
    size_t n_causes;
    mst_attrib_effect rest_away, rest_alone; /* the loss less what causes sum up to; points_se: NaN */
    mst_attrib_part *parts;                  /* layers, most harmful first; then blocks */
    size_t n_parts, layers_tried;
    mst_attrib_effect layers_rest; /* the loss less what the layers tried sum up to, taken away; points_se: NaN */
    mst_attrib_layer *layers;      /* [n_layers + 1] */
    size_t n_layers;
    mst_attrib_effect counted;  /* what vanishes where each layer takes in all its input before it fires, with L levels:
                                      count mode at the ANN's levels */
    mst_attrib_effect standard; /* what the ANN gains (negative: loses) with inputs of mean 0 and deviation 1 */
    double *mean, *deviation;   /* [channels] of the input as the network gets it, over the samples of the choice */
    size_t channels;
} mst_attrib_report;

typedef struct mst_attrib mst_attrib;
typedef struct mst_attrib_worker mst_attrib_worker;

/* ann in float mode, snn in another; both outlive it. As mst_calib_create. */
MST_API mst_status mst_attrib_create(const mst_program *ann, const mst_program *snn, const mst_attrib_opts *opts,
                                     mst_attrib **out, mst_err *err);
MST_API void mst_attrib_destroy(mst_attrib *a); /* after its workers; NULL allowed */

MST_API mst_status mst_attrib_worker_create(mst_attrib *a, mst_attrib_worker **out, mst_err *err);
MST_API void mst_attrib_worker_destroy(mst_attrib_worker *w);
MST_API mst_status mst_attrib_measure(mst_attrib_worker *w, size_t i, mst_err *err);
MST_API void mst_attrib_commit(mst_attrib_worker *w);

/* Samples of the choice are committed: which layers to try, what the input is like. Sums begin anew. EINVAL: none. */
MST_API mst_status mst_attrib_choose(mst_attrib *a, mst_err *err);
/* What-if runs of a sample: for a progress bar. */
MST_API size_t mst_attrib_runs(const mst_attrib *a);

/* Of all samples committed since the choice. EINVAL if there are none. Release with _free. */
MST_API mst_status mst_attrib_report_make(const mst_attrib *a, mst_attrib_report *out, mst_err *err);
MST_API void mst_attrib_report_free(mst_attrib_report *r);

#ifdef __cplusplus
}
#endif
#endif
