/* Events to frames: finding the cuts and counting events. Knows no file format
 * and holds one frame of the sensor's size at most.
 */
#include "runtime/data/events/event_frames.h"

#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/events/event_resize.h"

#define BATCH 1024u
#define NO_EVENT UINT64_MAX

typedef struct span {
    uint64_t n;
    int64_t first, last; /* time of the first and the last event */
} span;

static mst_status count(mst_event_stream *s, span *sp, mst_err *err)
{
    mst_event batch[BATCH];
    size_t n;
    *sp = (span){0};
    MST_TRY(mst_event_rewind(s, err));
    for (;;) {
        MST_TRY(mst_event_next(s, batch, BATCH, &n, err));
        if (n == 0)
            break;
        if (sp->n == 0)
            sp->first = batch[0].t;
        sp->last = batch[n - 1].t;
        sp->n += n;
    }
    if (sp->n == 0)
        return mst_fail(err, MST_ECORRUPT, "%s: expected events, found none", mst_event_path(s));
    return MST_OK;
}

/* Of frames that the file holds: one after another. */
static mst_status take_stored(const mst_event_stream *s, span *sp, uint32_t n, mst_err *err)
{
    if (mst_event_stored(s) != n)
        return mst_fail(err, MST_EINVAL, "%s: expected %u frames, found %u", mst_event_path(s), n, mst_event_stored(s));
    *sp = (span){.n = n};
    return MST_OK;
}

static void cut_by_number(mst_event_cuts *c, const span *sp)
{
    uint64_t each = sp->n / c->n;
    for (uint32_t f = 0; f < c->n; f++) {
        c->from[f] = each * f;
        c->to[f] = each * (f + 1);
    }
    c->to[c->n - 1] = sp->n;
}

/* A frame runs from the first event in its span of time to the last one in it, as event
 * numbers: where time steps back, frames may share events. */
static mst_status cut_by_time(mst_event_stream *s, mst_event_cuts *c, const span *sp, mst_err *err)
{
    mst_event batch[BATCH];
    size_t n;
    uint64_t index = 0, late = NO_EVENT; /* first event at or behind the last span's start */
    int64_t each = sp->last > sp->first ? (sp->last - sp->first) / (int64_t)c->n : 0;
    int64_t last_start = sp->first + each * ((int64_t)c->n - 1);
    for (uint32_t f = 0; f < c->n; f++)
        c->from[f] = NO_EVENT;
    MST_TRY(mst_event_rewind(s, err));
    for (;;) {
        MST_TRY(mst_event_next(s, batch, BATCH, &n, err));
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++, index++) {
            int64_t since = batch[i].t - sp->first;
            if (late == NO_EVENT && batch[i].t >= last_start)
                late = index;
            if (since < 0 || each == 0 || since / each >= (int64_t)c->n)
                continue;
            uint32_t f = (uint32_t)(since / each);
            if (c->from[f] == NO_EVENT)
                c->from[f] = index;
            c->to[f] = index + 1;
        }
    }
    for (uint32_t f = 0; f < c->n; f++)
        if (c->from[f] == NO_EVENT)
            c->from[f] = c->to[f] = 0;
    if (c->to[c->n - 1] == 0)
        c->from[c->n - 1] = late != NO_EVENT ? late : sp->n;
    c->to[c->n - 1] = sp->n;
    return MST_OK;
}

