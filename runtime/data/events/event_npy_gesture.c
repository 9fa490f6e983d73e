/* DVS128 Gesture as tonic downloads it: a recording a file, LABEL.npy, a plain array [N,4] of x, y, p and t in
 * milliseconds, of any number type.
 */
#include "runtime/data/data_format.h"
#include "runtime/data/events/event_columns.h"

#define NUMBERS 4u
#define MILLISECOND 1000 /* us */

static bool is_rows(const mst_npy_header *h)
{
    return h->n_fields == 0 && h->rank == 2 && h->dims[1] == NUMBERS && h->type.kind != 'b';
}

static bool gesture_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)size;
    mst_npy_header h;
    return mst_npy_parse(head, n, path, &h, NULL) == MST_OK && is_rows(&h);
}

static mst_status gesture_open(mst_event_stream *s, mst_err *err)
{
    static const int order[NUMBERS] = {MST_COLUMN_X, MST_COLUMN_Y, MST_COLUMN_P, MST_COLUMN_T};
    char found[128];
    MST_TRY(mst_event_columns_make(s, err));
    mst_event_columns *c = s->state;
    mst_npy_header *h = &c->arrays[0].header;
    c->n_arrays = 1;
    MST_TRY(mst_npy_array_open(&c->arrays[0], s->path, err));
    if (!is_rows(h)) {
        mst_npy_shape_text(h, found, sizeof found);
        return mst_fail(err, MST_EFORMAT, "%s: offset 10: expected numbers [N,4] of x, y, p, t, found %s of %s",
                        s->path, found, h->descr);
    }
    for (uint32_t k = 0; k < NUMBERS; k++)
        c->columns[order[k]] = (mst_event_column){.type = h->type, .offset = k * h->item_size};
    h->item_size *= NUMBERS;
    c->n = h->dims[0];
    c->t_unit = MILLISECOND;
    return mst_event_columns_start(s, err);
}

const mst_event_decoder mst_event_npy_gesture = {"tonic's DVS128 Gesture", gesture_sniff, gesture_open,
                                                 mst_event_columns_next, mst_event_columns_close,
                                                 mst_event_columns_rewind, NULL};
