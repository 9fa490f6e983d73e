/* Event recordings as samples: n frames of two polarities, [n*2,H,W], each value the
 * number of events at a pixel (MST paper, Section 4.2), resized from the sensor's size to the
 * model's. Knows no recording format and no layout of folders.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"
#include "runtime/data/events/event_frames.h"
#include "runtime/data/events/event_set.h"

#define DEFAULT_FRAMES 10u /* where there is no model to say */

static bool event_sniff(const char *path)
{
    return mst_data_is_dir(path) ? mst_event_set_sniff(path) : mst_event_profile_sniff(path) != NULL;
}

/* Frames and the model's channels against each other. */
static mst_status check_frames(mst_data *d, const char *path, mst_err *err)
{
    mst_prepare *p = &d->want.prepare;
    if (d->as_is && p->frames == 0)
        p->frames = DEFAULT_FRAMES;
    if (p->frames == 0)
        return mst_fail(err, MST_EINVAL,
                        "%s: event recordings: expected a model with a number of frames, found none "
                        "(its input has %u channels)",
                        path, d->want.channels);
    if (p->frames <= MST_EVENT_MAX_FRAMES && (d->as_is || d->want.channels == 2 * p->frames))
        return MST_OK;
    if (p->present == MST_PRESENT_STEPS && p->frames > 1)
        return mst_fail(err, MST_EINVAL,
                        "%s: event recordings: a frame presented in a step has 2 channels (polarities), the "
                        "model's input has %u",
                        path, d->want.channels / p->frames);
    return mst_fail(err, MST_EINVAL,
                    "%s: event recordings: %u frames of 2 polarities are %u channels, the model's "
                    "input has %u",
                    path, p->frames, 2 * p->frames, d->want.channels);
}

