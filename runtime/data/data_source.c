/* Samples straight from their file: a data set of any size takes one buffer. */
#include "runtime/data/data_source.h"

#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"

mst_status mst_data_source_open(mst_data_source *s, const char *path, mst_err *err)
{
    *s = (mst_data_source){.path_bytes = strlen(path) + 1};
    if ((s->path = mst_alloc(NULL, s->path_bytes)) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    memcpy(s->path, path, s->path_bytes);
    s->locked = pthread_mutex_init(&s->lock, NULL) == 0;
    if (!s->locked)
        return mst_fail(err, MST_ENOMEM, "%s: no lock to be had", path);
    return mst_data_file_open(&s->f, s->path, err);
}

void mst_data_source_close(mst_data_source *s)
{
    mst_data_file_close(&s->f);
    if (s->locked)
        pthread_mutex_destroy(&s->lock);
    mst_free(NULL, s->path, s->path_bytes);
    *s = (mst_data_source){0};
}

static mst_status seek(mst_data_source *s, uint64_t offset, mst_err *err)
{
    if (gzseek(s->f.gz, (z_off_t)offset, SEEK_SET) != (z_off_t)offset)
        return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": cannot be reached: has the file changed?",
                        s->path, offset);
    s->f.offset = offset;
    return MST_OK;
}

mst_status mst_data_source_check(mst_data_source *s, uint64_t n, const char *what, mst_err *err)
{
    MST_TRY(mst_data_file_expect(&s->f, n, what, err));
    if (gzdirect(s->f.gz))
        return MST_OK; /* its size is all there is to know */
    MST_TRY(mst_data_file_pass(&s->f, n, what, err));
    return mst_data_file_end(&s->f, err);
}

mst_status mst_data_source_read(mst_data_source *s, uint64_t offset, void *out, size_t n, const char *what,
                                mst_err *err)
{
    pthread_mutex_lock(&s->lock);
    mst_status st = seek(s, offset, err);
    if (st == MST_OK)
        st = mst_data_file_read(&s->f, out, n, what, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}
