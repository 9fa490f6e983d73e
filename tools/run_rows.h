/* The way of predictions to their file: straight, by way of another rank, or by way of an earlier run that had the same
 * journal. Whichever it is, they are in the order of the samples, and so is a hash of them.
 */
#ifndef MST_RUN_ROWS_H
#define MST_RUN_ROWS_H

#include <jansson.h>

#include "tools/run_row.h"
#include "tools/tool_kept.h"
#include "tools/tool_opts.h"

typedef struct mst_rows mst_rows;

typedef struct mst_rows_opts {
    const char *path; /* run_predictions.h; NULL: another rank writes them */
    const mst_opt_uints *at;
    bool step; /* those are time steps */
    size_t classes;
} mst_rows_opts;

/* What o points to is lent. ELIMIT, EIO, ENOMEM. Release *out in any case. */
mst_status mst_rows_open(const mst_rows_opts *o, mst_rows **out, mst_err *err);
void mst_rows_close(mst_rows *r); /* NULL allowed */
/* All is in the file. EIO. */
mst_status mst_rows_end(mst_rows *r, mst_err *err);
/* What all that were added are: its hash tells them from others. */
mst_kept *mst_rows_kept(mst_rows *r);

/* The next sample: into the file, and what is kept beside a journal. EIO. */
mst_status mst_rows_add(mst_rows *r, const mst_row *row, mst_err *err);

/* ---- from rank to rank ---- */

/* The next sample of those that are run apart; ENOMEM. */
mst_status mst_rows_apart(mst_rows *r, const mst_row *row, mst_err *err);
/* These as text, and none are left; NULL: out of memory. */
json_t *mst_rows_text(mst_rows *r);
/* n of another rank, or this one, are added. EFORMAT, EIO, ENOMEM. */
mst_status mst_rows_take(mst_rows *r, const json_t *text, uint64_t n, mst_err *err);

#endif
