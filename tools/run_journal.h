/* How far a run came, on disk: the sums over the samples that are done, in their order, so that another run of the same
 * goes on behind them to the same result. Written anew every few seconds, each time whole.
 */
#ifndef MST_RUN_JOURNAL_H
#define MST_RUN_JOURNAL_H

#include "tools/run_sim.h"

typedef struct mst_journal mst_journal;

/* Of runs of g, as it is run (masks, preprocessing), on the data of that SPEC. Read path, where there is one. EINVAL:
 * it is of another run, and in what; EFORMAT, EIO, ENOMEM. */
mst_status mst_journal_open(const char *path, const mst_graph *g, const char *data, uint64_t seed,
                            const mst_sim_opts *o, mst_journal **out, mst_err *err);
void mst_journal_close(mst_journal *j); /* NULL allowed */

/* What is known of the run with o's levels, into the zeroed sums of r (layers are there). EFORMAT. */
mst_status mst_journal_take(mst_journal *j, const mst_sim_opts *o, mst_run_sums *r, mst_err *err);
/* Write r's sums, unless they were not long ago (now: in any case). EIO, ENOMEM. */
mst_status mst_journal_keep(mst_journal *j, const mst_sim_opts *o, const mst_run_sums *r, bool now, mst_err *err);

#endif
