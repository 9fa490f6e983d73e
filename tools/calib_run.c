/* The calibrate library's workers on the tools' threads. */
#include "tools/calib_run.h"

#include "tools/tool_feed.h"
#include "tools/tool_main.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

typedef struct calib_worker {
    mst_calib_worker *measures;
    mst_err bad; /* why the sample was skipped; code MST_OK: it was not */
} calib_worker;

typedef struct calib_run {
    const mst_calib_job *job;
    mst_calib *calib;
    mst_feed *feed;
    uint32_t *place;       /* [samples of the data set] in the order in which they are picked */
    int *labels;           /* [picked], once read */
    calib_worker *workers; /* [threads] */
    mst_outcome *outcome;
    mst_progress progress;
} calib_run;

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    calib_run *r = ctx;
    mst_status st = mst_feed_get(r->feed, r->place[i], x, label, err);
    r->labels[r->place[i]] = *label;
    return st;
}

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    calib_run *r = ctx;
    calib_worker *w = &r->workers[worker];
    w->bad.code = MST_OK;
    mst_status st = mst_calib_measure(w->measures, r->job->pick->at[i], err);
    if (st == MST_OK || !r->job->skip_bad || !mst_outcome_may_skip(st))
        return st;
    w->bad = *err;
    return MST_OK;
}

static mst_status keep_pair(calib_run *r, const calib_worker *w, size_t i, mst_err *err)
{
    size_t n_at = mst_mode_counts(mst_program_mode(r->job->snn)) ? 1 : r->job->at->n;
    uint32_t ann, said[MST_OPT_MAX_LIST];
    int label;
    mst_calib_said(w->measures, &label, &ann, said);
    return mst_versus_add(r->job->versus, r->job->pick->at[i], label, ann, said, n_at, err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    calib_run *r = ctx;
    calib_worker *w = &r->workers[worker];
    if (w->bad.code != MST_OK) {
        MST_TRY(mst_outcome_skip(r->outcome, r->job->pick->at[i], w->bad.text, err));
    } else {
        mst_calib_commit(w->measures);
        MST_TRY(keep_pair(r, w, i, err));
        mst_outcome_took(r->outcome, r->labels[i]);
    }
    mst_progress_at(&r->progress, i + 1);
    return MST_OK;
}

static mst_status run_samples(calib_run *r, mst_err *err)
{
    const mst_calib_job *job = r->job;
    for (unsigned i = 0; i < job->threads; i++)
        MST_TRY(mst_calib_worker_create(r->calib, &r->workers[i].measures, err));
    mst_progress_begin(&r->progress, "calibrating", job->pick->n, job->quiet);
    mst_parallel work = {.n = job->pick->n,
                         .threads = job->threads,
                         .stop = &mst_stop_asked,
                         .ctx = r,
                         .work = measure,
                         .commit = commit};
    mst_stop_arm(true);
    mst_status st = mst_parallel_run(&work, err);
    mst_stop_arm(false);
    mst_progress_end(&r->progress);
    return st == MST_OK && mst_outcome_partial(r->outcome) ? mst_outcome_stopped(r->outcome, err) : st;
}

/* Where each sample stands in the order of those picked. */
static mst_status make_places(calib_run *r, mst_err *err)
{
    const mst_pick *p = r->job->pick;
    r->place = mst_alloc_array(NULL, mst_data_count(r->job->data), sizeof *r->place);
    r->labels = mst_alloc_array(NULL, p->n, sizeof *r->labels);
    r->workers = mst_alloc_array(NULL, r->job->threads, sizeof *r->workers);
    if (r->place == NULL || r->labels == NULL || r->workers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", r->job->threads);
    for (size_t i = 0; i < p->n; i++)
        r->place[p->at[i]] = (uint32_t)i;
    return mst_feed_create(r->job->data, p->at, p->n, r->job->threads, &r->feed, err);
}

static void close_run(calib_run *r)
{
    const mst_calib_job *job = r->job;
    for (unsigned i = 0; r->workers != NULL && i < job->threads; i++)
        mst_calib_worker_destroy(r->workers[i].measures);
    mst_free_array(NULL, r->workers, job->threads, sizeof *r->workers);
    mst_calib_destroy(r->calib);
    mst_feed_destroy(r->feed);
    mst_free_array(NULL, r->labels, job->pick->n, sizeof *r->labels);
    mst_free_array(NULL, r->place, mst_data_count(job->data), sizeof *r->place);
}

mst_status mst_calib_run(const mst_calib_job *job, mst_calib_report *out, mst_outcome *outcome, mst_err *err)
{
    calib_run r = {.job = job, .outcome = outcome};
    *out = (mst_calib_report){0};
    mst_status st = mst_outcome_make(outcome, job->pick, mst_graph_classes(mst_program_graph(job->snn)), err);
    if (st == MST_OK)
        st = make_places(&r, err);
    mst_calib_opts opts = {
        .at = job->at->values, .n_at = (uint32_t)job->at->n, .get = get_sample, .ctx = &r, .stored = job->stored};
    if (st == MST_OK)
        st = mst_calib_create(job->ann, job->snn, &opts, &r.calib, err);
    if (st == MST_OK)
        st = run_samples(&r, err);
    if (st == MST_OK && outcome->done == outcome->n_skipped)
        st = mst_fail(err, MST_EFORMAT, "none of %zu samples could be used; the first: %s", outcome->n_skipped,
                      outcome->skipped[0].why);
    mst_err other; /* the first failure is the one to tell */
    if (outcome->done != outcome->n_skipped &&
        mst_calib_report_make(r.calib, out, st == MST_OK ? err : &other) != MST_OK && st == MST_OK)
        st = err->code;
    close_run(&r);
    return st;
}
