/* What a decoder of recordings provides and what all of them share: the
 * buffered file, header lines, unwrapping of counters, the check of
 * coordinates. Private to runtime/data/events.
 */
#ifndef MST_EVENT_DECODER_H
#define MST_EVENT_DECODER_H

#include <stdbool.h>

#include "runtime/core/bytes.h"
#include "runtime/data/events/event_stream.h"

#define MST_EVENT_BUFFER 65536u
#define MST_EVENT_LINE 256u /* of a header line this much is looked at */
#define MST_EVENT_MAX_HEADER (16u << 20)
#define MST_EVENT_MAX_SIDE 16384
#define MST_EVENT_MAX_PIXELS (1u << 22) /* of a sensor: EVT 2.0's 2048x2048 */

/* How coordinates of the file become those of the picture, in this order. */
enum { MST_EVENT_SWAP = 1,
       MST_EVENT_FLIP_X = 2,
       MST_EVENT_FLIP_Y = 4 };

typedef struct mst_event_decoder {
    const char *name;
    /* Do the first n bytes of a file of this size look like it? */
    bool (*sniff)(const char *path, const uint8_t *head, size_t n, uint64_t size);
    /* Read the header: leaves s at the first record; may set size, turn, state.
     * On failure close is called with whatever state there is. */
    mst_status (*open)(mst_event_stream *s, mst_err *err);
    mst_status (*next)(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err);
    void (*close)(mst_event_stream *s);
    /* Back to the first event without reading the header again; NULL: closed and opened. */
    void (*rewind)(mst_event_stream *s);
    /* Of formats that hold frames, which set s->frames: frame f into counts [2,height,width]. NULL: none of them. */
    mst_status (*frame)(mst_event_stream *s, uint32_t f, float *counts, mst_err *err);
} mst_event_decoder;

extern const mst_event_decoder mst_event_aedat2, mst_event_aedat3, mst_event_aedat4, mst_event_atis, mst_event_dat,
    mst_event_evt2, mst_event_evt21, mst_event_evt3, mst_event_hdf5, mst_event_mat, mst_event_npy,
    mst_event_npy_gesture, mst_event_npz, mst_event_npz_frames;

struct mst_event_profile {
    const char *name, *about, *suffix; /* about: the data set, its format, the suffix */
    const mst_event_decoder *decoder;
    uint16_t width, height; /* where the file does not tell; 0: nothing tells */
    uint8_t turn;
    bool assumed; /* the size is the model's, for want of another */
};

/* A counter of few bits made into an int64. */
typedef struct mst_event_clock {
    int64_t base;
    uint64_t last;
} mst_event_clock;

struct mst_event_stream {
    const mst_event_profile *profile;
    char *path;
    size_t path_bytes;
    int fd;
    uint64_t size;          /* of the file */
    uint64_t offset;        /* of buffer[0] in the file */
    size_t at, end;         /* what of the buffer is not used yet */
    uint16_t width, height; /* of the sensor, in the file's coordinates */
    uint8_t turn;
    uint32_t frames;      /* that the file holds; 0: it holds events */
    int64_t t_from, t_to; /* t_to 0: no window */
    uint64_t index;       /* events met in the file, in and out of the window */
    uint64_t given;
    mst_event_clock clock;
    int64_t carries; /* of the clock, where the format has such records */
    void *state;     /* the decoder's own */
    uint8_t buffer[MST_EVENT_BUFFER];
};

/* Make need bytes available at once if the file has them; *have: how many there are. */
mst_status mst_event_fill(mst_event_stream *s, size_t need, size_t *have, mst_err *err);
static inline const uint8_t *mst_event_bytes(const mst_event_stream *s)
{
    return s->buffer + s->at;
}
/* Offset in the file of the next byte. */
static inline uint64_t mst_event_offset(const mst_event_stream *s)
{
    return s->offset + s->at;
}
/* Pass over n bytes, which must be in the file. */
mst_status mst_event_skip(mst_event_stream *s, uint64_t n, mst_err *err);

/* The next header line if the file goes on with this mark and with text: its first bytes without
 * the line's end into line, true into *got. ECORRUPT where the line has no end. */
mst_status mst_event_header_line(mst_event_stream *s, char mark, char line[MST_EVENT_LINE], bool *got,
                                 mst_err *err);
/* The first header line of a file of text that starts as `begin` does; `expected` is for the error. EFORMAT. */
mst_status mst_event_first_line(mst_event_stream *s, const char *begin, const char *expected,
                                char line[MST_EVENT_LINE], mst_err *err);
/* Is key a word of this header line ("% Width 640")? *value: what follows it, or NULL. */
bool mst_event_header_key(const char *line, const char *key, const char **value);
/* A sensor size from the header line at offset; ECORRUPT outside 1..16384. */
mst_status mst_event_header_size(const mst_event_stream *s, uint64_t offset, const char *what,
                                 const char *text, uint16_t *out, mst_err *err);

/* Records of one size, each handed to take. ECORRUPT for a last one that is cut. */
typedef mst_status (*mst_event_take)(mst_event_stream *s, const uint8_t *record, uint64_t offset,
                                     mst_event *out, size_t *n, mst_err *err);
mst_status mst_event_records(mst_event_stream *s, size_t size, mst_event_take take, mst_event *out,
                             size_t cap, size_t *n, mst_err *err);

/* Step back of more than half the counter's range: it wrapped. ELIMIT after 2^61. */
mst_status mst_event_unwrap(mst_event_stream *s, uint64_t raw, unsigned bits, int64_t *t, mst_err *err);

/* EFORMAT: the file, from which nothing was taken yet, begins otherwise than expected. */
mst_status mst_event_wrong_start(const mst_event_stream *s, const char *expected, mst_err *err);

mst_status mst_event_outside(const mst_event_stream *s, uint32_t x, uint32_t y, uint64_t offset,
                             mst_err *err);

/* One event in the file's coordinates, checked, turned, and put at out[*n] if it is in the window. */
static inline mst_status mst_event_emit(mst_event_stream *s, int64_t t, uint32_t x, uint32_t y, uint32_t p,
                                        uint64_t offset, mst_event *out, size_t *n, mst_err *err)
{
    if (x >= s->width || y >= s->height)
        return mst_event_outside(s, x, y, offset, err);
    s->index++;
    if (s->t_to != 0 && (t < s->t_from || t >= s->t_to))
        return MST_OK;
    bool swap = (s->turn & MST_EVENT_SWAP) != 0;
    uint32_t px = swap ? y : x, py = swap ? x : y;
    if (s->turn & MST_EVENT_FLIP_X)
        px = (swap ? s->height : s->width) - 1u - px;
    if (s->turn & MST_EVENT_FLIP_Y)
        py = (swap ? s->width : s->height) - 1u - py;
    out[(*n)++] = (mst_event){.t = t, .x = (uint16_t)px, .y = (uint16_t)py, .p = (uint8_t)p};
    return MST_OK;
}

#endif
