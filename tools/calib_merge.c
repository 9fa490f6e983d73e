/* Files are read one after another in the order of their shards, and their sums added, which are exact. */
#include "tools/calib_merge.h"

#include "tools/calib_counts.h"
#include "tools/calib_state.h"
#include "tools/tool_parts.h"

typedef struct merging {
    mst_calib_facts *c;
    mst_calib_state whole;
} merging;

/* The first part says what the run is. */
static mst_status begin(merging *m, const json_t *root, mst_err *err)
{
    mst_calib_facts *c = m->c;
    mst_run_about *a = &c->run.about;
    MST_TRY(mst_run_about_take(a, root, err));
    MST_TRY(mst_calib_about_take(&c->about, root, err));
    a->shard = a->shards = 0;
    MST_TRY(mst_calib_state_check(root, a->n_layers, a->at.n, err));
    MST_TRY(mst_calib_report_of(&c->about, a, &c->report, err));
    MST_TRY(mst_run_sums_make(&c->run.sums, a->at.n, a->n_layers, err));
    MST_TRY(mst_part_outcome_make(&c->run.sums.outcome, root, err));
    mst_versus_begin(&c->versus, a->at.n);
    m->whole = (mst_calib_state){NULL, &c->versus, &c->run.sums.outcome};
    return mst_calib_sums_create(a->n_layers, a->at.n, &m->whole.sums, err);
}

static mst_status same_run(const mst_calib_facts *c, const json_t *root, mst_err *err)
{
    mst_run_about run;
    mst_calib_about about = {0};
    mst_status st = mst_run_about_take(&run, root, err);
    if (st == MST_OK)
        st = mst_calib_about_take(&about, root, err);
    if (st == MST_OK)
        st = mst_part_same(mst_calib_identity(&about, &run), mst_calib_identity(&c->about, &c->run.about), err);
    mst_calib_about_free(&about);
    mst_run_about_free(&run);
    return st;
}

static mst_status add_part(void *ctx, json_t *root, size_t number, mst_err *err)
{
    merging *m = ctx;
    mst_outcome *o = &m->c->run.sums.outcome;
    MST_TRY(number == 0 ? begin(m, root, err) : same_run(m->c, root, err));
    MST_TRY(mst_part_outcome_plan(o, root, err));
    MST_TRY(mst_calib_state_add(&m->whole, root, err));
    return o->done == o->planned ? MST_OK : mst_fail(err, MST_EFORMAT, "its sums are not whole");
}

mst_status mst_calib_merge(const char *const *paths, size_t n, mst_calib_facts *c, mst_err *err)
{
    merging m = {.c = c};
    mst_status st = mst_parts_add(paths, n, "mstcalib", add_part, &m, &c->parts, err);
    c->sums = json_null();
    if (st == MST_OK)
        st = mst_part_outcome_check(&c->run.sums.outcome, c->run.about.selected, err);
    if (st == MST_OK) {
        mst_calib_sums_report(m.whole.sums, &c->report);
        mst_calib_count(&c->report, &c->versus, &c->run.sums);
    }
    mst_calib_sums_destroy(m.whole.sums);
    return st;
}
