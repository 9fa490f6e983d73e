/* Events in HDF5 files, of two layouts: Prophesee's, records x, y, p, t in CD/events; and DSEC's, data sets t, x, y, p
 * of one length in the group events, whose times count from t_offset (ms_to_idx, an index by time, is not needed).
 * Times are in us. Formats: docs.prophesee.ai, "HDF5 Event File Format"; dsec.ifi.uzh.ch, "Data Format".
 */
#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_columns.h"
#include "runtime/data/events/event_hdf5_rows.h"

#define MAGIC "\x89HDF\r\n\x1a\n"

static bool hdf5_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n >= sizeof MAGIC - 1 && memcmp(head, MAGIC, sizeof MAGIC - 1) == 0;
}

#ifdef MST_HDF5

#define BLOCK 4096u /* events that are read at once */
#define CD_EVENTS "CD/events"

typedef struct hdf5_state {
    mst_hdf5 file;
    mst_hdf5_rows rows[MST_N_COLUMNS]; /* the first n_rows: records, or a column each */
    size_t n_rows;
    int64_t t_offset;
    uint64_t n, at;           /* events; those behind the block */
    size_t block, block_used; /* events in values, and how many were given */
    int64_t values[MST_N_COLUMNS * BLOCK];
} hdf5_state;

static mst_status open_columns(mst_event_stream *s, mst_err *err)
{
    static const char *const names[MST_N_COLUMNS] = {"events/t", "events/x", "events/y", "events/p"};
    hdf5_state *h = s->state;
    for (size_t k = 0; k < MST_N_COLUMNS; k++) {
        h->n_rows = k + 1;
        MST_TRY(mst_hdf5_rows_open(&h->file, names[k], NULL, 1, &h->rows[k], err));
        if (h->rows[k].n != h->rows[0].n)
            return mst_fail(err, MST_ECORRUPT, "%s: '%s': expected %" PRIu64 " numbers as events/t has, found %" PRIu64,
                            s->path, names[k], h->rows[0].n, h->rows[k].n);
    }
    return mst_hdf5_has(&h->file, "t_offset") ? mst_hdf5_number(&h->file, "t_offset", &h->t_offset, err) : MST_OK;
}

/* "1280x720" */
static mst_status read_geometry(mst_event_stream *s, mst_err *err)
{
    const hdf5_state *h = s->state;
    char text[64];
    if (!mst_hdf5_text(&h->file, "geometry", text, sizeof text))
        return MST_OK;
    const char *x = strchr(text, 'x');
    MST_TRY(mst_event_header_size(s, 0, "geometry", text, &s->width, err));
    return mst_event_header_size(s, 0, "geometry", x != NULL ? x + 1 : "", &s->height, err);
}

static mst_status hdf5_open(mst_event_stream *s, mst_err *err)
{
    hdf5_state *h = s->state = mst_alloc(NULL, sizeof *h);
    if (h == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    size_t have;
    MST_TRY(mst_event_fill(s, sizeof MAGIC - 1, &have, err));
    if (!hdf5_sniff(s->path, mst_event_bytes(s), have, s->size))
        return mst_event_wrong_start(s, "the mark of HDF5 (89 48 44 46)", err);
    MST_TRY(mst_hdf5_open(&h->file, s->path, s->size, err));
    if (mst_hdf5_has(&h->file, CD_EVENTS)) {
        h->n_rows = 1;
        MST_TRY(mst_hdf5_rows_open(&h->file, CD_EVENTS, mst_event_column_of, MST_N_COLUMNS, &h->rows[0], err));
        MST_TRY(read_geometry(s, err));
    } else if (mst_hdf5_has(&h->file, "events")) {
        MST_TRY(open_columns(s, err));
    } else {
        return mst_fail(err, MST_EFORMAT,
                        "%s: expected CD/events (Prophesee) or events/t, x, y, p (DSEC) in the file itself, found "
                        "neither",
                        s->path);
    }
    h->n = h->rows[0].n;
    return MST_OK;
}

static mst_status fill(mst_event_stream *s, mst_err *err)
{
    hdf5_state *h = s->state;
    size_t n = h->n - h->at < BLOCK ? (size_t)(h->n - h->at) : BLOCK;
    h->block = h->block_used = 0;
    for (size_t k = 0; k < h->n_rows; k++)
        MST_TRY(mst_hdf5_rows_read(&h->file, &h->rows[k], h->at, n, h->values + k * BLOCK, err));
    h->at += n;
    h->block = n;
    return MST_OK;
}

static mst_status put(mst_event_stream *s, size_t i, mst_event *out, size_t *n, mst_err *err)
{
    static const mst_npy_type types[MST_N_COLUMNS] = {
        {'i', 8, false}, {'i', 8, false}, {'i', 8, false}, {'i', 8, false}};
    hdf5_state *h = s->state;
    const uint8_t *at[MST_N_COLUMNS];
    for (size_t k = 0; k < MST_N_COLUMNS; k++)
        at[k] = (const uint8_t *)(h->values + (h->n_rows == 1 ? i * MST_N_COLUMNS + k : k * BLOCK + i));
    int64_t t;
    if (__builtin_add_overflow(*(const int64_t *)at[MST_COLUMN_T], h->t_offset, &t))
        t = -1;
    at[MST_COLUMN_T] = (const uint8_t *)&t;
    return mst_event_put(s, types, at, 1, 0, out, n, err);
}

static mst_status hdf5_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    hdf5_state *h = s->state;
    while (*n < cap) {
        if (h->block_used == h->block && h->at == h->n)
            return MST_OK;
        if (h->block_used == h->block)
            MST_TRY(fill(s, err));
        for (; *n < cap && h->block_used < h->block; h->block_used++)
            MST_TRY(put(s, h->block_used, out, n, err));
    }
    return MST_OK;
}

static void hdf5_rewind(mst_event_stream *s)
{
    hdf5_state *h = s->state;
    h->at = 0;
    h->block = h->block_used = 0;
}

static void hdf5_close(mst_event_stream *s)
{
    hdf5_state *h = s->state;
    if (h == NULL)
        return;
    for (size_t k = 0; k < h->n_rows; k++)
        mst_hdf5_rows_close(&h->rows[k]);
    mst_hdf5_close(&h->file);
    mst_free(NULL, h, sizeof *h);
    s->state = NULL;
}

#else

static mst_status hdf5_open(mst_event_stream *s, mst_err *err)
{
    return mst_fail(err, MST_EUNSUPPORTED, "%s: an HDF5 file, which this build does not read: make deps, then make",
                    s->path);
}

static mst_status hdf5_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    (void)out, (void)cap, (void)n;
    return hdf5_open(s, err);
}

static void hdf5_close(mst_event_stream *s) { (void)s; }

#define hdf5_rewind NULL

#endif

const mst_event_decoder mst_event_hdf5 = {"HDF5 events", hdf5_sniff, hdf5_open, hdf5_next,
                                          hdf5_close, hdf5_rewind, NULL};
