/* Walks the protobuf wire format with limits before protobuf-c unpacks it.
 *
 * protobuf-c has no depth limit and trusts counts: 30 kB of nested graphs
 * overflow its stack, 4 MB of empty nodes cost 300 MB. The walk uses the same
 * generated descriptors as the unpacker, so the two cannot disagree on which
 * fields are messages. Knows the wire format; must not know what an operator is.
 */
#include "converter/onnx/onnx_guard.h"

#include <string.h>

#include "converter/onnx/onnx_graph.h"
#include "onnx.pb-c.h"
#include "runtime/core/checked.h"

#define BLOCK_COST 32u /* of one allocation: our header and the C library's */
#define ONEOF_BIT 63u

enum { WIRE_VARINT = 0,
       WIRE_64 = 1,
       WIRE_LEN = 2,
       WIRE_GROUP = 3,
       WIRE_GROUP_END = 4,
       WIRE_32 = 5 };

typedef struct walker {
    const uint8_t *base;
    ox_guard *seen;
    size_t budget;
    mst_err *err;
} walker;

typedef struct field {
    size_t at; /* offset of its tag */
    uint32_t number;
    unsigned wire;
    const uint8_t *data; /* LEN: the content */
    size_t len;          /* LEN: of the content; else of the value */
} field;

size_t ox_guard_budget(size_t n)
{
    /* A graph of small nodes grows about 25 times, weights about once. */
    const size_t mib = 1024u * 1024u;
    size_t small = 64 * mib + (n > SIZE_MAX / 32 ? SIZE_MAX / 2 : 16 * n);
    size_t large = 256 * mib + (n > SIZE_MAX / 4 ? SIZE_MAX / 2 : 2 * n);
    return small < large ? small : large;
}

/* Bytes of the varint at p (at most max of them), its value in *v; 0: not complete or too long. */
static size_t read_varint(const uint8_t *p, const uint8_t *end, size_t max, uint64_t *v)
{
    uint64_t value = 0;
    for (size_t i = 0; i < max && p + i < end; i++) {
        value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if ((p[i] & 0x80) == 0) {
            *v = value;
            return i + 1;
        }
    }
    return 0;
}

static mst_status damaged(const walker *w, const field *f, const ProtobufCMessageDescriptor *d,
                          const char *what)
{
    return mst_fail(w->err, MST_ECORRUPT, "damaged at byte %zu, in %s: %s", f->at, d->short_name, what);
}

static mst_status fixed_len(const walker *w, field *f, const uint8_t **p, const uint8_t *end, size_t n,
                            const ProtobufCMessageDescriptor *d)
{
    if ((size_t)(end - *p) < n)
        return damaged(w, f, d, "a field is cut off by the end of its message");
    f->data = *p;
    f->len = n;
    *p += n;
    return MST_OK;
}

/* Read one tag and value; *p moves behind it. */
static mst_status read_field(const walker *w, const uint8_t **p, const uint8_t *end,
                             const ProtobufCMessageDescriptor *d, field *f)
{
    uint64_t v;
    f->at = (size_t)(*p - w->base);
    size_t used = read_varint(*p, end, 5, &v);
    if (used == 0 || v > UINT32_MAX || v >> 3 == 0)
        return damaged(w, f, d, "not a field tag");
    *p += used;
    f->number = (uint32_t)(v >> 3);
    f->wire = (unsigned)(v & 7);
    switch (f->wire) {
    case WIRE_VARINT:
        used = read_varint(*p, end, 10, &v);
        if (used == 0)
            return damaged(w, f, d, "a number that does not end");
        return fixed_len(w, f, p, end, used, d);
    case WIRE_32: return fixed_len(w, f, p, end, 4, d);
    case WIRE_64: return fixed_len(w, f, p, end, 8, d);
    case WIRE_LEN: break;
    default:
        return damaged(w, f, d,
                       f->wire == WIRE_GROUP || f->wire == WIRE_GROUP_END ? "groups are not used by ONNX"
                                                                          : "an unknown wire type");
    }
    used = read_varint(*p, end, 5, &v);
    if (used == 0)
        return damaged(w, f, d, "a length that does not end");
    *p += used;
    if (v > (uint64_t)(end - *p))
        return mst_fail(
            w->err, MST_ECORRUPT,
            "damaged at byte %zu, in %s: field %u says %llu bytes, but its message ends after %zu", f->at,
            d->short_name, f->number, (unsigned long long)v, (size_t)(end - *p));
    return fixed_len(w, f, p, end, (size_t)v, d);
}

