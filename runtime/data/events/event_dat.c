/* Prophesee .dat (N-Cars): '%' header lines, one byte of event type, one of
 * event size, then little-endian records of 32-bit time in us and a word of
 * x (bits 0..13), y (14..27), polarity (28). Format: Prophesee's "DAT File
 * Format" page.
 */
#include <inttypes.h>
#include <string.h>

#include "runtime/data/events/event_decoder.h"

#define RECORD 8u
#define TYPE_EVENT2D 0x00u
#define TYPE_CD 0x0cu

static bool dat_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n > 0 && head[0] == '%';
}

static mst_status read_line(mst_event_stream *s, const char *line, uint64_t offset, mst_err *err)
{
    const char *value;
    if (mst_event_header_key(line, "Width", &value))
        return mst_event_header_size(s, offset, "Width", value, &s->width, err);
    if (mst_event_header_key(line, "Height", &value))
        return mst_event_header_size(s, offset, "Height", value, &s->height, err);
    if (mst_event_header_key(line, "Version", &value) && strcmp(value, "2") != 0)
        return mst_fail(err, MST_EVERSION, "%s: offset %" PRIu64 ": dat version: expected 2, found '%.32s'",
                        s->path, offset, value);
    return MST_OK;
}

static mst_status dat_open(mst_event_stream *s, mst_err *err)
{
    char line[MST_EVENT_LINE];
    bool more = true;
    size_t lines = 0, have;
    for (;; lines++) {
        uint64_t offset = mst_event_offset(s);
        MST_TRY(mst_event_header_line(s, '%', line, &more, err));
        if (!more)
            break;
        MST_TRY(read_line(s, line, offset, err));
    }
    if (lines == 0)
        return mst_event_wrong_start(s, "a header line '% ...'", err);
    MST_TRY(mst_event_fill(s, 2, &have, err));
    if (have < 2)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": event type and size: expected 2 bytes, found %zu", s->path,
                        mst_event_offset(s), have);
    const uint8_t *p = mst_event_bytes(s);
    if ((p[0] != TYPE_EVENT2D && p[0] != TYPE_CD) || p[1] != RECORD)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %" PRIu64 ": expected event type 0 or 12 of 8 bytes, found type %u of %u",
                        s->path, mst_event_offset(s), p[0], p[1]);
    return mst_event_skip(s, 2, err);
}

static mst_status dat_take(mst_event_stream *s, const uint8_t *r, uint64_t offset, mst_event *out, size_t *n,
                           mst_err *err)
{
    uint32_t w = mst_get_u32(r + 4);
    int64_t t;
    MST_TRY(mst_event_unwrap(s, mst_get_u32(r), 32, &t, err));
    return mst_event_emit(s, t, w & 0x3fff, w >> 14 & 0x3fff, w >> 28 & 1, offset, out, n, err);
}

static mst_status dat_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_records(s, RECORD, dat_take, out, cap, n, err);
}

static void dat_close(mst_event_stream *s)
{
    (void)s;
}

const mst_event_decoder mst_event_dat = {"Prophesee dat", dat_sniff, dat_open, dat_next, dat_close, NULL, NULL};
