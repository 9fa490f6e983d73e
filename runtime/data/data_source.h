/* A file whose samples are read when they are asked for, gzip or not. Knows nothing of
 * what is in it.
 */
#ifndef MST_DATA_SOURCE_H
#define MST_DATA_SOURCE_H

#include <pthread.h>

#include "runtime/data/data_format.h"

typedef struct mst_data_source {
    mst_data_file f; /* headers are read from it at open; its path is owned here */
    char *path;
    size_t path_bytes;
    bool locked;          /* the lock exists */
    pthread_mutex_t lock; /* of f, from then on */
} mst_data_source;

/* What mst_data_file_open gives. To be closed whatever this returns. */
mst_status mst_data_source_open(mst_data_source *s, const char *path, mst_err *err);
void mst_data_source_close(mst_data_source *s); /* zero-initialised allowed */

/* At open: n more bytes of `what` and nothing behind them. Of a gzip file this unpacks all of it once,
 * which is the only way to know. ECORRUPT, ELIMIT. */
mst_status mst_data_source_check(mst_data_source *s, uint64_t n, const char *what, mst_err *err);

/* n bytes from offset (of the unpacked bytes) on. Thread safe. In ascending order a gzip file is unpacked
 * once, otherwise from its start for each step back. ECORRUPT: the file has changed since. */
mst_status mst_data_source_read(mst_data_source *s, uint64_t offset, void *out, size_t n, const char *what,
                                mst_err *err);

#endif
