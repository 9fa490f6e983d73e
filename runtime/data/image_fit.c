/* Resize and center crop, as torchvision's Resize(N), Resize((H, W)) and CenterCrop compute their
 * sizes and offsets. Knows no filter.
 */
#include "runtime/data/image.h"

/* A side of the resized image; past this the aspect is no picture's. */
#define MAX_RESIZED ((uint64_t)1 << 24)

/* What an image of n pixels gives to a crop of want: n shown from there on, behind pad black ones. */
typedef struct span {
    uint32_t from, n, pad;
} span;

static span center(uint32_t n, uint32_t want)
{
    if (n <= want)
        return (span){0, n, (want - n) / 2};
    uint32_t half = (n - want) / 2;
    if ((n - want) % 2 != 0 && half % 2 != 0) /* Python's round: halves go to the even side */
        half++;
    return (span){half, want, 0};
}

static mst_status shorter_side(const mst_image *in, uint32_t side, uint32_t *rows, uint32_t *columns, mst_err *err)
{
    uint32_t small = in->width <= in->height ? in->width : in->height;
    uint32_t large = in->width <= in->height ? in->height : in->width;
    uint64_t longer = (uint64_t)((double)((uint64_t)side * large) / (double)small); /* cut, not rounded */
    if (longer > MAX_RESIZED)
        return mst_fail(err, MST_ELIMIT,
                        "image of %ux%u pixels: resized to %u its longer side has %llu: limit is %llu",
                        in->width, in->height, side, (unsigned long long)longer,
                        (unsigned long long)MAX_RESIZED);
    *columns = in->width <= in->height ? side : (uint32_t)longer;
    *rows = in->width <= in->height ? (uint32_t)longer : side;
    return MST_OK;
}

mst_status mst_image_fit(const mst_image *in, const mst_prepare *how, uint32_t height, uint32_t width,
                         mst_image *out, mst_err *err)
{
    uint32_t rows = in->height, columns = in->width;
    *out = (mst_image){0};
    if (MST_RESIZE_WIDTH(how->resize) != 0) {
        rows = MST_RESIZE_HEIGHT(how->resize);
        columns = MST_RESIZE_WIDTH(how->resize);
    } else if (how->resize != 0) {
        MST_TRY(shorter_side(in, how->resize, &rows, &columns, err));
    }
    span x = center(columns, width), y = center(rows, height);
    mst_image_window win = {rows, columns, x.from, y.from, x.n, y.n};
    MST_TRY(mst_image_make(out, width, height, in->channels, "crop", err));
    size_t stride = (size_t)width * in->channels;
    mst_status st = mst_image_resample(in, how->interpolation, &win,
                                       out->pixels + y.pad * stride + (size_t)x.pad * in->channels, stride,
                                       err);
    if (st != MST_OK)
        mst_image_free(out);
    return st;
}
