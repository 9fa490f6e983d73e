/* A network's masks and levels as a policy that mstconv takes: a rule for each group of neurons (mst/search.h). */
#ifndef MST_CALIB_SEARCH_POLICY_H
#define MST_CALIB_SEARCH_POLICY_H

#include <stdio.h>

#include "mst/graph.h"
#include "mst/session.h"

/* Ratios of all masks and of their training, levels that are set, seed, mode; steps in step mode. about: lines that
 * stand on top as comments. EINVAL, ELIMIT: what no policy can say; ENOMEM; EIO is the caller's to see. */
mst_status mst_policy_write(const mst_graph *g, const mst_run_opts *run, uint32_t steps, const char *about, FILE *f,
                            mst_err *err);

#endif
