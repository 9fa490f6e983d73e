/* Sessions over samples, sums in sample order. */
#include "tools/run_sim.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "tools/run_journal.h"
#include "tools/run_raster.h"
#include "tools/run_rows.h"
#include "tools/run_trace.h"
#include "tools/tool_feed.h"
#include "tools/tool_main.h"
#include "tools/tool_parallel.h"
#include "tools/tool_paths.h"
#include "tools/tool_ranks.h"
#include "tools/tool_samples.h"

/* By mst_sim_file; in a journal, too. */
static const char *const file_names[MST_SIM_FILES] = {"trace", "predictions", "raster"};

typedef struct sim_worker {
    mst_session *session, *ann; /* ann: NULL, or the network as its ANN */
    uint32_t ann_class;
    float *x, *mean;
    int label;
    uint32_t said[MST_OPT_MAX_LIST]; /* classes, at the steps asked for */
    float *logits;                   /* [at][classes], where they are written; NULL: they are not */
    mst_trace_worker *trace;
    mst_raster_worker *raster;
    mst_err bad;                     /* why the sample was skipped; code MST_OK: it was not */
    mst_run_at at[MST_OPT_MAX_LIST]; /* of this sample */
    double seconds;
} sim_worker;

typedef struct sim {
    const mst_sim_opts *o;
    mst_run_sums *r;
    mst_run_sums *into; /* r, or those of a chunk */
    size_t n_layers, classes;
    size_t first; /* of those that run_some runs */
    sim_worker *workers;
    mst_feed *feed;
    mst_trace *trace;
    mst_rows *rows; /* of --predictions */
    mst_raster *raster;
    mst_kept *kept[MST_SIM_FILES]; /* of these; NULL: there is no such file */
    mst_samples all;
} sim;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Has class `label` one of the n largest values? Of equals the first counts as the largest. */
static bool among(const float *x, size_t classes, size_t label, size_t n)
{
    size_t before = 0;
    for (size_t k = 0; k < classes; k++)
        before += x[k] > x[label] || (x[k] == x[label] && k < label);
    return before < n;
}

/* What was counted and what the network says at entry k of --at, which is where the session stands. */
static mst_status keep_at(const sim *s, sim_worker *w, size_t k, mst_err *err)
{
    mst_session_mean_logits(w->session, MST_LAST, w->mean);
    for (size_t c = 0; c < s->classes; c++)
        if (!isfinite(w->mean[c]))
            return mst_fail(err, MST_EINVAL, "logit %zu at t = %u is %g", c, s->o->at->values[k], (double)w->mean[c]);
    bool known = w->label >= 0 && (size_t)w->label < s->classes;
    w->said[k] = (uint32_t)mst_argmax(w->mean, s->classes);
    if (w->logits != NULL)
        memcpy(w->logits + k * s->classes, w->mean, s->classes * sizeof *w->mean);
    w->at[k] = (mst_run_at){.right = known && w->said[k] == (uint32_t)w->label,
                            .right5 = known && among(w->mean, s->classes, (size_t)w->label, 5),
                            .counts = mst_session_counters(w->session)};
    return MST_OK;
}

/* Blocks of steps end where something is asked for: operations are counted by blocks. */
static mst_status run_steps(const sim *s, sim_worker *w, mst_err *err)
{
    const mst_opt_uints *at = s->o->at;
    size_t next = 0;
    for (uint32_t t = 0, n; t < s->o->steps; t += n) {
        uint32_t to = next < at->n ? at->values[next] : s->o->steps;
        n = mst_session_run(w->session, to - t);
        for (uint32_t i = 0; w->trace != NULL && i < n; i++)
            mst_trace_see(w->trace, t + 1 + i, i);
        if (next < at->n && t + n == to)
            MST_TRY(keep_at(s, w, next++, err));
    }
    return MST_OK;
}

static void run_ann(const sim *s, sim_worker *w, uint32_t sample)
{
    mst_session_begin(w->ann, w->x, sample);
    mst_session_step(w->ann);
    mst_session_mean_logits(w->ann, MST_LAST, w->mean);
    w->ann_class = (uint32_t)mst_argmax(w->mean, s->classes);
}

