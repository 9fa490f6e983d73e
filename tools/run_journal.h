/* What a journal (tool_journal.h) has of mstrun's runs. */
#ifndef MST_RUN_JOURNAL_H
#define MST_RUN_JOURNAL_H

#include "tools/run_sim.h"
#include "tools/tool_journal.h"

/* Of runs of g, as it is run (masks, preprocessing), on the data of that SPEC. As mst_journal_open. */
mst_status mst_run_journal_open(const char *path, const mst_graph *g, const char *data, uint64_t seed,
                                const mst_sim_opts *o, mst_journal **out, mst_err *err);

/* What o's journal knows of the run with o's levels, into the zeroed sums of r (layers are there). EFORMAT. */
mst_status mst_run_journal_take(const mst_sim_opts *o, mst_run_sums *r, mst_err *err);
/* Write r's sums there, if there is one, unless they were not long ago (now: in any case). EIO, ENOMEM. */
mst_status mst_run_journal_keep(const mst_sim_opts *o, const mst_run_sums *r, bool now, mst_err *err);
/* Sums as an object, which mst_run_sums_add takes. NULL: out of memory. */
json_t *mst_run_state(const mst_run_sums *r);

#endif
