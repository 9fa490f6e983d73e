/* Preprocessing from the command line. */
#include "tools/tool_prepare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/conv_meta.h"

/* Which of the names text is; -1: none. */
static int find_name(const char *(*name)(int), const char *text)
{
    for (int i = 0; name(i) != NULL; i++)
        if (strcmp(name(i), text) == 0)
            return i;
    return -1;
}

static bool interpolation_row(size_t k, const char **cells)
{
    return (cells[0] = mst_interpolation_name((int)k)) != NULL;
}

static bool split_row(size_t k, const char **cells)
{
    return (cells[0] = mst_split_name((int)k)) != NULL;
}

static bool present_row(size_t k, const char **cells)
{
    return (cells[0] = mst_present_name((int)k)) != NULL;
}

const mst_list mst_list_interpolation = {"interpolation", 1, {"filter"}, interpolation_row};
const mst_list mst_list_split = {"split", 1, {"frames of an equal"}, split_row};
const mst_list mst_list_present = {"present", 1, {"frames as"}, present_row};

/* HxW */
static bool parse_size(const char *text, uint32_t crop[2])
{
    uint32_t dims[MST_MAX_RANK], rank;
    if (!mst_shape_parse(text, dims, &rank) || rank != 2 || dims[0] > MST_MAX_SIDE || dims[1] > MST_MAX_SIDE)
        return false;
    crop[0] = dims[0];
    crop[1] = dims[1];
    return true;
}

/* N or HxW, as mst_prepare has it. */
static bool parse_resize(const char *text, uint32_t *resize)
{
    uint32_t size[2] = {0, 0};
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 5 && text[digits] == '\0') {
        *resize = (uint32_t)strtoul(text, NULL, 10);
        return *resize <= MST_MAX_SIDE;
    }
    bool ok = parse_size(text, size) && size[0] != 0 && size[1] != 0;
    *resize = MST_RESIZE_BOTH(size[0], size[1]);
    return ok;
}

static mst_status check_norm(const mst_prepare_opts *p, mst_err *err)
{
    if ((p->mean.n == 0) != (p->std.n == 0))
        return mst_fail(err, MST_EINVAL, "expected --mean and --std together, found only --%s",
                        p->mean.n != 0 ? "mean" : "std");
    if (p->mean.n != p->std.n)
        return mst_fail(err, MST_EINVAL, "--mean and --std: expected as many numbers, found %zu and %zu",
                        p->mean.n,
                        p->std.n);
    for (size_t i = 0; i < p->std.n; i++)
        if (p->std.values[i] <= 0)
            return mst_fail(err, MST_EINVAL, "--std: expected numbers above 0, found %g", p->std.values[i]);
        else if (!isfinite((1 + fabsf((float)p->mean.values[i])) / (float)p->std.values[i]) ||
                 !isfinite((float)p->std.values[i]))
            return mst_fail(err, MST_EINVAL, "--mean and --std: (x/255 - %g)/%g is no finite float32",
                            p->mean.values[i], p->std.values[i]);
    return MST_OK;
}

mst_status mst_prepare_check(const mst_prepare_opts *p, mst_err *err)
{
    uint32_t crop[2], resize;
    size_t k;
    MST_TRY(check_norm(p, err));
    MST_TRY(mst_list_take(&mst_list_interpolation, "--interpolation", p->interpolation, &k, err));
    MST_TRY(mst_list_take(&mst_list_split, "--split", p->split, &k, err));
    MST_TRY(mst_list_take(&mst_list_present, "--present", p->present, &k, err));
    if (p->resize != NULL && !parse_resize(p->resize, &resize))
        return mst_fail(err, MST_EINVAL,
                        "--resize: expected a shorter side of 0..%u pixels, or HxW as in 224x224, found '%s'",
                        MST_MAX_SIDE, p->resize);
    if (p->crop != NULL && !parse_size(p->crop, crop))
        return mst_fail(err, MST_EINVAL, "--crop: expected HxW as in 224x224, found '%s'", p->crop);
    return MST_OK;
}

