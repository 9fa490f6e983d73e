/* Prophesee EVT 2.0 .raw: little-endian words of 32 bits whose top 4 tell the type: 0 and 1 an event (6 low bits of
 * time, x and y of 11 bits), 8 the 28 high bits of time; the others carry no events. Format: Prophesee's "EVT 2.0
 * Format" page; events before the first time word have no time and are passed over, as OpenEB's decoder does.
 */
#include "runtime/data/events/event_evt.h"

#define WORD 4u
#define HIGH_BITS 28u
#define LOW_BITS 6u

enum { CD_OFF = 0x0,
       CD_ON = 0x1,
       TIME_HIGH = 0x8 };

static bool evt2_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n > 0 && head[0] == '%' && !mst_event_evt_sniff(head, n, "2.1", "EVT21") &&
           !mst_event_evt_sniff(head, n, "3.0", "EVT3");
}

static mst_status evt2_open(mst_event_stream *s, mst_err *err) { return mst_event_evt_open(s, "2.0", "EVT2", err); }

static mst_status evt2_take(mst_event_stream *s, const uint8_t *word, mst_err *err)
{
    mst_event_evt *e = s->state;
    uint32_t w = mst_get_u32(word), type = w >> 28;
    if (type == TIME_HIGH) {
        e->timed = true;
        return mst_event_evt_high(s, w & 0x0fffffff, HIGH_BITS, LOW_BITS, &e->high, err);
    }
    e->mask = (type == CD_OFF || type == CD_ON) && e->timed;
    e->time = e->high + (w >> 22 & 63);
    e->x = w >> 11 & 2047;
    e->y = w & 2047;
    e->p = type;
    return MST_OK;
}

static mst_status evt2_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_evt_words(s, WORD, evt2_take, out, cap, n, err);
}

const mst_event_decoder mst_event_evt2 = {"EVT 2.0", evt2_sniff, evt2_open, evt2_next,
                                          mst_event_evt_close, NULL, NULL};
