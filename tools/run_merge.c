/* Files are read one after another in the order of their shards, and added up as they were written: as whole numbers.
 */
#include "tools/run_merge.h"

#include "tools/tool_parts.h"

/* The first part says what the run is. */
static mst_status begin(mst_run_facts *r, const json_t *run, mst_err *err)
{
    MST_TRY(mst_run_about_take(&r->about, run, err));
    r->about.shard = r->about.shards = 0;
    MST_TRY(mst_run_sums_make(&r->sums, r->about.at.n, r->about.n_layers, err));
    return mst_part_outcome_make(&r->sums.outcome, run, err);
}

static mst_status add_run(mst_run_facts *r, const json_t *run, bool first, mst_err *err)
{
    mst_run_about about;
    mst_outcome *o = &r->sums.outcome;
    if (run == NULL)
        return mst_fail(err, MST_EINVAL, "it has fewer runs than part 1");
    if (first)
        MST_TRY(begin(r, run, err));
    mst_status st = mst_run_about_take(&about, run, err);
    if (st == MST_OK)
        st = mst_part_same(mst_run_about_identity(&about), mst_run_about_identity(&r->about), err);
    mst_run_about_free(&about);
    if (st != MST_OK)
        return st;
    MST_TRY(mst_part_outcome_plan(o, run, err));
    r->sums.seconds += json_real_value(json_object_get(json_object_get(run, "timing"), "simulation_seconds"));
    MST_TRY(mst_run_sums_add(&r->sums, run, err));
    return o->done == o->planned ? MST_OK : mst_fail(err, MST_EFORMAT, "its sums are not whole");
}

typedef struct merging {
    mst_run_facts *runs;
    size_t n;
} merging;

static mst_status add_part(void *ctx, json_t *root, size_t number, mst_err *err)
{
    merging *m = ctx;
    size_t n = json_array_size(json_object_get(root, "runs"));
    n = n != 0 ? n : 1;
    if (number == 0 && n > MST_OPT_MAX_LIST)
        return mst_fail(err, MST_ELIMIT, "%zu runs: limit is %d", n, MST_OPT_MAX_LIST);
    if (number != 0 && n != m->n)
        return mst_fail(err, MST_EINVAL, "it has %zu runs, part 1 has %zu", n, m->n);
    m->n = n;
    for (size_t k = 0; k < n; k++)
        MST_TRY(add_run(&m->runs[k], mst_part_run(root, k), number == 0, err));
    return MST_OK;
}

mst_status mst_merge(const char *const *paths, size_t n, mst_run_facts runs[MST_OPT_MAX_LIST], size_t *n_runs,
                     json_t **parts, mst_err *err)
{
    merging m = {runs, 0};
    mst_status st = mst_parts_add(paths, n, "mstrun", add_part, &m, parts, err);
    *n_runs = m.n;
    return st == MST_OK ? mst_part_outcome_check(&runs[0].sums.outcome, runs[0].about.selected, err) : st;
}
