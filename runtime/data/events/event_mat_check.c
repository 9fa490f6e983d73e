/* A walk over a MATLAB 5 file before libmatio sees it. libmatio allocates and
 * recurses as the file tells it to; what passes here is a flat row of plain
 * vectors with sizes that are true. Format: MathWorks, "MAT-File Format".
 */
#include "runtime/data/events/event_mat_check.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define FILE_HEADER 128u
#define TAG 8u
#define HEAD 160u /* of a variable: its flags, dimensions, name and the tag of its values */
#define MAX_NAME 63u
#define MAX_VARIABLES 64u
#define CHUNK 4096u

enum { MI_INT8 = 1,
       MI_INT32 = 5,
       MI_UINT32 = 6,
       MI_MATRIX = 14,
       MI_COMPRESSED = 15 };
enum { CLASS_DOUBLE = 6,
       CLASS_UINT64 = 15,
       FLAG_COMPLEX = 0x800 };

/* Where in the file a variable starts, how its integers are written, and what there is of it. */
typedef struct variable {
    const mst_event_stream *s;
    uint64_t offset;
    bool big;
    uint8_t head[HEAD];
    size_t n;       /* bytes of head that there are */
    uint64_t bytes; /* behind its tag */
} variable;

static uint32_t u32(bool big, const uint8_t *p)
{
    return big ? mst_get_u32_be(p) : mst_get_u32(p);
}

static mst_status bad(const variable *v, const char *what, uint64_t expected, uint64_t found, mst_err *err)
{
    return mst_fail(err, MST_ECORRUPT,
                    "%s: offset %" PRIu64 ": variable: %s: expected %" PRIu64 ", found %" PRIu64, v->s->path,
                    v->offset, what, expected, found);
}

/* Bytes of one value of a storage type; 0 for what is not a number. */
static uint32_t type_size(uint32_t type)
{
    static const uint8_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8, 0, 0, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

/* A tag in its long form (8 bytes, values behind it) or its short one (type, size and up to 4 bytes in 8):
 * where in the head its values lie, and where the next tag does. */
typedef struct element {
    uint32_t type, bytes;
    size_t data, next;
} element;

static mst_status read_element(const variable *v, size_t at, element *e, mst_err *err)
{
    *e = (element){0};
    if (at + TAG > v->n)
        return bad(v, "bytes of its header", at + TAG, v->n, err);
    uint32_t word = u32(v->big, v->head + at);
    bool small = word >> 16 != 0;
    e->type = small ? word & 0xffff : word;
    e->bytes = small ? word >> 16 : u32(v->big, v->head + at + 4);
    e->data = at + (small ? 4 : TAG);
    if (small && e->bytes > 4)
        return bad(v, "bytes of a short element", 4, e->bytes, err);
    e->next = small ? at + TAG : e->bytes > HEAD ? HEAD + 1
                                                 : at + TAG + ((size_t)e->bytes + 7) / 8 * 8;
    return MST_OK;
}

static mst_status check_flags(const variable *v, size_t *at, mst_err *err)
{
    element e;
    MST_TRY(read_element(v, *at, &e, err));
    if (e.type != MI_UINT32 || e.bytes != 8 || e.data + 8 > v->n)
        return bad(v, "type of its flags", MI_UINT32, e.type, err);
    uint32_t flags = u32(v->big, v->head + e.data), class = flags & 0xff;
    if (class < CLASS_DOUBLE || class > CLASS_UINT64 || (flags & FLAG_COMPLEX) != 0)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %" PRIu64 ": variable: expected real numbers, found class %u%s",
                        v->s->path, v->offset, class, flags & FLAG_COMPLEX ? " (complex)" : "");
    *at = e.next;
    return MST_OK;
}

