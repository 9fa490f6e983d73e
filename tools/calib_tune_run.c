/* The tuning's workers on the tools' threads, and which samples they see. */
#include "tools/calib_tune_run.h"

#include "tools/calib_draw.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

#define PASSES 4 /* the first is untuned; chosen, as MST_TUNE_DAMPING, on training images of CIFAR-10 */

typedef struct tune_run {
    const mst_tune_job *job;
    mst_drawn drawn;
    mst_tune *tune;
    mst_tune_worker **workers; /* [threads] */
    mst_progress progress;
} tune_run;

static mst_status choose(tune_run *r, mst_err *err)
{
    const mst_tune_job *job = r->job;
    const mst_draw_job draw = {.from = job->from,
                               .judge = job->judge != NULL ? job->judge_from : NULL,
                               .n = job->n,
                               .n_judge = job->n,
                               .holdout = job->holdout,
                               .seed = job->seed,
                               .what = "tuning"};
    return mst_draw_samples(&draw, &r->drawn, err);
}

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    const tune_run *r = ctx;
    const mst_tune_job *job = r->job;
    const mst_drawn *d = &r->drawn;
    if (i >= d->n_fit)
        return mst_data_get(job->judge != NULL ? job->judge : job->data, d->held[i - d->n_fit], x, label, err);
    return mst_data_get(job->data, d->fit[i], x, label, err);
}

/* ---- passes ------------------------------------------------------------------------------ */

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    tune_run *r = ctx;
    return mst_tune_measure(r->workers[worker], i, err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    (void)err;
    tune_run *r = ctx;
    mst_tune_commit(r->workers[worker]);
    mst_progress_at(&r->progress, i + 1);
    return MST_OK;
}

static mst_status run_pass(tune_run *r, unsigned pass, mst_err *err)
{
    const mst_tune_job *job = r->job;
    char what[32];
    mst_status st = mst_tune_begin(r->tune, err);
    for (unsigned i = 0; st == MST_OK && i < job->threads; i++)
        st = mst_tune_worker_create(r->tune, &r->workers[i], err);
    snprintf(what, sizeof what, "tuning %u/%u", pass + 1, PASSES);
    mst_parallel work = {
        .n = r->drawn.n_fit + r->drawn.n_held, .threads = job->threads, .ctx = r, .work = measure, .commit = commit};
    mst_progress_begin(&r->progress, what, work.n, job->quiet);
    if (st == MST_OK)
        st = mst_parallel_run(&work, err);
    mst_progress_end(&r->progress);
    for (unsigned i = 0; i < job->threads; i++) {
        mst_tune_worker_destroy(r->workers[i]);
        r->workers[i] = NULL;
    }
    if (st == MST_OK)
        mst_tune_end(r->tune);
    return st;
}

static mst_status run_passes(tune_run *r, mst_err *err)
{
    MST_TRY(choose(r, err));
    mst_tune_opts opts = {.size = sizeof opts,
                          .timesteps = r->job->timesteps,
                          .fit = r->drawn.n_fit,
                          .held = r->drawn.n_held,
                          .get = get_sample,
                          .ctx = r};
    MST_TRY(mst_tune_create(r->job->ann, r->job->graph, r->job->run, &opts, &r->tune, err));
    r->workers = mst_alloc_array(NULL, r->job->threads, sizeof *r->workers);
    if (r->workers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", r->job->threads);
    for (unsigned pass = 0; pass < PASSES; pass++)
        MST_TRY(run_pass(r, pass, err));
    return MST_OK;
}

mst_status mst_tune_run(const mst_tune_job *job, mst_tune **out, mst_err *err)
{
    tune_run r = {.job = job};
    mst_status st = run_passes(&r, err);
    mst_free_array(NULL, r.workers, job->threads, sizeof *r.workers);
    mst_drawn_free(&r.drawn);
    if (st != MST_OK) {
        mst_tune_destroy(r.tune);
        r.tune = NULL;
    }
    *out = r.tune;
    return st;
}
