/* Images on disk: one, or a folder of them. Samples are decoded when they are asked
 * for. PATH is an image; a folder of class folders, whose names in byte order are
 * the labels, as torchvision's ImageFolder; or a folder of images, with a file of
 * "name label" lines or without labels.
 */
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"
#include "runtime/data/image_list.h"

static bool image_sniff(const char *path)
{
    uint8_t head[8];
    if (mst_data_is_dir(path))
        return mst_image_list_any(path);
    return mst_data_file_peek(path, head, sizeof head) && mst_image_sniff(head, sizeof head);
}

static mst_status image_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    if (!d->as_is && d->want.channels != 1 && d->want.channels != 3)
        return mst_fail(err, MST_EINVAL, "%s: images have 1 or 3 channels, the model's input has %u", path,
                        d->want.channels);
    mst_image_list *list = d->state = mst_alloc(NULL, sizeof(mst_image_list));
    if (list == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mst_status st = mst_image_list_read(list, d, path, labels, err);
    d->passed_over = list->passed_over;
    memcpy(d->passed_name, list->passed_name, sizeof d->passed_name);
    return st;
}

static size_t image_count(const mst_data *d)
{
    const mst_image_list *list = d->state;
    return list->n;
}

static mst_status read_sample(const mst_data *d, size_t i, char path[MST_IMAGE_PATH], mst_image *im, int *label,
                              mst_err *err)
{
    MST_TRY(mst_image_list_get(d->state, i, path, label, err));
    return mst_image_read(path, im, err);
}

static mst_status image_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    char path[MST_IMAGE_PATH];
    mst_image im;
    MST_TRY(read_sample(d, i, path, &im, label, err));
    mst_status st = mst_data_put_image(d, &im, path, x, err);
    mst_image_free(&im);
    return st;
}

static mst_status image_shape(const mst_data *d, size_t i, uint32_t shape[3], mst_err *err)
{
    char path[MST_IMAGE_PATH];
    int label;
    mst_image im;
    MST_TRY(read_sample(d, i, path, &im, &label, err));
    shape[0] = im.channels;
    shape[1] = im.height;
    shape[2] = im.width;
    mst_image_free(&im);
    return MST_OK;
}

static mst_status image_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    char path[MST_IMAGE_PATH];
    return mst_image_list_get(d->state, i, path, label, err);
}

static bool image_name(const mst_data *d, size_t i, char *out, size_t n)
{
    char path[MST_IMAGE_PATH];
    int label;
    return mst_image_list_get(d->state, i, path, &label, NULL) == MST_OK && snprintf(out, n, "%s", path) < (int)n;
}

static void image_close(mst_data *d)
{
    mst_image_list *list = d->state;
    if (list == NULL)
        return;
    mst_image_list_free(list);
    mst_free(NULL, list, sizeof *list);
}

const mst_data_reader mst_data_image = {{"image", "JPEG and PNG: class folders, one folder, or a file",
                                         "the class folders; or ,LABELS: text or CSV", false},
                                        image_sniff,
                                        image_open,
                                        image_count,
                                        image_get,
                                        image_close,
                                        image_shape,
                                        image_label,
                                        image_name};
