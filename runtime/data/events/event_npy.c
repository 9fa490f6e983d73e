/* Structured .npy events: an array of records with fields t (us), x, y and p, in any order and of any number
 * type, as tonic, Prophesee's and other tools save them (numpy.save). Other fields are passed over.
 */
#include <string.h>

#include "runtime/data/data_format.h"
#include "runtime/data/events/event_columns.h"

static bool npy_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)size;
    mst_npy_header h;
    return mst_npy_parse(head, n, path, &h, NULL) == MST_OK && h.n_fields != 0;
}

static mst_status npy_open(mst_event_stream *s, mst_err *err)
{
    MST_TRY(mst_event_columns_make(s, err));
    mst_event_columns *c = s->state;
    const mst_npy_header *h = &c->arrays[0].header;
    bool have[MST_N_COLUMNS] = {0};
    c->n_arrays = 1;
    MST_TRY(mst_npy_array_open(&c->arrays[0], s->path, err));
    for (uint32_t i = 0; i < h->n_fields; i++) {
        int k = mst_event_column_of(h->fields[i].name);
        if (k < 0)
            continue;
        have[k] = true;
        c->columns[k] = (mst_event_column){.type = h->fields[i].type, .offset = h->fields[i].offset};
    }
    if (!have[0] || !have[1] || !have[2] || !have[3] || h->rank != 1)
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset 10: expected a row of records with fields t, x, y and p (numpy's structured "
                        "arrays), found %s",
                        s->path, h->n_fields == 0 ? h->descr : h->rank != 1 ? "another shape"
                                                                            : "other fields");
    c->n = h->dims[0];
    return mst_event_columns_start(s, err);
}

const mst_event_decoder mst_event_npy = {"structured npy", npy_sniff, npy_open, mst_event_columns_next,
                                         mst_event_columns_close, mst_event_columns_rewind, NULL};
