/* Prophesee EVT 2.0 .raw: '%' header lines, then little-endian words of 32 bits
 * whose top 4 tell the type: 0 and 1 an event (6 low bits of time, x and y of 11
 * bits), 8 the 28 high bits of time; the others carry no events. Format:
 * Prophesee's "EVT 2.0 Format" page; events before the first time word have no
 * time and are passed over, as OpenEB's decoder does.
 */
#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_decoder.h"

#define RECORD 4u
#define HIGH_BITS 28u

enum { CD_OFF = 0x0,
       CD_ON = 0x1,
       TIME_HIGH = 0x8 };

typedef struct evt2_state {
    bool timed;
    int64_t high; /* us */
} evt2_state;

static bool evt2_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n > 0 && head[0] == '%';
}

/* "EVT2;height=720;width=1280" */
static mst_status read_format(mst_event_stream *s, const char *value, uint64_t offset, mst_err *err)
{
    if (strncmp(value, "EVT2", 4) != 0 || (value[4] != '\0' && value[4] != ';'))
        return mst_fail(err, MST_EUNSUPPORTED, "%s: offset %" PRIu64 ": format: expected EVT2, found '%.32s'",
                        s->path, offset, value);
    for (const char *p = strchr(value, ';'); p != NULL; p = strchr(p + 1, ';')) {
        if (strncmp(p, ";height=", 8) == 0)
            MST_TRY(mst_event_header_size(s, offset, "height", p + 8, &s->height, err));
        if (strncmp(p, ";width=", 7) == 0)
            MST_TRY(mst_event_header_size(s, offset, "width", p + 7, &s->width, err));
    }
    return MST_OK;
}

static mst_status read_line(mst_event_stream *s, const char *line, uint64_t offset, bool *end, mst_err *err)
{
    const char *value;
    if (mst_event_header_key(line, "end", &value) && *value == '\0')
        *end = true;
    if (mst_event_header_key(line, "format", &value))
        return read_format(s, value, offset, err);
    if (mst_event_header_key(line, "evt", &value) && strcmp(value, "2.0") != 0)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: offset %" PRIu64 ": evt: expected 2.0, found '%.32s'",
                        s->path, offset, value);
    if (mst_event_header_key(line, "endianness", &value) && strcmp(value, "little") != 0)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %" PRIu64 ": endianness: expected little, found '%.32s'", s->path, offset,
                        value);
    if (mst_event_header_key(line, "geometry", &value)) {
        const char *x = strchr(value, 'x');
        MST_TRY(mst_event_header_size(s, offset, "geometry", value, &s->width, err));
        return mst_event_header_size(s, offset, "geometry", x != NULL ? x + 1 : "", &s->height, err);
    }
    return MST_OK;
}

static mst_status evt2_open(mst_event_stream *s, mst_err *err)
{
    char line[MST_EVENT_LINE];
    size_t lines = 0;
    for (bool more = true, end = false; !end; lines++) {
        uint64_t offset = mst_event_offset(s);
        MST_TRY(mst_event_header_line(s, '%', line, &more, err));
        if (!more)
            break;
        MST_TRY(read_line(s, line, offset, &end, err));
    }
    if (lines == 0)
        return mst_event_wrong_start(s, "a header line '% ...'", err);
    if ((s->state = mst_alloc(NULL, sizeof(evt2_state))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    return MST_OK;
}

static mst_status evt2_take(mst_event_stream *s, const uint8_t *r, uint64_t offset, mst_event *out, size_t *n,
                            mst_err *err)
{
    evt2_state *e = s->state;
    uint32_t w = mst_get_u32(r), type = w >> 28;
    if (type == TIME_HIGH) {
        e->timed = true;
        int64_t high;
        MST_TRY(mst_event_unwrap(s, w & 0x0fffffff, HIGH_BITS, &high, err));
        if (high >= (int64_t)1 << 55)
            return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": time beyond 2^61 us", s->path, offset);
        e->high = high << 6;
    } else if ((type == CD_OFF || type == CD_ON) && e->timed) {
        return mst_event_emit(s, e->high + (w >> 22 & 63), w >> 11 & 2047, w & 2047, type, offset, out, n,
                              err);
    }
    return MST_OK;
}

static mst_status evt2_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_records(s, RECORD, evt2_take, out, cap, n, err);
}

static void evt2_close(mst_event_stream *s)
{
    if (s->state != NULL)
        mst_free(NULL, s->state, sizeof(evt2_state));
    s->state = NULL;
}

const mst_event_decoder mst_event_evt2 = {"EVT 2.0", evt2_sniff, evt2_open, evt2_next, evt2_close, NULL, NULL};
