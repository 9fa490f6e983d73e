/* The calibrate library's workers on the tools' threads. */
#include "tools/calib_run.h"

#include "tools/tool_feed.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

typedef struct calib_run {
    mst_calib *calib;
    mst_calib_worker **workers; /* [threads] */
    mst_progress progress;
} calib_run;

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    return mst_feed_get(ctx, i, x, label, err);
}

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    calib_run *r = ctx;
    return mst_calib_measure(r->workers[worker], i, err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    (void)err;
    calib_run *r = ctx;
    mst_calib_commit(r->workers[worker]);
    mst_progress_at(&r->progress, i + 1);
    return MST_OK;
}

static mst_status run_samples(calib_run *r, const mst_calib_job *job, mst_err *err)
{
    for (unsigned i = 0; i < job->threads; i++)
        MST_TRY(mst_calib_worker_create(r->calib, &r->workers[i], err));
    mst_progress_begin(&r->progress, "calibrating", job->n, job->quiet);
    mst_parallel work = {.n = job->n, .threads = job->threads, .ctx = r, .work = measure, .commit = commit};
    mst_status st = mst_parallel_run(&work, err);
    mst_progress_end(&r->progress);
    return st;
}

mst_status mst_calib_run(const mst_calib_job *job, mst_calib_report *out, mst_err *err)
{
    calib_run r = {0};
    mst_feed *feed;
    MST_TRY(mst_feed_create(job->data, job->n, job->threads, &feed, err));
    mst_calib_opts opts = {
        .at = job->at->values, .n_at = (uint32_t)job->at->n, .get = get_sample, .ctx = feed, .stored = job->stored};
    mst_status st = mst_calib_create(job->ann, job->snn, &opts, &r.calib, err);
    if (st != MST_OK) {
        mst_feed_destroy(feed);
        return st;
    }
    r.workers = mst_alloc_array(NULL, job->threads, sizeof *r.workers);
    if (r.workers == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory for %u threads", job->threads);
    if (st == MST_OK)
        st = run_samples(&r, job, err);
    if (st == MST_OK)
        st = mst_calib_report_make(r.calib, out, err);
    for (unsigned i = 0; r.workers != NULL && i < job->threads; i++)
        mst_calib_worker_destroy(r.workers[i]);
    mst_free_array(NULL, r.workers, job->threads, sizeof *r.workers);
    mst_calib_destroy(r.calib);
    mst_feed_destroy(feed);
    return st;
}
