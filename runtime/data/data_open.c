/* The one way into every reader: SPEC parsing, the list of formats, and what
 * they share. Knows no file format itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/core/options.h"
#include "runtime/data/data_format.h"
#include "runtime/data/events/event_stream.h"

#define MAX_SPEC 8192u
#define MAX_NAMES 512 /* of all kinds, in a message */

#define AT(name) &mst_data_##name,
static const mst_data_reader *const formats[] = {MST_DATA_READERS(AT)};
#undef AT
#define N_FORMATS (sizeof formats / sizeof formats[0])

/* Kind k and its reader: the formats, but for that of recordings, and then what kinds of those there are. */
static const mst_data_reader *kind_at(size_t k, mst_data_kind *out)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i] != &mst_data_event && k-- == 0) {
            *out = formats[i]->kind;
            return formats[i];
        }
    const mst_event_profile *p = mst_event_profile_at(k);
    if (p == NULL)
        return NULL;
    *out = mst_data_event.kind;
    out->name = mst_event_profile_name(p);
    out->path = mst_event_profile_about(p);
    out->labels = mst_event_profile_labels(p);
    return &mst_data_event;
}

bool mst_data_kind_at(size_t k, mst_data_kind *out)
{
    return kind_at(k, out) != NULL;
}

/* "idx, cifar10, ..", for messages */
static void kind_names(char *out, size_t n)
{
    mst_data_kind kind;
    size_t used = 0;
    for (size_t k = 0; used < n && kind_at(k, &kind) != NULL; k++)
        used += (size_t)snprintf(out + used, n - used, "%s%s", k != 0 ? ", " : "", kind.name);
}

/* The reader of the kind of that name, which goes into *name_of. */
static const mst_data_reader *find_format(const char *name, size_t len, const char **name_of)
{
    mst_data_kind kind;
    const mst_data_reader *r;
    for (size_t k = 0; (r = kind_at(k, &kind)) != NULL; k++)
        if (strlen(kind.name) == len && memcmp(kind.name, name, len) == 0) {
            *name_of = kind.name;
            return r;
        }
    return NULL;
}

static bool path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* PATH[,LABELS] in place: a path that exists as it stands has no labels behind a comma. */
static char *split_labels(char *path)
{
    char *comma = path_exists(path) ? NULL : strrchr(path, ',');
    if (comma == NULL)
        return NULL;
    *comma = '\0';
    return comma + 1;
}

/* What is there instead of a known format: a format may still be named. */
static mst_status not_recognized(const char *path, mst_err *err)
{
    uint8_t head[4];
    char found[80] = "neither a file nor a folder", known[MAX_NAMES] = "";
    uint64_t size;
    if (mst_data_is_dir(path))
        snprintf(found, sizeof found, "a folder without images, recordings, CIFAR's or MNIST's test files");
    else if (mst_data_file_size(path, &size, NULL) == MST_OK && size == 0)
        snprintf(found, sizeof found, "an empty file");
    else if (mst_data_file_peek(path, head, sizeof head))
        snprintf(found, sizeof found, "the bytes %02x %02x %02x %02x", head[0], head[1], head[2], head[3]);
    else if (mst_data_file_size(path, &size, NULL) == MST_OK)
        snprintf(found, sizeof found, "a file of %" PRIu64 " bytes", size);
    kind_names(known, sizeof known);
    return mst_fail(err, MST_EINVAL,
                    "%s: format not recognized: expected a known one or FORMAT:PATH, found %s; formats: %s", path,
                    found, known);
}

