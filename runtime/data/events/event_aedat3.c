/* AEDAT 3.1 (cAER; DVS128 Gesture): '#' header lines up to "#!END-HEADER", then
 * packets: a little-endian header of 28 bytes and capacity * size bytes of
 * events. Polarity packets (type 1) hold 8-byte events: a word of valid bit,
 * polarity (bit 1), y (2..16), x (17..31), and 31 bits of time in us that the
 * packet's overflow counter goes on. Other packets are passed over. Format:
 * libcaer's events/common.h and events/polarity.h.
 */
#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_decoder.h"

#define PACKET_HEADER 28u
#define RECORD 8u
#define TYPE_POLARITY 1u

typedef struct aedat3_state {
    uint32_t left;     /* events of the packet that are still to read */
    uint32_t overflow; /* the packet's */
    uint64_t tail;     /* bytes behind them */
    uint64_t packets;
} aedat3_state;

static bool aedat3_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n >= 11 && memcmp(head, "#!AER-DAT3.", 11) == 0;
}

static void find_sensor(mst_event_stream *s, const char *name)
{
    static const struct {
        const char *name;
        uint16_t width, height;
    } sensors[] = {
        {"DVS128", 128, 128},
        {"DAVIS128", 128, 128},
        {"DAVIS208", 208, 192},
        {"DAVIS240", 240, 180},
        {"DAVIS346", 346, 260},
        {"DAVIS640", 640, 480},
    };
    for (size_t i = 0; i < sizeof sensors / sizeof sensors[0]; i++)
        if (strncasecmp(name, sensors[i].name, strlen(sensors[i].name)) == 0) {
            s->width = sensors[i].width;
            s->height = sensors[i].height;
        }
}

static mst_status aedat3_open(mst_event_stream *s, mst_err *err)
{
    char line[MST_EVENT_LINE];
    const char *value;
    bool more;
    MST_TRY(mst_event_first_line(s, "#!AER-DAT3.", "'#!AER-DAT3.1'", line, err));
    if (strcmp(line + 11, "1") != 0)
        return mst_fail(err, MST_EVERSION, "%s: offset 0: AEDAT version: expected 3.1, found '3.%.16s'",
                        s->path, line + 11);
    while (strcmp(line, "#!END-HEADER") != 0) {
        uint64_t offset = mst_event_offset(s);
        MST_TRY(mst_event_header_line(s, '#', line, &more, err));
        if (!more)
            break;
        if (mst_event_header_key(line, "Format:", &value) && strcmp(value, "RAW") != 0)
            return mst_fail(err, MST_EUNSUPPORTED,
                            "%s: offset %" PRIu64 ": Format: expected RAW, found '%.32s'", s->path, offset,
                            value);
        if (mst_event_header_key(line, "Source", &value) && (value = strchr(value, ':')) != NULL)
            find_sensor(s, value + 1 + strspn(value + 1, " \t"));
    }
    if ((s->state = mst_alloc(NULL, sizeof(aedat3_state))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    return MST_OK;
}

/* The next packet's header; *end behind the last. */
static mst_status next_packet(mst_event_stream *s, bool *end, mst_err *err)
{
    aedat3_state *a = s->state;
    size_t have;
    MST_TRY(mst_event_fill(s, PACKET_HEADER, &have, err));
    uint64_t offset = mst_event_offset(s);
    if ((*end = have == 0))
        return MST_OK;
    if (have < PACKET_HEADER)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": packet %" PRIu64 ": expected %u bytes of header, found %zu",
                        s->path, offset, a->packets, PACKET_HEADER, have);
    const uint8_t *p = mst_event_bytes(s);
    uint32_t type = mst_get_u16(p), size = mst_get_u32(p + 4);
    uint32_t time_at = mst_get_u32(p + 8), capacity = mst_get_u32(p + 16),
             number = mst_get_u32(p + 20);
    a->overflow = mst_get_u32(p + 12);
    uint64_t bytes = (uint64_t)size * capacity,
             left = s->size > offset + PACKET_HEADER ? s->size - offset - PACKET_HEADER : 0;
    if (bytes > left)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": packet %" PRIu64
                        ": expected %u events of %u bytes, found %" PRIu64 " bytes",
                        s->path, offset, a->packets, capacity, size, left);
    a->packets++;
    MST_TRY(mst_event_skip(s, PACKET_HEADER, err));
    if (type != TYPE_POLARITY)
        return mst_event_skip(s, bytes, err);
    if (size != RECORD || time_at != 4 || number > capacity || a->overflow > INT32_MAX)
        return mst_fail(
            err, MST_ECORRUPT,
            "%s: offset %" PRIu64 ": packet %" PRIu64
            ": expected polarity events of 8 bytes with their time at 4, found %u of %u events of "
            "%u bytes, time at %u, overflow %u",
            s->path, offset, a->packets - 1, number, capacity, size, time_at, a->overflow);
    a->left = number;
    a->tail = (uint64_t)(capacity - number) * RECORD;
    return MST_OK;
}

static mst_status take(mst_event_stream *s, const uint8_t *r, mst_event *out, size_t *n, mst_err *err)
{
    const aedat3_state *a = s->state;
    uint32_t w = mst_get_u32(r), t = mst_get_u32(r + 4);
    uint64_t offset = mst_event_offset(s);
    if ((w & 1) == 0) /* marked invalid by whoever wrote the file */
        return MST_OK;
    if (t > INT32_MAX)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": event %" PRIu64 ": time: expected 31 bits, found %u",
                        s->path, offset + 4, s->index, t);
    return mst_event_emit(s, (int64_t)a->overflow << 31 | t, w >> 17, w >> 2 & 0x7fff, w >> 1 & 1, offset,
                          out, n, err);
}

static mst_status aedat3_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    aedat3_state *a = s->state;
    while (*n < cap) {
        size_t have;
        if (a->left == 0) {
            bool end;
            MST_TRY(mst_event_skip(s, a->tail, err));
            a->tail = 0;
            MST_TRY(next_packet(s, &end, err));
            if (end)
                return MST_OK;
            continue;
        }
        MST_TRY(mst_event_fill(s, RECORD, &have, err));
        if (have < RECORD) /* the file shrank since it was opened */
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64 ": event %" PRIu64 ": expected %u bytes, found %zu",
                            s->path, mst_event_offset(s), s->index, RECORD, have);
        for (; a->left != 0 && *n < cap && have >= RECORD; have -= RECORD, a->left--) {
            MST_TRY(take(s, mst_event_bytes(s), out, n, err));
            s->at += RECORD;
        }
    }
    return MST_OK;
}

static void aedat3_close(mst_event_stream *s)
{
    if (s->state != NULL)
        mst_free(NULL, s->state, sizeof(aedat3_state));
    s->state = NULL;
}

const mst_event_decoder mst_event_aedat3 = {"AEDAT 3.1", aedat3_sniff, aedat3_open, aedat3_next,
                                            aedat3_close, NULL, NULL};
