/* NumPy arrays: X.npy float32 [n,C,H,W], already normalized, and Y.npy integer
 * labels [n] (int64, int32 or uint8). Little-endian, C order, versions 1 to 3.
 * Samples are read from the file when they are asked for. Format: NEP 1
 * (numpy.lib.format).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/data_format.h"
#include "runtime/data/npy_header.h"

typedef struct npy_state {
    char *path;      /* of X, for messages */
    size_t path_bytes;
    int fd;          /* of X; read with pread, so threads share it */
    uint64_t start;  /* of the values */
    size_t n;
    int32_t *labels; /* [n], NULL: none */
} npy_state;

static bool npy_sniff(const char *path)
{
    uint8_t head[6];
    return mst_data_file_peek(path, head, sizeof head) && memcmp(head, "\x93NUMPY", 6) == 0;
}

/* All of n bytes at an offset, or an error: the file may have shrunk since it was opened. */
static mst_status read_at(int fd, const char *path, void *out, size_t n, uint64_t offset, mst_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (uint8_t *)out + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": %s", path, offset + done, strerror(errno));
        if (got == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": expected %zu bytes, found %zu", path,
                            offset, n, done);
        done += (size_t)got;
    }
    return MST_OK;
}

/* Open an .npy, parse its header, and check that the values fill the rest of the file exactly. */
static mst_status open_array(const char *path, int *fd, mst_npy_header *h, mst_err *err)
{
    uint64_t size;
    uint8_t head[MST_NPY_MAX_HEADER];
    MST_TRY(mst_data_file_size(path, &size, err));
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    size_t n = size < sizeof head ? (size_t)size : sizeof head;
    MST_TRY(read_at(*fd, path, head, n, 0, err));
    MST_TRY(mst_npy_parse(head, n, path, h, err));
    uint64_t bytes = h->item_size;
    for (uint32_t i = 0; i < h->rank; i++)
        if (__builtin_mul_overflow(bytes, h->dims[i], &bytes))
            return mst_fail(err, MST_ELIMIT, "%s: offset 10: shape: too large", path);
    if (size - h->size != bytes)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %zu: values: the header expects %" PRIu64 " bytes, found %" PRIu64,
                        path, h->size, bytes, size - h->size);
    return MST_OK;
}

static mst_status open_images(mst_data *d, const char *path, mst_err *err)
{
    npy_state *s = d->state;
    mst_npy_header h;
    MST_TRY(open_array(path, &s->fd, &h, err));
    if (strcmp(h.descr, "<f4") != 0)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset 10: descr: expected '<f4' (little-endian float32), found '%s'", path,
                        h.descr);
    if (h.rank != 4 || h.dims[1] != d->want.channels || h.dims[2] != d->want.height ||
        h.dims[3] != d->want.width) {
        char found[128];
        mst_npy_shape_text(&h, found, sizeof found);
        return mst_fail(err, MST_EINVAL,
                        "%s: offset 10: shape: expected (n, %u, %u, %u) as the model has it, found %s",
                        path, d->want.channels, d->want.height, d->want.width, found);
    }
    if (h.dims[0] == 0)
        return mst_fail(err, MST_EFORMAT, "%s: offset 10: shape: expected at least 1 sample, found 0", path);
    s->start = h.size;
    s->n = (size_t)h.dims[0];
    s->path_bytes = strlen(path) + 1;
    if ((s->path = mst_alloc(NULL, s->path_bytes)) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    memcpy(s->path, path, s->path_bytes);
    return MST_OK;
}

static int64_t label_at(const uint8_t *p, uint32_t item_size)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < item_size; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return item_size == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static mst_status read_labels(mst_data *d, int fd, const char *path, const mst_npy_header *h, mst_err *err)
{
    npy_state *s = d->state;
    uint8_t chunk[4096];
    size_t per_chunk = sizeof chunk / h->item_size;
    for (size_t i = 0; i < s->n; i += per_chunk) {
        size_t n = s->n - i < per_chunk ? s->n - i : per_chunk;
        uint64_t offset = h->size + (uint64_t)i * h->item_size;
        MST_TRY(read_at(fd, path, chunk, n * h->item_size, offset, err));
        for (size_t k = 0; k < n; k++) {
            int64_t label = label_at(chunk + k * h->item_size, h->item_size);
            MST_TRY(mst_data_check_label(d, path, i + k, offset + k * h->item_size, label, err));
            s->labels[i + k] = (int32_t)label;
        }
    }
    return MST_OK;
}

static mst_status open_labels(mst_data *d, const char *path, mst_err *err)
{
    npy_state *s = d->state;
    mst_npy_header h;
    int fd = -1;
    mst_status st = open_array(path, &fd, &h, err);
    if (st != MST_OK)
        goto done;
    if (strcmp(h.descr, "<i8") != 0 && strcmp(h.descr, "<i4") != 0 && strcmp(h.descr, "|u1") != 0) {
        st = mst_fail(err, MST_EINVAL,
                      "%s: offset 10: descr: expected '<i8', '<i4' or '|u1' (integer labels), found '%s'",
                      path, h.descr);
    } else if (h.rank != 1 || h.dims[0] != s->n) {
        char found[128];
        mst_npy_shape_text(&h, found, sizeof found);
        st = mst_fail(err, MST_EINVAL, "%s: offset 10: shape: expected (%zu,) as there are samples, found %s",
                      path, s->n, found);
    } else if ((s->labels = mst_alloc_array(NULL, s->n, sizeof *s->labels)) == NULL) {
        st = mst_fail(err, MST_ENOMEM, "%s: no memory for %zu labels", path, s->n);
    } else {
        st = read_labels(d, fd, path, &h, err);
    }
done:
    if (fd >= 0)
        close(fd);
    return st;
}

static mst_status npy_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    npy_state *s = d->state = mst_alloc(NULL, sizeof(npy_state));
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    s->fd = -1;
    MST_TRY(open_images(d, path, err));
    return labels != NULL ? open_labels(d, labels, err) : MST_OK;
}

static size_t npy_count(const mst_data *d)
{
    const npy_state *s = d->state;
    return s->n;
}

static mst_status npy_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    const npy_state *s = d->state;
    uint64_t offset = s->start + (uint64_t)i * d->pixels * sizeof(float);
    MST_TRY(read_at(s->fd, s->path, x, d->pixels * sizeof(float), offset, err));
    const uint8_t *bytes = (const uint8_t *)x;
    for (size_t k = 0; k < d->pixels; k++) { /* in place: byte k*4 is read before x[k] is written */
        uint32_t v = (uint32_t)label_at(bytes + 4 * k, 4);
        memcpy(&x[k], &v, sizeof v);
        if (!isfinite(x[k]))
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64 ": sample %zu: expected a finite value, found %f",
                            s->path, offset + 4 * k, i, (double)x[k]);
    }
    *label = s->labels != NULL ? s->labels[i] : -1;
    return MST_OK;
}

static void npy_close(mst_data *d)
{
    npy_state *s = d->state;
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    mst_free(NULL, s->path, s->path_bytes);
    mst_free_array(NULL, s->labels, s->n, sizeof *s->labels);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_npy = {"npy", npy_sniff, npy_open, npy_count, npy_get, npy_close};
