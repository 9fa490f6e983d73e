/* A search over data sets and threads: mask ratios or levels for each group of neurons (mst/search.h), and what they
 * cost on other samples. Knows nothing of printing.
 */
#ifndef MST_CALIB_SEARCH_H
#define MST_CALIB_SEARCH_H

#include "mst/search.h"
#include "tools/calib_draw.h"
#include "tools/calib_search_pool.h"

typedef enum mst_search_metric { MST_SEARCH_SPIKES,
                                 MST_SEARCH_ENERGY } mst_search_metric;

typedef struct mst_search_job {
    mst_graph *graph; /* of the spiking network; left as it was found */
    mst_search_opts opts;
    mst_run_opts run; /* levels 0 where levels are searched */
    uint32_t steps;
    mst_search_metric metric;
    const mst_energy_set *energy;
    double budget;                /* share of top-1 that may be lost */
    double save;                  /* or, above 0: share of the cost to save, whatever is lost */
    const mst_data *data, *judge; /* judge: samples held out; NULL: of data */
    mst_draw_job draw;
    unsigned threads;
    bool outside; /* of ratios: also of neurons that the paper does not mask */
    bool quiet;   /* no progress bar */
} mst_search_job;

/* Networks that are measured on the samples held out. */
typedef enum mst_search_rival {
    MST_RIVAL_AS_IS,    /* the network before the search */
    MST_RIVAL_UNMASKED, /* all ratios 0; not in a search of levels, nor where that is as it was */
    MST_RIVAL_PAPER,    /* 75 % of q, k and attention, nothing else: the paper's; where the network has attention */
    MST_RIVAL_UNIFORM,  /* the same value everywhere (ratios: of q, k and attention, or all groups of a network without
                           attention): what saves the most within the budget, or the least that saves enough */
    MST_RIVAL_SEARCHED,
    MST_RIVALS
} mst_search_rival;
const char *mst_search_rival_name(mst_search_rival r); /* "as_is"; NULL behind the last */

#define MST_SEARCH_STEPS 8

/* A network that was tried on the samples held out, as one that may be taken. */
typedef struct mst_search_step {
    const mst_search_state *fit;
    mst_trial held;
    bool within; /* the budget, at a confidence of 97.5 %; or as much is saved as is to be */
} mst_search_step;

typedef struct mst_search_result {
    mst_arena arena;
    mst_search_group *groups; /* [n_groups], points in company of what was found last */
    size_t n_groups;
    mst_search_point **alone;               /* [n_groups][n_values]: measured */
    double **top1_loss;                     /* the same: of top-1 */
    size_t runs;                            /* networks that were measured on samples to fit */
    size_t fit, held;                       /* samples */
    size_t quick;                           /* of those to fit, in their drawn order: what is measured alone */
    size_t labelled;                        /* of those held out */
    unsigned draws;                         /* of masks, for each network on those */
    double per_nat;                         /* share of top-1 that a nat of divergence costs */
    mst_search_pool pool;                   /* of the samples to fit; the first is the network as it is */
    mst_trial_set judged;                   /* the set of those held out: arrays of its trials lie in its arena */
    mst_search_step step[MST_SEARCH_STEPS]; /* in order of what they save; behind the first beyond the budget, or that
                                               saves as much as is to be, none */
    const mst_search_state *least;          /* of those that save something, the one of the least divergence; NULL */
    double least_loss;                      /* share of top-1 that this one is believed to cost */
    size_t n_steps;
    const mst_search_state *found; /* one of the steps, or uniform; NULL: none */
    double uniform;                /* value of that rival; NaN: none */
    bool has[MST_RIVALS];
    mst_trial rival[MST_RIVALS];
} mst_search_result;

/* Measure, decide, judge. EINVAL: nothing to search, ladder, samples; what programs fail with. Release in any case. */
mst_status mst_search_run(const mst_search_job *job, mst_search_result *out, mst_err *err);
void mst_search_result_free(mst_search_result *r);

/* Give the graph what was found. */
void mst_search_take(const mst_search_job *job, const mst_search_result *r);

/* What is saved: spikes of a sample, or pJ of its operations. */
double mst_search_cost(const mst_search_job *job, const mst_trial *t);

#endif
