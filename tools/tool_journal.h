/* How far a run came, on disk: the sums over the samples that are done, in their order, so that another run of the same
 * goes on behind them to the same result. Written anew every few seconds, each time whole. Knows nothing of what is
 * summed.
 */
#ifndef MST_TOOL_JOURNAL_H
#define MST_TOOL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mst/status.h"

typedef struct mst_journal mst_journal;

/* Of the runs of a tool that are as `run` says (taken; NULL: out of memory). Read path, where there is one. EINVAL: it
 * is of another run, and in what; EFORMAT, EIO, ENOMEM. */
mst_status mst_journal_open(const char *path, const char *tool, json_t *run, mst_journal **out, mst_err *err);
void mst_journal_close(mst_journal *j); /* NULL allowed */

/* What is known of the run with so many levels, lent; NULL: nothing. */
const json_t *mst_journal_state(const mst_journal *j, uint32_t levels);
/* st, of what is wrong in that; err names the file then. */
mst_status mst_journal_wrong(const mst_journal *j, mst_status st, mst_err *err);

/* Is the last write long ago? */
bool mst_journal_due(const mst_journal *j);
/* Write what is known now (taken; NULL: out of memory). EIO, ENOMEM. */
mst_status mst_journal_keep(mst_journal *j, uint32_t levels, json_t *state, mst_err *err);

#endif
