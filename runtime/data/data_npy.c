/* NumPy arrays: samples X and integer labels Y [n] (label_file.h), from two files or from the x and y of an .npz.
 * Floats are [n,C,H,W] in the model's shape ([n,H,W,C], too, of a model with channels last), already normalized;
 * integers are pixels of 0..255, bools black and white: [n,C,H,W], [n,H,W,C] or [n,H,W]. Either byte order, either
 * order of indices, versions 1 to 3. Format: NEP 1 (numpy.lib.format).
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/data/data_format.h"
#include "runtime/data/events/event_stream.h"
#include "runtime/data/label_file.h"
#include "runtime/data/npy_array.h"
#include "runtime/data/npz_file.h"

#define CHUNK 16384 /* bytes of an array at once */

static const char *const x_names[] = {"x.npy", "X.npy", "images.npy", NULL};
static const char *const y_names[] = {"y.npy", "Y.npy", "labels.npy", NULL};

typedef struct npy_state {
    mst_npy_array x; /* read by several threads at once */
    size_t n;
    uint32_t shape[3];
    size_t sample;   /* bytes of one */
    bool real;       /* floats; else pixels */
    bool last;       /* channels come last */
    int32_t *labels; /* [n], NULL: none */
} npy_state;

static bool npy_sniff(const char *path)
{
    uint8_t head[6];
    return mst_data_file_peek(path, head, sizeof head) && memcmp(head, "\x93NUMPY", 6) == 0 &&
           mst_event_profile_sniff(path) == NULL;
}

static bool npz_sniff(const char *path)
{
    uint8_t head[4];
    return mst_data_file_peek(path, head, sizeof head) && mst_npz_sniff(head, sizeof head) &&
           mst_event_profile_sniff(path) == NULL;
}

static mst_status wrong_shape(const mst_data *d, const mst_npy_array *a, const char *expected, mst_err *err)
{
    char found[128], model[64] = "";
    mst_npy_shape_text(&a->header, found, sizeof found);
    if (!d->as_is)
        snprintf(model, sizeof model, " (the model has %u, %u, %u)", d->want.channels, d->want.height,
                 d->want.width);
    return mst_fail(err, MST_EINVAL, "%s: offset 10: shape: expected %s%s, found %s", a->name, expected,
                    model, found);
}

/* Does the model take its samples with channels last, and in this shape? */
static bool as_the_model(const mst_data *d, const mst_npy_header *h)
{
    return d->want.channels_last != 0 && !d->as_is && h->rank == 4 && h->dims[1] == d->want.height &&
           h->dims[2] == d->want.width && h->dims[3] == d->want.channels;
}

/* [C,H,W] of a sample; of bytes, channels are last where only that place can be theirs. */
static mst_status set_shape(const mst_data *d, npy_state *s, mst_err *err)
{
    const mst_npy_header *h = &s->x.header;
    const uint64_t *dims = h->dims;
    if (h->rank != 4 && (s->real || h->rank != 3))
        return wrong_shape(d, &s->x, s->real ? "(n, C, H, W)" : "(n, C, H, W), (n, H, W, C) or (n, H, W)",
                           err);
    for (uint32_t i = 1; i < h->rank; i++)
        if (dims[i] == 0 || dims[i] > MST_MAX_ELEMENTS)
            return wrong_shape(d, &s->x, "dimensions of 1 to 2^30", err);
    bool first = h->rank == 4 && (dims[1] == 1 || dims[1] == 3);
    s->last = as_the_model(d, h) || (!s->real && h->rank == 4 && !first && (dims[3] == 1 || dims[3] == 3));
    uint64_t c = h->rank == 3 ? 1 : dims[s->last ? 3 : 1];
    s->shape[0] = (uint32_t)c;
    s->shape[1] = (uint32_t)dims[h->rank == 3 || s->last ? 1 : 2];
    s->shape[2] = (uint32_t)dims[h->rank == 3 || s->last ? 2 : 3];
    return MST_OK;
}

