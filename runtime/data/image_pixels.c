/* Memory for the pixels of an image. */
#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/image.h"

mst_status mst_image_make(mst_image *im, uint32_t width, uint32_t height, uint32_t channels, const char *name,
                          mst_err *err)
{
    size_t pixels;
    if (width == 0 || height == 0)
        return mst_fail(err, MST_EFORMAT, "%s: image: expected at least 1x1 pixels, found %ux%u", name, width,
                        height);
    if (!mst_mul_size(width, height, &pixels) || pixels > MST_IMAGE_MAX_PIXELS)
        return mst_fail(err, MST_ELIMIT, "%s: image of %ux%u pixels: limit is %zu", name, width, height,
                        MST_IMAGE_MAX_PIXELS);
    *im = (mst_image){.width = width, .height = height, .channels = channels};
    im->pixels = mst_alloc_array(NULL, pixels, channels);
    if (im->pixels == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for an image of %ux%u pixels", name, width, height);
    return MST_OK;
}

void mst_image_free(mst_image *im)
{
    mst_free_array(NULL, im->pixels, (size_t)im->width * im->height, im->channels);
    *im = (mst_image){0};
}