bool mst_prepare_needs_model(const mst_prepare_opts *p)
{
    return p->mean.n != 0 || p->std.n != 0 || p->resize != NULL || p->interpolation != NULL || p->crop != NULL ||
           p->present != NULL;
}

static mst_status apply_crop(const char *text, mst_graph *g, mst_err *err)
{
    const mst_tensor *x = &g->tensors[g->input];
    uint32_t crop[2] = {0, 0};
    if (!parse_size(text, crop) || x->rank != 4 || crop[0] != x->dims[2] || crop[1] != x->dims[3])
        return mst_fail(err, MST_EINVAL, "--crop: expected %ux%u, the size of the model's input, found '%s'",
                        x->rank == 4 ? x->dims[2] : 0, x->rank == 4 ? x->dims[3] : 0, text);
    g->meta.prepare.crop_height = crop[0];
    g->meta.prepare.crop_width = crop[1];
    return MST_OK;
}

void mst_prepare_merge(const mst_prepare_opts *p, mst_prepare *q)
{
    uint32_t resize;
    if (p->resize != NULL && parse_resize(p->resize, &resize))
        q->resize = resize;
    if (p->frames.set)
        q->frames = (uint32_t)p->frames.value;
    if (p->interpolation != NULL)
        q->interpolation = (mst_interpolation)find_name(mst_interpolation_name, p->interpolation);
    if (p->split != NULL)
        q->split = (mst_split)find_name(mst_split_name, p->split);
    if (p->present != NULL)
        q->present = (mst_present)find_name(mst_present_name, p->present);
}

mst_status mst_prepare_apply(const mst_prepare_opts *p, mst_graph *g, mst_err *err)
{
    if (p->mean.n != 0)
        MST_TRY(mst_meta_set_norm(g, &p->mean, &p->std, err));
    mst_prepare_merge(p, &g->meta.prepare);
    return p->crop != NULL ? apply_crop(p->crop, g, err) : MST_OK;
}

void mst_prepare_misfit(const mst_graph *g, char *out, size_t n)
{
    const mst_prepare *p = &g->meta.prepare;
    const mst_tensor *x = &g->tensors[g->input];
    uint32_t channels = x->rank == 4 ? x->dims[1] : 0;
    bool steps = p->present == MST_PRESENT_STEPS;
    uint32_t expected = steps ? 2 : 2 * p->frames;
    out[0] = '\0';
    if (p->frames != 0 && channels != expected)
        snprintf(out, n, "%u frames %s are %u channels%s, the model's input has %u", p->frames,
                 steps ? "presented as steps" : "of 2 polarities", expected, steps ? " (polarities) each" : "",
                 channels);
}

void mst_prepare_text(const mst_graph *g, char *out, size_t n)
{
    const mst_prepare *p = &g->meta.prepare;
    const mst_tensor *x = &g->tensors[g->input];
    size_t used = 0;
    out[0] = '\0';
    const char *filter = mst_interpolation_name((int)p->interpolation);
    if (MST_RESIZE_WIDTH(p->resize) != 0)
        used += (size_t)snprintf(out, n, "resize %ux%u %s", MST_RESIZE_HEIGHT(p->resize), MST_RESIZE_WIDTH(p->resize),
                                 filter);
    else if (p->resize != 0)
        used += (size_t)snprintf(out, n, "resize %u %s", p->resize, filter);
    if ((p->resize != 0 || p->crop_height != 0) && x->rank == 4 && used < n)
        used += (size_t)snprintf(out + used, n - used, "%scrop %ux%u", used != 0 ? ", " : "", x->dims[2],
                                 x->dims[3]);
    if (p->frames != 0 && used < n)
        snprintf(out + used, n - used, "%s%u event frames of equal %s, as %s", used != 0 ? ", " : "",
                 p->frames,
                 p->split == MST_SPLIT_TIME ? "time" : "number", mst_present_name((int)p->present));
}
