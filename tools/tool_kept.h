/* What a run says of single samples, on its way to the file that is asked for: rows of bytes, a sample each, in order.
 * Beside a journal (tool_journal.h) they are kept on disk, too, so that the run that goes on writes the file from its
 * beginning. Knows nothing of what is in them.
 */
#ifndef MST_TOOL_KEPT_H
#define MST_TOOL_KEPT_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/tool_spool.h"

typedef struct mst_kept {
    size_t bytes;        /* of a row */
    mst_spool_take take; /* into the file */
    void *ctx;
    /* as mst_kept_make leaves them */
    mst_spool *spool; /* NULL: none is kept */
    uint64_t hash;    /* of all that were added; MST_HASH_START: none */
    bool broken;      /* the file lacks one */
} mst_kept;

mst_kept mst_kept_make(size_t bytes, mst_spool_take take, void *ctx);
void mst_kept_close(mst_kept *k);

/* The next sample. Into the file whether or not it can be kept. EIO, and what take returns. */
mst_status mst_kept_add(mst_kept *k, const uint8_t *row, mst_err *err);

/* From here on they are kept in path, which is lent, behind the n of which kept tells. EFORMAT: they are not those;
 * EINVAL, EIO, ENOMEM. */
mst_status mst_kept_resume(mst_kept *k, const char *path, const json_t *kept, uint64_t n, mst_err *err);
/* What the journal must say of them; NULL: out of memory. All that were added are on disk by mst_kept_sync. EIO. */
json_t *mst_kept_json(const mst_kept *k);
mst_status mst_kept_sync(mst_kept *k, mst_err *err);

#endif
