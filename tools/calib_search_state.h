/* Inside of a search: what its parts share. */
#ifndef MST_CALIB_SEARCH_STATE_H
#define MST_CALIB_SEARCH_STATE_H

#include "tools/calib_search.h"

typedef struct mst_search_work {
    const mst_search_job *job;
    mst_search_result *r;
    mst_trial_set set;                /* of the samples to fit */
    mst_search_pool quick;            /* of the first of them */
    size_t *at;                       /* [groups] value that each has now */
    size_t *rungs;                    /* of the ladder, that which saves the least first: uniform networks */
    const mst_search_state **uniform; /* [rungs] */
    double lost, nats;                /* sums over networks that are not ruined */
    mst_progress progress;
    mst_err *err;
} mst_search_work;

/* Set the graph to numbers of values. */
void mst_search_set_all(const mst_search_work *s, const size_t *value);

/* A site that the paper masks in attention? */
bool mst_search_is_attention(const mst_search_group *g);

/* What it loses by its divergence, but no less than its own top-1 leaves open. (Of the samples to fit; where top-1
 * falls by more than a tenth, that alone counts.) Is that within so many budgets? */
double mst_search_belief(const mst_search_work *s, const mst_trial *t);
bool mst_search_hopes(const mst_search_work *s, const mst_trial *t, double budgets);

/* Which of the networks that were measured is taken, on samples held out; fills what the result says of these. */
mst_status mst_search_judge(mst_search_work *s, const mst_drawn *drawn);

#endif
