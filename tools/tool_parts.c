/* See tool_parts.h. */
#include "tools/tool_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool_output.h"

json_t *mst_part_run(json_t *root, size_t k)
{
    json_t *runs = json_object_get(root, "runs");
    return runs != NULL ? json_array_get(runs, k) : k == 0 ? root
                                                           : NULL;
}

mst_status mst_part_load(const char *path, const char *wanted, json_t **out, mst_err *err)
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
    const mst_part *x = a, *y = b;
    return (x->shard > y->shard) - (x->shard < y->shard);
}

static mst_status look_at(mst_part *p, const char *tool, mst_err *err)
{
    json_t *root = NULL;
    mst_status st = mst_part_load(p->path, tool, &root, err);
    json_t *run = mst_part_run(root, 0), *shard = json_object_get(run, "shard");
    if (st == MST_OK && (!mst_json_take_whole(json_object_get(shard, "index"), &p->shard) ||
                         !mst_json_take_whole(json_object_get(shard, "of"), &p->shards)))
        st = mst_fail(err, MST_EINVAL, "--merge %s: it is not a part of a run (%s --shard I/N)", p->path, tool);
    json_decref(root);
    return st;
}

/* Each of 1..N once, and put in order. */
mst_status mst_parts_order(mst_part *parts, size_t n, const char *tool, mst_err *err)
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

void mst_part_from(json_t **list, const mst_part *p, json_t *root)
{
    json_t *from = json_pack("{s:o}", "file", mst_json_text(p->path));
    mst_json_add(&from, json_incref(json_object_get(root, "provenance")));
    mst_json_append(list, from);
}
