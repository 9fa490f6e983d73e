/* What a journal (tool_journal.h) has of mstrun's runs. */
#ifndef MST_RUN_JOURNAL_H
#define MST_RUN_JOURNAL_H

#include "tools/run_sim.h"
#include "tools/tool_journal.h"

/* What must be the same where a run of g, as it is run (masks, preprocessing), on the data of that SPEC is gone on
 * with: the network by the bytes of its file, samples, mode, steps. NULL: err says why. */
json_t *mst_run_journal_of(const mst_graph *g, const char *data, uint64_t seed, const mst_sim_opts *o, mst_err *err);
/* Of such runs. As mst_journal_open. */
mst_status mst_run_journal_open(const char *path, const mst_graph *g, const char *data, uint64_t seed,
                                const mst_sim_opts *o, mst_journal **out, mst_err *err);

/* Sums as an object, which mst_run_sums_add takes. NULL: out of memory. */
json_t *mst_run_state(const mst_run_sums *r);

#endif
