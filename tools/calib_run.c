/* The calibrate library's workers on the tools' threads. */
#include "tools/calib_run.h"

#include "tools/tool_feed.h"
#include "tools/tool_main.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"
#include "tools/tool_ranks.h"
#include "tools/tool_samples.h"

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
    size_t first;          /* of those that run_some runs */
    mst_calib_state whole; /* of all that is done */
    mst_calib_state into;  /* that, or of samples that are run apart */
    mst_samples all;
} calib_run;

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    calib_run *r = ctx;
    mst_status st = mst_feed_get(r->feed, r->place[i] - r->first, x, label, err);
    r->labels[r->place[i]] = *label;
    return st;
}

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    calib_run *r = ctx;
    calib_worker *w = &r->workers[worker];
    w->bad.code = MST_OK;
    mst_status st = mst_calib_measure(w->measures, r->job->pick->at[r->first + i], err);
    if (st == MST_OK || !r->job->skip_bad || !mst_outcome_may_skip(st))
        return st;
    w->bad = *err;
    return MST_OK;
}

static mst_status keep_pair(const calib_run *r, const calib_worker *w, uint32_t sample, mst_err *err)
{
    uint32_t ann, said[MST_OPT_MAX_LIST];
    int label;
    mst_calib_said(w->measures, &label, &ann, said);
    return mst_versus_add(r->into.versus, sample, label, ann, said, err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    calib_run *r = ctx;
    calib_worker *w = &r->workers[worker];
    size_t place = r->first + i;
    uint32_t sample = r->job->pick->at[place];
    if (w->bad.code != MST_OK) {
        MST_TRY(mst_outcome_skip(r->into.outcome, sample, w->bad.text, err));
    } else {
        MST_TRY(keep_pair(r, w, sample, err)); /* before what cannot fail: sums are of whole samples */
        mst_calib_commit(w->measures);
        mst_outcome_took(r->into.outcome, r->labels[place]);
    }
    return r->into.outcome == r->whole.outcome ? mst_samples_did(&r->all, place, err) : MST_OK;
}

/* ---- what tool_samples.h asks for ---- */

static mst_status begin(void *ctx, mst_err *err)
{
    calib_run *r = ctx;
    for (unsigned i = 0; i < r->job->threads; i++)
        MST_TRY(mst_calib_worker_create(r->calib, &r->workers[i].measures, err));
    return MST_OK;
}

static mst_status run_some(void *ctx, size_t first, size_t n, mst_err *err)
{
    calib_run *r = ctx;
    const mst_calib_job *job = r->job;
    r->first = first;
    MST_TRY(mst_feed_create(job->data, job->pick->at + first, n, job->threads, &r->feed, err));
    mst_parallel work = {.n = n,
                         .threads = job->threads < n ? job->threads : (unsigned)n,
                         .stop = &mst_stop_asked,
                         .ctx = r,
                         .work = measure,
                         .commit = commit};
    mst_status st = mst_parallel_run(&work, err);
    mst_feed_destroy(r->feed);
    r->feed = NULL;
    return st;
}

static mst_status run_apart(void *ctx, size_t first, size_t n, size_t *done, json_t **state, mst_err *err)
{
    calib_run *r = ctx;
    const mst_pick none = {.n = n};
    mst_outcome outcome = {0};
    mst_versus *versus = mst_alloc(NULL, sizeof *versus);
    if (versus == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mst_versus_begin(versus, r->whole.versus->n_at);
    r->into = (mst_calib_state){mst_calib_sums_of(r->calib), versus, &outcome};
    mst_calib_sums_clear(r->into.sums);
    mst_status st = mst_outcome_make(&outcome, &none, r->whole.outcome->classes, err);
    if (st == MST_OK)
        st = run_some(r, first, n, err);
    *done = outcome.done;
    *state = mst_calib_state_json(&r->into);
    mst_outcome_free(&outcome);
    mst_versus_free(versus);
    mst_free(NULL, versus, sizeof *versus);
    return st;
}

static mst_status add_state(void *ctx, const json_t *state, mst_err *err)
{
    return mst_calib_state_add(&((calib_run *)ctx)->whole, state, err);
}

static mst_status resume(void *ctx, const json_t *state, mst_err *err)
{
    return state != NULL ? add_state(ctx, state, err) : MST_OK;
}

static json_t *state_of(void *ctx) { return mst_calib_state_json(&((calib_run *)ctx)->whole); }

static void forget(void *ctx)
{
    mst_outcome *o = ((calib_run *)ctx)->whole.outcome;
    o->done = o->n_skipped = 0;
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
    return MST_OK;
}

static void close_run(calib_run *r)
{
    const mst_calib_job *job = r->job;
    for (unsigned i = 0; r->workers != NULL && i < job->threads; i++)
        mst_calib_worker_destroy(r->workers[i].measures);
    mst_free_array(NULL, r->workers, job->threads, sizeof *r->workers);
    if (mst_ranks() > 1)
        mst_calib_sums_destroy(r->whole.sums);
    mst_calib_destroy(r->calib);
    mst_free_array(NULL, r->labels, job->pick->n, sizeof *r->labels);
    mst_free_array(NULL, r->place, mst_data_count(job->data), sizeof *r->place);
}

/* Workers commit to the sums of calib: those of all samples, or, of several ranks, of those that are run apart. */
static mst_status make_sums(calib_run *r, mst_outcome *outcome, mst_err *err)
{
    const mst_calib_job *job = r->job;
    size_t n_at = mst_mode_counts(mst_program_mode(job->snn)) ? 1 : job->at->n;
    mst_versus_begin(job->versus, n_at);
    r->whole = (mst_calib_state){mst_calib_sums_of(r->calib), job->versus, outcome};
    if (mst_ranks() > 1)
        MST_TRY(mst_calib_sums_create(mst_program_layers(job->snn), n_at, &r->whole.sums, err));
    r->into = r->whole;
    return MST_OK;
}

/* What was done, in figures. */
static mst_status conclude(const calib_run *r, mst_calib_report *out, json_t **sums, mst_err *err)
{
    MST_TRY(mst_calib_describe(r->calib, out, err));
    mst_calib_sums_report(r->whole.sums, out);
    *sums = r->job->pick->shards != 0 ? mst_calib_sums_json(&r->whole) : json_null();
    return *sums != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

mst_status mst_calib_run(const mst_calib_job *job, mst_calib_report *out, mst_outcome *outcome, json_t **sums,
                         mst_err *err)
{
    static const mst_samples_calls calls = {.begin = begin,
                                            .run = run_some,
                                            .run_apart = run_apart,
                                            .add = add_state,
                                            .state = state_of,
                                            .resume = resume,
                                            .forget = forget};
    calib_run r = {.job = job,
                   .all = {.doing = "calibrating",
                           .outcome = outcome,
                           .threads = job->threads,
                           .quiet = job->quiet,
                           .identity = job->identity,
                           .journal = job->journal,
                           .calls = &calls,
                           .ctx = &r}};
    const mst_calib_opts opts = {.size = sizeof opts,
                                 .at = job->at->values,
                                 .n_at = (uint32_t)job->at->n,
                                 .get = get_sample,
                                 .ctx = &r,
                                 .stored = job->stored,
                                 .drawn = job->drawn,
                                 .seed = job->seed};
    *out = (mst_calib_report){0};
    *sums = NULL;
    mst_status st = mst_outcome_make(outcome, job->pick, mst_graph_classes(mst_program_graph(job->snn)), err);
    if (st == MST_OK)
        st = make_places(&r, err);
    if (st == MST_OK)
        st = mst_calib_create(job->ann, job->snn, &opts, &r.calib, err);
    if (st == MST_OK)
        st = make_sums(&r, outcome, err);
    if (st == MST_OK)
        st = mst_samples_run(&r.all, err);
    if (st == MST_OK && mst_rank() == 0 && job->pick->shards == 0)
        st = mst_outcome_usable(outcome, err);
    else if (st == MST_OK && mst_rank() == 0)
        mst_outcome_warn_of_part("mstcalib", outcome);
    mst_err other; /* the first failure is the one to tell */
    if (mst_rank() == 0 && (st == MST_OK || outcome->done != outcome->n_skipped) &&
        conclude(&r, out, sums, st == MST_OK ? err : &other) != MST_OK && st == MST_OK)
        st = err->code;
    close_run(&r);
    return st;
}