static mst_status run_sample(const sim *s, sim_worker *w, size_t i, mst_err *err)
{
    MST_TRY(mst_feed_get(s->feed, i, w->x, &w->label, err));
    uint32_t sample = s->o->pick->at[s->first + i];
    double start = now();
    if (w->raster != NULL)
        mst_raster_begin(w->raster);
    mst_session_begin(w->session, w->x, sample);
    mst_status st = run_steps(s, w, err);
    if (st != MST_OK)
        return mst_fail_in(err, st, "sample %u: ", sample);
    w->seconds += now() - start;
    if (w->ann != NULL)
        run_ann(s, w, sample);
    return MST_OK;
}

static mst_status simulate(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    sim *s = ctx;
    sim_worker *w = &s->workers[worker];
    w->bad.code = MST_OK;
    mst_status st = run_sample(s, w, i, err);
    if (st == MST_OK || !s->o->skip_bad || !mst_outcome_may_skip(st))
        return st;
    w->bad = *err;
    return MST_OK;
}

static mst_status add_up(const sim *s, const sim_worker *w, mst_err *err)
{
    mst_run_sums *r = s->into;
    mst_counters all = mst_session_counters(w->session);
    if (w->label >= 0) /* before what cannot fail: sums are of whole samples */
        MST_TRY(mst_confusion_add(&r->confusion, (uint32_t)w->label, w->said[r->n_at - 1], 1, err));
    mst_outcome_took(&r->outcome, w->label);
    r->samples++;
    r->labelled += w->label >= 0;
    mst_counters_add(&r->all, &all);
    for (size_t k = 0; k < r->n_at; k++) {
        r->at[k].right += w->at[k].right;
        r->at[k].right5 += w->at[k].right5;
        mst_counters_add(&r->at[k].counts, &w->at[k].counts);
    }
    for (size_t k = 0; k < r->n_layers; k++) {
        r->layers[k].fired += mst_session_layer_fired(w->session, MST_LAST, k);
        r->layers[k].spikes += mst_session_layer_spikes(w->session, MST_LAST, k);
        r->layers[k].ops += mst_session_layer_ops(w->session, k);
    }
    return MST_OK;
}

static mst_status write_one(const sim *s, sim_worker *w, mst_sim_file file, uint32_t sample, mst_err *err)
{
    const mst_row row = {sample, w->label, w->said, w->logits};
    if (file == MST_SIM_TRACE)
        return mst_trace_add(s->trace, w->trace, sample, err);
    if (file == MST_SIM_RASTER)
        return mst_raster_add(s->raster, w->raster, sample, err);
    return s->into == s->r ? mst_rows_add(s->rows, &row, err) : mst_rows_apart(s->rows, &row, err);
}

/* Into all files of single samples, whichever fails: those that are put in place are of the samples that the sums have.
 */
static mst_status write_sample(const sim *s, sim_worker *w, uint32_t sample, mst_err *err)
{
    mst_status st = MST_OK;
    mst_err other; /* the first failure is the one to tell */
    for (int i = 0; i < MST_SIM_FILES; i++) {
        mst_status bad = s->kept[i] != NULL
                             ? write_one(s, w, (mst_sim_file)i, sample, st == MST_OK ? err : &other)
                             : MST_OK;
        st = st == MST_OK ? bad : st;
    }
    return st;
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    sim *s = ctx;
    sim_worker *w = &s->workers[worker];
    uint32_t sample = s->o->pick->at[s->first + i];
    if (w->bad.code != MST_OK) {
        MST_TRY(mst_outcome_skip(&s->into->outcome, sample, w->bad.text, err));
    } else {
        MST_TRY(add_up(s, w, err));
        MST_TRY(write_sample(s, w, sample, err));
        if (w->ann != NULL)
            MST_TRY(mst_versus_add(s->o->versus, sample, w->label, w->ann_class, w->said, err));
    }
    return s->into == s->r ? mst_samples_did(&s->all, s->first + i, err) : MST_OK;
}

