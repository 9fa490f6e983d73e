/* CIFAR-10 and CIFAR-100. Binary version: records of one label byte (CIFAR-100: a
 * coarse and a fine one) and 3x32x32 pixel bytes, channel first. Python version: pickles
 * of the same (cifar_pickle.h). PATH is a file, or a folder with the test file in it or in
 * the archive's folder below it. Format: www.cs.toronto.edu/~kriz/cifar.html.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/cifar_pickle.h"
#include "runtime/data/data_source.h"
#include "runtime/data/events/event_stream.h"
#include "runtime/data/pickle.h"

#define PIXELS MST_CIFAR_PIXELS
#define MAX_PATH 8192u
#define MAX_LABELS MST_CIFAR_MAX_LABELS
#define N_FILES 4u

/* One of the two data sets. */
typedef struct cifar_kind {
    const char *name;
    size_t labels;                /* bytes of them in a record; the last is the default */
    uint8_t classes[MAX_LABELS];  /* of each */
    const char *keys[MAX_LABELS]; /* of the Python version */
    const char *files[N_FILES];   /* in a folder; the last half are pickles */
    const char *train;            /* what the other files' names start with */
} cifar_kind;

static const cifar_kind cifar10 = {
    "CIFAR-10",
    1,
    {10},
    {"labels"},
    {"test_batch.bin", "cifar-10-batches-bin/test_batch.bin", "test_batch", "cifar-10-batches-py/test_batch"},
    "data_batch_",
};
static const cifar_kind cifar100 = {
    "CIFAR-100",
    2,
    {20, 100},
    {"coarse_labels", "fine_labels"},
    {"test.bin", "cifar-100-binary/test.bin", "test", "cifar-100-python/test"},
    "train",
};

static const uint32_t shape[3] = {3, 32, 32};

typedef struct cifar_state {
    const cifar_kind *kind;
    size_t label;     /* which of a record's bytes */
    size_t n, record; /* bytes of a record */
    mst_data_source file;
    mst_cifar_pickle pickle; /* of the Python version: n is not 0 */
} cifar_state;

static bool is_pickle(const char *file)
{
    uint8_t head[2];
    return mst_data_file_peek(file, head, sizeof head) && mst_pickle_sniff(head);
}

/* The file that PATH stands for; false if it is a folder without one. */
static bool find_file(const cifar_kind *k, const char *path, char out[MAX_PATH])
{
    if (!mst_data_is_dir(path))
        return snprintf(out, MAX_PATH, "%s", path) < (int)MAX_PATH;
    for (size_t i = 0; i < N_FILES; i++) {
        uint64_t size;
        if (snprintf(out, MAX_PATH, "%s/%s", path, k->files[i]) < (int)MAX_PATH &&
            mst_data_file_size(out, &size, NULL) == MST_OK && (i < N_FILES / 2 || is_pickle(out)))
            return true;
    }
    return false;
}

/* A cut file has but its name in the archive, which a recording of events may have too. */
static bool has_name(const cifar_kind *k, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    return (strncmp(name, k->train, strlen(k->train)) == 0 || strcmp(name, k->files[0]) == 0 ||
            strcmp(name, k->files[N_FILES / 2]) == 0) &&
           mst_event_profile_sniff(path) == NULL;
}

/* A pickle that has the archive's name, or is a batch of this kind. */
static bool sniff_pickle(const cifar_kind *k, const char *path)
{
    mst_cifar_pickle p = {0};
    mst_data_file f = {0};
    bool good = has_name(k, path) || (mst_data_file_open(&f, path, NULL) == MST_OK &&
                                      mst_cifar_pickle_read(&p, &f, k->keys, k->labels, NULL) == MST_OK);
    mst_data_file_close(&f);
    mst_cifar_pickle_free(&p);
    return good;
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
    if (is_pickle(path))
        return sniff_pickle(k, path);
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

/* The labels of sample i in a record's order, and its pixels behind them. */
static mst_status read_record(cifar_state *s, size_t i, bool pixels, uint8_t record[MAX_LABELS + PIXELS], mst_err *err)
{
    size_t n = pixels ? PIXELS : 0;
    if (s->pickle.n == 0)
        return mst_data_source_read(&s->file, (uint64_t)i * s->record, record, s->kind->labels + n, "record", err);
    for (size_t k = 0; k < s->kind->labels; k++)
        record[k] = (uint8_t)s->pickle.labels[k][i];
    uint64_t offset = s->pickle.pixels + (uint64_t)i * PIXELS;
    return mst_data_source_read(&s->file, offset, record + s->kind->labels, n, "image", err);
}

static mst_status open_pickle(const mst_data *d, mst_err *err)
{
    cifar_state *s = d->state;
    mst_cifar_pickle *p = &s->pickle;
    MST_TRY(mst_cifar_pickle_read(p, &s->file.f, s->kind->keys, s->kind->labels, err));
    s->n = p->n;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->kind->labels; k++)
            if (p->labels[k][i] >= s->kind->classes[k])
                return mst_fail(err, MST_ECORRUPT, "%s: %s: label of sample %zu: expected 0..%d, found %" PRId32,
                                s->file.path,
                                s->kind->keys[k], i, s->kind->classes[k] - 1, p->labels[k][i]);
    for (size_t i = 0; i < s->n; i++)
        MST_TRY(mst_data_check_label(d, s->file.path, i, 0, p->labels[s->label][i], err));
    return MST_OK;
}

static mst_status check_records(mst_data *d, mst_err *err)
{
    cifar_state *s = d->state;
    mst_data_file *f = &s->file.f;
    uint8_t record[MAX_LABELS + PIXELS];
    if (!gzdirect(f->gz))
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected %s records, found a gzip file", f->path,
                        s->kind->name);
    if (is_pickle(s->file.path))
        return open_pickle(d, err);
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
        return mst_fail(err, MST_EIO, "%s: expected %s or %s in the folder, found none of the kind", path, k->files[0],
                        k->files[N_FILES / 2]);
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
    MST_TRY(read_record(s, i, true, record, err));
    MST_TRY(check_labels(d, i, record, err)); /* the file may have changed */
    *label = record[s->label];
    return mst_data_put_planes(d, record + s->kind->labels, shape, "image", x, err);
}

static mst_status cifar_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    cifar_state *s = d->state;
    uint8_t record[MAX_LABELS + PIXELS];
    MST_TRY(read_record(s, i, false, record, err));
    *label = record[s->label];
    return MST_OK;
}

static void cifar_close(mst_data *d)
{
    cifar_state *s = d->state;
    if (s == NULL)
        return;
    mst_data_source_close(&s->file);
    mst_cifar_pickle_free(&s->pickle);
    mst_free(NULL, s, sizeof *s);
}

const mst_data_reader mst_data_cifar10 = {
    {"cifar10", "binary or Python version: a file, or its folder", "in it", false},
    cifar10_sniff,
    cifar10_open,
    cifar_count,
    cifar_get,
    cifar_close,
    NULL,
    cifar_label,
    NULL};
const mst_data_reader mst_data_cifar100 = {
    {"cifar100", "binary or Python version: a file, or its folder", "in it: ,fine (the default) or ,coarse", false},
    cifar100_sniff,
    cifar100_open,
    cifar_count,
    cifar_get,
    cifar_close,
    NULL,
    cifar_label,
    NULL};
