/* See tool_parts.h. */
#include "tools/tool_parts.h"

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

json_t *mst_part_run(json_t *root, size_t k)
{
    json_t *runs = json_object_get(root, "runs");
    return runs != NULL ? json_array_get(runs, k) : k == 0 ? root
                                                           : NULL;
}

/* Read a result of that tool and this version, with sums. */
static mst_status load(const char *path, const char *wanted, json_t **out, mst_err *err)
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
    if (tool == NULL || strcmp(tool, wanted) != 0 || json_object_get(mst_part_run(*out, 0), "sums") == NULL)
        return mst_fail(err, MST_EFORMAT, "--merge %s: expected a result of %s --json, found other JSON", path, wanted);
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

static mst_status look_at(part *p, const char *tool, mst_err *err)
{
    json_t *root = NULL;
    mst_status st = load(p->path, tool, &root, err);
    json_t *run = mst_part_run(root, 0), *shard = json_object_get(run, "shard");
    if (st == MST_OK && (!mst_json_take_whole(json_object_get(shard, "index"), &p->shard) ||
                         !mst_json_take_whole(json_object_get(shard, "of"), &p->shards)))
        st = mst_fail(err, MST_EINVAL, "--merge %s: it is not a part of a run (%s --shard I/N)", p->path, tool);
    json_decref(root);
    return st;
}

/* Each of 1..N once, and put in order. */
static mst_status put_in_order(part *parts, size_t n, const char *tool, mst_err *err)
{
    for (size_t i = 0; i < n; i++) {
        MST_TRY(look_at(&parts[i], tool, err));
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

static mst_status add_file(const part *p, const char *tool, mst_part_add add, void *ctx, size_t number, json_t **from,
                           mst_err *err)
{
    json_t *root = NULL;
    MST_TRY(load(p->path, tool, &root, err));
    mst_status st = add(ctx, root, number, err);
    if (st != MST_OK)
        mst_fail_in(err, st, "--merge %s: ", p->path);
    json_t *one = json_pack("{s:o}", "file", mst_json_text(p->path));
    mst_json_add(&one, json_incref(json_object_get(root, "provenance")));
    mst_json_append(from, one);
    json_decref(root);
    if (st == MST_OK && *from == NULL)
        st = mst_fail(err, MST_ENOMEM, "--merge %s: out of memory for where it comes from", p->path);
    return st;
}

mst_status mst_parts_add(const char *const *paths, size_t n, const char *tool, mst_part_add add, void *ctx,
                         json_t **from, mst_err *err)
{
    part *parts = mst_alloc_array(NULL, n, sizeof *parts);
    *from = json_array();
    if (parts == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu parts", n);
    for (size_t i = 0; i < n; i++)
        parts[i].path = paths[i];
    mst_status st = put_in_order(parts, n, tool, err);
    for (size_t i = 0; st == MST_OK && i < n; i++)
        st = add_file(&parts[i], tool, add, ctx, i, from, err);
    mst_free_array(NULL, parts, n, sizeof *parts);
    return st;
}

/* ---- what all runs have ---- */

mst_status mst_part_same(json_t *run, json_t *first, mst_err *err)
{
    char what[300];
    mst_status st = MST_OK;
    if (run == NULL || first == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory");
    else if (!mst_json_same(run, first, what, sizeof what))
        st = mst_fail(err, MST_EINVAL, "it is of another run than part 1: %s", what);
    json_decref(run);
    json_decref(first);
    return st;
}

mst_status mst_part_outcome_make(mst_outcome *o, const json_t *run, mst_err *err)
{
    uint64_t classes;
    const mst_pick none = {.spread = json_is_true(json_object_get(run, "spread"))};
    if (!mst_json_take_whole(json_object_get(run, "classes"), &classes) || classes == 0 || classes > MAX_CLASSES)
        return mst_fail(err, MST_EFORMAT, "'classes' is not a number of classes");
    return mst_outcome_make(o, &none, (size_t)classes, err);
}

mst_status mst_part_outcome_plan(mst_outcome *o, const json_t *run, mst_err *err)
{
    uint64_t planned, passed;
    if (!mst_json_take_whole(json_object_get(run, "planned"), &planned) ||
        !mst_json_take_whole(json_object_get(run, "passed_over"), &passed))
        return mst_fail(err, MST_EFORMAT, "'planned' or 'passed_over' is missing");
    if (!json_is_false(json_object_get(run, "partial")))
        return mst_fail(err, MST_EINVAL, "it ended before all its samples were done (--resume goes on with it)");
    o->n_passed = (size_t)passed;
    o->planned += (size_t)planned;
    return MST_OK;
}

mst_status mst_part_outcome_check(const mst_outcome *o, uint64_t selected, mst_err *err)
{
    if (o->planned != selected)
        return mst_fail(err, MST_EFORMAT, "--merge: the parts have %zu samples, the run has %" PRIu64, o->planned,
                        selected);
    return mst_outcome_usable(o, err);
}
