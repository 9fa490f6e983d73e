/* CIFAR-10 and CIFAR-100, binary layout: records of one label byte (CIFAR-100: a
 * coarse and a fine one) and 3x32x32 pixel bytes, channel first. PATH is a file, or
 * a folder with the test file in it or in the archive's folder below it. Format:
 * www.cs.toronto.edu/~kriz/cifar.html.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/data_source.h"
#include "runtime/data/events/event_stream.h"

#define PIXELS ((size_t)3 * 32 * 32)
#define MAX_PATH 8192u
#define MAX_LABELS 2u

/* One of the two data sets. */
typedef struct cifar_kind {
    const char *name;
    size_t labels;               /* bytes of them in a record; the last is the default */
    uint8_t classes[MAX_LABELS]; /* of each */
    const char *file, *below;    /* in a folder */
    const char *train;           /* what the other files' names start with */
} cifar_kind;

static const cifar_kind cifar10 = {
    "CIFAR-10",
    1,
    {10},
    "test_batch.bin",
    "cifar-10-batches-bin/test_batch.bin",
    "data_batch_",
};
static const cifar_kind cifar100 = {
    "CIFAR-100",
    2,
    {20, 100},
    "test.bin",
    "cifar-100-binary/test.bin",
    "train.bin",
};

static const uint32_t shape[3] = {3, 32, 32};

typedef struct cifar_state {
    const cifar_kind *kind;
    size_t label;     /* which of a record's bytes */
    size_t n, record; /* bytes of a record */
    mst_data_source file;
} cifar_state;

/* The file that PATH stands for; false if it is a folder without one. */
static bool find_file(const cifar_kind *k, const char *path, char out[MAX_PATH])
{
    const char *names[] = {k->file, k->below};
    if (!mst_data_is_dir(path))
        return snprintf(out, MAX_PATH, "%s", path) < (int)MAX_PATH;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t size;
        if (snprintf(out, MAX_PATH, "%s/%s", path, names[i]) < (int)MAX_PATH &&
            mst_data_file_size(out, &size, NULL) == MST_OK)
            return true;
    }
    return false;
}

/* A cut file has but its name in the archive, which a recording of events may have too. */
static bool has_name(const cifar_kind *k, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    return (strncmp(name, k->train, strlen(k->train)) == 0 || strcmp(name, k->file) == 0) &&
           mst_event_profile_sniff(path) == NULL;
}

/* By name, size, and the first record's labels, which set the two kinds apart where both sizes fit. */
static bool sniff(const cifar_kind *k, const char *path)
{
    char file[MAX_PATH];
    uint64_t size;
    uint8_t head[MAX_LABELS];
    if (!find_file(k, path, file) || mst_data_file_size(file, &size, NULL) != MST_OK)
        return false;
    if (mst_data_is_dir(path))
        return true;
    if (!mst_data_ends_with(path, ".bin") || !mst_data_file_peek(file, head, k->labels))
        return false;
    if (size % (k->labels + PIXELS) != 0 && !has_name(k, path))
        return false;
    for (size_t i = 0; i < k->labels; i++)
        if (head[i] >= k->classes[i])
            return false;
    return true;
}

static bool cifar10_sniff(const char *path)
{
    return sniff(&cifar10, path);
}

static bool cifar100_sniff(const char *path)
{
    return sniff(&cifar100, path);
}

/* Of record i. */
static mst_status check_labels(const mst_data *d, size_t i, const uint8_t *labels, mst_err *err)
{
    const cifar_state *s = d->state;
    for (size_t k = 0; k < s->kind->labels; k++)
        if (labels[k] >= s->kind->classes[k])
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %zu: label of sample %zu: expected 0..%d, found %d", s->file.path,
                            i * s->record + k, i, s->kind->classes[k] - 1, labels[k]);
    return mst_data_check_label(d, s->file.path, i, i * s->record + s->label, labels[s->label], err);
}

