/* The tuning's workers on the tools' threads, and which samples they see. */
#include "tools/calib_tune_run.h"

#include <math.h>
#include <string.h>

#include "runtime/core/philox.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

#define PASSES 4 /* the first is untuned; chosen, as MST_TUNE_DAMPING, on training images of CIFAR-10 */

/* What is drawn: samples of data, of judge, and those of data that are held out. */
enum { DRAW_DATA,
       DRAW_JUDGE,
       DRAW_HELD };

typedef struct tune_run {
    const mst_tune_job *job;
    size_t fit, held, *sample; /* [fit + held]: to fit, held out, each part ascending */
    mst_tune *tune;
    mst_tune_worker **workers; /* [threads] */
    mst_progress progress;
} tune_run;

/* ---- samples --------------------------------------------------------------------------- */

/* Is `i` of count among n that are drawn, of which `taken` were before it? Each set of n is as likely. */
static bool draws(uint64_t seed, int what, size_t i, size_t count, size_t n, size_t taken)
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), (uint32_t)what, 0};
    uint32_t word[4];
    mst_philox(counter, seed, word);
    return ((uint64_t)word[0] << 32 | word[1]) % (count - i) < n - taken;
}

/* n of count, ascending. */
static void draw(uint64_t seed, int what, size_t count, size_t n, size_t *out)
{
    for (size_t i = 0, taken = 0; taken < n; i++)
        if (draws(seed, what, i, count, n, taken))
            out[taken++] = i;
}

/* Of the n drawn from data, those held out move behind the others. */
static void split(tune_run *r, const size_t *drawn, size_t n)
{
    size_t fit = 0, held = 0;
    for (size_t i = 0; i < n; i++)
        if (draws(r->job->seed, DRAW_HELD, i, n, r->held, held))
            r->sample[r->fit + held++] = drawn[i];
        else
            r->sample[fit++] = drawn[i];
}

static mst_status choose(tune_run *r, mst_err *err)
{
    const mst_tune_job *job = r->job;
    size_t count = job->from->n, n = job->n < count ? job->n : count, others = job->judge_from->n;
    r->held = job->judge == NULL ? (size_t)lround(job->holdout * (double)n) : job->n < others ? job->n
                                                                                              : others;
    r->fit = job->judge != NULL ? n : n - r->held;
    if (r->fit < 1 || r->held < 2)
        return mst_fail(err, MST_EINVAL, "tuning: expected samples to fit and at least 2 held out, found %zu and %zu",
                        r->fit, r->held);
    r->sample = mst_alloc_array(NULL, r->fit + r->held, sizeof *r->sample);
    size_t *drawn = mst_alloc_array(NULL, n, sizeof *drawn);
    if (r->sample == NULL || drawn == NULL) {
        mst_free_array(NULL, drawn, n, sizeof *drawn);
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu samples", r->fit + r->held);
    }
    draw(job->seed, DRAW_DATA, count, n, drawn);
    if (job->judge == NULL)
        split(r, drawn, n);
    else {
        memcpy(r->sample, drawn, n * sizeof *drawn);
        draw(job->seed, DRAW_JUDGE, others, r->held, r->sample + r->fit);
    }
    mst_free_array(NULL, drawn, n, sizeof *drawn);
    return MST_OK;
}

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    const tune_run *r = ctx;
    const mst_tune_job *job = r->job;
    if (i >= r->fit && job->judge != NULL)
        return mst_data_get(job->judge, job->judge_from->at[r->sample[i]], x, label, err);
    return mst_data_get(job->data, job->from->at[r->sample[i]], x, label, err);
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
        .n = r->fit + r->held, .threads = job->threads, .ctx = r, .work = measure, .commit = commit};
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
                          .fit = r->fit,
                          .held = r->held,
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
    mst_free_array(NULL, r.sample, r.fit + r.held, sizeof *r.sample);
    if (st != MST_OK) {
        mst_tune_destroy(r.tune);
        r.tune = NULL;
    }
    *out = r.tune;
    return st;
}
