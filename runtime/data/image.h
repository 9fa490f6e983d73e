/* 8-bit images: decoding, fitting to a model's input, writing. Private to
 * runtime/data and the tools; knows nothing of data sets, labels or floats.
 */
#ifndef MST_IMAGE_H
#define MST_IMAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "mst/graph.h"

/* No image may have more pixels, whatever its file says. */
#define MST_IMAGE_MAX_PIXELS ((size_t)64 << 20)
#define MST_IMAGE_MAX_FILE ((size_t)1 << 28)
/* Decoding takes at most twice the image as RGB and this much more; a progressive JPEG that would
 * take more (4:4:4 above some 18 million pixels) is refused. Of it, what is no image's: */
#define MST_IMAGE_SPARE_ROOM ((size_t)64 << 20)
#define MST_IMAGE_OTHER_ROOM ((size_t)8 << 20)

typedef struct mst_image {
    uint32_t width, height, channels; /* 1 grey or 3 RGB */
    uint8_t *pixels;                  /* [height,width,channels] */
} mst_image;

/* Zeroed pixels. ELIMIT past MST_IMAGE_MAX_PIXELS, before anything is allocated; EFORMAT for an
 * empty one. name begins the error line. */
mst_status mst_image_make(mst_image *im, uint32_t width, uint32_t height, uint32_t channels, const char *name,
                          mst_err *err);
void mst_image_free(mst_image *im); /* zero-initialised allowed */

/* A whole file in memory, with a zero byte behind it; limit in bytes. EIO, ELIMIT, ENOMEM. */
typedef struct mst_image_file {
    const char *path; /* lent */
    uint8_t *bytes;
    size_t n;
} mst_image_file;
mst_status mst_image_file_read(mst_image_file *f, const char *path, size_t limit, mst_err *err);
void mst_image_file_free(mst_image_file *f); /* zero-initialised allowed */

/* Do the first n bytes of a file begin an image of a format that is read? Does a name end as one of those, from the dot
 * on? */
bool mst_image_sniff(const uint8_t *head, size_t n);
bool mst_image_suffix(const char *dot);
/* Suffix k of these, ".jpg"; NULL behind the last. */
const char *mst_image_suffix_at(size_t k);

/* Decode a JPEG, PNG, BMP, PGM, PPM, TIFF or WebP to what Pillow's Image.open(path).convert("RGB") gives, but grey
 * ones stay one channel. EXIF orientation, profiles and gamma are ignored. EIO, EFORMAT for another format, ECORRUPT
 * with the offset where the format has one, EUNSUPPORTED, ELIMIT, ENOMEM. */
mst_status mst_image_read(const char *path, mst_image *out, mst_err *err);
mst_status mst_image_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_jpeg_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_png_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_bmp_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_pnm_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_tiff_decode(const mst_image_file *f, mst_image *out, mst_err *err);
mst_status mst_webp_decode(const mst_image_file *f, mst_image *out, mst_err *err);

/* im as a PNG. EIO, ENOMEM. name begins the error line. */
mst_status mst_png_write(const mst_image *im, FILE *f, const char *name, mst_err *err);

/* The pixels x..x+w-1, y..y+h-1 of in resized to [rows,columns], bit for bit those of Pillow's
 * Image.resize, into out, whose lines are stride bytes apart. */
typedef struct mst_image_window {
    uint32_t rows, columns, x, y, w, h;
} mst_image_window;
mst_status mst_image_resample(const mst_image *in, mst_interpolation how, const mst_image_window *win,
                              uint8_t *out, size_t stride, mst_err *err);

/* in as [height,width] by how->resize and a crop about the center: torchvision's Resize and
 * CenterCrop, which fills with black where the image is the smaller one. ELIMIT, ENOMEM. */
mst_status mst_image_fit(const mst_image *in, const mst_prepare *how, uint32_t height, uint32_t width,
                         mst_image *out, mst_err *err);

#endif
