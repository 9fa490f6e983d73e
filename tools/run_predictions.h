/* mstrun --predictions: what the network said of each sample at each step asked for, as CSV or .npz. */
#ifndef MST_RUN_PREDICTIONS_H
#define MST_RUN_PREDICTIONS_H

#include "tools/run_row.h"
#include "tools/tool_opts.h"

typedef struct mst_predictions mst_predictions;

bool mst_predictions_npz(const char *path); /* otherwise CSV */
/* path, an output of tool_paths.h: .npz or CSV ("-": to stdout). step: the steps of at mean something. EIO,
 * ENOMEM. */
mst_status mst_predictions_open(const char *path, const mst_opt_uints *at, bool step, size_t classes,
                                mst_predictions **out, mst_err *err);
/* The next sample. EIO. */
mst_status mst_predictions_add(mst_predictions *p, const mst_row *row, mst_err *err);
/* All that were added are in the file. EIO. */
mst_status mst_predictions_end(mst_predictions *p, mst_err *err);
void mst_predictions_close(mst_predictions *p); /* NULL allowed */

#endif
