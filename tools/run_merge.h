/* mstrun --merge: the results of all shards of a run as those of one. */
#ifndef MST_RUN_MERGE_H
#define MST_RUN_MERGE_H

#include <jansson.h>

#include "tools/run_figures.h"

/* Runs, one or one for each number of levels, out of n files in any order; where they come from in *parts (a list, the
 * caller's). Release runs with mst_run_facts_free and parts in any case. EFORMAT, EINVAL: which file is not what is
 * needed, and why (no result of mstrun; of another run; incomplete; there twice; missing); EIO, ENOMEM. */
mst_status mst_merge(const char *const *paths, size_t n, mst_run_facts runs[MST_OPT_MAX_LIST], size_t *n_runs,
                     json_t **parts, mst_err *err);

#endif
