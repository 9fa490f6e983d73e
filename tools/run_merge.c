/* Files are read one after another in the order of their shards, and added up as they were written: as whole numbers.
 */
#include "tools/run_merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool_output.h"

#define MAX_CLASSES ((size_t)1 << 26)

typedef struct part {
    const char *path;
    uint64_t shard, shards;
} part;

/* The run k of a file: of one that has several, an entry of "runs". */
static json_t *run_of(json_t *root, size_t k)
{
    json_t *runs = json_object_get(root, "runs");
    return runs != NULL ? json_array_get(runs, k) : k == 0 ? root
                                                           : NULL;
}

static mst_status load(const char *path, json_t **out, mst_err *err)
{
    json_error_t why;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "--merge %s: %s", path, strerror(errno));
    *out = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
    fclose(f);
    if (*out == NULL)
        return mst_fail(err, MST_EFORMAT, "--merge %s: line %d: %s", path, why.line, why.text);
    const char *tool = json_string_value(json_object_get(*out, "tool"));
    json_int_t schema = json_integer_value(json_object_get(*out, "schema"));
    const char *version = json_string_value(json_object_get(json_object_get(*out, "provenance"), "version"));
    if (tool == NULL || strcmp(tool, "mstrun") != 0 || json_object_get(run_of(*out, 0), "sums") == NULL)
        return mst_fail(err, MST_EFORMAT, "--merge %s: expected a result of mstrun --json, found other JSON", path);
    if (schema != MST_JSON_SCHEMA || version == NULL || strcmp(version, MST_VERSION) != 0)
        return mst_fail(err, MST_EINVAL, "--merge %s: it was written by version %.20s (schema %d), this is %s (%d)",
                        path, version != NULL ? version : "?", (int)schema, MST_VERSION, MST_JSON_SCHEMA);
    return MST_OK;
}

/* ---- which parts there are ---- */

static int by_shard(const void *a, const void *b)
{
    const part *x = a, *y = b;
    return (x->shard > y->shard) - (x->shard < y->shard);
}

static mst_status look_at(part *p, mst_err *err)
{
    json_t *root = NULL;
    mst_status st = load(p->path, &root, err);
    json_t *run = run_of(root, 0), *shard = json_object_get(run, "shard");
    if (st == MST_OK && (!mst_json_take_whole(json_object_get(shard, "index"), &p->shard) ||
                         !mst_json_take_whole(json_object_get(shard, "of"), &p->shards)))
        st = mst_fail(err, MST_EINVAL, "--merge %s: it is not a part of a run (mstrun --shard I/N)", p->path);
    json_decref(root);
    return st;
}

/* Each of 1..N once, and put in order. */
static mst_status order(part *parts, size_t n, mst_err *err)
{
    for (size_t i = 0; i < n; i++) {
        MST_TRY(look_at(&parts[i], err));
        if (parts[i].shards != parts[0].shards)
            return mst_fail(err, MST_EINVAL, "--merge %s: part %" PRIu64 " of %" PRIu64 ", where %s is one of %" PRIu64,
                            parts[i].path, parts[i].shard, parts[i].shards, parts[0].path, parts[0].shards);
    }
    qsort(parts, n, sizeof *parts, by_shard);
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && parts[i].shard == parts[i - 1].shard)
            return mst_fail(err, MST_EINVAL, "--merge: %s and %s are both part %" PRIu64 " of %" PRIu64,
                            parts[i - 1].path, parts[i].path, parts[i].shard, parts[i].shards);
        if (parts[i].shard != i + 1)
            return mst_fail(err, MST_EINVAL, "--merge: part %zu of %" PRIu64 " is missing", i + 1, parts[0].shards);
    }
    return n == parts[0].shards ? MST_OK
                                : mst_fail(err, MST_EINVAL, "--merge: part %zu of %" PRIu64 " is missing", n + 1,
                                           parts[0].shards);
}

/* ---- adding ---- */

/* What must be the same of all parts: not where the model lay. */
static json_t *identity(const mst_run_about *a)
{
    json_t *id = mst_run_about_json(a);
    if (id != NULL) {
        json_object_del(id, "model");
        json_object_del(id, "shard");
    }
    return id;
}

