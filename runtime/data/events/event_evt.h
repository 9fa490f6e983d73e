/* What Prophesee's EVT formats share: header lines, and words of which one may hold several events of a row. Private to
 * runtime/data/events.
 */
#ifndef MST_EVENT_EVT_H
#define MST_EVENT_EVT_H

#include "runtime/data/events/event_decoder.h"

/* State of a decoder: the events that the word read last still holds. */
typedef struct mst_event_evt {
    bool legacy;        /* the header says "endianness=legacy" */
    bool timed;         /* there was a word of time: events before it have none and are passed over */
    int64_t high, time; /* us: of the last word of time, and of what comes */
    uint32_t x, y, p;
    uint32_t base, base_p; /* of vectors of EVT 3.0: where the next begins */
    uint32_t mask;         /* bit k: an event at x + k */
    uint64_t offset;       /* of the word */
} mst_event_evt;

/* Do n bytes of header lines say this version, "3.0" or "EVT3"? */
bool mst_event_evt_sniff(const uint8_t *head, size_t n, const char *version, const char *format);

/* Read the header lines of a file of that version; a state into s->state. EFORMAT, EUNSUPPORTED, ECORRUPT, ENOMEM. */
mst_status mst_event_evt_open(mst_event_stream *s, const char *version, const char *format, mst_err *err);
void mst_event_evt_close(mst_event_stream *s);

/* Words of `size` bytes until cap events were put out: take does what one says to the state. */
typedef mst_status (*mst_event_evt_word)(mst_event_stream *s, const uint8_t *word, mst_err *err);
mst_status mst_event_evt_words(mst_event_stream *s, size_t size, mst_event_evt_word take, mst_event *out, size_t cap,
                               size_t *n, mst_err *err);

/* A word of time: a counter of so many bits, above `low` bits more. ELIMIT after 2^61 us. */
mst_status mst_event_evt_high(mst_event_stream *s, uint32_t raw, unsigned bits, unsigned low, int64_t *high,
                              mst_err *err);

#endif
