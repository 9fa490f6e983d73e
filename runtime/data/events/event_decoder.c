/* What decoders share: the buffered file, header lines, fixed-size records,
 * unwrapped counters. Knows no format.
 */
#include "runtime/data/events/event_decoder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK 32u /* bytes that tell a header line from data: some records of each format */

mst_status mst_event_fill(mst_event_stream *s, size_t need, size_t *have, mst_err *err)
{
    if (s->end - s->at < need) {
        memmove(s->buffer, s->buffer + s->at, s->end - s->at);
        s->offset += s->at;
        s->end -= s->at;
        s->at = 0;
    }
    while (s->end - s->at < need) {
        ssize_t got = read(s->fd, s->buffer + s->end, MST_EVENT_BUFFER - s->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": %s", s->path, s->offset + s->end,
                            strerror(errno));
        if (got == 0)
            break;
        s->end += (size_t)got;
    }
    *have = s->end - s->at;
    return MST_OK;
}

mst_status mst_event_skip(mst_event_stream *s, uint64_t n, mst_err *err)
{
    size_t have = s->end - s->at;
    if (n <= have) {
        s->at += (size_t)n;
        return MST_OK;
    }
    uint64_t to = mst_event_offset(s) + n;
    if (lseek(s->fd, (off_t)to, SEEK_SET) < 0)
        return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": %s", s->path, to, strerror(errno));
    s->offset = to;
    s->at = s->end = 0;
    return MST_OK;
}

/* The first byte of data may be the mark too; but a header line has no control characters. */
static mst_status at_header(mst_event_stream *s, char mark, bool *header, mst_err *err)
{
    size_t have;
    MST_TRY(mst_event_fill(s, LOOK, &have, err));
    const uint8_t *p = mst_event_bytes(s);
    *header = have > 0 && (char)p[0] == mark;
    for (size_t i = 0; i < LOOK && i < have && p[i] != '\n'; i++)
        if (p[i] < ' ' && p[i] != '\t' && p[i] != '\r')
            *header = false;
    return MST_OK;
}

mst_status mst_event_header_line(mst_event_stream *s, char mark, char line[MST_EVENT_LINE], bool *got,
                                 mst_err *err)
{
    size_t have, kept = 0;
    uint64_t start = mst_event_offset(s);
    MST_TRY(at_header(s, mark, got, err));
    if (!*got)
        return MST_OK;
    *got = false;
    for (bool ended = false; !ended;) {
        MST_TRY(mst_event_fill(s, 1, &have, err));
        if (have == 0)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64
                            ": header line: expected its end, found the end of the file",
                            s->path, start);
        const uint8_t *p = mst_event_bytes(s), *lf = memchr(p, '\n', have);
        size_t n = lf != NULL ? (size_t)(lf - p) : have;
        size_t keep = n < MST_EVENT_LINE - 1 - kept ? n : MST_EVENT_LINE - 1 - kept;
        memcpy(line + kept, p, keep);
        kept += keep;
        ended = lf != NULL;
        s->at += ended ? n + 1 : n;
        if (mst_event_offset(s) > MST_EVENT_MAX_HEADER)
            return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": header: limit is %u bytes", s->path,
                            start, MST_EVENT_MAX_HEADER);
    }
    while (kept > 0 && line[kept - 1] == '\r')
        kept--;
    line[kept] = '\0';
    *got = true;
    return MST_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool mst_event_header_key(const char *line, const char *key, const char **value)
{
    size_t n = strlen(key);
    const char *p = line + (*line != '\0'); /* behind the mark */
    while (is_space(*p))
        p++;
    if (strncmp(p, key, n) != 0 || (p[n] != '\0' && !is_space(p[n]) && key[n - 1] != ':'))
        return false;
    for (p += n; is_space(*p); p++)
        ;
    *value = p;
    return true;
}

mst_status mst_event_header_size(const mst_event_stream *s, uint64_t offset, const char *what,
                                 const char *text, uint16_t *out, mst_err *err)
{
    uint32_t v = 0;
    for (const char *p = text; *p >= '0' && *p <= '9' && v <= MST_EVENT_MAX_SIDE; p++)
        v = v * 10 + (uint32_t)(*p - '0');
    if (v == 0 || v > MST_EVENT_MAX_SIDE)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": header: %s: expected 1..%d, found '%.32s'", s->path,
                        offset, what, MST_EVENT_MAX_SIDE, text);
    *out = (uint16_t)v;
    return MST_OK;
}

mst_status mst_event_records(mst_event_stream *s, size_t size, mst_event_take take, mst_event *out,
                             size_t cap, size_t *n, mst_err *err)
{
    while (*n < cap) {
        size_t have;
        MST_TRY(mst_event_fill(s, size, &have, err));
        if (have == 0)
            return MST_OK;
        if (have < size)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64 ": event %" PRIu64 ": expected %zu bytes, found %zu",
                            s->path, mst_event_offset(s), s->index, size, have);
        for (; *n < cap && have >= size; have -= size) {
            MST_TRY(take(s, mst_event_bytes(s), mst_event_offset(s), out, n, err));
            s->at += size;
        }
    }
    return MST_OK;
}

mst_status mst_event_unwrap(mst_event_stream *s, uint64_t raw, unsigned bits, int64_t *t, mst_err *err)
{
    mst_event_clock *c = &s->clock;
    int64_t range = (int64_t)1 << bits;
    uint64_t half = (uint64_t)range / 2;
    if (raw < c->last && c->last - raw > half) {
        if (c->base >= (int64_t)1 << 61)
            return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": event %" PRIu64 ": time beyond 2^61 us",
                            s->path, mst_event_offset(s), s->index);
        c->base += range;
    } else if (raw > c->last && raw - c->last > half && c->base >= range) {
        c->base -= range; /* an event of before the wrap, written late */
    }
    c->last = raw;
    *t = c->base + (int64_t)raw;
    return MST_OK;
}

mst_status mst_event_wrong_start(const mst_event_stream *s, const char *expected, mst_err *err)
{
    char found[4 * 3 + 1] = "";
    for (size_t i = 0; i < 4 && s->at + i < s->end; i++)
        snprintf(found + 3 * i, sizeof found - 3 * i, " %02x", s->buffer[s->at + i]);
    return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected %s, found the bytes%s", s->path, expected, found);
}

mst_status mst_event_outside(const mst_event_stream *s, uint32_t x, uint32_t y, uint64_t offset, mst_err *err)
{
    bool in_x = x >= s->width;
    return mst_fail(err, MST_ECORRUPT,
                    "%s: offset %" PRIu64 ": event %" PRIu64 ": %c: expected 0..%u (sensor %ux%u%s), found %u", s->path,
                    offset, s->index, in_x ? 'x' : 'y', (in_x ? s->width : s->height) - 1u, s->width, s->height,
                    s->profile->assumed ? ", the model's size: the path does not say it by ,HxW" : "", in_x ? x : y);
}

mst_status mst_event_first_line(mst_event_stream *s, const char *begin, const char *expected,
                                char line[MST_EVENT_LINE], mst_err *err)
{
    bool got;
    MST_TRY(mst_event_header_line(s, begin[0], line, &got, err));
    if (!got)
        return mst_event_wrong_start(s, expected, err);
    return strncmp(line, begin, strlen(begin)) == 0
               ? MST_OK
               : mst_fail(err, MST_EFORMAT, "%s: offset 0: expected %s, found '%.32s'", s->path, expected, line);
}
