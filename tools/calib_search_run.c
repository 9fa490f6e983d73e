/* See calib_search_run.h. Sums go in the order of samples, so that they do not depend on threads. */
#include "tools/calib_search_run.h"

#include <math.h>
#include <string.h>

#include "mst/energy.h"
#include "runtime/core/checked.h"
#include "tools/tool_divergence.h"
#include "tools/tool_feed.h"
#include "tools/tool_parallel.h"

#define CONFIDENCE 1.960 /* standard errors, of 97.5 % on one side */

typedef struct trial_worker {
    mst_session *session;
    float *x, *logits; /* of a sample; [classes] */
    double *p;         /* [classes] */
    int label;
} trial_worker;

typedef struct trial_run trial_run;
struct trial_run {
    mst_trial_set *set;
    size_t n;     /* samples */
    double share; /* of this run in the mean of all */
    void (*take)(trial_run *r, size_t i, const trial_worker *w);
    mst_program *program;
    mst_feed *feed;
    mst_arena arena;
    trial_worker *workers; /* [threads] */
    float *right;          /* [n] means over draws */
    double *kl;            /* [n] */
    mst_counters counts;   /* of all draws */
    mst_work fixed;        /* what does not depend on samples */
};

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
    mst_counters counts = mst_session_counters(r->workers[worker].session);
    r->take(r, i, &r->workers[worker]);
    mst_counters_add(&r->counts, &counts);
    mst_progress_at(r->set->progress, ++r->set->done);
    return MST_OK;
}

/* What the network as it was says. */
static void take_reference(trial_run *r, size_t i, const trial_worker *w)
{
    mst_trial_set *s = r->set;
    double *p = s->p + i * s->classes;
    mst_softmax(w->logits, w->p, s->classes);
    for (size_t c = 0; c < s->classes; c++)
        p[c] += r->share * w->p[c];
    s->class[i] = w->label >= 0 && (size_t)w->label < s->classes ? w->label : -1;
}

static void take_draw(trial_run *r, size_t i, const trial_worker *w)
{
    const mst_trial_set *s = r->set;
    double kl = fmax(mst_divergence_from(s->p + i * s->classes, w->logits, s->classes), 0);
    r->kl[i] += r->share * kl;
    r->right[i] += mst_argmax(w->logits, s->classes) == (size_t)s->class[i] ? (float)r->share : 0;
}

/* Standard error of the mean of n values, by their sums. */
static double standard_error(double sum, double squares, double n)
{
    return n > 1 ? sqrt(fmax(squares - sum * sum / n, 0) / (n * (n - 1))) : NAN;
}

/* Of the mean of n values, by their sums, as if one more sample of two had changed its class: a bound that none of a
 * few samples proves to be 0. */
static double upper_bound(double sum, double squares, double n)
{
    return sum / n + CONFIDENCE * standard_error(sum, squares + 1, n);
}

static void take_figures(const trial_run *r, unsigned draws, mst_trial *t)
{
    const mst_trial_set *s = r->set;
    double n = (double)r->n, runs = n * draws;
    double right = 0, right_sq = 0, lost = 0, lost_sq = 0, kl = 0, kl_sq = 0;
    for (size_t i = 0; i < r->n; i++) {
        double x = (double)r->right[i], d = (double)s->was_right[i] - x, k = r->kl[i] - s->was_kl[i];
        right += x, right_sq += x * x;
        lost += d, lost_sq += d * d;
        kl += k, kl_sq += k * k;
    }
    t->top1 = right / n;
    t->top1_se = standard_error(right, right_sq, n);
    t->loss = lost / n;
    t->loss_se = standard_error(lost, lost_sq, n);
    t->loss_bound = upper_bound(lost, lost_sq, n);
    t->kl = kl / n;
    t->kl_se = standard_error(kl, kl_sq, n);
    t->spikes = (double)r->counts.spikes / runs;
    t->fired = (double)r->counts.spikes_before / runs;
    t->sops = (double)r->counts.sops / runs;
    t->macs = (double)r->counts.macs / runs;
    mst_work work_done = r->fixed;
    work_done.sops = t->sops;
    work_done.macs = t->macs;
    work_done.spikes = t->spikes;
    work_done.fired = t->fired;
    t->energy = mst_energy_of_run(s->energy, &work_done).operations;
    t->ann = mst_energy_of_ann(s->energy, &work_done).operations;
}

