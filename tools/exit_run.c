/* See exit_run.h. */
#include "tools/exit_run.h"

#include <math.h>
#include <string.h>

#include "tools/tool_feed.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

#define EIGHT 8

typedef struct exit_worker {
    mst_session *session[MST_OPT_MAX_LIST]; /* step mode: the first alone */
    float *x, *now, *logits;                /* logits: where the sample stops */
    mst_exit_seen *seen;                    /* [stages] */
    size_t stop;
    int label;
} exit_worker;

typedef struct exit_run {
    const mst_exit_job *job;
    mst_program *program[MST_OPT_MAX_LIST];
    bool counts; /* a program for each stage; else one, step by step */
    size_t programs, classes;
    mst_feed *feed;
    mst_arena arena;
    exit_worker *workers; /* [threads] */
    mst_progress progress;
    size_t done;
} exit_run;

double mst_exit_share(uint64_t n, uint64_t of) { return of != 0 ? (double)n / (double)of : (double)NAN; }

double mst_exit_share_se(uint64_t n, uint64_t of)
{
    double p = mst_exit_share(n, of);
    return of > 1 ? sqrt(p * (1 - p) / (double)(of - 1)) : (double)NAN;
}

mst_status mst_exit_parse(const char *text, double *margin, mst_err *err)
{
    char rule[16];
    const char *value = mst_split_at(text, ':', rule, sizeof rule);
    if (value != NULL && strcmp(rule, "margin") == 0 && mst_parse_real(value, margin) && *margin >= 0 && *margin <= 1)
        return MST_OK;
    return mst_fail(err, MST_EINVAL, "--exit: expected margin:M with M from 0 to 1, found '%s'", text);
}

void mst_exit_steps(mst_opt_uints *at, uint32_t steps)
{
    if (at->n == 0)
        for (uint32_t i = 1; i <= EIGHT; i++) {
            uint32_t t = (uint32_t)((uint64_t)steps * i / EIGHT);
            if (t != 0 && (at->n == 0 || t > at->values[at->n - 1]))
                at->values[at->n++] = t;
        }
    else if (at->n < MST_OPT_MAX_LIST && at->values[at->n - 1] < steps)
        at->values[at->n++] = steps;
    else
        at->values[at->n - 1] = steps;
}

/* Of the softmax: the largest probability less the second, in float64. */
static float margin_of(const float *x, size_t n)
{
    size_t best = mst_argmax(x, n);
    double sum = 0, second = 0;
    for (size_t i = 0; i < n; i++) {
        double e = exp((double)x[i] - (double)x[best]);
        sum += e;
        if (i != best && e > second)
            second = e;
    }
    return (float)((1 - second) / sum);
}

/* What the session says now, which has cost what earlier ones did and its own. */
static mst_status look(const exit_run *r, exit_worker *w, size_t k, const mst_session *s, const mst_counters *before,
                       mst_err *err)
{
    mst_exit_seen *seen = &w->seen[k];
    mst_session_mean_logits(s, MST_LAST, w->now);
    for (size_t c = 0; c < r->classes; c++)
        if (!isfinite(w->now[c]))
            return mst_fail(err, MST_EINVAL, "logit %zu at %u is %g", c, r->job->at->values[k], (double)w->now[c]);
    *seen = (mst_exit_seen){.said = (uint32_t)mst_argmax(w->now, r->classes),
                            .margin = margin_of(w->now, r->classes),
                            .counts = mst_session_counters(s)};
    mst_counters_add(&seen->counts, before);
    return MST_OK;
}

static mst_status run_sample(const exit_run *r, exit_worker *w, uint32_t sample, mst_err *err)
{
    static const mst_counters none;
    const mst_opt_uints *at = r->job->at;
    bool stopped = false;
    for (size_t k = 0; k < at->n; k++) {
        bool again = k != 0 && !r->counts;
        mst_session *s = w->session[r->counts ? k : 0];
        uint32_t steps = r->counts ? 1 : at->values[k] - (again ? at->values[k - 1] : 0);
        if (!again)
            mst_session_begin(s, w->x, sample);
        while (steps != 0)
            steps -= mst_session_run(s, steps);
        MST_TRY(look(r, w, k, s, again || k == 0 ? &none : &w->seen[k - 1].counts, err));
        if (stopped || (k + 1 < at->n && (double)w->seen[k].margin < r->job->margin))
            continue;
        stopped = true;
        w->stop = k;
        memcpy(w->logits, w->now, r->classes * sizeof *w->logits);
    }
    return MST_OK;
}

