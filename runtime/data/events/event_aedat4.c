/* AEDAT 4.0 (DV): a line of text, a FlatBuffer that tells how packets are packed and what streams there are, then
 * packets: 8 bytes of stream and size, and a FlatBuffer, plain or as one frame of LZ4 or zstd. Those of type EVTS hold
 * events of 16 bytes: time in us (64 bits), x, y (16 bits each), polarity. The events are those of the first stream
 * that has any; other packets are passed over. Format: iniVation's "AEDAT 4.0" page and the schemas of DV.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_decoder.h"
#include "runtime/data/events/event_flat.h"
#include "runtime/data/events/event_unpack.h"

#define FIRST_LINE "#!AER-DAT4."
#define PACKET_HEADER 8u
#define EVENT 16u
#define MAX_TIME ((int64_t)1 << 61)

enum {
    COMPRESSION, /* fields of the table IOHeader */
    TABLE_AT,
    STREAMS
};

typedef struct aedat4_state {
    mst_event_packing packing;
    uint64_t end;     /* of the packets */
    int64_t stream;   /* that the events are of; -1: not known yet */
    uint64_t packets; /* met */
    uint64_t offset;  /* of the one under way */
    uint8_t *packed;  /* [room] */
    size_t room;
    mst_event_unpacked plain;
    const uint8_t *events; /* in plain: what is left of its events */
    size_t left;
} aedat4_state;

static bool aedat4_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n >= strlen(FIRST_LINE) && memcmp(head, FIRST_LINE, strlen(FIRST_LINE)) == 0;
}

/* n bytes of the file, however many the buffer holds. */
static mst_status take_bytes(mst_event_stream *s, uint8_t *out, size_t n, mst_err *err)
{
    while (n > 0) {
        size_t have, part = n < MST_EVENT_BUFFER ? n : MST_EVENT_BUFFER;
        MST_TRY(mst_event_fill(s, part, &have, err));
        if (have < part)
            return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": expected %zu bytes, found %zu", s->path,
                            mst_event_offset(s), n, have);
        memcpy(out, mst_event_bytes(s), part);
        s->at += part;
        out += part;
        n -= part;
    }
    return MST_OK;
}

/* <attr key="sizeX" type="int">346</attr> of the stream of events in the list of streams. */
static mst_status find_size(const mst_event_stream *s, const char *streams, const char *key, uint16_t *out,
                            mst_err *err)
{
    const char *events = strstr(streams, ">EVTS<"), *at = events != NULL ? strstr(events, key) : NULL;
    const char *text = at != NULL ? strchr(at, '>') : NULL;
    return text == NULL ? MST_OK : mst_event_header_size(s, strlen(FIRST_LINE) + 3, key, text + 1, out, err);
}

static mst_status read_streams(mst_event_stream *s, const mst_flat *f, mst_err *err)
{
    size_t n;
    bool damaged;
    const uint8_t *text = mst_flat_vector(f, STREAMS, 1, &n, &damaged);
    if (damaged)
        return mst_fail(err, MST_ECORRUPT, "%s: header: the list of streams is not in it", s->path);
    char *streams = mst_alloc(NULL, n + 1);
    if (streams == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    if (n != 0)
        memcpy(streams, text, n);
    mst_status st = find_size(s, streams, "\"sizeX\"", &s->width, err);
    if (st == MST_OK)
        st = find_size(s, streams, "\"sizeY\"", &s->height, err);
    mst_free(NULL, streams, n + 1);
    return st;
}

static mst_status read_header(mst_event_stream *s, mst_err *err)
{
    aedat4_state *a = s->state;
    uint64_t offset = mst_event_offset(s);
    uint8_t size[4];
    mst_flat f;
    MST_TRY(take_bytes(s, size, sizeof size, err));
    if (mst_get_u32(size) > MST_EVENT_MAX_HEADER)
        return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": header: %u bytes: limit is %u", s->path, offset,
                        mst_get_u32(size), MST_EVENT_MAX_HEADER);
    a->plain.n = 0;
    MST_TRY(mst_event_unpacked_room(&a->plain, 4 + (size_t)mst_get_u32(size), s->path, err));
    memcpy(a->plain.p, size, sizeof size);
    MST_TRY(take_bytes(s, a->plain.p + 4, mst_get_u32(size), err));
    if (!mst_flat_open(&f, a->plain.p, 4 + (size_t)mst_get_u32(size), "IOHE"))
        return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": expected a header IOHE, found damage", s->path,
                        offset);
    const uint8_t *compression = mst_flat_field(&f, COMPRESSION, 4), *table = mst_flat_field(&f, TABLE_AT, 8);
    uint32_t how = compression != NULL ? mst_get_u32(compression) : 0;
    if (how > 4)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: offset %" PRIu64 ": compression: expected 0 to 4, found %u",
                        s->path, offset, how);
    a->packing = how == 0 ? MST_PACKED_NOT : how <= 2 ? MST_PACKED_LZ4
                                                      : MST_PACKED_ZSTD; /* each in two strengths */
    int64_t at = table != NULL ? (int64_t)mst_get_u64(table) : -1;
    if (at != -1 && (at < (int64_t)mst_event_offset(s) || (uint64_t)at > s->size))
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": table of packets: expected at %" PRIu64 "..%" PRIu64
                        ", found at %" PRId64,
                        s->path, offset, mst_event_offset(s), s->size, at);
    a->end = at != -1 ? (uint64_t)at : s->size;
    return read_streams(s, &f, err);
}

