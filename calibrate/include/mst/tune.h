/* Tuning: v(0) of each channel, so that its neurons fire at the mean rate that the ANN asks for. For step mode.
 *
 * A channel is one output of a LINEAR or CONV, wherever movement takes it, and one column of a product of spikes; in
 * q, k, v and attention, of each head. Some samples fit v(0), others, held out, judge it:
 *
 *   a    activation of the ANN, before any mask
 *   phi  theta/T * (spikes in T steps), before any mask
 *
 * After each pass over all samples, in all layers at once, v(0) += damping * T * (mean a - mean phi), the means over
 * the samples to fit and the neurons of a channel, but v(0) stays within 1.5 theta of SHIFT * theta. The first pass is
 * untuned. What counts is the last pass that is better than it on the samples held out: its logits are nearer to the
 * ANN's, and its top-1 is no lower. Three or four passes are enough: more bring the logits nearer, not the classes.
 *
 *     mst_tune_create(ann, graph, &run, &opts, &tune, &err);
 *     for each pass:
 *         mst_tune_begin(tune, &err);
 *         mst_tune_worker_create(tune, &worker, &err);        one a thread
 *         mst_tune_measure(worker, i, &err);                  any thread, i = 0..fit+held-1
 *         mst_tune_commit(worker);                            one at a time, i ascending
 *         mst_tune_worker_destroy(worker);
 *         mst_tune_end(tune);
 *     mst_tune_report_make(tune, &report);
 *     if (report.better)
 *         mst_tune_take(tune, graph_to_save);
 *
 * Single-threaded by itself, as mst/calibrate.h; v(0) is the same for any number of threads. Memory: what sessions
 * need, a number for each neuron, and the logits of the samples held out.
 */
#ifndef MST_TUNE_H
#define MST_TUNE_H

#include "mst/calibrate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mst_tune_opts {
    size_t size;        /* sizeof(mst_tune_opts): mst/status.h */
    uint32_t timesteps; /* T */
    size_t fit, held;   /* samples 0..fit-1 move v(0), the held ones behind them judge it; at least 1 and 2 */
    mst_calib_get get;  /* of each pass again */
    void *ctx;
    double damping; /* 0: MST_TUNE_DAMPING */
} mst_tune_opts;
#define MST_TUNE_DAMPING 0.15 /* chosen on training images of CIFAR-10; .7 diverges */

/* On the samples held out; top-1 is NaN without labels. */
typedef struct mst_tune_figures {
    double top1, top1_se;
    double logit_rel_l2, logit_rel_l2_se; /* |logits - ANN logits|_2 / |ANN logits|_2 over all samples */
} mst_tune_figures;

typedef struct mst_tune_report {
    size_t fit, held, labelled;
    uint32_t passes, pass; /* measured; the one that counts, 0 being untuned */
    double ann_top1;
    mst_tune_figures untuned, tuned, change; /* tuned: of the pass that counts; change: tuned - untuned, sample by
                                                sample, so that its standard error is that of pairs */
    bool better;                             /* false: none was, and the pass that counts is the last */
} mst_tune_report;

typedef struct mst_tune mst_tune;
typedef struct mst_tune_worker mst_tune_worker;

/* ann runs in float mode; graph is of the spiking network, which run (mode spiking; readout_from is that of the
 * logits) makes programs of. A tuning that graph has is dropped; until destroy it lends the graph another one. Both
 * outlive the tuning. EINVAL names what is wrong; ENOMEM. */
MST_API mst_status mst_tune_create(const mst_program *ann, mst_graph *graph, const mst_run_opts *run,
                                   const mst_tune_opts *opts, mst_tune **out, mst_err *err);
MST_API void mst_tune_destroy(mst_tune *t); /* after its workers; graph is left untuned; NULL allowed */

/* Compile the network with v(0) as it is now. As mst_program_create. */
MST_API mst_status mst_tune_begin(mst_tune *t, mst_err *err);
/* For one pass. ENOMEM. */
MST_API mst_status mst_tune_worker_create(mst_tune *t, mst_tune_worker **out, mst_err *err);
MST_API void mst_tune_worker_destroy(mst_tune_worker *w);
MST_API mst_status mst_tune_measure(mst_tune_worker *w, size_t i, mst_err *err);
MST_API void mst_tune_commit(mst_tune_worker *w);
/* All samples are committed: judge the pass, and move v(0). */
MST_API void mst_tune_end(mst_tune *t);

/* Of at least two passes. */
MST_API void mst_tune_report_make(const mst_tune *t, mst_tune_report *out);
/* Give g, a graph with the same nodes, v(0) of the pass that counts, T and the step of the readout. ENOMEM. */
MST_API mst_status mst_tune_take(const mst_tune *t, mst_graph *g, mst_err *err);

#ifdef __cplusplus
}
#endif
#endif
