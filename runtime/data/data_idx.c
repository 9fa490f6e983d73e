/* IDX, the format of MNIST: big-endian header, then bytes. Images
 * [n,H,W], which may be gzip, and, in a second file, labels [n] (label_file.h). PATH is the file of
 * images, or a folder with both of MNIST's test files. Format:
 * yann.lecun.com/exdb/mnist.
 */
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/core/checked.h"
#include "runtime/data/data_source.h"
#include "runtime/data/label_file.h"

#define MAGIC_IMAGES 0x00000803u /* unsigned bytes, three dimensions */
#define HEADER 16u               /* bytes before the first image */
#define MAX_PATH 8192u
#define TEST_IMAGES "t10k-images-idx3-ubyte"
#define TEST_LABELS "t10k-labels-idx1-ubyte"

typedef struct idx_state {
    size_t n;
    mst_data_source images; /* [n][H][W] behind the header */
    size_t image_bytes;     /* of one */
    uint32_t shape[3];
    int32_t *labels; /* [n], NULL: none */
} idx_state;

/* name in a folder, or in raw/ below it as torchvision puts it; packed or not. */
static bool find_file(const char *folder, const char *name, char out[MAX_PATH])
{
    static const char *const below[] = {"", "raw/"}, *const ends[] = {"", ".gz"};
    uint64_t size;
    for (int b = 0; b < 2; b++)
        for (int e = 0; e < 2; e++)
            if (snprintf(out, MAX_PATH, "%s/%s%s%s", folder, below[b], name, ends[e]) < (int)MAX_PATH &&
                mst_data_file_size(out, &size, NULL) == MST_OK)
                return true;
    return false;
}

static bool idx_sniff(const char *path)
{
    char file[MAX_PATH];
    uint8_t head[4];
    if (mst_data_is_dir(path))
        return find_file(path, TEST_IMAGES, file);
    return mst_data_file_peek(path, head, sizeof head) && mst_get_u32_be(head) == MAGIC_IMAGES;
}

static mst_status read_magic(mst_data_file *f, mst_err *err)
{
    uint8_t head[4];
    MST_TRY(mst_data_file_read(f, head, sizeof head, "magic", err));
    if (mst_get_u32_be(head) != MAGIC_IMAGES)
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: magic of IDX images: expected 0x%08x, found 0x%08x", f->path,
                        MAGIC_IMAGES, mst_get_u32_be(head));
    return MST_OK;
}

static mst_status check_images(mst_data *d, mst_err *err)
{
    idx_state *s = d->state;
    mst_data_file *f = &s->images.f;
    uint8_t head[12];
    MST_TRY(read_magic(f, err));
    MST_TRY(mst_data_file_read(f, head, sizeof head, "image count and size", err));
    uint32_t n = mst_get_u32_be(head), h = mst_get_u32_be(head + 4), w = mst_get_u32_be(head + 8);
    if (n == 0)
        return mst_fail(err, MST_EFORMAT, "%s: offset 4: image count: expected at least 1, found 0", f->path);
    s->shape[0] = 1, s->shape[1] = h, s->shape[2] = w;
    MST_TRY(mst_data_check_shape(d, s->shape, f->path, 8, err));
    size_t bytes; /* a model's input has at most 2^30 pixels, but this need not be its size */
    if (!mst_mul_size((size_t)h * w, n, &bytes))
        return mst_fail(err, MST_ELIMIT, "%s: offset 4: %u images of %ux%u: too many", f->path, n, w, h);
    s->image_bytes = (size_t)h * w;
    s->n = n;
    return mst_data_source_check(&s->images, bytes, "images", err);
}

static mst_status open_files(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    if ((d->state = mst_alloc(NULL, sizeof(idx_state))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    idx_state *s = d->state;
    MST_TRY(mst_data_source_open(&s->images, path, err));
    MST_TRY(check_images(d, err));
    return labels != NULL ? mst_label_file_read(d, labels, s->n, &s->labels, err) : MST_OK;
}

static mst_status idx_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    char images[MAX_PATH], beside[MAX_PATH];
    if (!mst_data_is_dir(path))
        return open_files(d, path, labels, err);
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL, "idx:%s: expected no label file (the folder has it), found '%s'", path,
                        labels);
    if (!find_file(path, TEST_IMAGES, images) || !find_file(path, TEST_LABELS, beside))
        return mst_fail(err, MST_EIO,
                        "%s: expected " TEST_IMAGES " and " TEST_LABELS
                        " (or .gz) in the folder or in raw/ below it, found not both",
                        path);
    return open_files(d, images, beside, err);
}

static size_t idx_count(const mst_data *d)
{
    const idx_state *s = d->state;
    return s->n;
}

static mst_status idx_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    idx_state *s = d->state;
    *label = s->labels != NULL ? s->labels[i] : -1;
    uint8_t *image = mst_alloc(NULL, s->image_bytes);
    if (image == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for an image of %zu bytes", s->images.path,
                        s->image_bytes);
    mst_status st = mst_data_source_read(&s->images, HEADER + (uint64_t)i * s->image_bytes, image,
                                         s->image_bytes, "image", err);
    if (st == MST_OK)
        st = mst_data_put_planes(d, image, s->shape, "image", x, err);
    mst_free(NULL, image, s->image_bytes);
    return st;
}

static mst_status idx_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    (void)err;
    const idx_state *s = d->state;
    *label = s->labels != NULL ? s->labels[i] : -1;
    return MST_OK;
}

static void idx_close(mst_data *d)
{
    idx_state *s = d->state;
    if (s == NULL)
        return;
    mst_data_source_close(&s->images);
    mst_free_array(NULL, s->labels, s->n, sizeof *s->labels);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_idx = {
    {"idx", "IDX images, .gz too; or the folder of MNIST's test files",
     ",LABELS: IDX (.gz too), .npy, text, CSV; or beside the images",
     false},
    idx_sniff,
    idx_open,
    idx_count,
    idx_get,
    idx_close,
    NULL,
    idx_label,
    NULL};