/* Those of class folders, which are places until now. */
static mst_status relabel(const mst_data *d, mst_event_set *set, const char *path, mst_err *err)
{
    int32_t *labels = mst_alloc_array(NULL, set->n_classes, sizeof *labels);
    if (labels == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mst_status st = mst_data_folder_labels(d, path, set->classes, set->n_classes, labels, err);
    for (size_t i = 0; i < set->n && st == MST_OK; i++)
        set->items[i].label = labels[set->items[i].label];
    mst_free_array(NULL, labels, set->n_classes, sizeof *labels);
    return st;
}

/* Labels of label files stand for themselves. */
static mst_status check_classes(const mst_data *d, mst_event_set *set, const char *path, mst_err *err)
{
    size_t have = d->want.classes;
    if (have != 0 && set->classes != NULL)
        MST_TRY(relabel(d, set, path, err));
    if (have == 0)
        return MST_OK;
    for (size_t i = 0; i < set->n; i++) {
        const mst_event_item *it = &set->items[i];
        if (it->label < 0 || (size_t)it->label < have)
            continue;
        if (it->labels != NULL)
            return mst_fail(err, MST_EINVAL, "%s: line %zu: class: expected 1..%zu as the model has, found %" PRId32,
                            it->labels, it->line, have, it->label + 1);
        return mst_fail(err, MST_EINVAL, "%s: label: expected 0..%zu as the model has classes, found %" PRId32,
                        it->path, have - 1, it->label);
    }
    return MST_OK;
}

/* ",HxW" behind the path, else the model's input where nothing else tells. */
static mst_status set_sensor(const mst_data *d, mst_event_set *set, const char *path, const char *text, mst_err *err)
{
    unsigned height, width;
    int end = -1;
    if (text == NULL) {
        uint32_t h = d->want.height, w = d->want.width;
        const uint16_t size[2] = {(uint16_t)(h < UINT16_MAX ? h : UINT16_MAX),
                                  (uint16_t)(w < UINT16_MAX ? w : UINT16_MAX)};
        bool told = d->as_is || !mst_event_profile_unsized(set->profile);
        return told ? MST_OK : mst_event_set_sensor(set, size, true, err);
    }
    if (sscanf(text, "%5ux%5u%n", &height, &width, &end) != 2 || text[end] != '\0' || height - 1 >= MST_MAX_SIDE ||
        width - 1 >= MST_MAX_SIDE)
        return mst_fail(err, MST_EINVAL,
                        "%s: expected no label file (folders or files beside it hold the labels) or the sensor's HxW, "
                        "found '%s'",
                        path, text);
    return mst_event_set_sensor(set, (const uint16_t[]){(uint16_t)height, (uint16_t)width}, false, err);
}

static mst_status event_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    const mst_event_profile *profile = mst_event_profile_find(d->kind); /* "events", recognized: NULL */
    MST_TRY(check_frames(d, path, err));
    mst_event_set *set = mst_alloc(NULL, sizeof *set);
    if (set == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    d->state = set; /* zeroed, which close takes */
    MST_TRY(mst_event_set_open(path, profile, set, err));
    d->kind = mst_event_profile_name(set->profile);
    MST_TRY(set_sensor(d, set, path, labels, err));
    return check_classes(d, set, path, err);
}

static size_t event_count(const mst_data *d)
{
    const mst_event_set *set = d->state;
    return set->n;
}

/* The model's; where there is none, as many as a file holds. */
static uint32_t frames_of(const mst_data *d, const mst_event_stream *s)
{
    return d->as_is && mst_event_stored(s) != 0 ? mst_event_stored(s) : d->want.prepare.frames;
}

static mst_status event_shape(const mst_data *d, size_t i, uint32_t shape[3], mst_err *err)
{
    mst_event_stream *s;
    MST_TRY(mst_event_set_stream(d->state, i, &s, err));
    shape[0] = 2 * frames_of(d, s);
    shape[1] = mst_event_height(s);
    shape[2] = mst_event_width(s);
    mst_event_close(s);
    return MST_OK;
}

/* In steps, every frame has the model's norm. */
static void normalize(const mst_data *d, uint32_t channels, size_t plane, float *x)
{
    for (uint32_t c = 0; c < channels; c++) {
        float mean = d->mean[c % d->want.n_norm], std = d->std[c % d->want.n_norm];
        for (size_t k = 0; k < plane; k++)
            x[c * plane + k] = (x[c * plane + k] - mean) / std;
    }
}

static mst_status event_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    const mst_event_set *set = d->state;
    mst_event_stream *s;
    MST_TRY(mst_event_set_stream(set, i, &s, err));
    uint32_t h = d->as_is ? mst_event_height(s) : d->want.height;
    uint32_t w = d->as_is ? mst_event_width(s) : d->want.width;
    uint32_t frames = frames_of(d, s);
    mst_event_split split = d->want.prepare.split == MST_SPLIT_TIME ? MST_EVENT_BY_TIME : MST_EVENT_BY_NUMBER;
    mst_status st = mst_event_frames(s, frames, split, h, w, x, err);
    mst_event_close(s);
    const mst_event_item *it = &set->items[i];
    if (st != MST_OK && it->labels != NULL)
        return mst_fail_in(err, st, "%s: line %zu: ", it->labels, it->line);
    if (st == MST_OK && d->want.n_norm != 0)
        normalize(d, 2 * frames, (size_t)h * w, x);
    *label = it->label;
    return st;
}

static mst_status event_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    (void)err;
    *label = ((const mst_event_set *)d->state)->items[i].label;
    return MST_OK;
}

static bool event_name(const mst_data *d, size_t i, char *out, size_t n)
{
    const mst_event_item *it = &((const mst_event_set *)d->state)->items[i];
    if (it->labels != NULL) /* several of a recording */
        return snprintf(out, n, "%s: line %zu of %s", it->path, it->line, it->labels) < (int)n;
    return snprintf(out, n, "%s", it->path) < (int)n;
}

static void event_close(mst_data *d)
{
    mst_event_set *set = d->state;
    if (set == NULL)
        return;
    mst_event_set_close(set);
    mst_free(NULL, set, sizeof *set);
}

const mst_data_reader mst_data_event = {
    {"events", "", "", true},
    event_sniff,
    event_open,
    event_count,
    event_get,
    event_close,
    event_shape,
    event_label,
    event_name};