static mst_status check_records(mst_data *d, mst_err *err)
{
    cifar_state *s = d->state;
    mst_data_file *f = &s->file.f;
    uint8_t record[MAX_LABELS + PIXELS];
    if (!gzdirect(f->gz))
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected %s records, found a gzip file", f->path,
                        s->kind->name);
    if (f->size == 0 || f->size % s->record != 0)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: size: expected a multiple of %zu bytes (%s records of label and 3x32x32 "
                        "pixels), "
                        "found %" PRIu64
                        " (%" PRIu64 " records and %" PRIu64 " bytes)",
                        f->path, s->record, s->kind->name, f->size, f->size / s->record, f->size % s->record);
    MST_TRY(mst_data_file_expect(f, f->size, "records", err));
    s->n = (size_t)(f->size / s->record);
    for (size_t i = 0; i < s->n; i++) {
        MST_TRY(mst_data_file_read(f, record, s->record, "record", err));
        MST_TRY(check_labels(d, i, record, err));
    }
    return mst_data_file_end(f, err);
}

static mst_status open_kind(mst_data *d, const cifar_kind *k, const char *path, size_t label, mst_err *err)
{
    char file[MAX_PATH];
    MST_TRY(mst_data_check_shape(d, shape, path, 0, err));
    if (!find_file(k, path, file))
        return mst_fail(err, MST_EIO, "%s: expected %s or %s in the folder, found neither", path, k->file,
                        k->below);
    cifar_state *s = d->state = mst_alloc(NULL, sizeof(cifar_state));
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    s->kind = k;
    s->label = label;
    s->record = k->labels + PIXELS;
    MST_TRY(mst_data_source_open(&s->file, file, err));
    return check_records(d, err);
}

static mst_status cifar10_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL,
                        "cifar10:%s: expected no label file (the records hold their labels), found '%s'",
                        path, labels);
    return open_kind(d, &cifar10, path, 0, err);
}

static mst_status cifar100_open(mst_data *d, const char *path, const char *labels, mst_err *err)
{
    bool coarse = labels != NULL && strcmp(labels, "coarse") == 0;
    if (labels != NULL && !coarse && strcmp(labels, "fine") != 0)
        return mst_fail(err, MST_EINVAL,
                        "cifar100:%s: expected coarse or fine behind the comma (the records hold both "
                        "labels), "
                        "found '%s'",
                        path, labels);
    return open_kind(d, &cifar100, path, coarse ? 0 : 1, err);
}

static size_t cifar_count(const mst_data *d)
{
    const cifar_state *s = d->state;
    return s->n;
}

static mst_status cifar_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    cifar_state *s = d->state;
    uint8_t record[MAX_LABELS + PIXELS];
    MST_TRY(mst_data_source_read(&s->file, (uint64_t)i * s->record, record, s->record, "record", err));
    MST_TRY(check_labels(d, i, record, err)); /* the file may have changed */
    *label = record[s->label];
    return mst_data_put_planes(d, record + s->kind->labels, shape, "image", x, err);
}

static mst_status cifar_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    cifar_state *s = d->state;
    uint8_t labels[MAX_LABELS];
    MST_TRY(mst_data_source_read(&s->file, (uint64_t)i * s->record, labels, s->kind->labels, "labels", err));
    *label = labels[s->label];
    return MST_OK;
}

static void cifar_close(mst_data *d)
{
    cifar_state *s = d->state;
    if (s == NULL)
        return;
    mst_data_source_close(&s->file);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_cifar10 = {
    {"cifar10", "binary version: a file, or its folder", "in the records", false},
    cifar10_sniff,
    cifar10_open,
    cifar_count,
    cifar_get,
    cifar_close,
    NULL,
    cifar_label,
    NULL};
const mst_data_reader mst_data_cifar100 = {
    {"cifar100", "binary version: a file, or its folder", "in the records: ,fine (the default) or ,coarse", false},
    cifar100_sniff,
    cifar100_open,
    cifar_count,
    cifar_get,
    cifar_close,
    NULL,
    cifar_label,
    NULL};
