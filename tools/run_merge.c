/* Files are read one after another in the order of their shards, and added up as they were written: as whole numbers.
 */
#include "tools/run_merge.h"

#include <inttypes.h>
#include <string.h>

#include "tools/tool_output.h"
#include "tools/tool_parts.h"

#define MAX_CLASSES ((size_t)1 << 26)

/* ---- adding ---- */

static mst_status same_run(const mst_run_facts *first, const mst_run_about *a, mst_err *err)
{
    char what[300];
    json_t *mine = mst_run_about_identity(a), *theirs = mst_run_about_identity(&first->about);
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

static mst_status add_file(const mst_part *p, mst_run_facts *runs, size_t *n_runs, bool first,
                           json_t **parts, mst_err *err)
{
    json_t *root = NULL;
    mst_status st = mst_part_load(p->path, "mstrun", &root, err);
    size_t n = json_array_size(json_object_get(root, "runs"));
    n = n != 0 ? n : 1;
    if (st == MST_OK && first && n > MST_OPT_MAX_LIST)
        st = mst_fail(err, MST_ELIMIT, "--merge %s: %zu runs: limit is %d", p->path, n, MST_OPT_MAX_LIST);
    if (st == MST_OK && !first && n != *n_runs)
        st = mst_fail(err, MST_EINVAL, "--merge %s: it has %zu runs, part 1 has %zu", p->path, n, *n_runs);
    if (st == MST_OK)
        *n_runs = n;
    for (size_t k = 0; st == MST_OK && k < n; k++) {
        st = add_run(&runs[k], mst_part_run(root, k), first, err);
        if (st != MST_OK)
            mst_fail_in(err, st, "--merge %s: ", p->path);
    }
    if (st == MST_OK)
        mst_part_from(parts, p, root);
    json_decref(root);
    return st;
}

mst_status mst_merge(const char *const *paths, size_t n, mst_run_facts runs[MST_OPT_MAX_LIST], size_t *n_runs,
                     json_t **out, mst_err *err)
{
    mst_part *parts = mst_alloc_array(NULL, n, sizeof *parts);
    *n_runs = 0;
    *out = json_array();
    if (parts == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu parts", n);
    for (size_t i = 0; i < n; i++)
        parts[i].path = paths[i];
    mst_status st = mst_parts_order(parts, n, "mstrun", err);
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
