/* mstrun --raster: which neurons of some layers spiked at which step, and how often, as .npz. */
#ifndef MST_RUN_RASTER_H
#define MST_RUN_RASTER_H

#include "mst/session.h"
#include "tools/tool_kept.h"
#include "tools/tool_opts.h"

typedef struct mst_raster mst_raster;
typedef struct mst_raster_worker mst_raster_worker; /* of one session */

/* names: of layers, their numbers, sites of masks, "all". path, an output of tool_paths.h. steps: T of step mode; 0:
 * the program has none, and only counts are kept. EINVAL: no such layer; ELIMIT: more than can be held of a sample;
 * EIO, ENOMEM. Close in any case. */
mst_status mst_raster_open(const mst_program *p, const mst_opt_list *names, const char *path, uint32_t steps,
                           mst_raster **out, mst_err *err);
/* Watch a session, which must go before the raster. ENOMEM. */
mst_status mst_raster_watch(mst_raster *r, mst_session *s, mst_raster_worker **out, mst_err *err);
void mst_raster_begin(mst_raster_worker *w); /* a sample */
/* The next sample is what w saw since. EIO. */
mst_status mst_raster_add(mst_raster *r, const mst_raster_worker *w, uint32_t sample, mst_err *err);
mst_kept *mst_raster_kept(mst_raster *r);
/* All that were added are in the file. EIO. */
mst_status mst_raster_end(mst_raster *r, mst_err *err);
void mst_raster_close(mst_raster *r); /* NULL allowed */

#endif