static mst_status check_dims(const variable *v, size_t *at, uint64_t *count, mst_err *err)
{
    element e;
    MST_TRY(read_element(v, *at, &e, err));
    if (e.type != MI_INT32 || e.bytes != 8 || e.data + 8 > v->n)
        return bad(v, "bytes of its dimensions", 8, e.bytes, err);
    uint32_t rows = u32(v->big, v->head + e.data), columns = u32(v->big, v->head + e.data + 4);
    *count = (uint64_t)rows * columns;
    if (*count > MST_EVENT_MAT_MAX)
        return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": variable of %u x %u values: limit is %u",
                        v->s->path, v->offset, rows, columns, MST_EVENT_MAT_MAX);
    *at = e.next;
    return MST_OK;
}

static mst_status check_name(const variable *v, size_t *at, mst_err *err)
{
    element e;
    MST_TRY(read_element(v, *at, &e, err));
    if (e.type != MI_INT8)
        return bad(v, "type of its name", MI_INT8, e.type, err);
    if (e.bytes > MAX_NAME)
        return bad(v, "letters of its name at most", MAX_NAME, e.bytes, err);
    for (uint32_t i = 0; i < e.bytes; i++)
        if (e.data + i >= v->n || v->head[e.data + i] < '0' || v->head[e.data + i] > 'z')
            return bad(v, "a name of letters, digits and _; place of another sign", e.bytes, i, err);
    *at = e.next;
    return MST_OK;
}

/* The head of one variable against the bytes that there are of it. */
static mst_status check_variable(const variable *v, mst_err *err)
{
    size_t at = 0;
    uint64_t count = 0;
    element e;
    MST_TRY(check_flags(v, &at, err));
    MST_TRY(check_dims(v, &at, &count, err));
    MST_TRY(check_name(v, &at, err));
    MST_TRY(read_element(v, at, &e, err));
    if (type_size(e.type) == 0)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %" PRIu64 ": variable: expected numbers, found storage type %u",
                        v->s->path, v->offset, e.type);
    if (e.bytes != count * type_size(e.type))
        return bad(v, "bytes of its values", count * type_size(e.type), e.bytes, err);
    if (e.data + (uint64_t)e.bytes > v->bytes)
        return bad(v, "bytes of the variable at least", e.data + (uint64_t)e.bytes, v->bytes, err);
    return MST_OK;
}

/* What unpacks goes here: the variable's tag and head are kept, all of it is counted. */
typedef struct unpacked {
    uint8_t tag[TAG];
    uint64_t n;
} unpacked;

static void keep(variable *v, unpacked *u, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && u->n + i < TAG + HEAD; i++) {
        uint64_t k = u->n + i;
        if (k < TAG)
            u->tag[k] = p[i];
        else
            v->head[v->n++] = p[i];
    }
    u->n += n;
}

/* Unpack n bytes of the file; the stream must end with them. */
static mst_status unpack(mst_event_stream *s, variable *v, uint64_t n, unpacked *u, mst_err *err)
{
    z_stream z = {0};
    uint8_t out[CHUNK];
    int code = inflateInit(&z);
    mst_status st = code == Z_OK ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
    const uint64_t limit = TAG + HEAD + (uint64_t)MST_EVENT_MAT_MAX * 8;
    while (st == MST_OK && code != Z_STREAM_END) {
        size_t have = 0;
        if ((st = mst_event_fill(s, 1, &have, err)) != MST_OK)
            break;
        have = have < n ? have : (size_t)n;
        z.next_in = s->buffer + s->at;
        z.avail_in = (unsigned)have;
        z.next_out = out;
        z.avail_out = sizeof out;
        code = inflate(&z, Z_NO_FLUSH);
        size_t used = have - z.avail_in, made = sizeof out - z.avail_out;
        s->at += used;
        n -= used;
        keep(v, u, out, made);
        if ((code != Z_OK && code != Z_STREAM_END) || (used == 0 && made == 0) || u->n > limit)
            st = mst_fail(err, u->n > limit ? MST_ELIMIT : MST_ECORRUPT,
                          "%s: offset %" PRIu64 ": variable: cannot be unpacked: %s", s->path, v->offset,
                          u->n > limit    ? "too large"
                          : z.msg != NULL ? z.msg
                                          : "it ends early");
    }
    inflateEnd(&z);
    if (st == MST_OK && n != 0)
        return bad(v, "bytes behind the packed data", 0, n, err);
    return st;
}