static mst_status choose_format(mst_data *d, char *spec, const mst_data_reader **format, char **path,
                                char **labels, mst_err *err)
{
    char *colon = strchr(spec, ':');
    *format = colon != NULL ? find_format(spec, (size_t)(colon - spec), &d->kind) : NULL;
    *path = *format != NULL ? colon + 1 : spec;
    *labels = split_labels(*path);
    if ((*path)[0] == '\0' || (*labels != NULL && (*labels)[0] == '\0'))
        return mst_fail(err, MST_EINVAL, "data '%s': expected FORMAT:PATH[,LABELS], found an empty path",
                        spec);
    if (*format != NULL)
        return MST_OK;
    errno = 0;
    if (!path_exists(*path)) {
        int why = errno;
        char known[MAX_NAMES] = "";
        kind_names(known, sizeof known);
        if (colon != NULL)
            return mst_fail(err, MST_EINVAL, "data '%s': unknown format '%.*s', known: %s", spec,
                            (int)(colon - spec), spec, known);
        return why == ENOENT ? mst_fail(err, MST_EIO, "%s: no such file or folder", *path)
                             : mst_fail(err, MST_EIO, "%s: %s", *path, strerror(why));
    }
    for (size_t i = 0; i < N_FORMATS && *format == NULL; i++)
        if (formats[i]->sniff(*path))
            *format = formats[i];
    d->kind = *format != NULL ? (*format)->kind.name : NULL;
    if (*format == NULL)
        return not_recognized(*path, err);
    return MST_OK;
}

static mst_status set_want(mst_data *d, const mst_data_want *want, mst_err *err)
{
    size_t plane;
    if (want->as_is) {
        d->want.prepare = want->prepare;
        d->want.class_names = want->class_names;
        d->want.n_class_names = want->n_class_names;
        return MST_OK;
    }
    if (want->channels == 0 || want->height == 0 || want->width == 0 ||
        !mst_mul_size(want->height, want->width, &plane) || !mst_mul_size(plane, want->channels, &d->pixels) ||
        d->pixels > MST_MAX_ELEMENTS)
        return mst_fail(err, MST_EINVAL, "model input [%u,%u,%u]: not an image shape", want->channels,
                        want->height, want->width);
    if (want->n_norm != 0 && want->n_norm != want->channels)
        return mst_fail(err, MST_EINVAL, "mean and std: expected %u channels, found %u", want->channels,
                        want->n_norm);
    if (want->n_norm > MST_MAX_CHANNELS)
        return mst_fail(err, MST_ELIMIT, "mean and std: %u channels, limit is %d", want->n_norm,
                        MST_MAX_CHANNELS);
    d->want = *want;
    for (uint32_t c = 0; c < want->n_norm; c++) {
        d->mean[c] = want->mean[c];
        d->std[c] = want->std[c];
    }
    d->want.mean = d->mean;
    d->want.std = d->std;
    return MST_OK;
}

static mst_status no_frames(const mst_data_reader *format, const char *path, uint32_t frames, mst_err *err)
{
    char names[MAX_NAMES] = "";
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i]->kind.frames && formats[i] != &mst_data_event)
            snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", formats[i]->kind.name);
    return mst_fail(err, MST_EINVAL,
                    "%s: the model is shown %u frames one after another: expected event recordings%s, found %s", path,
                    frames, names, format->kind.name);
}

/* Pictures presented in steps are channels one after another here; only some formats have such. */
static mst_status set_frames(mst_data *d, const mst_data_reader *format, const char *path, mst_err *err)
{
    const mst_prepare *p = &d->want.prepare;
    if (d->as_is || p->present != MST_PRESENT_STEPS || p->frames < 2)
        return MST_OK;
    if (!format->kind.frames)
        return no_frames(format, path, p->frames, err);
    if (!mst_mul_size(d->pixels, p->frames, &d->pixels) || d->pixels > MST_MAX_ELEMENTS)
        return mst_fail(err, MST_ELIMIT, "model input: %u frames of [%u,%u,%u]: limit is %u values", p->frames,
                        d->want.channels, d->want.height, d->want.width, MST_MAX_ELEMENTS);
    d->want.channels *= p->frames;
    return MST_OK;
}

