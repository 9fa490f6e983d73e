/* Frames of event recordings (MST paper, Section 4.2): a recording is cut into n
 * pieces of equal event count or duration, and each becomes two pictures, one a
 * polarity, whose values are the numbers of events at each pixel. Private to
 * runtime/data; knows nothing of labels or models.
 *
 * Cuts are those of SpikingJelly's integrate_events_by_fixed_frames_number; where
 * that function fails (a span of time without events) the frame is empty here.
 * Layout of all frames: [n*2,H,W], frame-major, then polarity (channel 2f darker,
 * 2f+1 brighter): frames[n,2,H,W] of SpikingJelly with the first two axes joined.
 * A file that holds frames already is not cut: it must have as many.
 * A recording is read twice (three times for cuts by time), and never held.
 */
#ifndef MST_EVENT_FRAMES_H
#define MST_EVENT_FRAMES_H

#include "runtime/data/events/event_stream.h"

#define MST_EVENT_MAX_FRAMES 4096u

typedef enum mst_event_split {
    MST_EVENT_BY_NUMBER = 0, /* equal numbers of events; the last frame takes the rest */
    MST_EVENT_BY_TIME        /* equal spans of time; likewise */
} mst_event_split;

/* Where each frame begins and ends, in events of the stream. */
typedef struct mst_event_cuts {
    uint32_t n;
    uint64_t *from, *to; /* [n], frame f is events from[f]..to[f]-1 */
} mst_event_cuts;

/* Find the cuts; reads s from its start. EINVAL for n of 0, ELIMIT, ECORRUPT for a
 * recording without events, and whatever reading gives. Release with ..._free. */
mst_status mst_event_cuts_find(mst_event_stream *s, uint32_t n, mst_event_split split, mst_event_cuts *c,
                               mst_err *err);
void mst_event_cuts_free(mst_event_cuts *c); /* zero-initialised allowed */

/* Frame f into out [2,height,width], resized from the sensor's size where they
 * differ: bilinear with antialiasing, torch.nn.functional.interpolate(mode=
 * "bilinear", align_corners=False, antialias=True). */
mst_status mst_event_frame(mst_event_stream *s, const mst_event_cuts *c, uint32_t f, uint32_t height,
                           uint32_t width, float *out, mst_err *err);

/* Cuts and all frames at once: out [n*2,height,width]. */
mst_status mst_event_frames(mst_event_stream *s, uint32_t n, mst_event_split split, uint32_t height,
                            uint32_t width, float *out, mst_err *err);

#endif
