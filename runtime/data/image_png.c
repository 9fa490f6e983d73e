/* PNG through libpng, in and out: grey, palette, RGB, with or without alpha, any
 * depth. Knows nothing of files or sizes wanted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "mst/alloc.h"
#include "runtime/data/image.h"

/* What outlives a longjmp lies here, not in locals. */
typedef struct png_job {
    png_structp png;
    png_infop info;
    const mst_image_file *f; /* read from */
    size_t at;
    FILE *to; /* or written to */
    const char *name;
    mst_image *out;
    const mst_image *in;
    png_bytep *rows; /* [height] */
    uint8_t *wide;   /* [height,width,2]: grey of 16 bits, high byte first */
    mst_err *err;
    mst_status status;
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *j = png_get_error_ptr(png);
    if (j->status == MST_OK && j->to != NULL)
        j->status = mst_fail(j->err, MST_EIO, "%s: cannot write: %s", j->name,
                             errno != 0 ? strerror(errno) : text);
    else if (j->status == MST_OK)
        j->status = mst_fail(j->err, strcmp(text, "Out of memory") == 0 ? MST_ENOMEM : MST_ECORRUPT,
                             "%s: offset %zu: PNG: %s", j->name, j->at, text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    png_job *j = png_get_io_ptr(png);
    size_t left = j->f->n - j->at;
    if (n > left) {
        j->status = mst_fail(j->err, MST_ECORRUPT, "%s: offset %zu: PNG: expected %zu bytes, found %zu",
                             j->name,
                             j->at, n, left);
        png_error(png, "end of the file");
    }
    memcpy(to, j->f->bytes + j->at, n);
    j->at += n;
}

/* Everything to 8 bits, grey or RGB. Wide grey stays as it is: Pillow saturates it instead of
 * scaling, and so does narrow. */
static void set_transforms(png_job *j, bool wide)
{
    int color = png_get_color_type(j->png, j->info), depth = png_get_bit_depth(j->png, j->info);
    if (depth == 16 && !wide)
        png_set_strip_16(j->png);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(j->png);
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(j->png);
    png_set_strip_alpha(j->png); /* also the alpha that a palette's tRNS becomes */
    png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
}

static void make_rows(png_job *j, uint8_t *pixels, size_t stride, uint32_t n)
{
    j->rows = mst_alloc_array(NULL, n, sizeof *j->rows);
    if (j->rows == NULL)
        png_error(j->png, "Out of memory");
    for (uint32_t y = 0; y < n; y++)
        j->rows[y] = pixels + y * stride;
}

static void narrow(const uint8_t *wide, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = wide[2 * i] != 0 ? 255 : wide[2 * i + 1];
}

static void read_image(png_job *j)
{
    png_set_read_fn(j->png, j, read_bytes);
    png_read_info(j->png, j->info);
    uint32_t w = png_get_image_width(j->png, j->info), h = png_get_image_height(j->png, j->info);
    int color = png_get_color_type(j->png, j->info);
    bool grey = (color & PNG_COLOR_MASK_COLOR) == 0;
    bool wide = color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(j->png, j->info) == 16;
    j->status = mst_image_make(j->out, w, h, grey ? 1 : 3, j->name, j->err);
    if (j->status != MST_OK)
        png_error(j->png, "size");
    set_transforms(j, wide);
    size_t stride = (size_t)w * (wide ? 2 : j->out->channels);
    if (png_get_rowbytes(j->png, j->info) != stride)
        png_error(j->png, "lines of an unexpected length");
    if (wide && (j->wide = mst_alloc_array(NULL, (size_t)w * h, 2)) == NULL)
        png_error(j->png, "Out of memory");
    make_rows(j, wide ? j->wide : j->out->pixels, stride, h);
    png_read_image(j->png, j->rows);
    png_read_end(j->png, NULL);
    if (wide)
        narrow(j->wide, j->out->pixels, (size_t)w * h);
}

/* What setjmp's caller changes is lost unless it lies elsewhere: the job is its caller's. */
static void run(png_job *j, void (*work)(png_job *j))
{
    if (setjmp(png_jmpbuf(j->png)) == 0)
        work(j);
}

mst_status mst_png_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    png_job j = {.f = f, .name = f->path, .out = out, .err = err};
    j.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    j.info = j.png != NULL ? png_create_info_struct(j.png) : NULL;
    if (j.info == NULL)
        j.status = mst_fail(err, MST_ENOMEM, "%s: PNG: out of memory", f->path);
    else
        run(&j, read_image);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    mst_free_array(NULL, j.rows, out->height, sizeof *j.rows);
    mst_free_array(NULL, j.wide, (size_t)out->width * out->height, 2);
    return j.status;
}

static void write_image(png_job *j)
{
    errno = 0; /* libpng says that it failed, not why */
    const mst_image *im = j->in;
    png_init_io(j->png, j->to);
    png_set_IHDR(j->png, j->info, im->width, im->height, 8,
                 im->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* right behind the header: by this the tools know a picture of theirs */
    char key[] = "Software", us[] = "mst";
    png_text software = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = key, .text = us};
    png_set_text(j->png, j->info, &software, 1);
    png_write_info(j->png, j->info);
    make_rows(j, im->pixels, (size_t)im->width * im->channels, im->height);
    png_write_image(j->png, j->rows);
    png_write_end(j->png, NULL);
}

mst_status mst_png_write(const mst_image *im, FILE *f, const char *name, mst_err *err)
{
    png_job j = {.to = f, .name = name, .in = im, .err = err};
    j.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    j.info = j.png != NULL ? png_create_info_struct(j.png) : NULL;
    if (j.info == NULL)
        j.status = mst_fail(err, MST_ENOMEM, "%s: PNG: out of memory", name);
    else
        run(&j, write_image);
    png_destroy_write_struct(&j.png, &j.info);
    mst_free_array(NULL, j.rows, im->height, sizeof *j.rows);
    return j.status;
}
