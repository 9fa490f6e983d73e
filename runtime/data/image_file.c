/* Image files: whole files, the choice of decoder. Knows no
 * image format but its first bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/data_format.h"
#include "runtime/data/image.h"

mst_status mst_image_file_read(mst_image_file *f, const char *path, size_t limit, mst_err *err)
{
    uint64_t size;
    *f = (mst_image_file){.path = path};
    MST_TRY(mst_data_file_size(path, &size, err));
    if (size > limit)
        return mst_fail(err, MST_ELIMIT, "%s: %" PRIu64 " bytes: limit is %zu", path, size, limit);
    uint8_t *bytes = mst_alloc(NULL, (size_t)size + 1);
    if (bytes == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %" PRIu64 " bytes", path, size);
    f->bytes = bytes;
    f->n = (size_t)size;
    FILE *in = fopen(path, "rb");
    size_t got = in != NULL ? fread(bytes, 1, f->n, in) : 0;
    bool bad = in == NULL || ferror(in) != 0;
    int why = errno;
    if (in != NULL)
        fclose(in);
    if (!bad && got == f->n)
        return MST_OK;
    mst_image_file_free(f);
    return bad ? mst_fail(err, MST_EIO, "%s: cannot be read: %s", path, strerror(why))
               : mst_fail(err, MST_EIO, "%s: offset %zu: expected %" PRIu64 " bytes, found %zu", path, got,
                          size,
                          got);
}

void mst_image_file_free(mst_image_file *f)
{
    if (f->bytes != NULL)
        mst_free(NULL, f->bytes, f->n + 1);
    f->bytes = NULL;
    f->n = 0;
}

/* How a file begins, and what its name ends with: torchvision's ImageFolder takes the same names. */
static const struct {
    const char *marks;
    size_t n;
    const char *suffixes[3];
    mst_status (*decode)(const mst_image_file *f, mst_image *out, mst_err *err);
} codecs[] = {
    {"\xff\xd8\xff", 3, {".jpg", ".jpeg"}, mst_jpeg_decode},
    {"\x89PNG\r\n\x1a\n", 8, {".png"}, mst_png_decode},
    {"BM", 2, {".bmp"}, mst_bmp_decode},
    {"P5", 2, {".pgm"}, mst_pnm_decode},
    {"P6", 2, {".ppm"}, mst_pnm_decode},
    {"II*\0", 4, {".tif", ".tiff"}, mst_tiff_decode},
    {"MM\0*", 4, {0}, mst_tiff_decode},
    {"RIFF", 4, {".webp"}, mst_webp_decode},
};
#define N_CODECS (sizeof codecs / sizeof codecs[0])
#define ANY_FORMAT "a JPEG, PNG, BMP, PGM, PPM, TIFF or WebP"

/* N_CODECS: none. */
static size_t codec_of(const uint8_t *head, size_t n)
{
    size_t k = 0;
    while (k < N_CODECS && (n < codecs[k].n || memcmp(head, codecs[k].marks, codecs[k].n) != 0))
        k++;
    return k;
}

bool mst_image_sniff(const uint8_t *head, size_t n) { return codec_of(head, n) < N_CODECS; }

bool mst_image_suffix(const char *dot)
{
    for (size_t k = 0; k < N_CODECS; k++)
        for (size_t i = 0; i < 3 && codecs[k].suffixes[i] != NULL; i++)
            if (strcasecmp(dot, codecs[k].suffixes[i]) == 0)
                return true;
    return false;
}

const char *mst_image_suffix_at(size_t k)
{
    for (size_t c = 0; c < N_CODECS; c++)
        for (size_t i = 0; i < 3 && codecs[c].suffixes[i] != NULL; i++)
            if (k-- == 0)
                return codecs[c].suffixes[i];
    return NULL;
}

mst_status mst_image_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    *out = (mst_image){0};
    size_t k = codec_of(f->bytes, f->n);
    mst_status st;
    if (k < N_CODECS)
        st = codecs[k].decode(f, out, err);
    else if (f->n < 8)
        st = mst_fail(err, MST_ECORRUPT, "%s: offset 0: expected " ANY_FORMAT ", found a file of %zu bytes", f->path,
                      f->n);
    else
        st = mst_fail(err, MST_EFORMAT, "%s: offset 0: expected " ANY_FORMAT ", found bytes %02x %02x %02x", f->path,
                      f->bytes[0], f->bytes[1], f->bytes[2]);
    if (st != MST_OK)
        mst_image_free(out);
    return st;
}

mst_status mst_image_read(const char *path, mst_image *out, mst_err *err)
{
    mst_image_file f;
    *out = (mst_image){0};
    MST_TRY(mst_image_file_read(&f, path, MST_IMAGE_MAX_FILE, err));
    mst_status st = mst_image_decode(&f, out, err);
    mst_image_file_free(&f);
    return st;
}