static mst_status use_images(mst_data *d, mst_err *err)
{
    npy_state *s = d->state;
    const mst_npy_header *h = &s->x.header;
    if (h->n_fields != 0)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset 10: descr: expected numbers, found records; event recordings: npyevents:%s",
                        s->x.name, s->x.name);
    s->real = d->real = h->type.kind == 'f';
    MST_TRY(set_shape(d, s, err));
    const uint32_t *shape = s->shape;
    bool same = shape[0] == d->want.channels && shape[1] == d->want.height && shape[2] == d->want.width;
    if (s->real && !d->as_is && !same)
        return wrong_shape(d, &s->x,
                           d->want.channels_last != 0 ? "(n, H, W, C) or (n, C, H, W)"
                                                      : "(n, C, H, W) as the model has it",
                           err);
    MST_TRY(mst_data_check_shape(d, shape, s->x.name, 10, err));
    if (h->dims[0] == 0)
        return mst_fail(err, MST_EFORMAT, "%s: offset 10: shape: expected at least 1 sample, found 0",
                        s->x.name);
    s->n = (size_t)h->dims[0]; /* all of it is in the file or in memory, so its size does not overflow */
    s->sample = (size_t)shape[0] * shape[1] * shape[2] * h->item_size;
    return MST_OK;
}

static npy_state *make_state(mst_data *d)
{
    npy_state *s = mst_alloc(NULL, sizeof *s);
    if (s != NULL)
        s->x.fd = -1;
    d->state = s;
    return s;
}

static mst_status npy_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    npy_state *s = make_state(d);
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    MST_TRY(mst_npy_array_open(&s->x, path, err));
    MST_TRY(use_images(d, err));
    return labels != NULL ? mst_label_file_read(d, labels, s->n, &s->labels, err) : MST_OK;
}

static mst_status unpack_both(mst_data *d, mst_npz *z, mst_err *err)
{
    npy_state *s = d->state;
    bool found;
    mst_npy_array y;
    MST_TRY(mst_npz_array(z, x_names, &found, &s->x, err));
    if (!found)
        return mst_fail(err, MST_EFORMAT, "%s: expected an array x, X or images, found none", z->path);
    MST_TRY(use_images(d, err));
    mst_status st = mst_npz_array(z, y_names, &found, &y, err);
    if (st == MST_OK && found)
        st = mst_label_array_read(d, &y, s->n, &s->labels, err);
    mst_npy_array_close(&y);
    return st;
}

static mst_status npz_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL, "npz:%s: expected no label file (the npz holds y), found '%s'", path,
                        labels);
    if (make_state(d) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mst_npz z;
    mst_status st = mst_npz_open(&z, path, err);
    if (st == MST_OK)
        st = unpack_both(d, &z, err);
    mst_npz_close(&z);
    return st;
}

static size_t npy_count(const mst_data *d)
{
    const npy_state *s = d->state;
    return s->n;
}

/* x from [H,W,C] to [C,H,W] */
static mst_status put_channels_first(const npy_state *s, float *x, mst_err *err)
{
    const size_t channels = s->shape[0], pixels = (size_t)s->shape[1] * s->shape[2];
    const size_t bytes = channels * pixels * sizeof *x;
    float *last = mst_alloc(NULL, bytes);
    if (last == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu bytes", s->x.name, bytes);
    memcpy(last, x, bytes);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++)
            x[c * pixels + p] = last[p * channels + c];
    mst_free(NULL, last, bytes);
    return MST_OK;
}

/* Values first..first+n-1 of sample i, as they lie in the file. */
static mst_status read_values(const npy_state *s, size_t i, size_t first, size_t n, void *out, mst_err *err)
{
    uint32_t item = s->x.header.item_size;
    return mst_npy_array_read(&s->x, (uint64_t)i * s->sample + first * item, out, n * item, err);
}

static uint64_t offset_of(const npy_state *s, size_t i, size_t k)
{
    return s->x.header.size + (uint64_t)i * s->sample + k * s->x.header.item_size;
}

static mst_status not_finite(const npy_state *s, size_t i, size_t k, double found, mst_err *err)
{
    return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": sample %zu: expected a finite value%s, found %g",
                    s->x.name,
                    offset_of(s, i, k), i, isfinite(found) ? " of float32" : "", found);
}

/* Float32 of the usual order, in place. */
static mst_status read_floats(const npy_state *s, size_t i, size_t n, float *x, mst_err *err)
{
    MST_TRY(read_values(s, i, 0, n, x, err));
    const uint8_t *bytes = (const uint8_t *)x;
    for (size_t k = 0; k < n; k++) { /* byte k*4 is read before x[k] is written */
        uint32_t v = mst_get_u32(bytes + 4 * k);
        memcpy(&x[k], &v, sizeof v);
        if (!isfinite(x[k]))
            return not_finite(s, i, k, (double)x[k], err);
    }
    return MST_OK;
}

