/* libFuzzer target of the .npz reader: a zip as it is. What opens must give all its
 * samples, finite and with labels in range.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "mst/data.h"
#include "tests/support/memory_file.h"

#define MAX_SAMPLES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const mst_data *d)
{
    float x[3 * 4 * 4];
    for (size_t i = 0; i < mst_data_count(d) && i < MAX_SAMPLES; i++) {
        int label = -2;
        if (mst_data_get(d, i, x, &label, NULL) != MST_OK)
            continue;
        if (label < -1 || label >= 10)
            abort();
        for (size_t k = 0; k < sizeof x / sizeof x[0]; k++)
            if (!isfinite(x[k]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const mst_data_want want = {.channels = 3, .height = 4, .width = 4, .classes = 10, .prepare = {.resize = 5}};
    char path[64], spec[80];
    mst_data *d = NULL;
    mst_err err = {0};
    int fd = memory_file(data, size, path);
    if (fd < 0)
        return 0;
    snprintf(spec, sizeof spec, "npz:%s", path);
    if (mst_data_open(spec, &want, &d, &err) == MST_OK)
        read_all(d);
    else if (err.text[0] == '\0' || d != NULL)
        abort();
    mst_data_close(d);
    close(fd);
    return 0;
}