static mst_status begin(trial_run *r, uint64_t seed, mst_err *err)
{
    mst_trial_set *s = r->set;
    mst_run_opts run = s->run;
    run.seed = seed;
    MST_TRY(mst_program_create(s->graph, &run, &r->program, err));
    r->workers = mst_arena_array(&r->arena, s->threads, sizeof *r->workers);
    if (r->workers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->threads);
    for (unsigned i = 0; i < s->threads; i++) {
        trial_worker *w = &r->workers[i];
        w->x = mst_arena_array(&r->arena, mst_program_input_size(r->program), sizeof *w->x);
        w->logits = mst_arena_array(&r->arena, s->classes, sizeof *w->logits);
        w->p = mst_arena_array(&r->arena, s->classes, sizeof *w->p);
        if (w->x == NULL || w->logits == NULL || w->p == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", s->threads);
        MST_TRY(mst_session_create(r->program, &w->session, err));
    }
    return mst_feed_create(s->data, s->at, r->n, s->threads, &r->feed, err);
}

static void end(trial_run *r)
{
    mst_feed_destroy(r->feed);
    for (unsigned i = 0; r->workers != NULL && i < r->set->threads; i++)
        mst_session_destroy(r->workers[i].session);
    mst_program_destroy(r->program);
    mst_arena_release(&r->arena);
    r->feed = NULL;
    r->workers = NULL;
    r->program = NULL;
}

static void take_fixed(trial_run *r)
{
    double neurons = 0;
    for (size_t k = 0; k < mst_program_layers(r->program); k++)
        neurons += (double)mst_program_layer(r->program, k)->neurons;
    r->fixed = (mst_work){.neurons = neurons,
                          .updates = neurons * r->set->steps,
                          .dense_ops = (double)mst_program_dense_ops(r->program),
                          .dense_static = (double)mst_program_dense_ops_static(r->program)};
}

/* The graph as it is, with each of these seeds. */
static mst_status run_seeds(trial_run *r, uint64_t first, unsigned seeds, mst_err *err)
{
    r->share = 1.0 / seeds;
    for (unsigned d = 0; d < seeds; d++) {
        mst_status st = begin(r, first + d, err);
        mst_parallel job = {.n = r->n, .threads = r->set->threads, .ctx = r, .work = work, .commit = commit};
        if (st == MST_OK)
            take_fixed(r);
        if (st == MST_OK)
            st = mst_parallel_run(&job, err);
        end(r);
        MST_TRY(st);
    }
    return MST_OK;
}

static bool has_masks(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK && g->nodes[i].fp[MST_MASK_RATIO] > 0)
            return true;
    return false;
}

unsigned mst_trial_draws(const mst_trial_set *s) { return has_masks(s->graph) ? s->draws : 1; }

/* Means over draws go to right [n] and kl [n], which are 0. */
static mst_status run_draws(mst_trial_set *s, size_t n, float *right, double *kl, mst_trial *out, mst_err *err)
{
    trial_run r = {.set = s, .n = n, .take = take_draw, .right = right, .kl = kl};
    unsigned draws = mst_trial_draws(s);
    MST_TRY(run_seeds(&r, s->run.seed, draws, err));
    take_figures(&r, draws, out);
    return MST_OK;
}

mst_status mst_trial_run(mst_trial_set *s, size_t n, mst_trial *out, mst_err *err)
{
    mst_arena tmp = {0};
    float *right = mst_arena_array(s->keep ? &s->arena : &tmp, s->n, sizeof *right);
    double *kl = mst_arena_array(&tmp, s->n, sizeof *kl);
    *out = (mst_trial){0};
    mst_status st = right != NULL && kl != NULL ? run_draws(s, n, right, kl, out, err)
                                                : mst_fail(err, MST_ENOMEM, "out of memory for %zu samples", s->n);
    out->right = s->keep ? right : NULL;
    mst_arena_release(&tmp);
    return st;
}

static int32_t largest(const double *p, size_t n)
{
    size_t best = 0;
    for (size_t c = 1; c < n; c++)
        best = p[c] > p[best] ? c : best;
    return (int32_t)best;
}

static void find_classes(mst_trial_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        s->labelled += s->class[i] >= 0;
        if (s->class[i] < 0)
            s->class[i] = largest(s->p + i * s->classes, s->classes);
    }
}

mst_status mst_trials_begin(mst_trial_set *s, mst_trial *as_is, mst_err *err)
{
    size_t values;
    *as_is = (mst_trial){0};
    s->classes = mst_graph_classes(s->graph);
    s->p = mst_mul_size(s->n, s->classes, &values) ? mst_arena_array(&s->arena, values, sizeof *s->p) : NULL;
    s->class = mst_arena_array(&s->arena, s->n, sizeof *s->class);
    s->was_right = mst_arena_array(&s->arena, s->n, sizeof *s->was_right);
    s->was_kl = mst_arena_array(&s->arena, s->n, sizeof *s->was_kl);
    if (s->p == NULL || s->class == NULL || s->was_right == NULL || s->was_kl == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for the classes of %zu samples", s->n);
    trial_run r = {.set = s, .n = s->n, .take = take_reference};
    MST_TRY(run_seeds(&r, s->run.seed + s->draws, has_masks(s->graph) ? s->references : 1, err));
    find_classes(s);
    MST_TRY(run_draws(s, s->n, s->was_right, s->was_kl, as_is, err));
    as_is->right = s->keep ? s->was_right : NULL;
    return MST_OK;
}

void mst_trials_free(mst_trial_set *s)
{
    mst_arena_release(&s->arena);
    s->p = NULL;
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