/* Floats of any other kind. */
static mst_status read_reals(const npy_state *s, size_t i, size_t n, float *x, mst_err *err)
{
    uint8_t chunk[CHUNK];
    const size_t item = s->x.header.item_size, room = sizeof chunk / item;
    for (size_t k = 0; k < n; k += room) {
        size_t part = n - k < room ? n - k : room;
        MST_TRY(read_values(s, i, k, part, chunk, err));
        for (size_t v = 0; v < part; v++) {
            double value = mst_npy_real(s->x.header.type, chunk + v * item);
            if (!(fabs(value) <= (double)FLT_MAX))
                return not_finite(s, i, k + v, value, err);
            x[k + v] = (float)value;
        }
    }
    return MST_OK;
}

static mst_status get_reals(const mst_data *d, size_t i, float *x, mst_err *err)
{
    const npy_state *s = d->state;
    bool usual = s->x.header.type.size == 4 && !s->x.header.type.big;
    MST_TRY(usual ? read_floats(s, i, d->pixels, x, err) : read_reals(s, i, d->pixels, x, err));
    return s->last ? put_channels_first(s, x, err) : MST_OK;
}

/* The n pixels of sample i: integers of any width, or bools, of which true is white. */
static mst_status read_pixels(const npy_state *s, size_t i, size_t n, uint8_t *bytes, mst_err *err)
{
    const mst_npy_type type = s->x.header.type;
    uint8_t chunk[CHUNK];
    char how[240];
    if (type.kind == 'u' && type.size == 1)
        return read_values(s, i, 0, n, bytes, err);
    const size_t room = sizeof chunk / type.size;
    for (size_t k = 0; k < n; k += room) {
        size_t part = n - k < room ? n - k : room;
        MST_TRY(read_values(s, i, k, part, chunk, err));
        for (size_t v = 0; v < part; v++) {
            int64_t pixel = -1;
            if (!mst_npy_integer(type, chunk + v * type.size, &pixel) || pixel < 0 || pixel > UINT8_MAX)
                return mst_fail(err, MST_EINVAL,
                                "%s: offset %" PRIu64 ": sample %zu: expected a pixel of 0..255 in an array of "
                                "'%s', found %.17g; if these are normalized values: %s",
                                s->x.name, offset_of(s, i, k + v), i, s->x.header.descr,
                                mst_npy_real(type, chunk + v * type.size),
                                mst_npy_conversion(s->x.name, "<f4", how, sizeof how));
            bytes[k + v] = type.kind == 'b' ? (uint8_t)(pixel * UINT8_MAX) : (uint8_t)pixel;
        }
    }
    return MST_OK;
}

static mst_status get_pixels(const mst_data *d, size_t i, float *x, mst_err *err)
{
    const npy_state *s = d->state;
    const size_t n = (size_t)s->shape[0] * s->shape[1] * s->shape[2];
    uint8_t *bytes = mst_alloc(NULL, n);
    if (bytes == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu bytes", s->x.name, n);
    mst_image im = {.width = s->shape[2], .height = s->shape[1], .channels = s->shape[0], .pixels = bytes};
    mst_status st = read_pixels(s, i, n, bytes, err);
    if (st == MST_OK)
        st = s->last ? mst_data_put_image(d, &im, s->x.name, x, err)
                     : mst_data_put_planes(d, bytes, s->shape, s->x.name, x, err);
    mst_free(NULL, bytes, n);
    return st;
}

static mst_status npy_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    const npy_state *s = d->state;
    MST_TRY(s->real ? get_reals(d, i, x, err) : get_pixels(d, i, x, err));
    *label = s->labels != NULL ? s->labels[i] : -1;
    return MST_OK;
}

static mst_status npy_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    (void)err;
    const npy_state *s = d->state;
    *label = s->labels != NULL ? s->labels[i] : -1;
    return MST_OK;
}

static void npy_close(mst_data *d)
{
    npy_state *s = d->state;
    if (s == NULL)
        return;
    mst_npy_array_close(&s->x);
    mst_free_array(NULL, s->labels, s->n, sizeof *s->labels);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_npy = {
    {"npy", "floats, or integers (pixels), [N,C,H,W]", ",LABELS: .npy of integers [N], text, CSV, IDX", true},
    npy_sniff,
    npy_open,
    npy_count,
    npy_get,
    npy_close,
    NULL,
    npy_label,
    NULL};
const mst_data_reader mst_data_npz = {
    {"npz", "member x: floats, or integers (pixels), [N,C,H,W]", "member y: integers [N]", true},
    npz_sniff,
    npz_open,
    npy_count,
    npy_get,
    npy_close,
    NULL,
    npy_label,
    NULL};
