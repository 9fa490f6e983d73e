/* SpikingJelly's frames: an .npz with an array `frames` [n,2,H,W] of any number type, counts of events that were
 * cut into frames already.
 */
#include <inttypes.h>
#include <math.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_decoder.h"
#include "runtime/data/npz_file.h"

static const char *const names[] = {"frames.npy", NULL};

static bool frames_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)size;
    return mst_npz_sniff(head, n) && mst_npz_has(path, names[0]);
}

static mst_status take_array(mst_event_stream *s, mst_npz *z, mst_err *err)
{
    mst_npy_array *a = s->state;
    const mst_npy_header *h = &a->header;
    char found[128];
    bool there;
    MST_TRY(mst_npz_array(z, names, &there, a, err));
    if (!there)
        return mst_fail(err, MST_EFORMAT, "%s: expected an array frames, found none", s->path);
    mst_npy_shape_text(h, found, sizeof found);
    if (h->n_fields != 0 || h->rank != 4 || h->dims[0] - 1 >= UINT16_MAX || h->dims[1] != 2 ||
        h->dims[2] - 1 >= MST_EVENT_MAX_SIDE || h->dims[3] - 1 >= MST_EVENT_MAX_SIDE)
        return mst_fail(err, MST_EFORMAT, "%s: offset 10: shape: expected (frames, 2, H, W), found %s", a->name, found);
    s->frames = (uint32_t)h->dims[0];
    s->height = (uint16_t)h->dims[2];
    s->width = (uint16_t)h->dims[3];
    return MST_OK;
}

static mst_status frames_open(mst_event_stream *s, mst_err *err)
{
    mst_npz z;
    mst_npy_array *a = s->state = mst_alloc(NULL, sizeof *a);
    if (a == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    a->fd = -1;
    mst_status st = mst_npz_open(&z, s->path, err);
    if (st == MST_OK)
        st = take_array(s, &z, err);
    mst_npz_close(&z);
    return st;
}

static mst_status frames_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    (void)out, (void)cap, (void)n;
    return mst_fail(err, MST_EUNSUPPORTED, "%s: expected events, found frames", s->path);
}

static mst_status frames_frame(mst_event_stream *s, uint32_t f, float *counts, mst_err *err)
{
    const mst_npy_array *a = s->state;
    const uint32_t item = a->header.item_size;
    const size_t values = (size_t)2 * s->width * s->height, block = MST_EVENT_BUFFER / item;
    for (size_t k = 0, n; k < values; k += n) {
        n = values - k < block ? values - k : block;
        uint64_t at = ((uint64_t)f * values + k) * item;
        MST_TRY(mst_npy_array_read(a, at, s->buffer, n * item, err));
        for (size_t i = 0; i < n; i++) {
            counts[k + i] = (float)mst_npy_real(a->header.type, s->buffer + i * item);
            if (!isfinite(counts[k + i]) || counts[k + i] < 0)
                return mst_fail(err, MST_ECORRUPT,
                                "%s: offset %" PRIu64 ": frame %u: expected a number of events, found %g", a->name,
                                a->header.size + at + i * item, f, (double)counts[k + i]);
        }
    }
    return MST_OK;
}

static void frames_close(mst_event_stream *s)
{
    mst_npy_array *a = s->state;
    if (a == NULL)
        return;
    mst_npy_array_close(a);
    mst_free(NULL, a, sizeof *a);
    s->state = NULL;
}

static void frames_rewind(mst_event_stream *s)
{
    (void)s; /* nothing was read in order */
}

const mst_event_decoder mst_event_npz_frames = {"npz of frames", frames_sniff, frames_open, frames_next,
                                                frames_close, frames_rewind, frames_frame};
