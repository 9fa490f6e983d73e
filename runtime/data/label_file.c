/* Which kind of label file it is, and the labels in it. */
#include "runtime/data/label_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/data/label_lines.h"

#define MAGIC_IDX 0x00000801u /* unsigned bytes, one dimension */
#define IDX_HEADER 8u

static mst_status make(int32_t **labels, const char *path, size_t n, mst_err *err)
{
    *labels = mst_alloc_array(NULL, n, sizeof **labels);
    return *labels != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "%s: no memory for %zu labels", path, n);
}

/* ---- IDX ---- */

static mst_status read_idx(const mst_data *d, mst_data_file *f, size_t n, int32_t **labels, mst_err *err)
{
    uint8_t head[IDX_HEADER], chunk[4096];
    MST_TRY(mst_data_file_read(f, head, sizeof head, "magic and label count", err));
    if (mst_get_u32_be(head) != MAGIC_IDX)
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: magic of IDX labels: expected 0x%08x, found 0x%08x", f->path,
                        MAGIC_IDX, mst_get_u32_be(head));
    if (mst_get_u32_be(head + 4) != n)
        return mst_fail(err, MST_EINVAL, "%s: offset 4: label count: expected %zu as there are images, found %u",
                        f->path, n, mst_get_u32_be(head + 4));
    MST_TRY(mst_data_file_expect(f, n, "labels", err));
    MST_TRY(make(labels, f->path, n, err));
    for (size_t i = 0; i < n; i += sizeof chunk) {
        size_t part = n - i < sizeof chunk ? n - i : sizeof chunk;
        MST_TRY(mst_data_file_read(f, chunk, part, "labels", err));
        for (size_t k = 0; k < part; k++) {
            MST_TRY(mst_data_check_label(d, f->path, i + k, IDX_HEADER + i + k, chunk[k], err));
            (*labels)[i + k] = chunk[k];
        }
    }
    return mst_data_file_end(f, err);
}

static mst_status open_idx(const mst_data *d, const char *path, size_t n, int32_t **labels, mst_err *err)
{
    mst_data_file f = {0};
    mst_status st = mst_data_file_open(&f, path, err);
    if (st == MST_OK)
        st = read_idx(d, &f, n, labels, err);
    mst_data_file_close(&f);
    return st;
}

/* ---- .npy ---- */

static mst_status read_array(const mst_data *d, const mst_npy_array *y, size_t n, int32_t *labels, mst_err *err)
{
    uint8_t chunk[4096];
    const uint32_t item = y->header.item_size;
    const size_t per_chunk = sizeof chunk / item;
    for (size_t i = 0; i < n; i += per_chunk) {
        size_t part = n - i < per_chunk ? n - i : per_chunk;
        MST_TRY(mst_npy_array_read(y, (uint64_t)i * item, chunk, part * item, err));
        for (size_t k = 0; k < part; k++) {
            int64_t label;
            if (!mst_npy_integer(y->header.type, chunk + k * item, &label))
                label = INT64_MAX; /* of uint64, beyond any class */
            MST_TRY(mst_data_check_label(d, y->name, i + k, y->header.size + (uint64_t)(i + k) * item, label, err));
            labels[i + k] = (int32_t)label;
        }
    }
    return MST_OK;
}

mst_status mst_label_array_read(const mst_data *d, const mst_npy_array *y, size_t n, int32_t **labels, mst_err *err)
{
    const mst_npy_header *h = &y->header;
    char how[240], found[128];
    if (h->n_fields != 0 || h->type.kind == 'f')
        return mst_fail(
            err, MST_EINVAL,
            "%s: offset 10: descr: expected integers (labels) as '<i8' or '|u1', found '%s'; to convert: %s", y->name,
            h->descr, mst_npy_conversion(y->name, "<i8", how, sizeof how));
    bool column = h->rank == 2 && h->dims[1] == 1;
    if ((h->rank != 1 && !column) || h->dims[0] != n) {
        mst_npy_shape_text(h, found, sizeof found);
        return mst_fail(err, MST_EINVAL, "%s: offset 10: shape: expected (%zu,) as there are samples, found %s",
                        y->name, n, found);
    }
    MST_TRY(make(labels, y->name, n, err));
    return read_array(d, y, n, *labels, err);
}

