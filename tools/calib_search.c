/* See calib_search.h. Divergence ranks, as it is less noisy than top-1. Small losses of top-1 are in proportion to
 * it, so that all networks that were measured say together what a nat costs, and with that how far a path may go: a
 * budget of half a point is less than the error of one network's top-1 on a thousand samples. */
#include "tools/calib_search.h"

#include <math.h>
#include <string.h>

#define ROUNDS 3      /* of a path: those behind the first know what values cost in company of the others */
#define MAX_SCALE 8.0 /* of what a value costs in company, against alone */
#define RUINED 0.25   /* networks that lose this share of all top-1 say nothing of small losses */
#define DOUBTS 2.0    /* standard errors by which a network's own top-1 may be beyond the budget */
#define PAPER_RATIO 0.75

static const char *const rivals[MST_RIVALS] = {[MST_RIVAL_AS_IS] = "as_is",
                                               [MST_RIVAL_UNMASKED] = "unmasked",
                                               [MST_RIVAL_PAPER] = "paper",
                                               [MST_RIVAL_UNIFORM] = "uniform",
                                               [MST_RIVAL_SEARCHED] = "searched"};

const char *mst_search_rival_name(mst_search_rival r) { return r < MST_RIVALS ? rivals[r] : NULL; }

typedef struct search {
    const mst_search_job *job;
    mst_search_result *r;
    mst_trial_set set; /* of the samples to fit */
    size_t *at;        /* [groups] value that each has now */
    mst_search_move *path;
    double lost, nats; /* sums over networks that are not ruined */
    mst_progress progress;
    mst_err *err;
} search;

double mst_search_cost(const mst_search_job *job, const mst_trial *t)
{
    return job->metric == MST_SEARCH_SPIKES ? t->spikes : t->energy;
}

/* ---- the network as it is to be tried ---- */

static void set_all(const search *s, const size_t *value)
{
    for (size_t k = 0; k < s->r->n_groups; k++)
        mst_search_set(s->job->graph, &s->job->opts, &s->r->groups[k], value[k]);
}

static void set_as_is(const search *s)
{
    for (size_t k = 0; k < s->r->n_groups; k++)
        mst_search_set(s->job->graph, &s->job->opts, &s->r->groups[k], 0);
}

/* Run graph as it is set. */
static mst_status try_it(search *s, mst_trial *out)
{
    MST_TRY(mst_trial_run(&s->set, out, s->err));
    if (s->r->runs++ == 0)
        s->r->before = *out;
    if (out->loss < RUINED * s->r->before.top1) {
        s->lost += out->loss;
        s->nats += out->kl;
    }
    s->r->per_nat = s->nats > 0 ? fmax(s->lost / s->nats, 0) : 0;
    return MST_OK;
}

static mst_status try_values(search *s, const size_t *value, mst_trial *out)
{
    set_all(s, value);
    return try_it(s, out);
}

/* Is that within the budget, by its divergence, and not clearly beyond by its own top-1? */
static bool affords(const search *s, const mst_trial *t)
{
    return fmax(s->r->per_nat * t->kl, t->loss - DOUBTS * t->loss_se) <= s->job->budget;
}

/* ---- alone, and in company ---- */

static size_t count_values(const mst_search_result *r)
{
    size_t n = 0;
    for (size_t k = 0; k < r->n_groups; k++)
        n += r->groups[k].n_values;
    return n;
}

static mst_status measure_alone(search *s)
{
    mst_search_result *r = s->r;
    size_t values = count_values(r), cell = 0;
    mst_trial t;
    mst_progress_begin(&s->progress, "sensitivity", (values - r->n_groups + 1) * s->set.n, s->job->quiet);
    MST_TRY(try_values(s, s->at, &t));
    for (size_t k = 0; k < r->n_groups; k++, cell++)
        for (size_t v = 1; v < r->groups[k].n_values; v++) {
            s->at[k] = v;
            MST_TRY(try_values(s, s->at, &t));
            r->groups[k].points[v] =
                (mst_search_point){t.kl, mst_search_cost(s->job, &r->before) - mst_search_cost(s->job, &t)};
            r->top1_loss[++cell] = t.loss;
            s->at[k] = 0;
        }
    mst_progress_end(&s->progress);
    return MST_OK;
}

static double scale_of(double company, double alone)
{
    return alone > 0 ? fmin(fmax(company / alone, 1 / MAX_SCALE), MAX_SCALE) : 1;
}

/* What the value of each group costs beside those of the others: what the network gains by giving it back; of a group
 * that is as it was, what its first value would cost. */