static mst_status check_packed(mst_event_stream *s, variable *v, uint64_t n, mst_err *err)
{
    unpacked u = {0};
    MST_TRY(unpack(s, v, n, &u, err));
    if (u.n < TAG || u32(v->big, u.tag) != MI_MATRIX)
        return bad(v, "packed type", MI_MATRIX, u.n < TAG ? 0 : u32(v->big, u.tag), err);
    v->bytes = u32(v->big, u.tag + 4);
    if (u.n - TAG != v->bytes)
        return bad(v, "unpacked bytes", v->bytes, u.n - TAG, err);
    return check_variable(v, err);
}

static mst_status check_plain(mst_event_stream *s, variable *v, uint64_t n, mst_err *err)
{
    size_t have;
    MST_TRY(mst_event_fill(s, n < HEAD ? (size_t)n : HEAD, &have, err));
    v->bytes = n;
    v->n = n < HEAD ? (size_t)n : HEAD;
    if (have < v->n)
        return bad(v, "bytes", n, have, err);
    memcpy(v->head, mst_event_bytes(s), v->n);
    MST_TRY(check_variable(v, err));
    return mst_event_skip(s, n, err);
}

static mst_status check_header(mst_event_stream *s, bool *big, mst_err *err)
{
    size_t have;
    MST_TRY(mst_event_fill(s, FILE_HEADER, &have, err));
    const uint8_t *p = mst_event_bytes(s);
    if (have >= 10 && memcmp(p, "MATLAB 7.3", 10) == 0)
        return mst_fail(
            err, MST_EUNSUPPORTED,
            "%s: offset 0: expected a MATLAB 5 file, found version 7.3 (in MATLAB, save it again with "
            "'-v7')",
            s->path);
    if (have < 10 || memcmp(p, "MATLAB 5.0", 10) != 0)
        return mst_event_wrong_start(s, "'MATLAB 5.0 MAT-file'", err);
    if (have < FILE_HEADER)
        return mst_fail(err, MST_ECORRUPT, "%s: offset 0: header: expected %u bytes, found %zu", s->path,
                        FILE_HEADER, have);
    *big = p[126] == 'M' && p[127] == 'I';
    uint32_t version = *big ? (uint32_t)p[124] << 8 | p[125] : (uint32_t)p[125] << 8 | p[124];
    if ((!*big && (p[126] != 'I' || p[127] != 'M')) || version != 0x0100)
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset 124: expected version 0x0100 and 'IM' or 'MI', found 0x%04x", s->path,
                        version);
    return mst_event_skip(s, FILE_HEADER, err);
}

mst_status mst_event_mat_check(mst_event_stream *s, mst_err *err)
{
    bool big = false;
    MST_TRY(check_header(s, &big, err));
    for (size_t k = 0;; k++) {
        size_t have;
        variable v = {.s = s, .offset = mst_event_offset(s), .big = big};
        MST_TRY(mst_event_fill(s, TAG, &have, err));
        if (have == 0)
            return MST_OK;
        if (have < TAG)
            return bad(&v, "bytes of its tag", TAG, have, err);
        if (k == MAX_VARIABLES)
            return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": limit is %u variables", s->path,
                            v.offset, MAX_VARIABLES);
        uint32_t type = u32(big, mst_event_bytes(s));
        uint64_t n = u32(big, mst_event_bytes(s) + 4), left = s->size - v.offset - TAG;
        if (v.offset + TAG > s->size || n > left)
            return bad(&v, "bytes", n, v.offset + TAG > s->size ? 0 : left, err);
        MST_TRY(mst_event_skip(s, TAG, err));
        if (type == MI_COMPRESSED)
            MST_TRY(check_packed(s, &v, n, err));
        else if (type == MI_MATRIX)
            MST_TRY(check_plain(s, &v, n, err));
        else
            return bad(&v, "type", MI_MATRIX, type, err);
    }
}