static mst_status work(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    exit_run *r = ctx;
    exit_worker *w = &r->workers[worker];
    MST_TRY(mst_feed_get(r->feed, i, w->x, &w->label, err));
    mst_status st = run_sample(r, w, r->job->samples[i], err);
    return st == MST_OK ? st : mst_fail_in(err, st, "sample %u: ", r->job->samples[i]);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    exit_run *r = ctx;
    const exit_worker *w = &r->workers[worker];
    int label = w->label >= 0 && (size_t)w->label < r->classes ? w->label : -1;
    MST_TRY(r->job->take(r->job->ctx, r->job->samples[i], label, w->seen, w->stop, w->logits, err));
    mst_progress_at(&r->progress, ++r->done);
    return MST_OK;
}

static mst_status make_programs(exit_run *r, mst_exit_facts *facts, mst_err *err)
{
    const mst_exit_job *job = r->job;
    bool counts = r->counts;
    mst_run_opts opts = job->run;
    *facts = (mst_exit_facts){.n = job->at->n, .counts = counts};
    for (size_t k = 0; k < job->at->n; k++) {
        if (counts)
            opts.levels = job->at->values[k];
        if (counts || k == 0)
            MST_TRY(mst_program_create(job->graph, &opts, &r->program[r->programs++], err));
        const mst_program *p = r->program[r->programs - 1];
        mst_exit_stage *s = &facts->stage[k];
        *s = (mst_exit_stage){.at = job->at->values[k], .latency = job->at->values[k]};
        if (counts)
            s->latency = (k != 0 ? s[-1].latency : 0) + (double)mst_program_depth(p) * mst_program_window(p);
    }
    for (size_t i = 0; i < mst_program_layers(r->program[0]); i++)
        facts->neurons += (double)mst_program_layer(r->program[0], i)->neurons;
    for (size_t k = 0; k < facts->n; k++)
        facts->stage[k].updates = facts->neurons * (counts ? (double)(k + 1) : facts->stage[k].at);
    facts->dense_ops = (double)mst_program_dense_ops(r->program[0]);
    facts->dense_static = (double)mst_program_dense_ops_static(r->program[0]);
    r->classes = mst_graph_classes(job->graph);
    return MST_OK;
}

static mst_status make_workers(exit_run *r, mst_err *err)
{
    const mst_exit_job *job = r->job;
    r->workers = mst_arena_array(&r->arena, job->threads, sizeof *r->workers);
    for (unsigned i = 0; r->workers != NULL && i < job->threads; i++) {
        exit_worker *w = &r->workers[i];
        w->x = mst_arena_array(&r->arena, mst_program_input_size(r->program[0]), sizeof *w->x);
        w->now = mst_arena_array(&r->arena, r->classes, sizeof *w->now);
        w->logits = mst_arena_array(&r->arena, r->classes, sizeof *w->logits);
        w->seen = mst_arena_array(&r->arena, job->at->n, sizeof *w->seen);
        if (w->x == NULL || w->now == NULL || w->logits == NULL || w->seen == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", job->threads);
        for (size_t k = 0; k < r->programs; k++)
            MST_TRY(mst_session_create(r->program[k], &w->session[k], err));
    }
    return r->workers != NULL ? mst_feed_create(job->data, job->samples, job->n, job->threads, &r->feed, err)
                              : mst_fail(err, MST_ENOMEM, "out of memory for %u threads", job->threads);
}

mst_status mst_exit_run(const mst_exit_job *job, mst_exit_facts *facts, mst_err *err)
{
    exit_run r = {.job = job, .counts = mst_mode_counts(job->run.mode)};
    mst_parallel samples = {.n = job->n, .threads = job->threads, .ctx = &r, .work = work, .commit = commit};
    mst_status st = make_programs(&r, facts, err);
    if (st == MST_OK)
        st = make_workers(&r, err);
    mst_progress_begin(&r.progress, "simulating", job->n, job->quiet);
    if (st == MST_OK)
        st = mst_parallel_run(&samples, err);
    mst_progress_end(&r.progress);
    mst_feed_destroy(r.feed);
    for (unsigned i = 0; r.workers != NULL && i < job->threads; i++)
        for (size_t k = 0; k < r.programs; k++)
            mst_session_destroy(r.workers[i].session[k]);
    for (size_t k = 0; k < r.programs; k++)
        mst_program_destroy(r.program[k]);
    mst_arena_release(&r.arena);
    return st;
}