static mst_status measure_company(search *s, const mst_trial *now)
{
    mst_search_result *r = s->r;
    mst_trial t;
    mst_progress_begin(&s->progress, "in company", r->n_groups * s->set.n, s->job->quiet);
    s->set.done = 0;
    for (size_t k = 0; k < r->n_groups; k++) {
        mst_search_group *g = &r->groups[k];
        size_t had = s->at[k], v = had != 0 ? had : 1;
        if (g->n_values < 2)
            continue;
        s->at[k] = had != 0 ? 0 : 1;
        MST_TRY(try_values(s, s->at, &t));
        s->at[k] = had;
        double sign = had != 0 ? 1 : -1;
        g->loss_scale = scale_of(sign * (now->kl - t.kl), g->points[v].loss);
        g->saved_scale =
            scale_of(sign * (mst_search_cost(s->job, &t) - mst_search_cost(s->job, now)), g->points[v].saved);
    }
    mst_progress_end(&s->progress);
    return MST_OK;
}

/* ---- how far to go ---- */

static void values_after(const search *s, size_t moves, size_t *value)
{
    memset(value, 0, s->r->n_groups * sizeof *value);
    for (size_t i = 0; i < moves; i++)
        value[s->path[i].group] = s->path[i].value;
}

static unsigned halvings(size_t n)
{
    unsigned k = 0;
    for (; n != 0; n /= 2)
        k++;
    return k;
}

/* Halve towards where the budget ends; what is found goes to s->at and *out. */
static mst_status walk_path(search *s, size_t moves, mst_trial *out)
{
    size_t in = 0, beyond = moves + 1;
    mst_trial t;
    *out = s->r->before;
    while (beyond - in > 1) {
        size_t middle = in + (beyond - in) / 2;
        values_after(s, middle, s->at);
        MST_TRY(try_values(s, s->at, &t));
        if (affords(s, &t))
            *out = t;
        *(affords(s, &t) ? &in : &beyond) = middle;
    }
    values_after(s, in, s->at);
    return MST_OK;
}

/* Of s->at. */
static bool keep_better(search *s, const mst_trial *t)
{
    mst_search_result *r = s->r;
    if (mst_search_cost(s->job, t) >= mst_search_cost(s->job, &r->after))
        return false;
    memcpy(r->value, s->at, r->n_groups * sizeof *r->value);
    r->after = *t;
    return r->found = true;
}

/* What a path leads to is kept where it costs less than what is there. */
static mst_status search_path(search *s, unsigned round)
{
    char what[32];
    mst_trial best;
    mst_search_result *r = s->r;
    size_t moves = mst_search_path(r->groups, r->n_groups, s->path);
    snprintf(what, sizeof what, "path %u/%u", round + 1, ROUNDS);
    mst_progress_begin(&s->progress, what, halvings(moves) * s->set.n, s->job->quiet);
    s->set.done = 0;
    MST_TRY(walk_path(s, moves, &best));
    mst_progress_end(&s->progress);
    keep_better(s, &best);
    return round + 1 < ROUNDS ? measure_company(s, &best) : MST_OK;
}

/* ---- rivals ---- */

static bool is_self_attention(const mst_search_group *g)
{
    return g->site == MST_SITE_Q || g->site == MST_SITE_K || g->site == MST_SITE_ATTN;
}

static bool has_attention(const mst_search_result *r)
{
    for (size_t k = 0; k < r->n_groups; k++)
        if (is_self_attention(&r->groups[k]))
            return true;
    return false;
}

/* Does a uniform rule speak of it? Of ratios where the network has attention, of that alone. */
static bool in_uniform(const search *s, const mst_search_group *g)
{
    return s->job->opts.what == MST_SEARCH_LEVELS || !has_attention(s->r) || is_self_attention(g);
}

/* One value for all of these, where it saves; others stay. */
static void uniform_values(const search *s, double value, size_t *out)
{
    for (size_t k = 0; k < s->r->n_groups; k++) {
        const mst_search_group *g = &s->r->groups[k];
        out[k] = 0;
        for (size_t v = 1; in_uniform(s, g) && v < g->n_values; v++)
            if ((float)g->values[v] == (float)value)
                out[k] = v;
    }
}

/* The rung that saves the most within the budget, of those of the ladder: with that the search begins, and what values
 * cost in its company is known. */
static mst_status search_uniform(search *s)
{
    const mst_search_opts *o = &s->job->opts;
    mst_search_result *r = s->r;
    mst_trial t;
    mst_progress_begin(&s->progress, "uniform", o->n_ladder * s->set.n, s->job->quiet);
    s->set.done = 0;
    for (size_t i = 0; i < o->n_ladder; i++) {
        uniform_values(s, o->ladder[i], s->at);
        MST_TRY(try_values(s, s->at, &t));
        if (affords(s, &t) && keep_better(s, &t))
            r->uniform = o->ladder[i];
    }
    mst_progress_end(&s->progress);
    if (!r->found)
        return MST_OK;
    memcpy(s->at, r->value, r->n_groups * sizeof *s->at);
    return measure_company(s, &r->after);
}

/* All ratios 0, but for those of self-attention: what the paper has, or none. */
static void set_paper(const search *s, double ratio)
{
    for (size_t k = 0; k < s->r->n_groups; k++) {
        mst_search_group one = s->r->groups[k];
        double v = is_self_attention(&one) ? ratio : 0;
        one.values = &v;
        mst_search_set(s->job->graph, &s->job->opts, &one, 0);
    }
}

