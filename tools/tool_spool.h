/* Rows of bytes on disk beside a journal (tool_journal.h), for what is too much to stand in it: they grow at the end,
 * and count as far as the journal says. Knows nothing of what is in them.
 */
#ifndef MST_TOOL_SPOOL_H
#define MST_TOOL_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

typedef struct mst_spool mst_spool;
typedef mst_status (*mst_spool_take)(void *ctx, const uint8_t *row, mst_err *err);

/* Rows of so many bytes each in path, which is lent; those that are added will stand behind the first n, of which each
 * goes to take, in order. n 0: the file is made, or what a journal kept there is dropped. EFORMAT: there are no such
 * rows; EINVAL: a file of others (but with --force, where it is dropped); EIO, ENOMEM, and what take returns. Release
 * *out in any case. */
mst_status mst_spool_open(const char *path, size_t row, uint64_t n, mst_spool_take take, void *ctx, mst_spool **out,
                          mst_err *err);
void mst_spool_close(mst_spool *s); /* NULL allowed */

mst_status mst_spool_add(mst_spool *s, const uint8_t *row, mst_err *err); /* EIO */
/* All that was added is on disk. EIO. */
mst_status mst_spool_sync(mst_spool *s, mst_err *err);

#endif
