/* Networks that were measured, each once, and which of them nothing beats. Knows nothing of how they are run. */
#ifndef MST_CALIB_SEARCH_POOL_H
#define MST_CALIB_SEARCH_POOL_H

#include "tools/calib_search_run.h"

typedef struct mst_search_state {
    const size_t *value; /* [n_groups] number of each group's value */
    mst_trial fit;
    double cost;
    size_t number; /* in the order they came */
} mst_search_state;

typedef struct mst_search_pool {
    mst_arena arena;
    size_t n_groups;
    mst_search_state **states; /* [n] in the order they came; these stay where they are */
    size_t n, room;
} mst_search_pool;

/* NULL: not there. */
const mst_search_state *mst_search_pool_find(const mst_search_pool *p, const size_t *value);
/* Copies value. ENOMEM. Release the arena. */
mst_status mst_search_pool_add(mst_search_pool *p, const size_t *value, const mst_trial *fit, double cost,
                               const mst_search_state **out, mst_err *err);

/* Those that cost less than the first, and of which none costs less and diverges less: most cost first. out [n]. */
size_t mst_search_pool_front(const mst_search_pool *p, const mst_search_state **out);

#endif