static mst_status aedat4_open(mst_event_stream *s, mst_err *err)
{
    char line[MST_EVENT_LINE];
    MST_TRY(mst_event_first_line(s, FIRST_LINE, "'#!AER-DAT4.0'", line, err));
    if (strcmp(line + strlen(FIRST_LINE), "0") != 0)
        return mst_fail(err, MST_EVERSION, "%s: offset 0: AEDAT version: expected 4.0, found '4.%.16s'", s->path,
                        line + strlen(FIRST_LINE));
    aedat4_state *a = s->state = mst_alloc(NULL, sizeof *a);
    if (a == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    a->stream = -1;
    return read_header(s, err);
}

/* The n bytes of a packet, unpacked; its events, if it has such. */
static mst_status read_packet(mst_event_stream *s, uint32_t stream, size_t n, mst_err *err)
{
    aedat4_state *a = s->state;
    char what[320];
    mst_flat f;
    bool damaged;
    snprintf(what, sizeof what, "%.200s: offset %" PRIu64 ": packet %" PRIu64, s->path, a->offset, a->packets);
    if (n > MST_EVENT_MAX_UNPACKED)
        return mst_fail(err, MST_ELIMIT, "%s: %zu bytes: limit is %zu", what, n, MST_EVENT_MAX_UNPACKED);
    if (n > a->room) {
        mst_free(NULL, a->packed, a->room);
        a->packed = NULL;
        a->room = 0;
        if ((a->packed = mst_alloc(NULL, n)) == NULL)
            return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu bytes", what, n);
        a->room = n;
    }
    MST_TRY(take_bytes(s, a->packed, n, err));
    MST_TRY(mst_event_unpack(a->packing, a->packed, n, what, &a->plain, err));
    if (a->stream < 0 && !mst_flat_is(a->plain.p, a->plain.n, "EVTS"))
        return MST_OK;
    if (!mst_flat_open(&f, a->plain.p, a->plain.n, "EVTS"))
        return mst_fail(err, MST_ECORRUPT, "%s: expected a table EVTS, found damage", what);
    a->stream = stream;
    a->events = mst_flat_vector(&f, 0, EVENT, &a->left, &damaged);
    return damaged ? mst_fail(err, MST_ECORRUPT, "%s: its events are not in it", what) : MST_OK;
}

/* The next packet; *end behind the last. */
static mst_status next_packet(mst_event_stream *s, bool *end, mst_err *err)
{
    aedat4_state *a = s->state;
    uint8_t head[PACKET_HEADER];
    a->offset = mst_event_offset(s);
    if ((*end = a->offset >= a->end))
        return MST_OK;
    MST_TRY(take_bytes(s, head, sizeof head, err));
    uint32_t stream = mst_get_u32(head), n = mst_get_u32(head + 4);
    if (n > a->end - a->offset || a->end - a->offset - n < PACKET_HEADER)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": packet %" PRIu64 ": expected %u bytes, found %" PRIu64, s->path,
                        a->offset, a->packets, n, s->size - mst_event_offset(s));
    bool wanted = a->stream < 0 || a->stream == stream;
    MST_TRY(wanted ? read_packet(s, stream, n, err) : mst_event_skip(s, n, err));
    a->packets++;
    return MST_OK;
}

static mst_status take(mst_event_stream *s, const uint8_t *e, mst_event *out, size_t *n, mst_err *err)
{
    const aedat4_state *a = s->state;
    int64_t t = (int64_t)mst_get_u64(e);
    if (t < 0 || t > MAX_TIME)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": event %" PRIu64 ": time: expected 0..%" PRId64 ", found %" PRId64,
                        s->path, a->offset, s->index, MAX_TIME, t);
    return mst_event_emit(s, t, mst_get_u16(e + 8), mst_get_u16(e + 10), e[12] != 0, a->offset, out, n, err);
}

static mst_status aedat4_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    aedat4_state *a = s->state;
    while (*n < cap) {
        bool end = false;
        if (a->left == 0)
            MST_TRY(next_packet(s, &end, err));
        if (end)
            return MST_OK;
        for (; a->left != 0 && *n < cap; a->left--, a->events += EVENT)
            MST_TRY(take(s, a->events, out, n, err));
    }
    return MST_OK;
}

static void aedat4_close(mst_event_stream *s)
{
    aedat4_state *a = s->state;
    if (a == NULL)
        return;
    mst_free(NULL, a->packed, a->room);
    mst_event_unpacked_free(&a->plain);
    mst_free(NULL, a, sizeof *a);
    s->state = NULL;
}

const mst_event_decoder mst_event_aedat4 = {"AEDAT 4.0", aedat4_sniff, aedat4_open, aedat4_next,
                                            aedat4_close, NULL, NULL};