static mst_status open_array(const mst_data *d, const char *path, size_t n, int32_t **labels, mst_err *err)
{
    mst_npy_array y;
    mst_status st = mst_npy_array_open(&y, path, err);
    if (st == MST_OK)
        st = mst_label_array_read(d, &y, n, labels, err);
    mst_npy_array_close(&y);
    return st;
}

/* ---- text ---- */

#define LINES "a label a line, or \"index,label\""

/* Label `given` in the order of the lines, or of the index that the line begins with, at its place: 0..n of them. */
static mst_status put(const mst_label_lines *l, bool indexed, size_t n, int32_t *places, mst_err *err)
{
    int64_t at = (int64_t)l->given - 1;
    if (indexed != (l->name != NULL) || (indexed && !mst_label_number(l->name, &at)))
        return mst_label_lines_wrong(l, indexed ? "\"index,label\"" : "a label alone as in the lines before", err);
    if (!indexed && (uint64_t)at >= n)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": expected %zu labels as there are samples, found more", l->path,
                        l->offset, n);
    if ((uint64_t)at > n)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": index: expected 0..%zu as there are samples, found %" PRId64,
                        l->path, l->offset, n, at);
    if (places[at] != -1)
        return mst_fail(err, MST_EINVAL, "%s: offset %" PRIu64 ": index %" PRId64 " is there twice", l->path,
                        l->offset, at);
    places[at] = l->label;
    return MST_OK;
}

/* places [n+1] from all lines; then the first of them that holds a label. */
static mst_status read_lines(mst_label_lines *l, const mst_data *d, size_t n, int32_t *places, size_t *first,
                             mst_err *err)
{
    bool got = true, indexed = false;
    for (size_t i = 0; i <= n; i++)
        places[i] = -1;
    while (got) {
        MST_TRY(mst_label_lines_next(l, d, LINES, &got, err));
        if (got && l->given == 1)
            indexed = l->name != NULL;
        if (got)
            MST_TRY(put(l, indexed, n, places, err));
    }
    if (l->given != n)
        return mst_fail(err, MST_EINVAL, "%s: expected %zu labels as there are samples, found %zu", l->path, n,
                        l->given);
    *first = places[0] == -1;
    if (places[n] != -1 && *first == 0) /* n of n + 1 places: which one between is free? */
        return mst_fail(err, MST_EINVAL, "%s: index: expected 0..%zu or 1..%zu, each once, found 0 and %zu", l->path,
                        n - 1, n, n);
    return MST_OK;
}

static mst_status open_lines(const mst_data *d, const char *path, size_t n, int32_t **labels, mst_err *err)
{
    size_t first = 0;
    mst_label_lines *l = mst_alloc(NULL, sizeof *l);
    int32_t *places = mst_alloc_array(NULL, n + 1, sizeof *places);
    mst_status st = l != NULL && places != NULL ? mst_label_lines_open(l, path, err)
                                                : mst_fail(err, MST_ENOMEM, "%s: no memory for %zu labels", path, n);
    if (st == MST_OK)
        st = read_lines(l, d, n, places, &first, err);
    if (st == MST_OK)
        st = make(labels, path, n, err);
    if (st == MST_OK)
        memcpy(*labels, places + first, n * sizeof *places);
    if (l != NULL)
        mst_label_lines_close(l);
    mst_free(NULL, l, sizeof *l);
    mst_free_array(NULL, places, n + 1, sizeof *places);
    return st;
}

mst_status mst_label_file_read(const mst_data *d, const char *path, size_t n, int32_t **labels, mst_err *err)
{
    uint8_t head[6];
    *labels = NULL;
    bool peeked = mst_data_file_peek(path, head, sizeof head);
    if (peeked && memcmp(head, "\x93NUMPY", 6) == 0)
        return open_array(d, path, n, labels, err);
    if (peeked && head[0] == 0 && head[1] == 0) /* no text */
        return open_idx(d, path, n, labels, err);
    return open_lines(d, path, n, labels, err);
}
