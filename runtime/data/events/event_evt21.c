/* Prophesee EVT 2.1 .raw: words of 64 bits whose top 4 tell the type: 0 and 1 up to 32 events of a row (6 low bits of
 * time, x and y of 11 bits, a bit for each of x..x+31), 8 the 28 high bits of time; the others carry no events. They
 * are little-endian, or ("endianness=legacy") two little-endian halves, the upper one first. Format: Prophesee's
 * "EVT 2.1 Format" page, and OpenEB, by which events before the first time word are passed over.
 */
#include "runtime/data/events/event_evt.h"

#define WORD 8u
#define HIGH_BITS 28u
#define LOW_BITS 6u

enum { NEGATIVE = 0x0,
       POSITIVE = 0x1,
       TIME_HIGH = 0x8 };

static bool evt21_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return mst_event_evt_sniff(head, n, "2.1", "EVT21");
}

static mst_status evt21_open(mst_event_stream *s, mst_err *err) { return mst_event_evt_open(s, "2.1", "EVT21", err); }

static mst_status evt21_take(mst_event_stream *s, const uint8_t *word, mst_err *err)
{
    mst_event_evt *e = s->state;
    uint32_t upper = mst_get_u32(word + (e->legacy ? 0 : 4)), type = upper >> 28;
    if (type == TIME_HIGH) {
        e->timed = true;
        return mst_event_evt_high(s, upper & 0x0fffffff, HIGH_BITS, LOW_BITS, &e->high, err);
    }
    if ((type != NEGATIVE && type != POSITIVE) || !e->timed)
        return MST_OK;
    e->time = e->high + (upper >> 22 & 63);
    e->x = upper >> 11 & 2047;
    e->y = upper & 2047;
    e->p = type;
    e->mask = mst_get_u32(word + (e->legacy ? 4 : 0));
    return MST_OK;
}

static mst_status evt21_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_evt_words(s, WORD, evt21_take, out, cap, n, err);
}

const mst_event_decoder mst_event_evt21 = {"EVT 2.1", evt21_sniff, evt21_open, evt21_next,
                                           mst_event_evt_close, NULL, NULL};
