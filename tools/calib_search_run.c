/* See calib_search_run.h. Sums go in the order of samples, so that they do not depend on threads. */
#include "tools/calib_search_run.h"

#include <math.h>
#include <string.h>

#include "mst/energy.h"
#include "runtime/core/checked.h"
#include "tools/tool_divergence.h"
#include "tools/tool_feed.h"
#include "tools/tool_parallel.h"

typedef struct trial_worker {
    mst_session *session;
    float *x, *logits; /* of a sample; [classes] */
    int label;
} trial_worker;

typedef struct trial_run {
    mst_trial_set *set;
    mst_program *program;
    mst_feed *feed;
    mst_arena arena;
    trial_worker *workers; /* [threads] */
    mst_trial *out;
    bool first;
    size_t right;
    double kl, kl_sq, change, change_sq;
    mst_counters counts;
} trial_run;

static mst_status work(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    trial_run *r = ctx;
    trial_worker *w = &r->workers[worker];
    MST_TRY(mst_feed_get(r->feed, i, w->x, &w->label, err));
    mst_session_begin(w->session, w->x, r->set->at[i]);
    for (uint32_t t = 0; t < r->set->steps;)
        t += mst_session_run(w->session, r->set->steps - t);
    mst_session_mean_logits(w->session, MST_LAST, w->logits);
    for (size_t c = 0; c < r->set->classes; c++)
        if (!isfinite(w->logits[c]))
            return mst_fail(err, MST_EINVAL, "sample %u: logit %zu is %g", r->set->at[i], c, (double)w->logits[c]);
    return MST_OK;
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    (void)err;
    trial_run *r = ctx;
    mst_trial_set *s = r->set;
    const trial_worker *w = &r->workers[worker];
    float *base = s->logits + i * s->classes;
    if (r->first) {
        bool known = w->label >= 0 && (size_t)w->label < s->classes;
        memcpy(base, w->logits, s->classes * sizeof *base);
        s->class[i] = known ? w->label : (int32_t)mst_argmax(base, s->classes);
        s->labelled += known;
    }
    double kl = fmax(mst_divergence(base, w->logits, s->classes), 0);
    bool right = mst_argmax(w->logits, s->classes) == (size_t)s->class[i];
    double lost = (double)(mst_argmax(base, s->classes) == (size_t)s->class[i]) - (double)right;
    mst_counters counts = mst_session_counters(w->session);
    r->out->right[i] = right;
    r->right += right;
    r->kl += kl;
    r->kl_sq += kl * kl;
    r->change += lost;
    r->change_sq += lost * lost;
    mst_counters_add(&r->counts, &counts);
    mst_progress_at(s->progress, ++s->done);
    return MST_OK;
}

/* Standard error of the mean of n values, by their sums. */
static double standard_error(double sum, double squares, double n)
{
    return n > 1 ? sqrt(fmax(squares - sum * sum / n, 0) / (n * (n - 1))) : NAN;
}

static void take_figures(const trial_run *r)
{
    const mst_trial_set *s = r->set;
    mst_trial *t = r->out;
    double n = (double)s->n, neurons = 0;
    t->top1 = (double)r->right / n;
    t->top1_se = standard_error((double)r->right, (double)r->right, n);
    t->loss = r->change / n;
    t->loss_se = standard_error(r->change, r->change_sq, n);
    t->kl = r->kl / n;
    t->kl_se = standard_error(r->kl, r->kl_sq, n);
    t->spikes = (double)r->counts.spikes / n;
    t->fired = (double)r->counts.spikes_before / n;
    t->sops = (double)r->counts.sops / n;
    t->macs = (double)r->counts.macs / n;
    for (size_t k = 0; k < mst_program_layers(r->program); k++)
        neurons += (double)mst_program_layer(r->program, k)->neurons;
    const mst_work work_done = {.sops = t->sops,
                                .macs = t->macs,
                                .spikes = t->spikes,
                                .fired = t->fired,
                                .neurons = neurons,
                                .updates = neurons * s->steps,
                                .dense_ops = (double)mst_program_dense_ops(r->program),
                                .dense_static = (double)mst_program_dense_ops_static(r->program)};
    t->energy = mst_energy_of_run(s->energy, &work_done).operations;
    t->ann = mst_energy_of_ann(s->energy, &work_done).operations;
}

static mst_status begin(trial_run *r, mst_err *err)
{
    mst_trial_set *s = r->set;
    MST_TRY(mst_program_create(s->graph, &s->run, &r->program, err));
    r->workers = mst_arena_array(&r->arena, s->threads, sizeof *r->workers);
    r->out->right = mst_arena_array(&s->arena, s->n, sizeof *r->out->right);
    if (r->workers == NULL || r->out->right == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->threads);
    for (unsigned i = 0; i < s->threads; i++) {
        trial_worker *w = &r->workers[i];
        w->x = mst_arena_array(&r->arena, mst_program_input_size(r->program), sizeof *w->x);
        w->logits = mst_arena_array(&r->arena, s->classes, sizeof *w->logits);
        if (w->x == NULL || w->logits == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->threads);
        MST_TRY(mst_session_create(r->program, &w->session, err));
    }
    return mst_feed_create(s->data, s->at, s->n, s->threads, &r->feed, err);
}

mst_status mst_trial_run(mst_trial_set *s, mst_trial *out, mst_err *err)
{
    *out = (mst_trial){0};
    trial_run r = {.set = s, .out = out, .first = s->class == NULL};
    if (r.first) {
        s->class = mst_arena_array(&s->arena, s->n, sizeof *s->class);
        if (s->class == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %zu samples", s->n);
    }
    mst_status st = begin(&r, err);
    mst_parallel job = {.n = s->n, .threads = s->threads, .ctx = &r, .work = work, .commit = commit};
    if (st == MST_OK)
        st = mst_parallel_run(&job, err);
    if (st == MST_OK)
        take_figures(&r);
    mst_feed_destroy(r.feed);
    for (unsigned i = 0; r.workers != NULL && i < s->threads; i++)
        mst_session_destroy(r.workers[i].session);
    mst_program_destroy(r.program);
    mst_arena_release(&r.arena);
    return st;
}

mst_status mst_trials_make(mst_trial_set *s, mst_err *err)
{
    size_t values;
    s->classes = mst_graph_classes(s->graph);
    s->logits = mst_mul_size(s->n, s->classes, &values) ? mst_arena_array(&s->arena, values, sizeof *s->logits) : NULL;
    return s->logits != NULL ? MST_OK
                             : mst_fail(err, MST_ENOMEM, "out of memory for the logits of %zu samples", s->n);
}

void mst_trials_free(mst_trial_set *s)
{
    mst_arena_release(&s->arena);
    s->logits = NULL;
    s->class = NULL;
}

void mst_trial_pairs(const mst_trial *a, const mst_trial *b, size_t n, double *change, double *se)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a->right[i] - (double)b->right[i];
        sum += d;
        squares += d * d;
    }
    *change = sum / (double)n;
    *se = standard_error(sum, squares, (double)n);
}
