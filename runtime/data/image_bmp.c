/* Windows bitmaps: 8 bits with a palette, 24 and 32 bits, not compressed (BITMAPINFOHEADER and its successors). Knows
 * nothing of files. */
#include "runtime/core/bytes.h"
#include "runtime/data/image.h"

#define FILE_HEADER 14u
#define INFO_HEADER 40u

enum { BI_RGB = 0,
       BI_BITFIELDS = 3 };

typedef struct bmp {
    uint32_t pixels; /* offset */
    uint32_t width, height, bits;
    bool top_down;
    const uint8_t *palette; /* of 8 bits: [colors] of blue, green, red, 0 */
    uint32_t colors;
} bmp;

static mst_status wrong(const mst_image_file *f, mst_status code, const char *what, uint32_t found, mst_err *err)
{
    return mst_fail(err, code, "%s: BMP: %s, found %u", f->path, what, (unsigned)found);
}

/* Masks of 32 bits, behind the header or in a longer one, that are not blue, green, red from the low byte on. */
static bool has_other_masks(const mst_image_file *f, const uint8_t *h)
{
    return f->n < FILE_HEADER + INFO_HEADER + 12 || mst_get_u32(h + 40) != 0xff0000 ||
           mst_get_u32(h + 44) != 0xff00 || mst_get_u32(h + 48) != 0xff;
}

static mst_status read_palette(const mst_image_file *f, uint32_t size, bmp *b, mst_err *err)
{
    const uint8_t *h = f->bytes + FILE_HEADER;
    uint32_t used = mst_get_u32(h + 32);
    b->colors = used == 0 || used > 256 ? 256 : used;
    if (FILE_HEADER + size + 4 * (uint64_t)b->colors > f->n)
        return wrong(f, MST_ECORRUPT, "expected a palette behind its header, bytes", (uint32_t)f->n, err);
    b->palette = h + size;
    return MST_OK;
}

static mst_status read_header(const mst_image_file *f, bmp *b, mst_err *err)
{
    if (f->n < FILE_HEADER + INFO_HEADER)
        return wrong(f, MST_ECORRUPT, "expected a header of 54 bytes", (uint32_t)f->n, err);
    const uint8_t *h = f->bytes + FILE_HEADER;
    uint32_t size = mst_get_u32(h), packing = mst_get_u32(h + 16);
    int64_t width = (int32_t)mst_get_u32(h + 4), height = (int32_t)mst_get_u32(h + 8);
    *b = (bmp){.pixels = mst_get_u32(f->bytes + 10), .bits = (uint32_t)h[14] | (uint32_t)h[15] << 8};
    if (size < INFO_HEADER || size > f->n - FILE_HEADER)
        return wrong(f, size < INFO_HEADER ? MST_EUNSUPPORTED : MST_ECORRUPT, "size of its header: expected 40 or more",
                     size,
                     err);
    b->top_down = height < 0;
    height = height < 0 ? -height : height;
    if (width <= 0 || height == 0)
        return wrong(f, MST_ECORRUPT, "width and height: expected numbers above 0, width", mst_get_u32(h + 4), err);
    b->width = (uint32_t)width;
    b->height = (uint32_t)height;
    if (b->bits != 8 && b->bits != 24 && b->bits != 32)
        return wrong(f, MST_EUNSUPPORTED, "expected 8, 24 or 32 bits a pixel", b->bits, err);
    if (packing != BI_RGB && (packing != BI_BITFIELDS || b->bits != 32 || has_other_masks(f, h)))
        return wrong(f, MST_EUNSUPPORTED, "expected pixels that are not compressed (0), or the usual masks (3)",
                     packing, err);
    return b->bits == 8 ? read_palette(f, size, b, err) : MST_OK;
}

static mst_status read_row(const mst_image_file *f, const bmp *b, const uint8_t *in, uint8_t *out, mst_err *err)
{
    for (uint32_t x = 0; x < b->width; x++, out += 3) {
        const uint8_t *bgr = in + (size_t)x * (b->bits / 8);
        if (b->bits == 8) {
            if (*bgr >= b->colors)
                return wrong(f, MST_ECORRUPT, "expected a number of its palette", *bgr, err);
            bgr = b->palette + 4 * (size_t)*bgr;
        }
        out[0] = bgr[2];
        out[1] = bgr[1];
        out[2] = bgr[0];
    }
    return MST_OK;
}

mst_status mst_bmp_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    bmp b = {0};
    MST_TRY(read_header(f, &b, err));
    uint64_t row = ((uint64_t)b.width * b.bits + 31) / 32 * 4, need = row * b.height; /* rows are of whole words */
    if (b.pixels > f->n || need > f->n - b.pixels)
        return mst_fail(err, MST_ECORRUPT, "%s: offset %u: BMP: expected %llu bytes of pixels, found a file of %zu",
                        f->path,
                        (unsigned)b.pixels, (unsigned long long)need, f->n);
    MST_TRY(mst_image_make(out, b.width, b.height, 3, f->path, err));
    for (uint32_t y = 0; y < b.height; y++) {
        const uint8_t *from = f->bytes + b.pixels + row * (b.top_down ? y : b.height - 1 - y);
        MST_TRY(read_row(f, &b, from, out->pixels + (size_t)y * b.width * 3, err));
    }
    return MST_OK;
}
