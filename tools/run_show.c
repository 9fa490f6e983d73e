/* Values of a sample back to colours. */
#include "tools/run_show.h"

#include <math.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/data_want.h"
#include "tools/tool_opts.h"
#include "tools/tool_paths.h"

#define MAX_VALUES (1u << 28) /* of a sample: a gigabyte */
#define MAX_ROW 2048u         /* pixels of frames side by side before the next row begins */
#define GAP 1u                /* between frames */
#define GAP_GREY 96

static void undo_norm(const mst_data_want *want, const uint32_t shape[3], float *x)
{
    size_t plane = (size_t)shape[1] * shape[2];
    for (uint32_t c = 0; c < shape[0]; c++)
        for (size_t i = 0; i < plane; i++)
            x[c * plane + i] = x[c * plane + i] * want->std[c % want->n_norm] + want->mean[c % want->n_norm];
}

static uint8_t shade(float v)
{
    float scaled = 255.0f * v + 0.5f;
    return (uint8_t)(scaled <= 0 ? 0 : scaled >= 255 ? 255
                                                     : (int)scaled);
}

static mst_status draw_image(const uint32_t shape[3], const float *x, mst_image *im, mst_err *err)
{
    size_t plane = (size_t)shape[1] * shape[2];
    MST_TRY(mst_image_make(im, shape[2], shape[1], shape[0], "--show", err));
    for (uint32_t c = 0; c < shape[0]; c++)
        for (size_t i = 0; i < plane; i++)
            im->pixels[i * shape[0] + c] = shade(x[c * plane + i]);
    return MST_OK;
}

/* The count that is drawn at full brightness: three times the mean of those above 0, or the largest where
 * that is less. One hot pixel counts hundreds, and would leave everything else black. */
static float full_scale(const float *x, size_t n)
{
    double sum = 0, counted = 0;
    float top = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] <= 0)
            continue;
        sum += (double)x[i];
        counted++;
        top = x[i] > top ? x[i] : top;
    }
    return counted > 0 && 3 * sum / counted < (double)top ? (float)(3 * sum / counted) : top;
}

/* Frame f is channels 2f, where it grew darker, and 2f+1, where it grew brighter. */
static mst_status draw_frames(const uint32_t shape[3], const float *x, mst_image *im, mst_err *err)
{
    uint32_t n = shape[0] / 2, h = shape[1], w = shape[2];
    uint32_t columns = w + GAP < MAX_ROW ? MAX_ROW / (w + GAP) : 1;
    columns = columns < n ? columns : n;
    uint32_t rows = (n + columns - 1) / columns;
    size_t plane = (size_t)h * w, wide = (size_t)columns * (w + GAP) - GAP,
           high = (size_t)rows * (h + GAP) - GAP;
    float top = full_scale(x, shape[0] * plane);
    if (wide > UINT32_MAX || high > UINT32_MAX)
        return mst_fail(err, MST_ELIMIT, "--show: %u frames of %ux%u are too large for a picture", n, w, h);
    MST_TRY(mst_image_make(im, (uint32_t)wide, (uint32_t)high, 3, "--show", err));
    memset(im->pixels, GAP_GREY, wide * high * 3);
    for (uint32_t f = 0; f < n; f++)
        for (uint32_t y = 0; y < h; y++)
            for (uint32_t k = 0; k < w; k++) {
                size_t at = (size_t)(f / columns) * (h + GAP) + y;
                uint8_t *p = im->pixels + 3 * (at * wide + (size_t)(f % columns) * (w + GAP) + k);
                const float *v = x + 2 * f * plane + (size_t)y * w + k;
                p[0] = shade(top > 0 ? v[plane] / top : 0);
                p[1] = 0;
                p[2] = shade(top > 0 ? v[0] / top : 0);
            }
    return MST_OK;
}

mst_status mst_show_draw(const mst_data *data, size_t i, const mst_data_want *want, mst_image *im, uint32_t shape[3],
                         int *label, mst_err *err)
{
    MST_TRY(mst_data_shape(data, i, shape, err));
    bool image = shape[0] == 1 || shape[0] == 3;
    if (!image && shape[0] % 2 != 0)
        return mst_fail(err, MST_EUNSUPPORTED, "--show: channels: expected 1, 3 or an even number, found %u",
                        shape[0]);
    size_t plane = (size_t)shape[1] * shape[2];
    if (plane > MAX_VALUES / shape[0])
        return mst_fail(err, MST_ELIMIT, "--show: a sample of [%u,%u,%u] is more than %u values to draw%s", shape[0],
                        shape[1], shape[2], MAX_VALUES, image ? "" : "; take fewer --frames");
    float *x = mst_alloc_array(NULL, plane * shape[0], sizeof *x);
    if (x == NULL)
        return mst_fail(err, MST_ENOMEM, "--show: no memory for a sample of [%u,%u,%u]", shape[0], shape[1],
                        shape[2]);
    mst_status st = mst_data_get(data, i, x, label, err);
    if (st == MST_OK && want->n_norm != 0)
        undo_norm(want, shape, x);
    if (st == MST_OK)
        st = image ? draw_image(shape, x, im, err) : draw_frames(shape, x, im, err);
    mst_free_array(NULL, x, plane * shape[0], sizeof *x);
    return st;
}

static mst_status write_png(const mst_image *im, const char *path, mst_err *err)
{
    FILE *f;
    MST_TRY(mst_paths_stream(path, &f, err));
    return mst_png_write(im, f, path, err);
}

mst_status mst_show_write(const mst_data *data, size_t i, const mst_data_want *want, const char *path,
                          uint32_t shape[3], int *label, mst_err *err)
{
    mst_image im = {0};
    mst_status st = mst_show_draw(data, i, want, &im, shape, label, err);
    if (st == MST_OK)
        st = write_png(&im, path, err);
    mst_image_free(&im);
    return st;
}

mst_status mst_show_sample(const mst_graph *g, const char *spec, const char *number, const mst_prepare_opts *prepare,
                           const char *path, bool quiet, mst_err *err)
{
    mst_data_want want = {.as_is = true};
    mst_data *data = NULL;
    uint64_t index = 0;
    uint32_t shape[3];
    int label;
    mst_parse_uint(number, &index);
    if (g != NULL)
        MST_TRY(mst_data_want_of(g, &want, err));
    else
        mst_prepare_merge(prepare, &want.prepare);
    MST_TRY(mst_data_open(spec, &want, &data, err));
    mst_status st = mst_show_write(data, (size_t)index, &want, path, shape, &label, err);
    mst_data_close(data);
    if (st != MST_OK || quiet)
        return st;
    FILE *f = mst_is_stdout(path) ? stderr : stdout;
    fprintf(f, "%s, sample %s: %ux%ux%u", spec, number, shape[0], shape[1], shape[2]);
    if (label >= 0)
        fprintf(f, ", label %d", label);
    if (label >= 0 && g != NULL && (uint32_t)label < g->meta.n_classes)
        fprintf(f, " (%s)", g->meta.class_names[label]);
    fputc('\n', f);
    return MST_OK;
}
