/* ox_load: file to ox_graph, in order: read, digest, guard, unpack, decode, free
 * the protobuf structs. The parts are in the files beside this one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "converter/onnx/onnx_import.h"

#define IR_VERSION_FIELD 1

static void digest(const uint8_t *bytes, size_t n, uint8_t out[32])
{
    SHA256_CTX ctx;
    SHA256Init(&ctx);
    SHA256Update(&ctx, bytes, n);
    SHA256Final(out, &ctx);
}

/* Damage before the version was seen means that it never was an ONNX file. */
static mst_status unpack_model(ox_pool *pool, const uint8_t *bytes, size_t n, ProtobufCMessage **out,
                               mst_err *err)
{
    ox_guard seen;
    if (n == 0)
        return mst_fail(err, MST_EFORMAT, "not an ONNX model: the file is empty");
    mst_status st = ox_unpack(pool, bytes, n, &onnx__model_proto__descriptor, &seen, out, err);
    bool has_version = (seen.top_fields >> IR_VERSION_FIELD & 1) != 0;
    if (st == MST_ECORRUPT && !has_version)
        return mst_fail_in(err, MST_EFORMAT, "not an ONNX model: ");
    if (st == MST_OK && !has_version) {
        protobuf_c_message_free_unpacked(*out, &pool->pb);
        *out = NULL;
        return mst_fail(err, MST_EFORMAT, "not an ONNX model: no ir_version in it");
    }
    return st;
}

static mst_status decode(ox_pool *pool, const ProtobufCMessage *model, size_t n, const char *dir, ox_watch watch,
                         const mst_allocator *alloc, ox_graph *out, mst_err *err)
{
    ox_import c = {.g = out,
                   .err = err,
                   .alloc = alloc,
                   .dir = dir,
                   .watch = watch,
                   .pool = pool,
                   .n_scopes = OX_SCOPE_FIRST_CALL};
    c.model = (const Onnx__ModelProto *)model;
    c.names.alloc = alloc;
    memcpy(&c.names.seed, out->sha256, sizeof c.names.seed);
    out->arena.alloc = alloc;
    out->arena.limit = 2 * ox_guard_budget(n);
    mst_status st = ox_decode_model(&c);
    ox_names_free(&c.names);
    out->arena.limit = 0; /* later stages have limits of their own */
    return st;
}

/* owned: the block of bytes, when it is to be freed as soon as it is unpacked. */
static mst_status load(const uint8_t *bytes, size_t n, uint8_t *owned, const char *dir, ox_watch watch,
                       const mst_allocator *alloc, ox_graph *out, mst_err *err)
{
    ox_pool pool;
    ProtobufCMessage *model = NULL;
    ox_pool_init(&pool, alloc, ox_guard_budget(n));
    mst_status st = unpack_model(&pool, bytes, n, &model, err);
    if (st == MST_OK)
        digest(bytes, n, out->sha256);
    mst_free(alloc, owned, n);
    if (st != MST_OK)
        return st;
    st = decode(&pool, model, n, dir, watch, alloc, out, err);
    protobuf_c_message_free_unpacked(model, &pool.pb);
    if (st != MST_OK)
        ox_graph_free(out);
    return st;
}

mst_status ox_load_mem(const uint8_t *bytes, size_t n, const char *dir, const mst_allocator *alloc,
                       ox_graph *out, mst_err *err)
{
    memset(out, 0, sizeof *out);
    if (n > OX_MAX_FILE)
        return mst_fail(err, MST_ELIMIT, "%zu bytes, limit %u", n, OX_MAX_FILE);
    return load(bytes, n, NULL, dir, (ox_watch){0}, alloc, out, err);
}

static mst_status read_file(int fd, const mst_allocator *alloc, uint8_t **bytes, size_t *n, mst_err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return mst_fail(err, MST_EIO, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return mst_fail(err, MST_EIO, "not a regular file");
    if (info.st_size > (off_t)OX_MAX_FILE)
        return mst_fail(err, MST_ELIMIT, "%lld bytes, limit %u", (long long)info.st_size, OX_MAX_FILE);
    size_t size = (size_t)info.st_size, done = 0;
    uint8_t *buf = mst_alloc(alloc, size);
    if (buf == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory reading %zu bytes", size);
    while (done < size) {
        ssize_t got = read(fd, buf + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            mst_status st = mst_fail(err, MST_EIO, "%s", got < 0 ? strerror(errno) : "it became shorter");
            mst_free(alloc, buf, size);
            return st;
        }
        done += (size_t)got;
    }
    *bytes = buf;
    *n = size;
    return MST_OK;
}

/* The folder of path, "" for the current one. */
static char *folder_of(const char *path, const mst_allocator *alloc, size_t *size)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1
                                                 : (size_t)(slash - path);
    char *dir = mst_alloc(alloc, n + 1);
    if (dir != NULL)
        memcpy(dir, path, n);
    *size = n + 1;
    return dir;
}

mst_status ox_load(const char *path, const mst_allocator *alloc, ox_graph *out, mst_err *err)
{
    return ox_load_watched(path, alloc, (ox_watch){0}, out, err);
}

mst_status ox_load_watched(const char *path, const mst_allocator *alloc, ox_watch watch, ox_graph *out, mst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0, dir_size = 0;
    memset(out, 0, sizeof *out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    mst_status st = read_file(fd, alloc, &bytes, &n, err);
    close(fd);
    char *dir = folder_of(path, alloc, &dir_size);
    if (st == MST_OK && dir == NULL) {
        mst_free(alloc, bytes, n);
        st = mst_fail(err, MST_ENOMEM, "out of memory");
    } else if (st == MST_OK) {
        st = load(bytes, n, bytes, dir, watch, alloc, out, err);
    }
    mst_free(alloc, dir, dir_size);
    return st == MST_OK ? MST_OK : mst_fail_in(err, st, "%s: ", path);
}

void ox_graph_free(ox_graph *g)
{
    if (g == NULL)
        return;
    mst_arena_release(&g->arena);
    memset(g, 0, sizeof *g);
}