mst_status mst_event_cuts_find(mst_event_stream *s, uint32_t n, mst_event_split split, mst_event_cuts *c,
                               mst_err *err)
{
    span sp;
    *c = (mst_event_cuts){0};
    if (n == 0)
        return mst_fail(err, MST_EINVAL, "event frames: expected at least 1, found 0");
    if (n > MST_EVENT_MAX_FRAMES)
        return mst_fail(err, MST_ELIMIT, "event frames: limit is %u, found %u", MST_EVENT_MAX_FRAMES, n);
    bool stored = mst_event_stored(s) != 0;
    MST_TRY(stored ? take_stored(s, &sp, n, err) : count(s, &sp, err));
    c->n = n;
    c->from = mst_alloc_array(NULL, n, sizeof *c->from);
    c->to = mst_alloc_array(NULL, n, sizeof *c->to);
    mst_status st = MST_OK;
    if (c->from == NULL || c->to == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory");
    else if (split == MST_EVENT_BY_NUMBER || stored)
        cut_by_number(c, &sp);
    else
        st = cut_by_time(s, c, &sp, err);
    if (st != MST_OK)
        mst_event_cuts_free(c);
    return st;
}

void mst_event_cuts_free(mst_event_cuts *c)
{
    mst_free_array(NULL, c->from, c->n, sizeof *c->from);
    mst_free_array(NULL, c->to, c->n, sizeof *c->to);
    *c = (mst_event_cuts){0};
}

/* Go to event k: forward from where the stream is if it can. */
static mst_status seek_event(mst_event_stream *s, uint64_t k, mst_err *err)
{
    mst_event batch[BATCH];
    if (mst_event_given(s) > k)
        MST_TRY(mst_event_rewind(s, err));
    while (mst_event_given(s) < k) {
        uint64_t left = k - mst_event_given(s);
        size_t n;
        MST_TRY(mst_event_next(s, batch, left < BATCH ? (size_t)left : BATCH, &n, err));
        if (n == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: expected event %" PRIu64 ", found the end of the file",
                            mst_event_path(s), k);
    }
    return MST_OK;
}

/* Count events from..to-1 into counts [2,height,width] of the sensor. */
static mst_status integrate(mst_event_stream *s, uint64_t from, uint64_t to, float *counts, mst_err *err)
{
    mst_event batch[BATCH];
    size_t width = mst_event_width(s), plane = width * mst_event_height(s), n;
    if (mst_event_stored(s) != 0)
        return mst_event_stored_frame(s, (uint32_t)from, counts, err);
    memset(counts, 0, 2 * plane * sizeof *counts);
    MST_TRY(seek_event(s, from, err));
    for (uint64_t left = to - from; left != 0; left -= n) {
        MST_TRY(mst_event_next(s, batch, left < BATCH ? (size_t)left : BATCH, &n, err));
        if (n == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: expected event %" PRIu64 ", found the end of the file",
                            mst_event_path(s), mst_event_given(s));
        for (size_t i = 0; i < n; i++)
            counts[batch[i].p * plane + batch[i].y * width + batch[i].x] += 1.0f;
    }
    return MST_OK;
}

mst_status mst_event_frame(mst_event_stream *s, const mst_event_cuts *c, uint32_t f, uint32_t height,
                           uint32_t width, float *out, mst_err *err)
{
    uint32_t sh = mst_event_height(s), sw = mst_event_width(s);
    if (f >= c->n)
        return mst_fail(err, MST_EINVAL, "event frame %u: there are %u", f, c->n);
    if (c->from[f] == c->to[f]) {
        memset(out, 0, (size_t)2 * height * width * sizeof *out);
        return MST_OK;
    }
    if (sh == height && sw == width)
        return integrate(s, c->from[f], c->to[f], out, err);
    size_t n = (size_t)2 * sh * sw;
    float *counts = mst_alloc_array(NULL, n, sizeof *counts);
    if (counts == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for a frame of %ux%u", mst_event_path(s), sw, sh);
    mst_status st = integrate(s, c->from[f], c->to[f], counts, err);
    if (st == MST_OK)
        st = mst_event_resize(counts, 2, sh, sw, height, width, out, err);
    mst_free_array(NULL, counts, n, sizeof *counts);
    return st;
}

mst_status mst_event_frames(mst_event_stream *s, uint32_t n, mst_event_split split, uint32_t height,
                            uint32_t width, float *out, mst_err *err)
{
    mst_event_cuts c;
    MST_TRY(mst_event_cuts_find(s, n, split, &c, err));
    mst_status st = MST_OK;
    for (uint32_t f = 0; f < n && st == MST_OK; f++)
        st = mst_event_frame(s, &c, f, height, width, out + (size_t)2 * f * height * width, err);
    mst_event_cuts_free(&c);
    return st;
}