static bool has_rival(const mst_search_result *r, bool ratios, mst_search_rival which)
{
    bool masked = false;
    for (size_t k = 0; k < r->n_groups; k++)
        masked = masked || r->groups[k].values[0] > 0;
    switch (which) {
    case MST_RIVAL_UNMASKED: return ratios && masked;
    case MST_RIVAL_PAPER: return ratios && has_attention(r);
    case MST_RIVAL_UNIFORM: return !isnan(r->uniform);
    default: return true;
    }
}

static void set_rival(const search *s, mst_search_rival which)
{
    switch (which) {
    case MST_RIVAL_UNMASKED: set_paper(s, 0); return;
    case MST_RIVAL_PAPER: set_paper(s, PAPER_RATIO); return;
    case MST_RIVAL_UNIFORM:
        uniform_values(s, s->r->uniform, s->at);
        set_all(s, s->at);
        return;
    case MST_RIVAL_SEARCHED: set_all(s, s->r->value); return;
    default: set_as_is(s);
    }
}

static mst_status judge(search *s, const mst_drawn *drawn)
{
    mst_search_result *r = s->r;
    const mst_search_job *job = s->job;
    r->judged = (mst_trial_set){.graph = job->graph,
                                .run = job->run,
                                .steps = job->steps,
                                .data = job->judge != NULL ? job->judge : job->data,
                                .at = drawn->held,
                                .n = drawn->n_held,
                                .threads = job->threads,
                                .energy = job->energy,
                                .progress = &s->progress};
    MST_TRY(mst_trials_make(&r->judged, s->err));
    size_t n = 0;
    for (int k = 0; k < MST_RIVALS; k++)
        n += r->has[k] = has_rival(r, job->opts.what == MST_SEARCH_RATIOS, (mst_search_rival)k);
    mst_progress_begin(&s->progress, "judging", n * drawn->n_held, job->quiet);
    for (int k = 0; k < MST_RIVALS; k++) {
        if (!r->has[k])
            continue;
        set_rival(s, (mst_search_rival)k);
        MST_TRY(mst_trial_run(&r->judged, &r->rival[k], s->err));
    }
    mst_progress_end(&s->progress);
    r->labelled = r->judged.labelled;
    return MST_OK;
}

/* ---- all of it ---- */

static mst_status make_room(search *s)
{
    mst_search_result *r = s->r;
    MST_TRY(mst_search_groups(s->job->graph, &s->job->opts, &r->arena, &r->groups, &r->n_groups, s->err));
    size_t values = count_values(r), groups = r->n_groups + 1;
    if (values == r->n_groups)
        return mst_fail(s->err, MST_EINVAL, "nothing to search: no value of the ladder saves more than what %s now",
                        r->n_groups != 0 ? "the network has" : "is there");
    s->at = mst_arena_array(&r->arena, groups, sizeof *s->at);
    r->value = mst_arena_array(&r->arena, groups, sizeof *r->value);
    s->path = mst_arena_array(&r->arena, values, sizeof *s->path);
    r->top1_loss = mst_arena_array(&r->arena, values, sizeof *r->top1_loss);
    if (s->at == NULL || r->value == NULL || s->path == NULL || r->top1_loss == NULL)
        return mst_fail(s->err, MST_ENOMEM, "out of memory for %zu values", values);
    return mst_trials_make(&s->set, s->err);
}

static mst_status run_all(search *s, const mst_drawn *drawn)
{
    MST_TRY(make_room(s));
    MST_TRY(measure_alone(s));
    s->r->after = s->r->before;
    MST_TRY(search_uniform(s));
    for (unsigned round = 0; round < ROUNDS; round++)
        MST_TRY(search_path(s, round));
    return s->r->found ? judge(s, drawn) : MST_OK;
}

mst_status mst_search_run(const mst_search_job *job, mst_search_result *out, mst_err *err)
{
    mst_drawn drawn = {0};
    *out = (mst_search_result){.uniform = NAN};
    search s = {.job = job, .r = out, .err = err};
    mst_status st = mst_draw_samples(&job->draw, &drawn, err);
    out->fit = drawn.n_fit;
    out->held = drawn.n_held;
    s.set = (mst_trial_set){.graph = job->graph,
                            .run = job->run,
                            .steps = job->steps,
                            .data = job->data,
                            .at = drawn.fit,
                            .n = drawn.n_fit,
                            .threads = job->threads,
                            .energy = job->energy,
                            .progress = &s.progress};
    if (st == MST_OK)
        st = run_all(&s, &drawn);
    set_as_is(&s);
    out->before.right = out->after.right = NULL; /* with their set */
    mst_trials_free(&s.set);
    mst_drawn_free(&drawn);
    return st;
}

void mst_search_result_free(mst_search_result *r)
{
    mst_trials_free(&r->judged);
    mst_arena_release(&r->arena);
}

void mst_search_take(const mst_search_job *job, const mst_search_result *r)
{
    for (size_t k = 0; k < r->n_groups; k++)
        mst_search_set(job->graph, &job->opts, &r->groups[k], r->value[k]);
}
