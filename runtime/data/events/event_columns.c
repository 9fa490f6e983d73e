/* Events from arrays of numbers, a block at a time through the stream's buffer. */
#include "runtime/data/events/event_columns.h"

#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"

static const char *const column_names[MST_N_COLUMNS] = {"t", "x", "y", "p"};

int mst_event_column_of(const char *name)
{
    static const char *const names[MST_N_COLUMNS][4] = {
        {"t", "ts", "timestamp", "timestamps"}, {"x"}, {"y"}, {"p", "pol", "polarity", "polarities"}};
    for (int k = 0; k < MST_N_COLUMNS; k++)
        for (int i = 0; i < 4 && names[k][i] != NULL; i++)
            if (strcmp(names[k][i], name) == 0)
                return k;
    return -1;
}

static mst_status number(mst_event_stream *s, int k, mst_npy_type type, const uint8_t *p, int64_t low, int64_t top,
                         uint64_t offset, int64_t *v, mst_err *err)
{
    if (mst_npy_integer(type, p, v) && *v >= low && *v <= top)
        return MST_OK;
    return mst_fail(err, MST_ECORRUPT,
                    "%s: offset %" PRIu64 ": event %" PRIu64 ": %s: expected an integer of %" PRId64 "..%" PRId64
                    ", found %.17g",
                    s->path, offset, s->index, column_names[k], low, top, mst_npy_real(type, p));
}

mst_status mst_event_put(mst_event_stream *s, const mst_npy_type types[MST_N_COLUMNS],
                         const uint8_t *const at[MST_N_COLUMNS], int64_t t_unit, uint64_t offset, mst_event *out,
                         size_t *n, mst_err *err)
{
    static const int64_t lows[MST_N_COLUMNS] = {0, 0, 0, -1};
    const int64_t tops[MST_N_COLUMNS] = {((int64_t)1 << 61) / t_unit, UINT16_MAX, UINT16_MAX, 1};
    int64_t v[MST_N_COLUMNS];
    for (int k = 0; k < MST_N_COLUMNS; k++)
        MST_TRY(number(s, k, types[k], at[k], lows[k], tops[k], offset, &v[k], err));
    return mst_event_emit(s, v[MST_COLUMN_T] * t_unit, (uint32_t)v[MST_COLUMN_X], (uint32_t)v[MST_COLUMN_Y],
                          v[MST_COLUMN_P] > 0, offset, out, n, err);
}

mst_status mst_event_columns_make(mst_event_stream *s, mst_err *err)
{
    mst_event_columns *c = s->state = mst_alloc(NULL, sizeof *c);
    if (c == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    for (size_t i = 0; i < MST_N_COLUMNS; i++)
        c->arrays[i].fd = -1;
    c->t_unit = 1;
    return MST_OK;
}

/* Of the buffer, for each array. */
static size_t room(const mst_event_columns *c)
{
    return MST_EVENT_BUFFER / c->n_arrays;
}

/* The next events into the buffer, where it has none left; *more: there are some. */
static mst_status fill(mst_event_stream *s, bool *more, mst_err *err)
{
    mst_event_columns *c = s->state;
    uint64_t left = c->n - c->at;
    *more = c->block_used < c->block || left != 0;
    if (c->block_used < c->block || left == 0)
        return MST_OK;
    c->block = left < MST_EVENT_BUFFER ? (size_t)left : MST_EVENT_BUFFER;
    c->block_used = 0;
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->block > room(c) / c->arrays[i].header.item_size)
            c->block = room(c) / c->arrays[i].header.item_size;
    for (size_t i = 0; i < c->n_arrays; i++) {
        uint32_t item = c->arrays[i].header.item_size;
        MST_TRY(mst_npy_array_read(&c->arrays[i], c->at * item, s->buffer + i * room(c), c->block * item, err));
    }
    c->at += c->block;
    return MST_OK;
}

mst_status mst_event_columns_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    mst_event_columns *c = s->state;
    mst_npy_type types[MST_N_COLUMNS];
    for (int k = 0; k < MST_N_COLUMNS; k++)
        types[k] = c->columns[k].type;
    for (;;) {
        bool more;
        MST_TRY(fill(s, &more, err));
        if (!more || *n == cap)
            return MST_OK;
        for (; *n < cap && c->block_used < c->block; c->block_used++) {
            const uint8_t *at[MST_N_COLUMNS];
            for (int k = 0; k < MST_N_COLUMNS; k++) {
                const mst_event_column *f = &c->columns[k];
                size_t record = c->block_used * c->arrays[f->array].header.item_size;
                at[k] = s->buffer + f->array * room(c) + record + f->offset;
            }
            const mst_npy_header *h = &c->arrays[0].header;
            uint64_t offset = h->size + (c->at - c->block + c->block_used) * h->item_size;
            MST_TRY(mst_event_put(s, types, at, c->t_unit, offset, out, n, err));
        }
    }
}

void mst_event_columns_rewind(mst_event_stream *s)
{
    mst_event_columns *c = s->state;
    c->at = 0;
    c->block = c->block_used = 0;
}

mst_status mst_event_columns_start(mst_event_stream *s, mst_err *err)
{
    mst_event batch[256];
    uint16_t width = 0, height = 0;
    if (s->width != 0)
        return MST_OK;
    int64_t to = s->t_to;
    s->t_to = 0;
    s->width = s->height = MST_EVENT_MAX_SIDE;
    for (size_t n = 1; n != 0;) {
        n = 0;
        MST_TRY(mst_event_columns_next(s, batch, sizeof batch / sizeof batch[0], &n, err));
        for (size_t i = 0; i < n; i++) {
            width = batch[i].x >= width ? (uint16_t)(batch[i].x + 1) : width;
            height = batch[i].y >= height ? (uint16_t)(batch[i].y + 1) : height;
        }
    }
    s->t_to = to;
    s->index = 0;
    s->width = width != 0 ? width : 1;
    s->height = height != 0 ? height : 1;
    mst_event_columns_rewind(s);
    return MST_OK;
}

void mst_event_columns_close(mst_event_stream *s)
{
    mst_event_columns *c = s->state;
    if (c == NULL)
        return;
    for (size_t i = 0; i < MST_N_COLUMNS; i++)
        mst_npy_array_close(&c->arrays[i]);
    mst_free(NULL, c, sizeof *c);
    s->state = NULL;
}
