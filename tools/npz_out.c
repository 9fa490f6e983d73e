/* A zip of stored members: local headers with all sizes, then the central directory. Those of 4 GiB and more have their
 * sizes in zip64 fields.
 */
#include "tools/npz_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "runtime/core/bytes.h"
#include "tools/tool_paths.h"

#define MAX32 0xffffffffu
#define COPY ((size_t)1 << 16)

struct mst_npz_array_out {
    mst_npz_array_out *next;
    const char *name, *type;
    size_t item, rank, row_bytes;
    uint64_t dims[MST_NPZ_MAX_RANK]; /* of a row */
    uint64_t rows;
    FILE *data;
    char header[512]; /* of the .npy, once it is written */
    size_t header_n;
    uint32_t crc;
    uint64_t bytes, at; /* of the member; where its local header is */
};

mst_status mst_npz_add(mst_npz_out *z, const char *name, const char *type, size_t item, size_t rank,
                       const uint64_t *dims, mst_npz_array_out **out, mst_err *err)
{
    mst_npz_array_out *a = mst_arena_alloc(&z->arena, sizeof *a);
    if (a == NULL || rank > MST_NPZ_MAX_RANK)
        return mst_fail(err, MST_ENOMEM, "out of memory for array %s", name);
    *a = (mst_npz_array_out){.name = mst_arena_strdup(&z->arena, name),
                             .type = mst_arena_strdup(&z->arena, type),
                             .item = item,
                             .rank = rank,
                             .row_bytes = item,
                             .data = tmpfile()};
    for (size_t k = 0; k < rank; k++) {
        a->dims[k] = dims[k];
        a->row_bytes *= (size_t)dims[k];
    }
    if (z->last != NULL)
        z->last->next = a;
    else
        z->first = a;
    z->last = *out = a;
    if (a->name == NULL || a->type == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for array %s", name);
    return a->data != NULL ? MST_OK
                           : mst_fail(err, MST_EIO, "array %s: no temporary file in %s: %s", name, P_tmpdir,
                                      strerror(errno));
}

mst_status mst_npz_append(mst_npz_array_out *a, const void *rows, size_t n, mst_err *err)
{
    if (n * a->row_bytes != 0 && fwrite(rows, a->row_bytes, n, a->data) != n)
        return mst_fail(err, MST_EIO, "array %s: cannot write to a temporary file in %s: %s", a->name, P_tmpdir,
                        strerror(errno));
    a->rows += n;
    return MST_OK;
}

/* ---- writing ---- */

typedef struct out {
    FILE *f;
    uint64_t at;
    bool failed;
} out;

static void put(out *o, const void *p, size_t n)
{
    o->failed = o->failed || fwrite(p, 1, n, o->f) != n;
    o->at += n;
}

/* Little endian numbers of a record, one behind the other. */
typedef struct record {
    uint8_t bytes[128];
    size_t n;
} record;

static void put16(record *r, unsigned v)
{
    r->bytes[r->n++] = (uint8_t)v;
    r->bytes[r->n++] = (uint8_t)(v >> 8);
}

static void put32(record *r, uint64_t v)
{
    put16(r, (unsigned)(v & 0xffff));
    put16(r, (unsigned)(v >> 16 & 0xffff));
}

static void put64(record *r, uint64_t v)
{
    put32(r, v & MAX32);
    put32(r, v >> 32);
}

/* The header of an .npy of version 1.0: padded so that values begin at a multiple of 64. */
static void make_header(mst_npz_array_out *a)
{
    char text[400];
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",", a->type,
                     a->rows);
    for (size_t k = 0; k < a->rank; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%" PRIu64, k != 0 ? ", " : " ", a->dims[k]);
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    size_t all = (10 + (size_t)n + 1 + 63) / 64 * 64, pad = all - 10 - (size_t)n - 1;
    memcpy(a->header, "\x93NUMPY\x01\x00", 8);
    a->header[8] = (char)((all - 10) & 0xff);
    a->header[9] = (char)((all - 10) >> 8);
    memcpy(a->header + 10, text, (size_t)n);
    memset(a->header + 10 + n, ' ', pad);
    a->header[all - 1] = '\n';
    a->header_n = all;
    a->bytes = all + a->rows * a->row_bytes;
}

/* What a local header and an entry of the directory share: from the version to the length of the extra field. */
static void put_member(record *r, const mst_npz_array_out *a, size_t extra)
{
    bool large = a->bytes >= MAX32;
    put16(r, large ? 45 : 20); /* version needed */
    put16(r, 0);               /* flags */
    put16(r, 0);               /* stored */
    put16(r, 0);               /* time: the same file for the same arrays */
    put16(r, 1 << 5 | 1);      /* first of January 1980 */
    put32(r, a->crc);
    put32(r, large ? MAX32 : a->bytes);
    put32(r, large ? MAX32 : a->bytes);
    put16(r, (unsigned)strlen(a->name) + 4);
    put16(r, (unsigned)extra);
}

static void put_name(out *o, const mst_npz_array_out *a)
{
    put(o, a->name, strlen(a->name));
    put(o, ".npy", 4);
}

/* All values, from the first; to NULL: their checksum alone. */
static bool copy(mst_npz_array_out *a, out *to)
{
    uint8_t buffer[COPY];
    size_t n;
    if (fflush(a->data) != 0 || fseeko(a->data, 0, SEEK_SET) != 0)
        return false;
    while ((n = fread(buffer, 1, sizeof buffer, a->data)) != 0) {
        if (to != NULL)
            put(to, buffer, n);
        else
            a->crc = (uint32_t)crc32(a->crc, buffer, (uInt)n);
    }
    return !ferror(a->data);
}

static bool write_member(mst_npz_array_out *a, out *o)
{
    record r = {0};
    bool large = a->bytes >= MAX32;
    make_header(a);
    a->crc = (uint32_t)crc32(0, (const Bytef *)a->header, (uInt)a->header_n);
    a->at = o->at;
    if (!copy(a, NULL))
        return false;
    put32(&r, 0x04034b50);
    put_member(&r, a, large ? 20 : 0);
    put(o, r.bytes, r.n);
    put_name(o, a);
    if (large) {
        r.n = 0;
        put16(&r, 1);
        put16(&r, 16);
        put64(&r, a->bytes);
        put64(&r, a->bytes);
        put(o, r.bytes, r.n);
    }
    put(o, a->header, a->header_n);
    return copy(a, o);
}

static void write_entry(const mst_npz_array_out *a, out *o)
{
    record r = {0}, more = {0};
    bool large = a->bytes >= MAX32, far = a->at >= MAX32;
    if (large || far) {
        put16(&more, 1);
        put16(&more, (large ? 16 : 0) + (far ? 8 : 0));
        if (large) {
            put64(&more, a->bytes);
            put64(&more, a->bytes);
        }
        if (far)
            put64(&more, a->at);
    }
    put32(&r, 0x02014b50);
    put16(&r, 3 << 8 | 45); /* made on Unix */
    put_member(&r, a, more.n);
    put16(&r, 0); /* comment */
    put16(&r, 0); /* disk */
    put16(&r, 0);
    put32(&r, (uint64_t)0100644 << 16); /* rw-r--r-- */
    put32(&r, far ? MAX32 : a->at);
    put(o, r.bytes, r.n);
    put_name(o, a);
    put(o, more.bytes, more.n);
}

static void write_end(out *o, uint64_t members, uint64_t from)
{
    record r = {0};
    uint64_t bytes = o->at - from, end = o->at;
    bool large = end >= MAX32 || members >= 0xffff;
    if (large) {
        put32(&r, 0x06064b50);
        put64(&r, 44);
        put16(&r, 45);
        put16(&r, 45);
        put32(&r, 0);
        put32(&r, 0);
        put64(&r, members);
        put64(&r, members);
        put64(&r, bytes);
        put64(&r, from);
        put32(&r, 0x07064b50);
        put32(&r, 0);
        put64(&r, end);
        put32(&r, 1);
    }
    put32(&r, 0x06054b50);
    put32(&r, 0);
    put16(&r, large ? 0xffff : (unsigned)members);
    put16(&r, large ? 0xffff : (unsigned)members);
    put32(&r, large ? MAX32 : bytes);
    put32(&r, large ? MAX32 : from);
    put16(&r, 0);
    put(o, r.bytes, r.n);
}

mst_status mst_npz_write(const mst_npz_out *z, FILE *to, const char *path, mst_err *err)
{
    out o = {.f = to};
    uint64_t members = 0;
    for (mst_npz_array_out *a = z->first; a != NULL; a = a->next, members++)
        if (!write_member(a, &o) || o.failed)
            return mst_cannot_write(path, err);
    uint64_t from = o.at;
    for (const mst_npz_array_out *a = z->first; a != NULL; a = a->next)
        write_entry(a, &o);
    write_end(&o, members, from);
    return !o.failed ? MST_OK : mst_cannot_write(path, err);
}

void mst_npz_out_free(mst_npz_out *z)
{
    for (mst_npz_array_out *a = z->first; a != NULL; a = a->next)
        if (a->data != NULL)
            fclose(a->data);
    mst_arena_release(&z->arena);
    *z = (mst_npz_out){0};
}
