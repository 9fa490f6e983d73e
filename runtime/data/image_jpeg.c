/* JPEG through libjpeg-turbo: grey, YCbCr, RGB, CMYK and YCCK to grey or RGB.
 * Knows nothing of files or sizes wanted.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "runtime/data/image.h"

/* A file of a few kB can hold scans that take hours; cameras write about ten. */
#define MAX_SCANS 500

/* What outlives a longjmp lies here, not in locals. */
typedef struct jpeg_job {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const mst_image_file *f;
    mst_image *out;
    mst_err *err;
    mst_status status;
} jpeg_job;

/* Out of libjpeg, through its own clean-up in mst_jpeg_decode. */
static _Noreturn void leave(jpeg_job *j, mst_status code, const char *text)
{
    size_t left = j->c.src != NULL ? j->c.src->bytes_in_buffer : j->f->n;
    size_t at = left <= j->f->n ? j->f->n - left : j->f->n;
    j->status = mst_fail(j->err, code, "%s: offset %zu: JPEG: %s", j->f->path, at, text);
    longjmp(j->jump, 1);
}

static void on_error(j_common_ptr c)
{
    jpeg_job *j = c->client_data;
    char text[JMSG_LENGTH_MAX];
    c->err->format_message(c, text);
    mst_status code = MST_ECORRUPT;
    if (c->err->msg_code == JERR_OUT_OF_MEMORY)
        code = MST_ENOMEM;
    if (c->err->msg_code == JERR_SOF_UNSUPPORTED || c->err->msg_code == JERR_BAD_PRECISION ||
        c->err->msg_code == JERR_CONVERSION_NOTIMPL || c->err->msg_code == JERR_NOT_COMPILED)
        code = MST_EUNSUPPORTED;
    leave(j, code, text);
}

/* Warnings pass, as in Pillow: cameras write stray bytes. But the end of the data is none. */
static void on_message(j_common_ptr c, int level)
{
    if (level < 0 && c->err->msg_code == JWRN_JPEG_EOF)
        leave(c->client_data, MST_ECORRUPT, "expected more bytes, found the end of the file");
}

static void on_progress(j_common_ptr c)
{
    jpeg_job *j = c->client_data;
    if (j->c.input_scan_number > MAX_SCANS)
        leave(j, MST_ELIMIT, "more than 500 scans");
}

/* Pillow's CMYK to RGB, of inks stored inverted as Adobe does. */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int k = in[4 * i + 3];
        for (int c = 0; c < 3; c++) {
            int t = (255 - in[4 * i + c]) * k + 128;
            int v = k - ((t + (t >> 8)) >> 8);
            out[3 * i + c] = (uint8_t)(v < 0 ? 0 : v);
        }
    }
}

static void choose_colors(jpeg_job *j)
{
    switch (j->c.num_components) {
    case 1:
        j->c.out_color_space = JCS_GRAYSCALE;
        break;
    case 3:
        j->c.out_color_space = JCS_RGB;
        break;
    case 4:
        j->c.out_color_space = JCS_CMYK;
        break;
    default: {
        char text[80];
        snprintf(text, sizeof text, "components: expected 1, 3 or 4, found %d", j->c.num_components);
        leave(j, MST_EUNSUPPORTED, text);
    }
    }
}

/* Scans that each refine the whole image make libjpeg keep all its coefficients, 2 bytes each. */
static uint64_t coefficient_bytes(const jpeg_job *j)
{
    uint64_t n = 0;
    for (int k = 0; k < j->c.num_components; k++) {
        const jpeg_component_info *p = &j->c.comp_info[k];
        uint64_t h = (uint64_t)p->h_samp_factor, v = (uint64_t)p->v_samp_factor;
        n += (p->width_in_blocks + h - 1) / h * h * ((p->height_in_blocks + v - 1) / v * v);
    }
    return n * DCTSIZE2 * sizeof(JCOEF);
}

/* MST_IMAGE_SPARE_ROOM, before any of it is allocated. */
static void check_room(jpeg_job *j)
{
    uint64_t pixels = (uint64_t)j->c.image_width * j->c.image_height * 3;
    uint64_t coefficients = jpeg_has_multiple_scans(&j->c) ? coefficient_bytes(j) : 0;
    uint64_t limit = pixels + MST_IMAGE_SPARE_ROOM - MST_IMAGE_OTHER_ROOM, need = coefficients + j->f->n;
    if (coefficients == 0 || need <= limit)
        return;
    char text[200];
    snprintf(text, sizeof text,
             "%ux%u pixels in several scans (progressive) take %" PRIu64 " bytes while decoded, limit is %" PRIu64
             ": save the image as baseline",
             j->c.image_width, j->c.image_height, need + pixels, limit + pixels);
    leave(j, MST_ELIMIT, text);
}

static void read_rows(jpeg_job *j)
{
    mst_image *im = j->out;
    size_t row = (size_t)im->width * im->channels;
    JSAMPARRAY inks = NULL;
    if (j->c.out_color_space == JCS_CMYK)
        inks = j->c.mem->alloc_sarray((j_common_ptr)&j->c, JPOOL_IMAGE, 4 * im->width, 1);
    while (j->c.output_scanline < j->c.output_height) {
        uint8_t *to = im->pixels + j->c.output_scanline * row;
        JSAMPROW line = inks != NULL ? inks[0] : to;
        if (jpeg_read_scanlines(&j->c, &line, 1) != 1)
            leave(j, MST_ECORRUPT, "a line is missing");
        if (inks != NULL)
            cmyk_to_rgb(line, to, im->width);
    }
}

static void decode(jpeg_job *j)
{
    jpeg_create_decompress(&j->c);
    j->c.client_data = j;
    j->progress.progress_monitor = on_progress;
    j->c.progress = &j->progress;
    jpeg_mem_src(&j->c, j->f->bytes, (unsigned long)j->f->n);
    jpeg_read_header(&j->c, TRUE);
    choose_colors(j);
    check_room(j);
    j->status = mst_image_make(j->out, j->c.image_width, j->c.image_height, j->c.num_components == 1 ? 1 : 3,
                               j->f->path, j->err);
    if (j->status != MST_OK)
        longjmp(j->jump, 1);
    jpeg_start_decompress(&j->c);
    read_rows(j);
    jpeg_finish_decompress(&j->c);
}

/* What setjmp's caller changes is lost unless it lies elsewhere: the job is its caller's. */
static void run(jpeg_job *j)
{
    if (setjmp(j->jump) == 0)
        decode(j);
}

mst_status mst_jpeg_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    jpeg_job j = {.f = f, .out = out, .err = err};
    j.c.err = jpeg_std_error(&j.errors);
    j.c.client_data = &j;
    j.errors.error_exit = on_error;
    j.errors.emit_message = on_message;
    run(&j);
    jpeg_destroy_decompress(&j.c);
    return j.status;
}