static mst_status charge(const walker *w, const field *f, size_t n, size_t size)
{
    size_t bytes;
    if (!mst_mul_size(n, size, &bytes) || !mst_add_size(bytes, w->seen->bytes, &bytes) || bytes > w->budget)
        return mst_fail(w->err, MST_ELIMIT,
                        "unpacking would take more than %zu MiB (limit for this size of file; at "
                        "byte %zu)",
                        w->budget >> 20, f->at);
    w->seen->bytes = bytes;
    return MST_OK;
}

static unsigned wire_of(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return WIRE_32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_LEN;
    default: return WIRE_VARINT;
    }
}

/* Many numbers in one field: every one is complete, and there is memory for them. */
static mst_status check_packed(const walker *w, const field *f, const ProtobufCMessageDescriptor *d,
                               unsigned wire)
{
    if (wire == WIRE_VARINT) {
        size_t n = 0, run = 0;
        for (size_t i = 0; i < f->len; i++) {
            if (++run > 10)
                return damaged(w, f, d, "a number that does not end");
            if ((f->data[i] & 0x80) == 0) {
                n++;
                run = 0;
            }
        }
        if (run != 0)
            return damaged(w, f, d, "a number that does not end");
        return charge(w, f, n, 8);
    }
    if (f->len % (wire == WIRE_32 ? 4 : 8) != 0)
        return damaged(w, f, d, "a packed field whose length is no multiple of its elements'");
    return charge(w, f, f->len, 1);
}

static mst_status walk(const walker *w, const uint8_t *p, const uint8_t *end,
                       const ProtobufCMessageDescriptor *d, unsigned depth);

static mst_status check_message(const walker *w, const field *f, const ProtobufCMessageDescriptor *d,
                                unsigned depth)
{
    if (++w->seen->messages > OX_MAX_MESSAGES)
        return mst_fail(w->err, MST_ELIMIT, "more than %u messages (at byte %zu)", OX_MAX_MESSAGES, f->at);
    if (d == &onnx__node_proto__descriptor && ++w->seen->nodes > OX_MAX_NODES)
        return mst_fail(w->err, MST_ELIMIT, "more than %u nodes (at byte %zu)", OX_MAX_NODES, f->at);
    if (depth + 1 > OX_MAX_DEPTH)
        return mst_fail(w->err, MST_ELIMIT, "messages nested deeper than %u (at byte %zu)", OX_MAX_DEPTH,
                        f->at);
    MST_TRY(charge(w, f, 1, d->sizeof_message + BLOCK_COST + sizeof(void *)));
    return walk(w, f->data, f->data + f->len, d, depth + 1);
}

/* A singular message seen twice would be merged by the unpacker: valid
 * protobuf, but never written by an exporter, and the part of protobuf-c that
 * is used least. */
