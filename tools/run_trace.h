/* mstrun --trace: how many spikes each layer had at each step of each sample, as CSV. */
#ifndef MST_RUN_TRACE_H
#define MST_RUN_TRACE_H

#include "mst/session.h"
#include "tools/tool_kept.h"

typedef struct mst_trace mst_trace;
typedef struct mst_trace_worker mst_trace_worker; /* of one session */

/* path, an output of tool_paths.h ("-": stdout). ELIMIT: more than can be held of a sample; EIO, ENOMEM. Close in any
 * case. */
mst_status mst_trace_open(const mst_program *p, const char *path, uint32_t steps, mst_trace **out, mst_err *err);
mst_status mst_trace_watch(mst_trace *t, const mst_session *s, mst_trace_worker **out, mst_err *err); /* ENOMEM */
/* Of time step t (from 1), which is step i of the session's last run. */
void mst_trace_see(mst_trace_worker *w, uint32_t t, uint32_t i);
/* The next sample is what w saw. EIO. */
mst_status mst_trace_add(mst_trace *t, mst_trace_worker *w, uint32_t sample, mst_err *err);
mst_kept *mst_trace_kept(mst_trace *t);
void mst_trace_close(mst_trace *t); /* NULL allowed */

#endif