static mst_status make_workers(sim *s, mst_err *err)
{
    size_t input = mst_program_input_size(s->o->program);
    mst_arena *a = &s->r->arena;
    s->workers = mst_arena_array(a, s->o->threads, sizeof *s->workers);
    if (s->workers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->o->threads);
    for (unsigned i = 0; i < s->o->threads; i++) {
        sim_worker *w = &s->workers[i];
        w->x = mst_arena_array(a, input, sizeof *w->x);
        w->mean = mst_arena_array(a, s->classes, sizeof *w->mean);
        if (w->x == NULL || w->mean == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->o->threads);
        w->logits = s->rows != NULL ? mst_arena_array(a, s->o->at->n * s->classes, sizeof *w->logits) : NULL;
        if (s->rows != NULL && w->logits == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->o->threads);
        MST_TRY(mst_session_create(s->o->program, &w->session, err));
        if (s->o->ann != NULL)
            MST_TRY(mst_session_create(s->o->ann, &w->ann, err));
        if (s->trace != NULL)
            MST_TRY(mst_trace_watch(s->trace, w->session, &w->trace, err));
        if (s->raster != NULL)
            MST_TRY(mst_raster_watch(s->raster, w->session, &w->raster, err));
    }
    return MST_OK;
}

static mst_status open_files(sim *s, mst_err *err)
{
    const mst_sim_opts *o = s->o;
    const char *trace = o->files[MST_SIM_TRACE], *said = o->files[MST_SIM_PREDICTIONS];
    const char *raster = o->files[MST_SIM_RASTER];
    bool step = o->mode == MST_RUN_SPIKING;
    if (trace != NULL) {
        MST_TRY(mst_trace_open(o->program, trace, o->steps, &s->trace, err));
        s->kept[MST_SIM_TRACE] = mst_trace_kept(s->trace);
    }
    if (said != NULL) {
        MST_TRY(mst_rows_open(&(mst_rows_opts){mst_rank() == 0 ? said : NULL, o->at, step, s->classes}, &s->rows, err));
        s->kept[MST_SIM_PREDICTIONS] = mst_rows_kept(s->rows);
    }
    if (raster != NULL) {
        MST_TRY(mst_raster_open(o->program, o->raster_layers, raster, step ? o->steps : 0, &s->raster, err));
        s->kept[MST_SIM_RASTER] = mst_raster_kept(s->raster);
    }
    return MST_OK;
}

static mst_status end_one(sim *s, mst_sim_file file, mst_err *err)
{
    if (file == MST_SIM_TRACE)
        return MST_OK;
    return file == MST_SIM_RASTER ? mst_raster_end(s->raster, err) : mst_rows_end(s->rows, err);
}

/* some: there are results, be it of what was done before a failure. A file that lacks a sample of them is not kept. */
static mst_status end_files(sim *s, bool some, mst_err *err)
{
    mst_status st = MST_OK;
    mst_err other;
    for (int i = 0; i < MST_SIM_FILES; i++) {
        if (s->kept[i] == NULL)
            continue;
        mst_status bad = some && !s->kept[i]->broken ? end_one(s, (mst_sim_file)i, st == MST_OK ? err : &other)
                                                     : MST_OK;
        if (s->kept[i]->broken || bad != MST_OK)
            mst_paths_spoil(s->o->files[i]);
        st = st == MST_OK ? bad : st;
    }
    return st;
}

/* ---- what tool_samples.h asks for ---- */

static mst_status begin(void *ctx, mst_err *err)
{
    MST_TRY(open_files(ctx, err));
    return make_workers(ctx, err);
}

static mst_status run_some(void *ctx, size_t first, size_t n, mst_err *err)
{
    sim *s = ctx;
    s->first = first;
    MST_TRY(mst_feed_create(s->o->data, s->o->pick->at + first, n, s->o->threads, &s->feed, err));
    mst_parallel job = {.n = n,
                        .threads = s->o->threads < n ? s->o->threads : (unsigned)n,
                        .stop = &mst_stop_asked,
                        .ctx = s,
                        .work = simulate,
                        .commit = commit};
    mst_status st = mst_parallel_run(&job, err);
    mst_feed_destroy(s->feed);
    s->feed = NULL;
    double most = 0;
    for (unsigned i = 0; i < s->o->threads; i++) {
        most = s->workers[i].seconds > most ? s->workers[i].seconds : most;
        s->workers[i].seconds = 0;
    }
    s->into->seconds += most;
    return st;
}

