/* Events whose t, x, y and p are numbers of any type: fields of records, or arrays side by side. Private to
 * runtime/data/events; knows how such arrays are read, not what file they come from.
 */
#ifndef MST_EVENT_COLUMNS_H
#define MST_EVENT_COLUMNS_H

#include "runtime/data/events/event_decoder.h"
#include "runtime/data/npy_array.h"

enum { MST_COLUMN_T,
       MST_COLUMN_X,
       MST_COLUMN_Y,
       MST_COLUMN_P,
       MST_N_COLUMNS };

typedef struct mst_event_column {
    mst_npy_type type;
    uint32_t array, offset; /* which array, and where in its records */
} mst_event_column;

/* State of a decoder of such events. */
typedef struct mst_event_columns {
    mst_npy_array arrays[MST_N_COLUMNS]; /* the first n_arrays are to be closed */
    size_t n_arrays;
    mst_event_column columns[MST_N_COLUMNS];
    int64_t t_unit;           /* us of a 1 of t */
    uint64_t n, at;           /* events; the next one */
    size_t block, block_used; /* events in the stream's buffer, and how many were given */
} mst_event_columns;

/* Which of the four a name stands for ("t", "ts", "timestamp", .., "p", "pol", "polarity"); -1: none. */
int mst_event_column_of(const char *name);

/* The four numbers of the next event, where nothing comes of the file's bytes, checked and put at out[*n].
 * t in units of t_unit us from 0, x and y, p of 1 brighter, 0 or -1 darker. ECORRUPT names the event and the
 * number. */
mst_status mst_event_put(mst_event_stream *s, const mst_npy_type types[MST_N_COLUMNS],
                         const uint8_t *const at[MST_N_COLUMNS], int64_t t_unit, uint64_t offset, mst_event *out,
                         size_t *n, mst_err *err);

/* A state, all arrays closed, into s->state. ENOMEM. */
mst_status mst_event_columns_make(mst_event_stream *s, mst_err *err);
/* At the end of opening: sets the sensor's size where nothing told it, from the largest coordinates. */
mst_status mst_event_columns_start(mst_event_stream *s, mst_err *err);
mst_status mst_event_columns_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err);
void mst_event_columns_rewind(mst_event_stream *s);
void mst_event_columns_close(mst_event_stream *s);

#endif
