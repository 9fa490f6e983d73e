/* Header lines of Prophesee's .raw, words of several events, and time in two parts. Format: docs.prophesee.ai, "RAW
 * File Format".
 */
#include "runtime/data/events/event_evt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"

static bool has(const uint8_t *head, size_t n, const char *begin, const char *text)
{
    char line[64];
    int k = snprintf(line, sizeof line, "%s%s", begin, text);
    return memmem(head, n, line, (size_t)k) != NULL;
}

bool mst_event_evt_sniff(const uint8_t *head, size_t n, const char *version, const char *format)
{
    if (n == 0 || head[0] != '%')
        return false;
    const uint8_t *end = memmem(head, n, "\n% end", 6);
    size_t lines = end != NULL ? (size_t)(end - head) : n;
    return has(head, lines, "% evt ", version) || has(head, lines, "% format ", format);
}

/* "EVT2;height=720;width=1280" */
static mst_status read_format(mst_event_stream *s, const char *value, const char *format, uint64_t offset,
                              mst_err *err)
{
    mst_event_evt *e = s->state;
    size_t n = strlen(format);
    if (strncmp(value, format, n) != 0 || (value[n] != '\0' && value[n] != ';'))
        return mst_fail(err, MST_EUNSUPPORTED, "%s: offset %" PRIu64 ": format: expected %s, found '%.32s'", s->path,
                        offset, format, value);
    for (const char *p = strchr(value, ';'); p != NULL; p = strchr(p + 1, ';')) {
        if (strncmp(p, ";height=", 8) == 0)
            MST_TRY(mst_event_header_size(s, offset, "height", p + 8, &s->height, err));
        if (strncmp(p, ";width=", 7) == 0)
            MST_TRY(mst_event_header_size(s, offset, "width", p + 7, &s->width, err));
        e->legacy = e->legacy || strncmp(p, ";endianness=legacy", 18) == 0;
    }
    return MST_OK;
}

static mst_status read_line(mst_event_stream *s, const char *line, const char *version, const char *format,
                            uint64_t offset, bool *end, mst_err *err)
{
    const char *value;
    mst_event_evt *e = s->state;
    if (mst_event_header_key(line, "end", &value) && *value == '\0')
        *end = true;
    if (mst_event_header_key(line, "format", &value))
        return read_format(s, value, format, offset, err);
    if (mst_event_header_key(line, "evt", &value) && strcmp(value, version) != 0)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: offset %" PRIu64 ": evt: expected %s, found '%.32s'", s->path,
                        offset, version, value);
    if (mst_event_header_key(line, "endianness", &value)) {
        e->legacy = e->legacy || strcmp(value, "legacy") == 0;
        if (strcmp(value, "little") != 0 && strcmp(value, "legacy") != 0)
            return mst_fail(err, MST_EUNSUPPORTED,
                            "%s: offset %" PRIu64 ": endianness: expected little, found '%.32s'", s->path, offset,
                            value);
    }
    if (mst_event_header_key(line, "geometry", &value)) {
        const char *x = strchr(value, 'x');
        MST_TRY(mst_event_header_size(s, offset, "geometry", value, &s->width, err));
        return mst_event_header_size(s, offset, "geometry", x != NULL ? x + 1 : "", &s->height, err);
    }
    return MST_OK;
}

mst_status mst_event_evt_open(mst_event_stream *s, const char *version, const char *format, mst_err *err)
{
    char line[MST_EVENT_LINE];
    size_t lines = 0;
    if ((s->state = mst_alloc(NULL, sizeof(mst_event_evt))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    for (bool more = true, end = false; !end; lines++) {
        uint64_t offset = mst_event_offset(s);
        MST_TRY(mst_event_header_line(s, '%', line, &more, err));
        if (!more)
            break;
        MST_TRY(read_line(s, line, version, format, offset, &end, err));
    }
    return lines != 0 ? MST_OK : mst_event_wrong_start(s, "a header line '% ...'", err);
}

void mst_event_evt_close(mst_event_stream *s)
{
    if (s->state != NULL)
        mst_free(NULL, s->state, sizeof(mst_event_evt));
    s->state = NULL;
}

/* What is left of the last word, as far as there is room. */
static mst_status put_out(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    mst_event_evt *e = s->state;
    while (e->mask != 0 && *n < cap) {
        uint32_t k = (uint32_t)__builtin_ctz(e->mask);
        e->mask &= e->mask - 1;
        MST_TRY(mst_event_emit(s, e->time, e->x + k, e->y, e->p, e->offset, out, n, err));
    }
    return MST_OK;
}

mst_status mst_event_evt_words(mst_event_stream *s, size_t size, mst_event_evt_word take, mst_event *out, size_t cap,
                               size_t *n, mst_err *err)
{
    mst_event_evt *e = s->state;
    for (;;) {
        size_t have;
        MST_TRY(put_out(s, out, cap, n, err));
        if (*n == cap)
            return MST_OK;
        MST_TRY(mst_event_fill(s, size, &have, err));
        if (have == 0)
            return MST_OK;
        if (have < size)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64 ": event %" PRIu64 ": expected %zu bytes, found %zu", s->path,
                            mst_event_offset(s), s->index, size, have);
        for (; e->mask == 0 && have >= size; have -= size) {
            e->offset = mst_event_offset(s);
            MST_TRY(take(s, mst_event_bytes(s), err));
            s->at += size;
        }
    }
}

mst_status mst_event_evt_high(mst_event_stream *s, uint32_t raw, unsigned bits, unsigned low, int64_t *high,
                              mst_err *err)
{
    MST_TRY(mst_event_unwrap(s, raw, bits, high, err));
    if (*high >= (int64_t)1 << (61 - low))
        return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": time beyond 2^61 us", s->path, mst_event_offset(s));
    *high <<= low;
    return MST_OK;
}
