/* libFuzzer target of image folders: a label file as it is, beside a folder with one
 * image. What opens must name that image only, with labels in range.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/image.h"
#include "mst/data.h"
#include "tests/support/memory_file.h"

#define MAX_SAMPLES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], image[80];

static void remove_folder(void)
{
    unlink(image);
    rmdir(folder);
}

static void make_folder(void)
{
    mst_image im = {0};
    snprintf(folder, sizeof folder, "/tmp/mst-fuzz-XXXXXX");
    if (mkdtemp(folder) == NULL || mst_image_make(&im, 2, 2, 3, "fuzz", NULL) != MST_OK)
        abort();
    snprintf(image, sizeof image, "%s/a.png", folder);
    FILE *f = fopen(image, "wb");
    if (f == NULL || mst_png_write(&im, f, image, NULL) != MST_OK || fclose(f) != 0)
        abort();
    mst_image_free(&im);
    atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const mst_data_want want = {.channels = 3, .height = 2, .width = 2, .classes = 10};
    char path[64], spec[200];
    mst_data *d = NULL;
    mst_err err = {0};
    float x[12];
    if (folder[0] == '\0')
        make_folder();
    int fd = memory_file(data, size, path);
    if (fd < 0)
        return 0;
    snprintf(spec, sizeof spec, "image:%s,%s", folder, path);
    if (mst_data_open(spec, &want, &d, &err) == MST_OK) {
        for (size_t i = 0; i < mst_data_count(d) && i < MAX_SAMPLES; i++) {
            int label = -2;
            if (mst_data_get(d, i, x, &label, &err) != MST_OK || label < 0 || label > 9)
                abort();
        }
    } else if (err.text[0] == '\0' || d != NULL) {
        abort();
    }
    mst_data_close(d);
    close(fd);
    return 0;
}
