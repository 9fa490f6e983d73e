/* A mark, the bytes of a row, then the rows. */
#include "tools/tool_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "tools/tool_paths.h"

#define MARK "MSTROWS1"
#define MARK_BYTES (sizeof MARK - 1)
#define HEAD (MARK_BYTES + 8)

struct mst_spool {
    const char *path; /* lent */
    FILE *f;
    size_t row;
    uint8_t *one; /* [row] */
};

static mst_status failed(const char *path, const char *what, mst_err *err)
{
    return mst_fail(err, MST_EIO, "%s: cannot %s: %s", path, what, strerror(errno));
}

static void make_head(size_t row, uint8_t head[HEAD])
{
    memcpy(head, MARK, MARK_BYTES);
    mst_set_u64(head + MARK_BYTES, row);
}

static mst_status begin(mst_spool *s, int fd, uint64_t size, mst_err *err)
{
    uint8_t head[HEAD];
    bool ours = size == 0 || (pread(fd, head, HEAD, 0) >= (ssize_t)MARK_BYTES && memcmp(head, MARK, MARK_BYTES) == 0);
    if (!ours && !mst_paths_force)
        return mst_fail(err, MST_EINVAL, "%s: --resume keeps rows there, and a file of others is; --force replaces it",
                        s->path);
    make_head(s->row, head);
    return ftruncate(fd, 0) == 0 && fwrite(head, 1, HEAD, s->f) == HEAD ? MST_OK : failed(s->path, "write", err);
}

static mst_status go_on(mst_spool *s, uint64_t size, uint64_t n, mst_spool_take take, void *ctx, mst_err *err)
{
    uint8_t head[HEAD], found[HEAD];
    make_head(s->row, head);
    if (size < HEAD || (size - HEAD) / s->row < n || fread(found, 1, HEAD, s->f) != HEAD ||
        memcmp(head, found, HEAD) != 0)
        return mst_fail(err, MST_EFORMAT, "%s: expected %" PRIu64 " rows of %zu bytes, found something else", s->path,
                        n, s->row);
    for (; n != 0; n--) {
        if (fread(s->one, 1, s->row, s->f) != s->row)
            return failed(s->path, "read", err);
        MST_TRY(take(ctx, s->one, err));
    }
    return fseeko(s->f, 0, SEEK_CUR) == 0 ? MST_OK : failed(s->path, "read", err); /* from reading to writing */
}

mst_status mst_spool_open(const char *path, size_t row, uint64_t n, mst_spool_take take, void *ctx, mst_spool **out,
                          mst_err *err)
{
    struct stat st;
    mst_spool *s = mst_alloc(NULL, sizeof *s);
    *out = s;
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *s = (mst_spool){.path = path, .row = row, .one = mst_alloc(NULL, row)};
    if (s->one == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    int fd = open(path, O_RDWR | O_CLOEXEC | (n == 0 ? O_CREAT : 0), 0666);
    s->f = fd >= 0 ? fdopen(fd, "r+b") : NULL;
    if (s->f == NULL || fstat(fd, &st) != 0) {
        mst_status bad = failed(path, "open", err);
        if (fd >= 0 && s->f == NULL)
            close(fd);
        return bad;
    }
    if (!S_ISREG(st.st_mode))
        return mst_fail(err, MST_EINVAL, "%s: expected a file, found something else", path);
    return n == 0 ? begin(s, fd, (uint64_t)st.st_size, err) : go_on(s, (uint64_t)st.st_size, n, take, ctx, err);
}

void mst_spool_close(mst_spool *s)
{
    if (s == NULL)
        return;
    if (s->f != NULL)
        fclose(s->f);
    mst_free(NULL, s->one, s->row);
    mst_free(NULL, s, sizeof *s);
}

mst_status mst_spool_add(mst_spool *s, const uint8_t *row, mst_err *err)
{
    return fwrite(row, 1, s->row, s->f) == s->row ? MST_OK : failed(s->path, "write", err);
}

mst_status mst_spool_sync(mst_spool *s, mst_err *err)
{
    return !ferror(s->f) && fflush(s->f) == 0 && fdatasync(fileno(s->f)) == 0 ? MST_OK : failed(s->path, "write", err);
}
