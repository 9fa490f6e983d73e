/* libFuzzer target of the data readers. Byte 0 chooses the format, byte 1 the
 * model's input, bytes 2 and 3 how much of the rest is the label file. What
 * opens must give all its samples, finite and with labels in range.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mst/data.h"
#include "tests/support/memory_file.h"

#define MAX_SAMPLES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const mst_data *d, const mst_data_want *want)
{
    static float x[3 * 32 * 32];
    size_t n = mst_data_count(d), values = (size_t)want->channels * want->height * want->width;
    for (size_t i = 0; i < n && i < MAX_SAMPLES; i++) {
        int label = -2;
        if (mst_data_get(d, i, x, &label, NULL) != MST_OK)
            continue;
        if (label < -1 || label >= (int)want->classes)
            abort();
        for (size_t k = 0; k < values; k++)
            if (!isfinite(x[k]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"idx:", "cifar10:", "npy:", "", "cifar100:", "npz:", "image:"};
    static const mst_data_want wants[] = {
        {.channels = 1, .height = 2, .width = 2, .classes = 10},
        {.channels = 3, .height = 32, .width = 32, .classes = 10},
        {.channels = 1, .height = 5, .width = 3, .classes = 10, .prepare = {.resize = 4}},
        {.channels = 3, .height = 6, .width = 9, .classes = 100, .prepare = {.crop_height = 6, .crop_width = 9}},
    };
    if (size < 4)
        return 0;
    char images[64], labels[64], spec[200];
    size_t n_labels = ((size_t)data[2] | (size_t)data[3] << 8) % (size - 3);
    const mst_data_want *want = &wants[data[1] % 4];
    int a = memory_file(data + 4, size - 4 - n_labels, images);
    int b = memory_file(data + size - n_labels, n_labels, labels);
    mst_data *d = NULL;
    mst_err err = {0};
    snprintf(spec, sizeof spec, "%s%s%s%s", formats[data[0] % 7], images, n_labels != 0 ? "," : "",
             n_labels != 0 ? labels : "");
    if (a >= 0 && b >= 0) {
        if (mst_data_open(spec, want, &d, &err) == MST_OK)
            read_all(d, want);
        else if (err.text[0] == '\0' || d != NULL)
            abort();
    }
    mst_data_close(d);
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    return 0;
}
