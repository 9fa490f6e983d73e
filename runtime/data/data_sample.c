/* From a sample's bytes to the model's input: fitted in size, turned into grey or
 * RGB, normalized. Knows no file format.
 */
#include <inttypes.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/data_format.h"

/* Is there anything that says how to bring another size to the model's? */
static bool can_fit(const mst_data *d)
{
    return d->want.prepare.resize != 0 || d->want.prepare.crop_height != 0;
}

static bool same_size(const mst_data *d, uint32_t height, uint32_t width)
{
    return d->want.height == height && d->want.width == width;
}

/* Resizing and cropping would change nothing. */
static bool fits_as_is(const mst_data *d, uint32_t height, uint32_t width)
{
    uint32_t shorter = height < width ? height : width, resize = d->want.prepare.resize;
    return same_size(d, height, width) &&
           (resize == 0 || resize == shorter || resize == MST_RESIZE_BOTH(height, width));
}

/* 256 for 224. */
static unsigned usual_resize(const mst_data *d)
{
    uint32_t shorter = d->want.height < d->want.width ? d->want.height : d->want.width;
    return shorter < MST_MAX_SIDE / 2 ? shorter * 8 / 7 : shorter;
}

mst_status mst_data_check_shape(mst_data *d, const uint32_t shape[3], const char *path, uint64_t offset,
                                mst_err *err)
{
    if (d->as_is) {
        size_t n;
        if (!mst_mul_size((size_t)shape[1] * shape[2], shape[0], &n) || n == 0 || n > MST_MAX_ELEMENTS)
            return mst_fail(err, MST_ELIMIT,
                            "%s: offset %" PRIu64 ": samples of [%u,%u,%u]: expected 1 to %u values",
                            path, offset, shape[0], shape[1], shape[2], MST_MAX_ELEMENTS);
        d->want.channels = shape[0];
        d->want.height = shape[1];
        d->want.width = shape[2];
        d->pixels = n;
        return MST_OK;
    }
    if (shape[0] == d->want.channels && !same_size(d, shape[1], shape[2]) && !can_fit(d) && shape[1] != 0 &&
        shape[2] != 0)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": images: expected [%u,%u,%u] as the model has it, found [%u,%u,%u]; "
                        "to fit them: --resize %u --crop %ux%u",
                        path, offset, d->want.channels, d->want.height, d->want.width, shape[0], shape[1], shape[2],
                        d->want.height < d->want.width ? d->want.height : d->want.width, d->want.height, d->want.width);
    bool fits = same_size(d, shape[1], shape[2]) || (can_fit(d) && shape[1] != 0 && shape[2] != 0);
    if (shape[0] != d->want.channels || !fits)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": images: expected [%u,%u,%u] as the model has it, found "
                        "[%u,%u,%u]",
                        path, offset, d->want.channels, d->want.height, d->want.width, shape[0], shape[1],
                        shape[2]);
    return MST_OK;
}

/* What 256 levels of channel c become. */
static const float *row_of(const mst_data *d, uint32_t c)
{
    return d->table + (d->want.n_norm != 0 ? (size_t)c * 256 : 0);
}

/* Pillow's "L": ITU-R 601-2 luma in 16 bits of fraction. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

static void put(const mst_data *d, const mst_image *im, uint32_t channels, float *x)
{
    size_t plane = (size_t)im->width * im->height, stride = im->channels;
    for (uint32_t c = 0; c < channels; c++) {
        const float *row = row_of(d, c);
        const uint8_t *p = im->pixels + (stride == 3 && channels == 3 ? c : 0);
        if (stride == 3 && channels == 1)
            for (size_t i = 0; i < plane; i++)
                x[i] = row[luma(p + 3 * i)];
        else
            for (size_t i = 0; i < plane; i++)
                x[c * plane + i] = row[p[i * stride]];
    }
}

mst_status mst_data_put_image(const mst_data *d, const mst_image *im, const char *name, float *x,
                              mst_err *err)
{
    mst_image fitted;
    if (d->as_is) {
        put(d, im, im->channels, x);
        return MST_OK;
    }
    if (d->want.channels != 1 && d->want.channels != 3)
        return mst_fail(err, MST_EINVAL, "%s: images have 1 or 3 channels, the model's input has %u", name,
                        d->want.channels);
    if (fits_as_is(d, im->height, im->width)) {
        put(d, im, d->want.channels, x);
        return MST_OK;
    }
    if (!can_fit(d))
        return mst_fail(err, MST_EINVAL,
                        "%s: image: expected %ux%u as the model has it (no resize or crop is set), found %ux%u; "
                        "as ImageNet is evaluated: --resize %u --crop %ux%u",
                        name, d->want.height, d->want.width, im->height, im->width, usual_resize(d), d->want.height,
                        d->want.width);
    mst_status st = mst_image_fit(im, &d->want.prepare, d->want.height, d->want.width, &fitted, err);
    if (st != MST_OK)
        return mst_fail_in(err, st, "%s: ", name);
    put(d, &fitted, d->want.channels, x);
    mst_image_free(&fitted);
    return MST_OK;
}

mst_status mst_data_put_planes(const mst_data *d, const uint8_t *bytes, const uint32_t shape[3],
                               const char *name, float *x, mst_err *err)
{
    size_t plane = (size_t)shape[1] * shape[2];
    if (d->as_is || (shape[0] == d->want.channels && fits_as_is(d, shape[1], shape[2]))) {
        for (uint32_t c = 0; c < shape[0]; c++)
            for (size_t i = 0; i < plane; i++)
                x[c * plane + i] = row_of(d, c)[bytes[c * plane + i]];
        return MST_OK;
    }
    if (shape[0] != 1 && shape[0] != 3)
        return mst_fail(err, MST_EINVAL, "%s: expected 1 or 3 channels to fit, found %u", name, shape[0]);
    mst_image im = {0};
    MST_TRY(mst_image_make(&im, shape[2], shape[1], shape[0], name, err));
    for (uint32_t c = 0; c < shape[0]; c++)
        for (size_t i = 0; i < plane; i++)
            im.pixels[i * shape[0] + c] = bytes[c * plane + i];
    mst_status st = mst_data_put_image(d, &im, name, x, err);
    mst_image_free(&im);
    return st;
}