static mst_status same_run(const mst_run_facts *first, const mst_run_about *a, mst_err *err)
{
    char what[300];
    json_t *mine = identity(a), *theirs = identity(&first->about);
    mst_status st = MST_OK;
    if (mine == NULL || theirs == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory");
    else if (!mst_json_same(mine, theirs, what, sizeof what))
        st = mst_fail(err, MST_EINVAL, "it is of another run than part 1: %s", what);
    else if (a->at.n != first->about.at.n ||
             memcmp(a->at.values, first->about.at.values, a->at.n * sizeof *a->at.values) != 0)
        st = mst_fail(err, MST_EINVAL, "it is of another run than part 1: other steps (--at)");
    json_decref(mine);
    json_decref(theirs);
    return st;
}

/* The first part says what the run is. */
static mst_status begin(mst_run_facts *r, const json_t *run, mst_err *err)
{
    uint64_t classes;
    MST_TRY(mst_run_about_take(&r->about, run, err));
    r->about.shard = r->about.shards = 0;
    MST_TRY(mst_run_sums_make(&r->sums, r->about.at.n, r->about.n_layers, err));
    if (!mst_json_take_whole(json_object_get(run, "classes"), &classes) || classes == 0 || classes > MAX_CLASSES)
        return mst_fail(err, MST_EFORMAT, "'classes' is not a number of classes");
    const mst_pick none = {.spread = json_is_true(json_object_get(run, "spread"))};
    return mst_outcome_make(&r->sums.outcome, &none, (size_t)classes, err);
}

static mst_status add_run(mst_run_facts *r, const json_t *run, bool first, mst_err *err)
{
    mst_run_about about;
    uint64_t planned, passed;
    mst_outcome *o = &r->sums.outcome;
    if (run == NULL)
        return mst_fail(err, MST_EINVAL, "it has fewer runs than part 1");
    if (first)
        MST_TRY(begin(r, run, err));
    mst_status st = mst_run_about_take(&about, run, err);
    if (st == MST_OK)
        st = same_run(r, &about, err);
    mst_run_about_free(&about);
    if (st != MST_OK)
        return st;
    if (!mst_json_take_whole(json_object_get(run, "planned"), &planned) ||
        !mst_json_take_whole(json_object_get(run, "passed_over"), &passed))
        return mst_fail(err, MST_EFORMAT, "'planned' or 'passed_over' is missing");
    if (!json_is_false(json_object_get(run, "partial")))
        return mst_fail(err, MST_EINVAL, "it ended before all its samples were done (--resume goes on with it)");
    o->n_passed = (size_t)passed;
    o->planned += (size_t)planned;
    r->sums.seconds += json_real_value(json_object_get(json_object_get(run, "timing"), "simulation_seconds"));
    MST_TRY(mst_run_sums_add(&r->sums, run, err));
    return o->done == o->planned ? MST_OK : mst_fail(err, MST_EFORMAT, "its sums are not whole");
}

static mst_status add_file(const part *p, mst_run_facts *runs, size_t *n_runs, bool first, json_t **parts, mst_err *err)
{
    json_t *root = NULL;
    mst_status st = load(p->path, &root, err);
    size_t n = json_array_size(json_object_get(root, "runs"));
    n = n != 0 ? n : 1;
    if (st == MST_OK && first && n > MST_OPT_MAX_LIST)
        st = mst_fail(err, MST_ELIMIT, "--merge %s: %zu runs: limit is %d", p->path, n, MST_OPT_MAX_LIST);
    if (st == MST_OK && !first && n != *n_runs)
        st = mst_fail(err, MST_EINVAL, "--merge %s: it has %zu runs, part 1 has %zu", p->path, n, *n_runs);
    if (st == MST_OK)
        *n_runs = n;
    for (size_t k = 0; st == MST_OK && k < n; k++) {
        st = add_run(&runs[k], run_of(root, k), first, err);
        if (st != MST_OK)
            mst_fail_in(err, st, "--merge %s: ", p->path);
    }
    if (st == MST_OK) {
        json_t *from = json_pack("{s:o}", "file", mst_json_text(p->path));
        mst_json_add(&from, json_incref(json_object_get(root, "provenance")));
        mst_json_append(parts, from);
    }
    json_decref(root);
    return st;
}

mst_status mst_merge(const char *const *paths, size_t n, mst_run_facts runs[MST_OPT_MAX_LIST], size_t *n_runs,
                     json_t **out, mst_err *err)
{
    part *parts = mst_alloc_array(NULL, n, sizeof *parts);
    *n_runs = 0;
    *out = json_array();
    if (parts == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu parts", n);
    for (size_t i = 0; i < n; i++)
        parts[i].path = paths[i];
    mst_status st = order(parts, n, err);
    for (size_t i = 0; st == MST_OK && i < n; i++)
        st = add_file(&parts[i], runs, n_runs, i == 0, out, err);
    if (st == MST_OK && runs[0].sums.outcome.planned != runs[0].about.selected)
        st = mst_fail(err, MST_EFORMAT, "--merge: the parts have %zu samples, the run has %" PRIu64,
                      runs[0].sums.outcome.planned, runs[0].about.selected);
    const mst_outcome *o = &runs[0].sums.outcome;
    if (st == MST_OK && runs[0].sums.samples == 0)
        st = mst_fail(err, MST_EFORMAT, "none of %zu samples could be used; the first: %s", o->n_skipped,
                      o->n_skipped != 0 ? o->skipped[0].why : "");
    mst_free_array(NULL, parts, n, sizeof *parts);
    return st;
}
