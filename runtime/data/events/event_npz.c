/* SpikingJelly's events: an .npz of arrays t (us), x, y and p of one length, of any number type. */
#include <inttypes.h>
#include <string.h>

#include "runtime/data/events/event_columns.h"
#include "runtime/data/npz_file.h"

static const char *const names[MST_N_COLUMNS][2] = {{"t.npy"}, {"x.npy"}, {"y.npy"}, {"p.npy"}};

static bool npz_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)size;
    return mst_npz_sniff(head, n) && mst_npz_has(path, names[MST_COLUMN_T][0]) &&
           mst_npz_has(path, names[MST_COLUMN_P][0]);
}

static mst_status take_column(mst_event_stream *s, mst_npz *z, size_t k, mst_err *err)
{
    mst_event_columns *c = s->state;
    mst_npy_array *a = &c->arrays[k];
    const mst_npy_header *h = &a->header;
    bool found;
    MST_TRY(mst_npz_array(z, names[k], &found, a, err));
    c->n_arrays = k + 1;
    if (!found)
        return mst_fail(err, MST_EFORMAT, "%s: expected arrays t, x, y and p, found no %.1s", s->path,
                        names[k][0]);
    if (h->rank != 1 || h->n_fields != 0)
        return mst_fail(err, MST_EFORMAT, "%s: offset 10: expected a row of numbers, found %u dimensions of %s",
                        a->name, h->rank, h->descr);
    if (k == 0)
        c->n = h->dims[0];
    if (h->dims[0] != c->n)
        return mst_fail(err, MST_ECORRUPT, "%s: offset 10: expected %" PRIu64 " numbers as t has, found %" PRIu64,
                        a->name, c->n, h->dims[0]);
    c->columns[k] = (mst_event_column){.type = h->type, .array = (uint32_t)k};
    return MST_OK;
}

static mst_status npz_open(mst_event_stream *s, mst_err *err)
{
    mst_npz z;
    MST_TRY(mst_event_columns_make(s, err));
    mst_status st = mst_npz_open(&z, s->path, err);
    for (size_t k = 0; k < MST_N_COLUMNS && st == MST_OK; k++)
        st = take_column(s, &z, k, err);
    mst_npz_close(&z);
    return st == MST_OK ? mst_event_columns_start(s, err) : st;
}

const mst_event_decoder mst_event_npz = {"npz of events", npz_sniff, npz_open, mst_event_columns_next,
                                         mst_event_columns_close, mst_event_columns_rewind, NULL};
