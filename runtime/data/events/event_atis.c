/* ATIS .bin as N-MNIST and N-Caltech101 store it: no header, 5 bytes an event,
 * big-endian: x (8 bits), y (8), polarity (1), time in us (23). y = 240 is no
 * pixel but a carry of the clock: 2^13 us more from here on (Orchard 2015,
 * Read_Ndataset.m; tonic.io.read_mnist_file).
 */
#include "runtime/data/events/event_decoder.h"

#define RECORD 5u
#define CARRY_Y 240u
#define CARRY_US 8192
#define SENSOR_WIDTH 240u
#define CUT_EVENTS 16u

/* Nothing marks the format: accept what decodes to times that go forward; where the file is cut,
 * only if that are enough events to judge by. */
static bool atis_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path;
    if (n < RECORD || (size % RECORD != 0 && n < CUT_EVENTS * RECORD))
        return false;
    uint32_t last = 0, back = 0, events = 0;
    for (size_t i = 0; i + RECORD <= n; i += RECORD, events++) {
        uint32_t t = mst_get_u32_be(head + i + 1) & 0x7fffff;
        back += t < last;
        last = t;
        if (head[i] >= SENSOR_WIDTH || head[i + 1] > CARRY_Y)
            return false;
    }
    return back <= events / 16;
}

static mst_status atis_open(mst_event_stream *s, mst_err *err)
{
    (void)s;
    (void)err;
    return MST_OK;
}

static mst_status atis_take(mst_event_stream *s, const uint8_t *r, uint64_t offset, mst_event *out, size_t *n,
                            mst_err *err)
{
    int64_t t;
    MST_TRY(mst_event_unwrap(s, mst_get_u32_be(r + 1) & 0x7fffff, 23, &t, err));
    if (r[1] == CARRY_Y) {
        s->carries++;
        return MST_OK;
    }
    return mst_event_emit(s, t + CARRY_US * s->carries, r[0], r[1], r[2] >> 7, offset, out, n, err);
}

static mst_status atis_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    return mst_event_records(s, RECORD, atis_take, out, cap, n, err);
}

static void atis_close(mst_event_stream *s)
{
    (void)s;
}

const mst_event_decoder mst_event_atis = {"ATIS 40-bit", atis_sniff, atis_open, atis_next, atis_close, NULL, NULL};
