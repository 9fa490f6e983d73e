/* Weights in files beside the model (data_location EXTERNAL). The model names
 * the file, so only regular files inside the model's own folder are opened:
 * no absolute path, no "..", no symbolic link at any step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "converter/onnx/onnx_import.h"

typedef struct place {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} place;

static bool parse_number(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || v > (UINT64_MAX - 9) / 10)
            return false;
        v = 10 * v + (uint64_t)(*s - '0');
    }
    *out = v;
    return true;
}

static mst_status read_place(ox_import *c, const Onnx__TensorProto *t, place *p)
{
    *p = (place){0};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = ox_text(t->external_data[i]->key), *value = ox_text(t->external_data[i]->value);
        bool good = true;
        if (strcmp(key, "location") == 0)
            p->location = value;
        else if (strcmp(key, "offset") == 0)
            good = parse_number(value, &p->offset);
        else if (strcmp(key, "length") == 0)
            good = p->has_length = parse_number(value, &p->length);
        if (!good)
            return mst_fail(c->err, MST_ECORRUPT, "external data: %s '%s' is not a number of bytes", key,
                            value);
    }
    if (p->location == NULL || p->location[0] == '\0')
        return mst_fail(c->err, MST_ECORRUPT, "external data without a file name");
    return MST_OK;
}

/* The next part of a path into buf; its length, 0 when the path is not allowed. */
static size_t next_part(const char *path, char *buf, size_t cap)
{
    size_t n = strcspn(path, "/");
    if (n == 0 || n >= cap || (n == 2 && path[0] == '.' && path[1] == '.'))
        return 0;
    memcpy(buf, path, n);
    buf[n] = '\0';
    return n;
}

/* Open location below the folder, one part at a time so that no part is a symbolic link. */
static mst_status open_inside(ox_import *c, const char *location, int *out)
{
    int at = open(c->dir[0] != '\0' ? c->dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return mst_fail(c->err, MST_EIO, "cannot open the model's folder: %s", strerror(errno));
    for (const char *p = location;;) {
        char part[256];
        size_t n = next_part(p, part, sizeof part);
        if (n == 0) {
            close(at);
            return mst_fail(c->err, MST_ECORRUPT,
                            "external data in '%s': only files inside the model's folder are "
                            "read",
                            location);
        }
        bool last = p[n] == '\0';
        int next = openat(at, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY));
        int why = errno;
        close(at);
        if (next < 0)
            return mst_fail(c->err, why == ELOOP ? MST_ECORRUPT : MST_EIO,
                            "cannot open external data '%s': %s", location,
                            why == ELOOP ? "symbolic links are not followed" : strerror(why));
        if (last) {
            *out = next;
            return MST_OK;
        }
        at = next;
        p += n + 1;
    }
}

static mst_status read_all(ox_import *c, int fd, const place *p, size_t bytes, char *out)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(fd, out + done, bytes - done, (off_t)(p->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return mst_fail(c->err, MST_EIO, "cannot read external data '%s': %s", p->location,
                            n < 0 ? strerror(errno) : "it became shorter");
        done += (size_t)n;
    }
    return MST_OK;
}

static mst_status read_from(ox_import *c, int fd, const place *p, size_t bytes, void **out)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return mst_fail(c->err, MST_EIO, "cannot examine external data '%s': %s", p->location,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return mst_fail(c->err, MST_EIO, "external data '%s' is not a regular file", p->location);
    uint64_t size = (uint64_t)info.st_size;
    if (p->offset > size || bytes > size - p->offset)
        return mst_fail(c->err, MST_ECORRUPT,
                        "external data '%s' has %llu bytes; the tensor wants %zu at offset %llu", p->location,
                        (unsigned long long)size, bytes, (unsigned long long)p->offset);
    if (bytes > OX_MAX_EXTERNAL - c->external)
        return mst_fail(c->err, MST_ELIMIT, "more than %llu bytes of external data", OX_MAX_EXTERNAL);
    c->external += bytes;
    c->g->arena.limit += bytes + bytes / 2 + 4096; /* memory that a file of its own accounts for */
    *out = ox_new(c, 1, bytes);
    if (*out == NULL)
        return ox_no_memory(c);
    return read_all(c, fd, p, bytes, *out);
}

static mst_status tell(ox_import *c, const place *p)
{
    size_t n = strlen(c->dir) + strlen(p->location) + 2;
    if (c->watch.read == NULL)
        return MST_OK;
    char *path = mst_alloc(c->alloc, n);
    if (path == NULL)
        return mst_fail(c->err, MST_ENOMEM, "out of memory");
    snprintf(path, n, "%s%s%s", c->dir, c->dir[0] != '\0' ? "/" : "", p->location);
    c->watch.read(c->watch.ctx, path);
    mst_free(c->alloc, path, n);
    return MST_OK;
}

mst_status ox_read_external(ox_import *c, const Onnx__TensorProto *t, size_t bytes, void **out)
{
    place p;
    if (c->dir == NULL)
        return mst_fail(c->err, MST_EUNSUPPORTED, "external data is not allowed here");
    MST_TRY(read_place(c, t, &p));
    if (p.has_length && p.length != bytes)
        return mst_fail(c->err, MST_ECORRUPT, "external data of %llu bytes, the shape wants %zu",
                        (unsigned long long)p.length, bytes);
    int fd = -1;
    MST_TRY(open_inside(c, p.location, &fd));
    mst_status st = read_from(c, fd, &p, bytes, out);
    close(fd);
    return st == MST_OK ? tell(c, &p) : st;
}
