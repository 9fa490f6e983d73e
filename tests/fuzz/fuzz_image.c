/* libFuzzer target of the image decoders and of fitting: a file of any format as it is. What
 * decodes must have pixels to the last one, and fit any model.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

#include "runtime/data/image.h"

#define MAX_PIXELS ((size_t)1 << 18) /* what claims more is left out: it is slow, and nothing else */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t big_endian(const uint8_t *p, size_t n)
{
    size_t v = 0;
    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

/* A TIFF's entry for its width or height: a number of 16 or 32 bits, in either order of bytes. */
static bool is_large_entry(const uint8_t *p)
{
    bool little = p[1] == 1 && p[0] <= 1, big = p[0] == 1 && p[1] <= 1;
    return (little && (p[10] != 0 || p[11] != 0 || p[9] > 1)) || (big && (p[8] > 1 || (p[10] > 1 && p[3] == 4)));
}

/* By the size in a PNG's first chunk, in any JPEG frame header, in a WebP's header, in any entry of a TIFF. */
static bool claims_much(const uint8_t *data, size_t size)
{
    if (size >= 24 && memcmp(data, "\x89PNG", 4) == 0) {
        size_t w = big_endian(data + 16, 4), h = big_endian(data + 20, 4);
        return h != 0 && w > MAX_PIXELS / h;
    }
    int w = 0, h = 0;
    if (WebPGetInfo(data, size, &w, &h) != 0)
        return (size_t)w * (size_t)h > MAX_PIXELS;
    if (size >= 2 && (memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0))
        for (size_t i = 4; i + 12 <= size; i++)
            if (is_large_entry(data + i))
                return true;
    for (size_t i = 0; i + 9 <= size; i++)
        if (data[i] == 0xff && data[i + 1] >> 4 == 0xc &&
            big_endian(data + i + 5, 2) * big_endian(data + i + 7, 2) > MAX_PIXELS)
            return true;
    return false;
}

static volatile uint32_t sink;

static void use(const mst_image *im)
{
    size_t n = (size_t)im->width * im->height * im->channels;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += im->pixels[i];
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t sides[] = {0, 1, 7, 40};
    mst_image_file f = {"fuzz", NULL, size};
    mst_image im, fitted;
    mst_err err = {0};
    if (claims_much(data, size))
        return 0;
    f.bytes = malloc(size != 0 ? size : 1); /* exact: reads past the end are seen */
    for (size_t i = 0; f.bytes != NULL && i < size; i++)
        f.bytes[i] = data[i];
    mst_status st = f.bytes != NULL ? mst_image_decode(&f, &im, &err) : MST_ENOMEM;
    free(f.bytes);
    if (st != MST_OK) {
        if (f.bytes != NULL && err.text[0] == '\0')
            abort();
        return 0;
    }
    use(&im);
    mst_prepare how = {.resize = sides[size % 4], .interpolation = (mst_interpolation)(size / 4 % 3)};
    if (mst_image_fit(&im, &how, 8, 11, &fitted, &err) == MST_OK) {
        if (fitted.width != 11 || fitted.height != 8 || fitted.channels != im.channels)
            abort();
        use(&fitted);
        mst_image_free(&fitted);
    }
    mst_image_free(&im);
    return 0;
}