static mst_status check_once(const walker *w, const field *f, const ProtobufCMessageDescriptor *d,
                             const ProtobufCFieldDescriptor *known, uint64_t *seen)
{
    bool oneof = (known->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (known->label == PROTOBUF_C_LABEL_REPEATED || (known->type != PROTOBUF_C_TYPE_MESSAGE && !oneof))
        return MST_OK;
    uint64_t bit = 1ull << (oneof ? ONEOF_BIT : (unsigned)(known - d->fields) % ONEOF_BIT);
    if ((*seen & bit) != 0)
        return damaged(w, f, d, "a field that may be there only once is repeated");
    *seen |= bit;
    return MST_OK;
}

static mst_status check_known(const walker *w, const field *f, const ProtobufCMessageDescriptor *d,
                              const ProtobufCFieldDescriptor *known, unsigned depth)
{
    unsigned wire = wire_of(known->type);
    bool repeated = known->label == PROTOBUF_C_LABEL_REPEATED;
    if (f->wire != wire) {
        if (f->wire == WIRE_LEN && repeated)
            return check_packed(w, f, d, wire);
        return mst_fail(w->err, MST_ECORRUPT, "damaged at byte %zu: %s.%s has wire type %u, expected %u",
                        f->at, d->short_name, known->name, f->wire, wire);
    }
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(w, f, known->descriptor, depth);
    if (known->type == PROTOBUF_C_TYPE_STRING && memchr(f->data, 0, f->len) != NULL)
        return damaged(w, f, d, "a string with a zero byte");
    if (wire == WIRE_LEN)
        return charge(w, f, 1, f->len + BLOCK_COST + sizeof(ProtobufCBinaryData));
    return repeated ? charge(w, f, 1, 8) : MST_OK;
}

static mst_status walk(const walker *w, const uint8_t *p, const uint8_t *end,
                       const ProtobufCMessageDescriptor *d, unsigned depth)
{
    uint64_t seen = 0;
    while (p < end) {
        field f = {0};
        MST_TRY(read_field(w, &p, end, d, &f));
        const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(d, f.number);
        if (known == NULL) { /* of a newer schema: copied by the unpacker, not looked into */
            MST_TRY(charge(w, &f, 1, f.len + BLOCK_COST + sizeof(ProtobufCMessageUnknownField)));
            continue;
        }
        MST_TRY(check_once(w, &f, d, known, &seen));
        MST_TRY(check_known(w, &f, d, known, depth));
        if (depth == 0 && f.number < 64)
            w->seen->top_fields |= 1ull << f.number;
    }
    return MST_OK;
}

mst_status ox_guard_check(const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *d, ox_guard *seen,
                          mst_err *err)
{
    walker w = {.base = bytes, .seen = seen, .budget = ox_guard_budget(n), .err = err};
    memset(seen, 0, sizeof *seen);
    return n == 0 ? MST_OK : walk(&w, bytes, bytes + n, d, 0);
}

/* protobuf-c frees without a size, the hook wants one: it is kept in front. */
#define POOL_HEADER 16u

static void *pool_alloc(void *ctx, size_t n)
{
    ox_pool *p = ctx;
    size_t bytes;
    if (!mst_add_size(n, POOL_HEADER, &bytes) || bytes > p->limit - p->used) {
        p->capped = true;
        return NULL;
    }
    char *block = mst_alloc(p->alloc, bytes);
    if (block == NULL) {
        p->failed = true;
        return NULL;
    }
    memcpy(block, &bytes, sizeof bytes);
    p->used += bytes;
    return block + POOL_HEADER;
}

static void pool_free(void *ctx, void *q)
{
    ox_pool *p = ctx;
    if (q == NULL)
        return;
    char *block = (char *)q - POOL_HEADER;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    p->used -= bytes;
    mst_free(p->alloc, block, bytes);
}

void ox_pool_init(ox_pool *p, const mst_allocator *alloc, size_t limit)
{
    *p = (ox_pool){.pb = {pool_alloc, pool_free, p}, .alloc = alloc, .limit = limit};
}

mst_status ox_unpack(ox_pool *p, const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *d,
                     ox_guard *seen, ProtobufCMessage **out, mst_err *err)
{
    MST_TRY(ox_guard_check(bytes, n, d, seen, err));
    p->capped = p->failed = false;
    *out = protobuf_c_message_unpack(d, &p->pb, n, bytes);
    if (*out != NULL)
        return MST_OK;
    if (p->capped)
        return mst_fail(err, MST_ELIMIT,
                        "unpacking would take more than %zu MiB (limit for this size of file)",
                        p->limit >> 20);
    if (p->failed)
        return mst_fail(err, MST_ENOMEM, "out of memory unpacking %zu bytes", n);
    return mst_fail(err, MST_ECORRUPT, "%s cannot be unpacked", d->short_name);
}
