/* snn.bin on disk: a mapping or a copy to read, a temporary file and a rename to write.
 * Knows nothing of what the bytes mean. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/platform.h"
#include "runtime/format/snn.h"

#define MAX_TRIES 100u /* names of temporary files */
#define TEMP_EXTRA 48u /* bytes that such a name is longer */
#define BUFFER (64u * 1024u)

static mst_status io_failed(mst_err *err, const char *what)
{
    return mst_fail(err, MST_EIO, "%s: %s", what, strerror(errno));
}

/* ---- reading ------------------------------------------------------------ */

static mst_status size_of(int fd, size_t *n, mst_err *err)
{
    bool regular;
    uint64_t bytes;
    if (sys_size(fd, &regular, &bytes) != 0)
        return io_failed(err, "cannot look at it");
    if (!regular)
        return mst_fail(err, MST_EIO, "not a regular file");
    if (bytes == 0)
        return mst_fail(err, MST_EFORMAT, "the file is empty");
    if (bytes > SIZE_MAX)
        return mst_fail(err, MST_ELIMIT, "too large for this machine's addresses");
    *n = (size_t)bytes;
    return MST_OK;
}

static mst_status map_file(int fd, void **bytes, size_t n, mst_err *err)
{
    *bytes = sys_map(fd, n);
    return *bytes != NULL ? MST_OK : io_failed(err, "cannot map it");
}

static mst_status fill(int fd, uint8_t *bytes, size_t n, mst_err *err)
{
    for (size_t done = 0; done < n;) {
        ptrdiff_t got = sys_read(fd, bytes + done, n - done);
        if (got < 0 && errno != EINTR)
            return io_failed(err, "cannot read it");
        if (got == 0)
            return mst_fail(err, MST_ECORRUPT, "it became shorter while it was read");
        done += got > 0 ? (size_t)got : 0;
    }
    return MST_OK;
}

/* Pages of no file, released as a mapping is. */
static mst_status copy_file(int fd, void **bytes, size_t n, mst_err *err)
{
    *bytes = sys_pages(n);
    if (*bytes == NULL)
        return mst_fail(err, MST_ENOMEM, "no memory for its %zu bytes: %s", n, strerror(errno));
    mst_status st = fill(fd, *bytes, n, err);
    if (st != MST_OK)
        sys_unmap(*bytes, n, false);
    return st;
}

static mst_status load_file(const char *path, bool map, const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    int fd = sys_open(path);
    if (fd < 0)
        return io_failed(err, "cannot open it");
    void *bytes = NULL;
    size_t n = 0;
    mst_status st = size_of(fd, &n, err);
    if (st == MST_OK)
        st = map ? map_file(fd, &bytes, n, err) : copy_file(fd, &bytes, n, err);
    sys_close(fd);
    MST_TRY(st);
    mst_graph *g;
    st = mst_graph_load_mem(bytes, n, alloc, &g, err);
    if (st != MST_OK) {
        sys_unmap(bytes, n, map);
        return st;
    }
    g->backing = bytes;
    g->backing_size = n;
    g->backing_is_file = map;
    *out = g;
    return MST_OK;
}

mst_status mst_graph_load(const char *path, const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    mst_status st = load_file(path, true, alloc, out, err);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: ", path);
}

mst_status mst_graph_read(const char *path, const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    mst_status st = load_file(path, false, alloc, out, err);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: ", path);
}

/* ---- writing ------------------------------------------------------------ */

typedef struct out_file {
    int fd;
    size_t used;
    uint8_t *buffer; /* BUFFER bytes */
} out_file;

static mst_status write_all(int fd, const uint8_t *p, size_t n, mst_err *err)
{
    while (n != 0) {
        ptrdiff_t done = sys_write(fd, p, n);
        if (done < 0 && errno != EINTR)
            return io_failed(err, "cannot write");
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return MST_OK;
}

static mst_status flush(out_file *f, mst_err *err)
{
    size_t n = f->used;
    f->used = 0;
    return write_all(f->fd, f->buffer, n, err);
}

static mst_status write_bytes(void *ctx, const void *p, size_t n, mst_err *err)
{
    out_file *f = ctx;
    if (n > BUFFER - f->used)
        MST_TRY(flush(f, err));
    if (n > BUFFER)
        return write_all(f->fd, p, n, err);
    memcpy(f->buffer + f->used, p, n);
    f->used += n;
    return MST_OK;
}

/* A new file beside path, its name in temp. */
static mst_status open_temp(const char *path, char *temp, size_t size, int *fd, mst_err *err)
{
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        snprintf(temp, size, "%s.tmp-%lu-%u", path, sys_process(), i);
        *fd = sys_create(temp);
        if (*fd >= 0)
            return MST_OK;
        if (errno != EEXIST)
            break;
    }
    return io_failed(err, "cannot create a temporary file beside it");
}

static mst_status write_temp(const mst_graph *g, int fd, mst_err *err)
{
    out_file f = {.fd = fd, .buffer = mst_alloc(g->arena.alloc, BUFFER)};
    if (f.buffer == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: a buffer of %u bytes", BUFFER);
    const mst_snn_sink sink = {write_bytes, &f};
    mst_status st = mst_snn_encode(g, &sink, err);
    if (st == MST_OK)
        st = flush(&f, err);
    mst_free(g->arena.alloc, f.buffer, BUFFER);
    if (st == MST_OK && sys_flush(fd) != 0)
        st = io_failed(err, "cannot flush it to disk");
    return st;
}

static mst_status save_file(const mst_graph *g, const char *path, char *temp, size_t temp_size, mst_err *err)
{
    if (!sys_may_replace(path))
        return mst_fail(err, MST_EIO, "exists and is not a regular file");
    int fd;
    MST_TRY(open_temp(path, temp, temp_size, &fd, err));
    mst_status st = write_temp(g, fd, err);
    if (sys_close(fd) != 0 && st == MST_OK)
        st = io_failed(err, "cannot close it");
    if (st == MST_OK && sys_replace(temp, path) != 0)
        st = io_failed(err, "cannot rename the temporary file to it");
    if (st != MST_OK)
        sys_remove(temp);
    return st;
}

mst_status mst_graph_save(const mst_graph *g, const char *path, mst_err *err)
{
    size_t size;
    if (!mst_add_size(strlen(path), TEMP_EXTRA, &size))
        return mst_fail(err, MST_ELIMIT, "a path of more bytes than an address can count");
    char *temp = mst_alloc(g->arena.alloc, size);
    if (temp == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: out of memory", path);
    mst_status st = save_file(g, path, temp, size, err);
    mst_free(g->arena.alloc, temp, size);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: ", path);
}