static mst_status run_apart(void *ctx, size_t first, size_t n, size_t *done, json_t **state, mst_err *err)
{
    sim *s = ctx;
    mst_run_sums part = {0};
    const mst_pick none = {.n = n};
    MST_TRY(mst_run_sums_make(&part, s->r->n_at, s->n_layers, err));
    s->into = &part;
    mst_status st = mst_outcome_make(&part.outcome, &none, s->classes, err);
    if (st == MST_OK)
        st = run_some(s, first, n, err);
    *done = part.outcome.done;
    *state = mst_run_state(&part);
    if (s->rows != NULL)
        mst_json_set(state, file_names[MST_SIM_PREDICTIONS], mst_rows_text(s->rows));
    mst_run_sums_free(&part);
    return st;
}

static mst_status add_sums(sim *s, const json_t *state, mst_err *err)
{
    s->r->seconds += json_real_value(json_object_get(state, "seconds"));
    return mst_run_sums_add(s->r, state, err);
}

static mst_status add_state(void *ctx, const json_t *state, mst_err *err)
{
    sim *s = ctx;
    uint64_t before = s->r->samples;
    MST_TRY(add_sums(s, state, err));
    return s->rows != NULL ? mst_rows_take(s->rows, json_object_get(state, file_names[MST_SIM_PREDICTIONS]),
                                           s->r->samples - before, err)
                           : MST_OK;
}

static json_t *state_of(void *ctx)
{
    const sim *s = ctx;
    json_t *state = mst_run_state(s->r);
    for (int i = 0; i < MST_SIM_FILES; i++)
        if (s->kept[i] != NULL)
            mst_json_set(&state, file_names[i], mst_kept_json(s->kept[i]));
    return state;
}

static mst_status resume(void *ctx, const json_t *state, mst_err *err)
{
    sim *s = ctx;
    if (state != NULL)
        MST_TRY(add_sums(s, state, err));
    for (int i = 0; i < MST_SIM_FILES; i++)
        if (s->kept[i] != NULL)
            MST_TRY(mst_kept_resume(s->kept[i], s->o->kept[i], json_object_get(state, file_names[i]), s->r->samples,
                                    err));
    return MST_OK;
}

static mst_status sync_files(void *ctx, mst_err *err)
{
    const sim *s = ctx;
    for (int i = 0; i < MST_SIM_FILES; i++)
        if (s->kept[i] != NULL)
            MST_TRY(mst_kept_sync(s->kept[i], err));
    return MST_OK;
}

static void forget(void *ctx) { ((const sim *)ctx)->r->samples = 0; }

mst_status mst_sim_run(const mst_sim_opts *o, mst_run_sums *r, mst_err *err)
{
    static const mst_samples_calls calls = {begin, run_some, run_apart, add_state,
                                            state_of, resume, sync_files, forget};
    const mst_graph *g = mst_program_graph(o->program);
    sim s = {.o = o,
             .r = r,
             .into = r,
             .n_layers = mst_program_layers(o->program),
             .classes = mst_tensor_elements(&g->tensors[g->output]),
             .all = {.doing = "simulating",
                     .outcome = &r->outcome,
                     .threads = o->threads,
                     .quiet = o->quiet,
                     .identity = o->identity,
                     .journal = o->journal,
                     .levels = o->levels,
                     .calls = &calls,
                     .ctx = &s}};
    mst_status st = mst_run_sums_make(r, o->at->n, s.n_layers, err);
    if (o->versus != NULL)
        mst_versus_begin(o->versus, o->at->n);
    if (st == MST_OK)
        st = mst_outcome_make(&r->outcome, o->pick, s.classes, err);
    if (st == MST_OK)
        st = mst_samples_run(&s.all, err);
    mst_err other; /* the first failure is the one to tell */
    if (end_files(&s, st == MST_OK || r->samples != 0, st == MST_OK ? err : &other) != MST_OK && st == MST_OK)
        st = err->code;
    for (unsigned i = 0; s.workers != NULL && i < o->threads; i++) {
        mst_session_destroy(s.workers[i].session);
        mst_session_destroy(s.workers[i].ann);
    }
    if (s.kept[MST_SIM_PREDICTIONS] != NULL && o->predicted != NULL)
        *o->predicted = s.kept[MST_SIM_PREDICTIONS]->hash;
    mst_trace_close(s.trace);
    mst_rows_close(s.rows);
    mst_raster_close(s.raster);
    return st;
}
