/* See run_join.h. */
#include "tools/run_join.h"

#include <string.h>

#include "mst/alloc.h"
#include "tools/run_predictions_in.h"
#include "tools/run_rows.h"
#include "tools/tool_hash.h"
#include "tools/tool_paths.h"

typedef struct join {
    mst_row_form form;
    mst_rows *to;
    size_t bytes;  /* of a row */
    uint8_t *one;  /* [bytes] */
    uint64_t hash; /* of a part */
} join;

static mst_status take_row(void *ctx, const mst_row *row, mst_err *err)
{
    join *j = ctx;
    mst_row_put(row, &j->form, j->one);
    j->hash = mst_hash(j->hash, j->one, j->bytes);
    return mst_rows_add(j->to, row, err);
}

static mst_status add_part(join *j, const json_t *part, mst_err *err)
{
    char digits[MST_HASH_DIGITS];
    const char *of = json_string_value(json_object_get(part, "file"));
    const json_t *predictions = json_object_get(part, "predictions");
    const char *path = json_string_value(json_object_get(predictions, "file"));
    const char *hash = json_string_value(json_object_get(predictions, "hash"));
    if (path == NULL || hash == NULL)
        return mst_fail(err, MST_EINVAL, "--merge %s: --predictions: its part was run without", of);
    j->hash = MST_HASH_START;
    if (strcmp(hash, mst_hash_digits(j->hash, digits)) == 0) /* no sample could be used */
        return MST_OK;
    mst_paths_also(NULL, path);
    mst_status st = mst_predictions_read(path, &j->form, take_row, j, err);
    if (st == MST_OK && strcmp(hash, mst_hash_digits(j->hash, digits)) != 0)
        st = mst_fail(err, MST_EFORMAT, "%s: they are not the predictions of that part", path);
    return st == MST_OK ? MST_OK : mst_fail_in(err, st, "--merge %s: ", of);
}

static mst_status add_all(join *j, const json_t *parts, mst_err *err)
{
    for (size_t i = 0; i < json_array_size(parts); i++)
        MST_TRY(add_part(j, json_array_get(parts, i), err));
    return mst_rows_end(j->to, err);
}

mst_status mst_predictions_join(mst_run_facts *run, const json_t *parts, const char *path, mst_err *err)
{
    const mst_rows_opts opts = {path, &run->about.at, run->about.mode == MST_RUN_SPIKING, run->sums.outcome.classes};
    join j = {.form = {run->about.at.n, opts.classes}};
    mst_status st = mst_rows_open(&opts, &j.to, err);
    j.bytes = mst_row_bytes(&j.form);
    j.one = st == MST_OK ? mst_alloc(NULL, j.bytes) : NULL;
    if (st == MST_OK)
        st = j.one != NULL ? add_all(&j, parts, err) : mst_fail(err, MST_ENOMEM, "out of memory for predictions");
    if (st == MST_OK) {
        run->predictions = path;
        run->predicted = mst_rows_kept(j.to)->hash;
    }
    mst_rows_close(j.to);
    mst_free(NULL, j.one, j.bytes);
    return st;
}
