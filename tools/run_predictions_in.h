/* Files of run_predictions.h read back. */
#ifndef MST_RUN_PREDICTIONS_IN_H
#define MST_RUN_PREDICTIONS_IN_H

#include "tools/run_predictions.h"

typedef mst_status (*mst_row_take)(void *ctx, const mst_row *row, mst_err *err);

/* Each sample of path, .npz or CSV, of so many steps and classes, goes to take, in order. EFORMAT: it is no such file;
 * EIO, ENOMEM, what npz_file.h gives, and what take returns. */
mst_status mst_predictions_read(const char *path, const mst_row_form *form, mst_row_take take, void *ctx, mst_err *err);

#endif
