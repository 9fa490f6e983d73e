/* One sample at a time: a file may be larger than memory. */
#include "tools/run_predictions_in.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/data/npz_file.h"

#define HEAD "sample,label,t,class,"
#define FIELD 24 /* characters at most, of each of: */
#define FIELDS 4 /* before the logits */

typedef struct reader {
    const char *path;
    const mst_row_form *form;
    mst_row_take take;
    void *ctx;
    mst_arena arena;
    uint32_t *said;
    float *logits;
} reader;

static mst_status none(const reader *r, mst_err *err)
{
    return mst_fail(err, MST_EFORMAT, "%s: expected predictions of %zu steps and %zu classes, found something else",
                    r->path, r->form->n_at, r->form->classes);
}

static mst_status give(const reader *r, uint64_t sample, int64_t label, mst_err *err)
{
    if (sample > UINT32_MAX || label < -1 || label > INT32_MAX)
        return none(r, err);
    return r->take(r->ctx, &(mst_row){(uint32_t)sample, (int32_t)label, r->said, r->logits}, err);
}

/* ---- .npz ---- */

enum { SAMPLE,
       LABEL,
       SAID,
       LOGITS,
       ARRAYS };

static mst_status open_arrays(const reader *r, mst_npz *z, mst_npy_array *a, bool *open, mst_err *err)
{
    static const char *const names[ARRAYS][2] = {{"sample.npy"}, {"label.npy"}, {"class.npy"}, {"logits.npy"}};
    static const char *const types[ARRAYS] = {"<i8", "<i8", "<i8", "<f4"};
    static const uint32_t ranks[ARRAYS] = {1, 1, 2, 3};
    for (size_t k = 0; k < ARRAYS; k++) {
        MST_TRY(mst_npz_array(z, names[k], &open[k], &a[k], err));
        if (!open[k])
            return none(r, err);
        const mst_npy_header *h = &a[k].header;
        const uint64_t dims[] = {a[SAMPLE].header.dims[0], r->form->n_at, r->form->classes};
        if (strcmp(h->descr, types[k]) != 0 || h->rank != ranks[k] ||
            memcmp(h->dims, dims, ranks[k] * sizeof *dims) != 0)
            return none(r, err);
    }
    return MST_OK;
}

static mst_status read_whole(const mst_npy_array *a, uint64_t i, uint64_t *to, mst_err *err)
{
    uint8_t bytes[8];
    MST_TRY(mst_npy_array_read(a, sizeof bytes * i, bytes, sizeof bytes, err));
    *to = mst_get_u64(bytes);
    return MST_OK;
}

static mst_status give_row(const reader *r, const mst_npy_array *a, uint64_t i, mst_err *err)
{
    size_t n_at = r->form->n_at, bytes = n_at * r->form->classes * sizeof *r->logits;
    uint64_t sample, label, class;
    MST_TRY(read_whole(&a[SAMPLE], i, &sample, err));
    MST_TRY(read_whole(&a[LABEL], i, &label, err));
    for (size_t k = 0; k < n_at; k++) {
        MST_TRY(read_whole(&a[SAID], i * n_at + k, &class, err));
        if (class >= r->form->classes)
            return none(r, err);
        r->said[k] = (uint32_t) class;
    }
    MST_TRY(mst_npy_array_read(&a[LOGITS], i * bytes, r->logits, bytes, err));
    return give(r, sample, (int64_t)label, err);
}

static mst_status read_arrays(reader *r, mst_err *err)
{
    mst_npz z;
    mst_npy_array a[ARRAYS];
    bool open[ARRAYS] = {false};
    mst_status st = mst_npz_open(&z, r->path, err);
    if (st == MST_OK)
        st = open_arrays(r, &z, a, open, err);
    for (uint64_t i = 0; st == MST_OK && i < a[SAMPLE].header.dims[0]; i++)
        st = give_row(r, a, i, err);
    for (size_t k = 0; k < ARRAYS; k++)
        if (open[k])
            mst_npy_array_close(&a[k]);
    mst_npz_close(&z);
    return st;
}

/* ---- CSV ---- */

/* A number from *at to the character `end`, behind which *at then is. */
static bool take_whole(char **at, char end, uint64_t *to)
{
    char *stop;
    if (!isdigit((unsigned char)**at))
        return false;
    *to = strtoull(*at, &stop, 10);
    if (*stop != end)
        return false;
    *at = stop + 1;
    return true;
}

static bool take_if(char **at, char end, uint64_t *to, uint64_t otherwise)
{
    if (**at != end)
        return take_whole(at, end, to);
    *to = otherwise;
    ++*at;
    return true;
}

/* Line k of a sample; those behind the first say the same sample and label. */
static bool take_line(const reader *r, char *at, size_t k, uint64_t *sample, int64_t *label)
{
    uint64_t number, known, step, class;
    size_t classes = r->form->classes;
    if (!take_whole(&at, ',', &number) || !take_if(&at, ',', &known, UINT64_MAX) || !take_if(&at, ',', &step, 0) ||
        !take_whole(&at, ',', &class) || class >= classes)
        return false;
    if (k != 0 && (number != *sample || (int64_t)known != *label))
        return false;
    *sample = number;
    *label = (int64_t)known;
    r->said[k] = (uint32_t) class;
    for (size_t c = 0; c < classes; c++) {
        char *stop;
        r->logits[k * classes + c] = strtof(at, &stop);
        if (stop == at || *stop != (c + 1 < classes ? ',' : '\n'))
            return false;
        at = stop + 1;
    }
    return *at == '\0';
}

static mst_status read_lines(reader *r, FILE *f, mst_err *err)
{
    uint64_t sample = 0;
    int64_t label = 0;
    size_t n = FIELD * (FIELDS + r->form->classes), k = 0;
    char *line = n <= INT_MAX ? mst_arena_alloc(&r->arena, n) : NULL;
    if (line == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for predictions");
    if (fgets(line, (int)n, f) == NULL || strncmp(line, HEAD, sizeof HEAD - 1) != 0 || strchr(line, '\n') == NULL)
        return none(r, err);
    while (fgets(line, (int)n, f) != NULL) {
        if (!take_line(r, line, k, &sample, &label))
            return none(r, err);
        k = (k + 1) % r->form->n_at;
        if (k == 0)
            MST_TRY(give(r, sample, label, err));
    }
    return k == 0 ? MST_OK : none(r, err);
}

static mst_status read_text(reader *r, mst_err *err)
{
    FILE *f = fopen(r->path, "r");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", r->path, strerror(errno));
    mst_status st = read_lines(r, f, err);
    if (st == MST_OK && ferror(f))
        st = mst_fail(err, MST_EIO, "%s: cannot read: %s", r->path, strerror(errno));
    fclose(f);
    return st;
}

mst_status mst_predictions_read(const char *path, const mst_row_form *form, mst_row_take take, void *ctx, mst_err *err)
{
    struct stat is;
    reader r = {.path = path, .form = form, .take = take, .ctx = ctx};
    if (stat(path, &is) != 0)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(is.st_mode)) /* a pipe would be waited for */
        return none(&r, err);
    r.said = mst_arena_array(&r.arena, form->n_at, sizeof *r.said);
    r.logits = mst_arena_array(&r.arena, form->n_at * form->classes, sizeof *r.logits);
    mst_status st = r.said != NULL && r.logits != NULL ? MST_OK
                                                       : mst_fail(err, MST_ENOMEM, "out of memory for predictions");
    if (st == MST_OK)
        st = mst_predictions_npz(path) ? read_arrays(&r, err) : read_text(&r, err);
    mst_arena_release(&r.arena);
    return st;
}