/* One row serves all channels where there is no norm. */
static mst_status make_table(mst_data *d, mst_err *err)
{
    uint32_t rows = d->want.n_norm != 0 ? d->want.n_norm : 1;
    d->table = mst_alloc_array(NULL, (size_t)rows * 256, sizeof(float));
    if (d->table == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    for (uint32_t c = 0; c < rows; c++)
        for (uint32_t b = 0; b < 256; b++) {
            float v = (float)b / 255.0f;
            d->table[c * 256 + b] = d->want.n_norm != 0 ? (v - d->mean[c]) / d->std[c] : v;
        }
    return MST_OK;
}

mst_status mst_data_open(const char *spec, const mst_data_want *want, mst_data **out, mst_err *err)
{
    *out = NULL;
    mst_data_want own = {0};
    MST_TRY(MST_TAKE_OPTS(mst_data_want, &own, want, std, channels_last, err));
    size_t len = strlen(spec);
    if (len >= MAX_SPEC)
        return mst_fail(err, MST_EINVAL, "data: a path of %zu bytes is too long", len);
    mst_data *d = mst_alloc(NULL, sizeof *d);
    char *text = mst_alloc(NULL, len + 1);
    mst_status st = MST_ENOMEM;
    if (d == NULL || text == NULL) {
        mst_fail(err, st, "out of memory");
        goto done;
    }
    memcpy(text, spec, len);
    d->as_is = own.as_is;
    char *path, *labels;
    const mst_data_reader *format;
    if ((st = set_want(d, &own, err)) != MST_OK || (st = make_table(d, err)) != MST_OK ||
        (st = choose_format(d, text, &format, &path, &labels, err)) != MST_OK)
        goto done;
    if ((st = set_frames(d, format, path, err)) != MST_OK)
        goto done;
    d->format = format;
    st = format->open(d, path, labels, err);
    d->want.class_names = NULL; /* lent until now */
    d->want.n_class_names = 0;
done:
    mst_free(NULL, text, len + 1);
    if (st != MST_OK)
        mst_data_close(d);
    else
        *out = d;
    return st;
}

void mst_data_close(mst_data *d)
{
    if (d == NULL)
        return;
    if (d->format != NULL)
        d->format->close(d);
    mst_free_array(NULL, d->table, (size_t)(d->want.n_norm != 0 ? d->want.n_norm : 1) * 256, sizeof(float));
    mst_free(NULL, d, sizeof *d);
}

const char *mst_data_format(const mst_data *d)
{
    return d->kind;
}

bool mst_data_is_real(const mst_data *d) { return d->real; }

size_t mst_data_count(const mst_data *d)
{
    return d->format->count(d);
}

mst_status mst_data_shape(const mst_data *d, size_t i, uint32_t shape[3], mst_err *err)
{
    if (i >= mst_data_count(d))
        return mst_fail(err, MST_EINVAL, "sample %zu: the data set has %zu", i, mst_data_count(d));
    if (d->as_is && d->format->shape != NULL)
        return d->format->shape(d, i, shape, err);
    shape[0] = d->want.channels;
    shape[1] = d->want.height;
    shape[2] = d->want.width;
    return MST_OK;
}

mst_status mst_data_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err)
{
    if (i >= mst_data_count(d))
        return mst_fail(err, MST_EINVAL, "sample %zu: the data set has %zu", i, mst_data_count(d));
    return d->format->get(d, i, x, label, err);
}

mst_status mst_data_label(const mst_data *d, size_t i, int *label, mst_err *err)
{
    if (i >= mst_data_count(d))
        return mst_fail(err, MST_EINVAL, "sample %zu: the data set has %zu", i, mst_data_count(d));
    return d->format->label(d, i, label, err);
}

void mst_data_name(const mst_data *d, size_t i, char *out, size_t n)
{
    if (d->format->name == NULL || !d->format->name(d, i, out, n))
        snprintf(out, n, "sample %zu", i);
}

size_t mst_data_passed_over(const mst_data *d, const char **one)
{
    *one = d->passed_name;
    return d->passed_over;
}
