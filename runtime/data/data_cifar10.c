/* CIFAR-10, binary layout: records of one label byte and 3x32x32 pixel bytes,
 * channel first. PATH is a file, or a folder with test_batch.bin in it or in
 * cifar-10-batches-bin/ below it. Format: www.cs.toronto.edu/~kriz/cifar.html.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"

#define CHANNELS 3u
#define SIDE 32u
#define PIXELS ((size_t)CHANNELS * SIDE * SIDE)
#define RECORD (1 + PIXELS)
#define CLASSES 10
#define MAX_PATH 8192u

typedef struct cifar_state {
    size_t n;
    uint8_t *records; /* [n][RECORD] */
} cifar_state;

/* The file that PATH stands for; false if it is a folder without one. */
static bool find_batch(const char *path, char out[MAX_PATH])
{
    static const char *const below[] = {"/test_batch.bin", "/cifar-10-batches-bin/test_batch.bin"};
    if (!mst_data_is_dir(path))
        return snprintf(out, MAX_PATH, "%s", path) < (int)MAX_PATH;
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        uint64_t size;
        if (snprintf(out, MAX_PATH, "%s%s", path, below[i]) < (int)MAX_PATH &&
            mst_data_file_size(out, &size, NULL) == MST_OK)
            return true;
    }
    return false;
}

static bool cifar_sniff(const char *path)
{
    char file[MAX_PATH];
    uint64_t size;
    size_t len = strlen(path);
    if (!find_batch(path, file) || mst_data_file_size(file, &size, NULL) != MST_OK)
        return false;
    if (mst_data_is_dir(path))
        return true;
    return size != 0 && size % RECORD == 0 && len > 4 && strcmp(path + len - 4, ".bin") == 0;
}

static mst_status read_records(mst_data *d, mst_data_file *f, mst_err *err)
{
    cifar_state *s = d->state;
    if (!gzdirect(f->gz))
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected CIFAR-10 records, found a gzip file",
                        f->path);
    if (f->size == 0 || f->size % RECORD != 0)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: size: expected a multiple of %zu bytes (records of label and 3x32x32 pixels), "
                        "found %" PRIu64
                        " (%" PRIu64 " records and %" PRIu64 " bytes)",
                        f->path, RECORD, f->size, f->size / RECORD, f->size % RECORD);
    MST_TRY(mst_data_file_expect(f, f->size, "records", err));
    s->n = (size_t)(f->size / RECORD);
    if ((s->records = mst_alloc(NULL, (size_t)f->size)) == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %" PRIu64 " bytes", f->path, f->size);
    MST_TRY(mst_data_file_read(f, s->records, (size_t)f->size, "records", err));
    for (size_t i = 0; i < s->n; i++) {
        if (s->records[i * RECORD] >= CLASSES)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %zu: label of sample %zu: expected 0..%d, found %d", f->path,
                            i * RECORD, i, CLASSES - 1, s->records[i * RECORD]);
        MST_TRY(mst_data_check_label(d, f->path, i, i * RECORD, s->records[i * RECORD], err));
    }
    return mst_data_file_end(f, err);
}

static mst_status cifar_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    char file[MAX_PATH];
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL,
                        "cifar10:%s: expected no label file (the records hold their labels), found '%s'",
                        path, labels);
    if (d->want.channels != CHANNELS || d->want.height != SIDE || d->want.width != SIDE)
        return mst_fail(err, MST_EINVAL,
                        "%s: images: expected [%u,%u,%u] as the model has it, found [3,32,32]", path,
                        d->want.channels, d->want.height, d->want.width);
    if (!find_batch(path, file))
        return mst_fail(err, MST_EIO,
                        "%s: expected test_batch.bin in the folder or in cifar-10-batches-bin/ below it, "
                        "found neither",
                        path);
    if ((d->state = mst_alloc(NULL, sizeof(cifar_state))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mst_data_file f = {0};
    mst_status st = mst_data_file_open(&f, file, err);
    if (st == MST_OK)
        st = read_records(d, &f, err);
    mst_data_file_close(&f);
    return st;
}

static size_t cifar_count(const mst_data *d)
{
    const cifar_state *s = d->state;
    return s->n;
}

static mst_status cifar_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    (void)err;
    const cifar_state *s = d->state;
    mst_data_normalize(d, s->records + i * RECORD + 1, x);
    *label = s->records[i * RECORD];
    return MST_OK;
}

static void cifar_close(mst_data *d)
{
    cifar_state *s = d->state;
    if (s == NULL)
        return;
    mst_free(NULL, s->records, s->n * RECORD);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_cifar10 = {"cifar10", cifar_sniff, cifar_open, cifar_count, cifar_get,
                                          cifar_close};
