/* PGM and PPM of 8 bits in their binary form (P5, P6; netpbm's pgm(5), ppm(5)). Knows nothing of files. */
#include <string.h>

#include "runtime/data/image.h"

typedef struct pnm {
    const mst_image_file *f;
    size_t at;
    mst_err *err;
} pnm;

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A number of the header, behind white space and comments, which it may have before it. */
static mst_status take(pnm *p, const char *what, uint32_t *out)
{
    const uint8_t *b = p->f->bytes;
    size_t n = p->f->n;
    while (p->at < n && (is_space(b[p->at]) || b[p->at] == '#'))
        if (b[p->at++] == '#')
            while (p->at < n && b[p->at] != '\n')
                p->at++;
    size_t first = p->at;
    for (*out = 0; p->at < n && b[p->at] >= '0' && b[p->at] <= '9' && *out < 100000000; p->at++)
        *out = *out * 10 + (b[p->at] - (uint32_t)'0');
    return p->at != first && p->at < n && is_space(b[p->at])
               ? MST_OK
               : mst_fail(p->err, MST_ECORRUPT, "%s: offset %zu: PNM: %s: expected a whole number", p->f->path, first,
                          what);
}

mst_status mst_pnm_decode(const mst_image_file *f, mst_image *out, mst_err *err)
{
    pnm p = {f, 2, err};
    uint32_t width, height, top, channels = f->bytes[1] == '6' ? 3 : 1;
    MST_TRY(take(&p, "width", &width));
    MST_TRY(take(&p, "height", &height));
    MST_TRY(take(&p, "largest value", &top));
    if (top != 255)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: PNM: largest value: expected 255 (8 bits), found %u", f->path, top);
    p.at++; /* the one white space before the pixels */
    uint64_t need = (uint64_t)width * height * channels;
    if (need > f->n - p.at)
        return mst_fail(err, MST_ECORRUPT, "%s: offset %zu: PNM: expected %llu bytes of pixels, found %zu", f->path,
                        p.at, (unsigned long long)need, f->n - p.at);
    MST_TRY(mst_image_make(out, width, height, channels, f->path, err));
    memcpy(out->pixels, f->bytes + p.at, (size_t)need);
    return MST_OK;
}
