/* Prophesee EVT 3.0 .raw: little-endian words of 16 bits whose top 4 tell the type. A word says what changes: y, the 12
 * high or the 12 low bits of time, the x of an event or of a vector of events, and which of its next 12 or 8 pixels
 * have one. Format: Prophesee's "EVT 3.0 Format" page; as in the decoder of OpenEB a word of high time sets the low
 * bits to 0, and events before the first such word are passed over.
 */
#include "runtime/data/events/event_evt.h"

#define WORD 2u
#define TIME_BITS 12u

enum { ADDR_Y = 0x0,
       ADDR_X = 0x2,
       BASE_X = 0x3,
       VECTOR_12 = 0x4,
       VECTOR_8 = 0x5,
       TIME_LOW = 0x6,
       TIME_HIGH = 0x8 };

static bool evt3_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return mst_event_evt_sniff(head, n, "3.0", "EVT3");
}

static mst_status evt3_open(mst_event_stream *s, mst_err *err) { return mst_event_evt_open(s, "3.0", "EVT3", err); }

/* n pixels of the vector, those with an event in the bits of w. */
static void take_vector(mst_event_evt *e, uint32_t w, uint32_t n)
{
    e->x = e->base;
    e->p = e->base_p;
    e->mask = e->timed ? w & ((1u << n) - 1) : 0;
    e->base += n;
}

static mst_status evt3_take(mst_event_stream *s, const uint8_t *word, mst_err *err)
{
    mst_event_evt *e = s->state;
    uint32_t w = mst_get_u16(word);
    switch (w >> 12) {
    case ADDR_Y: e->y = w & 2047; break;
    case ADDR_X:
        e->x = w & 2047;
        e->p = w >> 11 & 1;
        e->mask = e->timed;
        break;
    case BASE_X:
        e->base = w & 2047;
        e->base_p = w >> 11 & 1;
        break;
    case VECTOR_12: take_vector(e, w, 12); break;
    case VECTOR_8: take_vector(e, w, 8); break;
    case TIME_LOW: e->time = e->high + (w & 4095); break;
    case TIME_HIGH:
        e->timed = true;
        MST_TRY(mst_event_evt_high(s, w & 4095, TIME_BITS, TIME_BITS, &e->high, err));
        e->time = e->high;
        break;
    default: break; /* triggers and what cameras say of themselves */
    }
    return MST_OK;
}

static mst_status evt3_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_evt_words(s, WORD, evt3_take, out, cap, n, err);
}

const mst_event_decoder mst_event_evt3 = {"EVT 3.0", evt3_sniff, evt3_open, evt3_next,
                                          mst_event_evt_close, NULL, NULL};
