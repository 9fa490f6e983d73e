/* WebP through libwebp: still images, to RGB; what is transparent keeps its colour. Knows nothing of files. */
#include <webp/decode.h>

#include "runtime/data/image.h"

static mst_status wrong(const mst_image_file *f, mst_status code, const char *what, mst_err *err)
{
    return mst_fail(err, code, "%s: WebP: %s", f->path, what);
}

mst_status mst_webp_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    WebPBitstreamFeatures found;
    VP8StatusCode st = WebPGetFeatures(f->bytes, f->n, &found);
    if (st != VP8_STATUS_OK)
        return wrong(f, st == VP8_STATUS_OUT_OF_MEMORY ? MST_ENOMEM : MST_ECORRUPT, "its header is cut or damaged",
                     err);
    if (found.has_animation)
        return wrong(f, MST_EUNSUPPORTED, "an animation: expected one image", err);
    MST_TRY(mst_image_make(out, (uint32_t)found.width, (uint32_t)found.height, 3, f->path, err));
    size_t row = (size_t)out->width * 3;
    if (WebPDecodeRGBInto(f->bytes, f->n, out->pixels, row * out->height, (int)row) == NULL)
        return wrong(f, MST_ECORRUPT, "its data are cut or damaged", err);
    return MST_OK;
}
