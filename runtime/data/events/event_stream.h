/* Recordings of event cameras as streams. Private to runtime/data; knows
 * nothing of frames, models or labels.
 *
 * A stream gives the brightness-change events of one file in the file's order:
 * time in microseconds, unwrapped where the format's counter is shorter than
 * the recording, picture coordinates with (0,0) at the top left, and polarity 1
 * for brighter. Small steps back in time that a camera wrote stay as they are.
 * Memory per stream is one buffer of 64 kB, whatever the file's size, and what
 * libraries hold: .mat its four vectors, of at most 4 M events, AEDAT 4 a packet,
 * HDF5 a chunk of each data set (64 MB).
 */
#ifndef MST_EVENT_STREAM_H
#define MST_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/alloc.h"
#include "mst/status.h"

typedef struct mst_event {
    int64_t t; /* microseconds */
    uint16_t x, y;
    uint8_t p; /* 0 darker, 1 brighter */
} mst_event;

/* How one kind of data set stores its recordings: a file format, the sensor's
 * size where the files do not tell it, and how its pictures are turned. */
typedef struct mst_event_profile mst_event_profile;
typedef struct mst_event_stream mst_event_stream;

/* Profile by name ("nmnist"); NULL: no such name. */
const mst_event_profile *mst_event_profile_find(const char *name);
/* Profile that a file's content and name speak for; NULL: none. */
const mst_event_profile *mst_event_profile_sniff(const char *path);
/* Profile k in the order of the table; NULL behind the last. */
const mst_event_profile *mst_event_profile_at(size_t k);
const char *mst_event_profile_name(const mst_event_profile *p);
const char *mst_event_profile_about(const mst_event_profile *p);  /* "N-MNIST: ATIS 40-bit, .bin" */
const char *mst_event_profile_labels(const mst_event_profile *p); /* where labels come from */
/* ".bin": what its recordings' names end in. */
const char *mst_event_profile_suffix(const mst_event_profile *p);

/* The same where its files do not tell the sensor's size, which is this then, in the file's coordinates; allocated
 * in a. assumed: for want of a better one. NULL: out of memory. */
const mst_event_profile *mst_event_profile_sized(const mst_event_profile *p, uint16_t width, uint16_t height,
                                                 bool assumed, mst_arena *a);
/* Is there nothing that tells the sensor's size? It is what the events need then. */
bool mst_event_profile_unsized(const mst_event_profile *p);

/* Open a recording. Only events with t_from <= t < t_to are given; t_to 0: all.
 * EIO, EFORMAT, ECORRUPT, EVERSION, EUNSUPPORTED, ELIMIT, ENOMEM. */
mst_status mst_event_open(const char *path, const mst_event_profile *p, int64_t t_from, int64_t t_to,
                          mst_event_stream **out, mst_err *err);
void mst_event_close(mst_event_stream *s);

/* Up to cap events into out, their number into *n; 0: the end. Coordinates
 * outside the sensor are ECORRUPT with the event's index. */
mst_status mst_event_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err);

/* Of a file that holds frames instead of events: their number; 0: events. */
uint32_t mst_event_stored(const mst_event_stream *s);
/* Frame f of those into counts [2,height,width]. */
mst_status mst_event_stored_frame(mst_event_stream *s, uint32_t f, float *counts, mst_err *err);

/* Back to the first event. */
mst_status mst_event_rewind(mst_event_stream *s, mst_err *err);

const char *mst_event_path(const mst_event_stream *s);
uint32_t mst_event_width(const mst_event_stream *s);
uint32_t mst_event_height(const mst_event_stream *s);
/* Events given since the start: the index of the next one. */
uint64_t mst_event_given(const mst_event_stream *s);

#endif
