/* TIFF through libtiff: grey, RGB and palette of 8 bits, in strips. Knows nothing of files. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "runtime/data/image.h"

typedef struct tiff_job {
    const mst_image_file *f;
    toff_t at;
    char said[160]; /* by libtiff, the first error */
} tiff_job;

/* ---- the file, which is in memory ---- */

static tsize_t on_read(thandle_t h, tdata_t to, tsize_t n)
{
    tiff_job *j = h;
    size_t left = j->at < j->f->n ? j->f->n - (size_t)j->at : 0, take = n < 0 ? 0 : (size_t)n < left ? (size_t)n
                                                                                                     : left;
    memcpy(to, j->f->bytes + (left != 0 ? (size_t)j->at : 0), take);
    j->at += take;
    return (tsize_t)take;
}

static tsize_t on_write(thandle_t h, tdata_t from, tsize_t n)
{
    (void)h;
    (void)from;
    (void)n;
    return -1;
}

static toff_t on_seek(thandle_t h, toff_t to, int whence)
{
    tiff_job *j = h;
    j->at = whence == SEEK_SET ? to : whence == SEEK_CUR ? j->at + to
                                                         : j->f->n + to;
    return j->at;
}

static int on_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t on_size(thandle_t h) { return ((tiff_job *)h)->f->n; }

/* ---- errors: libtiff has one handler for the process, which is told of the file ---- */

static void on_error(thandle_t h, const char *where, const char *format, va_list args)
{
    tiff_job *j = h;
    (void)where;
    if (j != NULL && j->said[0] == '\0')
        vsnprintf(j->said, sizeof j->said, format, args);
}

static void set_handlers(void)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFFSetErrorHandlerExt(on_error);
}

static mst_status wrong(const tiff_job *j, mst_status code, const char *what, mst_err *err)
{
    for (const char *p = j->said; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            return mst_fail(err, code, "%s: TIFF: %s", j->f->path, what);
    return mst_fail(err, code, "%s: TIFF: %s%s%s", j->f->path, what, j->said[0] != '\0' ? ": " : "", j->said);
}

/* ---- pixels ---- */

typedef struct layout {
    uint16_t samples, photometric;
    const uint16_t *palette[3]; /* [256] of 16 bits */
} layout;

static mst_status read_layout(const tiff_job *j, TIFF *t, layout *l, mst_err *err)
{
    uint16_t bits = 0, planes = 0, packing = 0;
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &l->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &planes);
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &packing);
    if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &l->photometric))
        return wrong(j, MST_ECORRUPT, "it does not say what its numbers mean", err);
    if (packing == COMPRESSION_JPEG && l->photometric == PHOTOMETRIC_YCBCR) {
        TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        l->photometric = PHOTOMETRIC_RGB;
    }
    if (bits != 8 || planes != PLANARCONFIG_CONTIG || TIFFIsTiled(t))
        return wrong(j, MST_EUNSUPPORTED, "expected 8 bits, in strips, colours beside each other", err);
    bool color = l->photometric == PHOTOMETRIC_RGB;
    bool palette = l->photometric == PHOTOMETRIC_PALETTE;
    if (!color && !palette && l->photometric != PHOTOMETRIC_MINISBLACK && l->photometric != PHOTOMETRIC_MINISWHITE)
        return wrong(j, MST_EUNSUPPORTED, "expected grey, RGB or a palette", err);
    if (l->samples < (color ? 3 : 1))
        return wrong(j, MST_ECORRUPT, "fewer numbers a pixel than colours", err);
    if (palette && !TIFFGetField(t, TIFFTAG_COLORMAP, &l->palette[0], &l->palette[1], &l->palette[2]))
        return wrong(j, MST_ECORRUPT, "expected a palette", err);
    return MST_OK;
}

static void put_row(const layout *l, const uint8_t *in, uint8_t *out, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, in += l->samples)
        switch (l->photometric) {
        case PHOTOMETRIC_RGB:
            memcpy(out, in, 3);
            out += 3;
            break;
        case PHOTOMETRIC_PALETTE:
            for (int c = 0; c < 3; c++)
                *out++ = (uint8_t)(l->palette[c][*in] >> 8);
            break;
        case PHOTOMETRIC_MINISWHITE: *out++ = (uint8_t)(255 - *in); break;
        default: *out++ = *in;
        }
}

static mst_status read_rows(const tiff_job *j, TIFF *t, const layout *l, mst_image *out, mst_err *err)
{
    size_t need = (size_t)out->width * l->samples, room = (size_t)TIFFScanlineSize64(t);
    if (room < need || room > 4 * need + 64)
        return wrong(j, MST_ECORRUPT, "lines of another size than its width says", err);
    uint8_t *line = mst_alloc(NULL, room);
    if (line == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for a line", j->f->path);
    mst_status st = MST_OK;
    for (uint32_t y = 0; y < out->height && st == MST_OK; y++)
        if (TIFFReadScanline(t, line, y, 0) == 1)
            put_row(l, line, out->pixels + (size_t)y * out->width * out->channels, out->width);
        else
            st = wrong(j, MST_ECORRUPT, "its data are cut or damaged", err);
    mst_free(NULL, line, room);
    return st;
}

static mst_status decode(const tiff_job *j, TIFF *t, mst_image *out, mst_err *err)
{
    uint32_t width = 0, height = 0;
    layout l = {0};
    if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height))
        return wrong(j, MST_ECORRUPT, "it does not say its size", err);
    MST_TRY(read_layout(j, t, &l, err));
    bool grey = l.photometric == PHOTOMETRIC_MINISBLACK || l.photometric == PHOTOMETRIC_MINISWHITE;
    MST_TRY(mst_image_make(out, width, height, grey ? 1 : 3, j->f->path, err));
    return read_rows(j, t, &l, out, err);
}

mst_status mst_tiff_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    tiff_job j = {.f = f};
    pthread_once(&once, set_handlers);
    TIFF *t = TIFFClientOpen(f->path, "rm", &j, on_read, on_write, on_seek, on_close, on_size, NULL, NULL);
    if (t == NULL)
        return wrong(&j, MST_ECORRUPT, "its directory cannot be read", err);
    mst_status st = decode(&j, t, out, err);
    TIFFClose(t);
    return st;
}
