/* What a network and its ANN say of the same samples, one by one: who is right, where they differ. Knows nothing of how
 * either was run.
 */
#ifndef MST_REPORT_VERSUS_H
#define MST_REPORT_VERSUS_H

#include "tools/run_confusion.h"
#include "tools/tool_opts.h"

#define MST_FLIPS_LISTED 1000 /* samples whose class flips; more are only counted */

/* A sample that the two take for different classes (at the last step asked for). */
typedef struct mst_flip {
    uint32_t sample; /* in the data set */
    int label;       /* -1: none */
    uint32_t ann, snn;
} mst_flip;

/* At one of the steps asked for. */
typedef struct mst_versus_at {
    uint64_t right, lost, gained; /* of the labelled: right; right by the ANN alone; by the network alone */
    uint64_t agree;               /* of all: the same class */
} mst_versus_at;

/* Zero-initialised: of no samples. */
typedef struct mst_versus {
    uint64_t samples, labelled, ann_right;
    size_t n_at;
    mst_versus_at at[MST_OPT_MAX_LIST];
    mst_confusion ann;  /* (label, the ANN's class) */
    mst_confusion both; /* (the ANN's class, the network's) */
    mst_confusion snn;  /* (label, the network's class) */
    uint64_t n_flips;
    mst_flip flips[MST_FLIPS_LISTED];
} mst_versus;

/* Zero-initialised, then how many steps are asked for: */
void mst_versus_begin(mst_versus *p, size_t n_at);
/* The next sample in order; said [n_at]: classes at each step asked for. ENOMEM: nothing is added. */
mst_status mst_versus_add(mst_versus *p, uint32_t sample, int label, uint32_t ann, const uint32_t *said,
                          mst_err *err);
void mst_versus_free(mst_versus *p);

/* Shares: of the labelled that the ANN gets right, of all on which both agree at step k; the accuracy that is lost at
 * step k, which is negative where it is gained, and its standard error (of pairs). NaN where it is not known. */
double mst_versus_ann_top1(const mst_versus *p);
double mst_versus_agreement(const mst_versus *p, size_t k);
double mst_versus_loss(const mst_versus *p, size_t k);
double mst_versus_loss_se(const mst_versus *p, size_t k);
/* Standard error of a share of n. */
double mst_share_se(double share, uint64_t n);

/* "ann_top1_percent", "loss_percent", .. of the last step, "ann_confusion", "pairs", "flips". NULL: out of memory. */
json_t *mst_versus_json(const mst_versus *p);
/* What that and mst_confusion_json of snn leave out: who is right, at each step. NULL: out of memory. */
json_t *mst_versus_counts_json(const mst_versus *p);
/* Add the next samples in order, which these three say, with as many steps, of so many classes. EFORMAT, ENOMEM. */
mst_status mst_versus_take(mst_versus *p, const json_t *versus, const json_t *snn, const json_t *counts, size_t classes,
                           mst_err *err);

#endif
