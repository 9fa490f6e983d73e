/* See calib_search_state.h. Networks are tried in order of what they save, and the first that may lose more than the
 * budget ends it: so however many were to be tried, one in forty of such sequences takes one that is beyond it. There
 * are two, of what was searched and of one value for all. Which of both is better, the samples to fit say: figures of
 * those held out are not chosen by themselves. Where so much is to be saved, the first that saves it there ends it. */
#include <math.h>
#include <string.h>

#include "tools/calib_search_state.h"

#define DRAWS 2   /* of masks, for each network */
#define HOPES 2.0 /* budgets: what is not worth a try */
#define PAPER_RATIO 0.75

/* On the samples held out. */
static bool is_within(const mst_search_work *s, const mst_trial *t)
{
    const mst_search_job *job = s->job;
    return job->save > 0
               ? mst_search_cost(job, t) <= (1 - job->save) * mst_search_cost(job, &s->r->rival[MST_RIVAL_AS_IS])
               : t->loss_bound <= job->budget;
}

static mst_status hold(mst_search_work *s, const size_t *value, mst_trial *out)
{
    mst_search_set_all(s, value);
    return mst_trial_run(&s->r->judged, s->r->held, out, s->err);
}

/* ---- what is to be tried ---- */

static double step_end(double most, double least, size_t k)
{
    return k < MST_SEARCH_STEPS ? most - (most - least) * (double)k / MST_SEARCH_STEPS : least;
}

/* Of those that save what is to be saved, a few of the least divergence; of what is within the budget, maybe, a few in
 * even steps of what they save. */
static void pick_steps(mst_search_work *s, const mst_search_state **front, size_t n)
{
    mst_search_result *r = s->r;
    double most = r->pool.states[0]->cost, enough = (1 - s->job->save) * most;
    if (s->job->save > 0) {
        for (size_t i = 0; i < n && r->n_steps < MST_SEARCH_STEPS; i++)
            if (front[i]->cost <= enough)
                r->step[r->n_steps++].fit = front[i];
        return;
    }
    while (n != 0 && !mst_search_hopes(s, &front[n - 1]->fit, HOPES))
        n--;
    double least = n != 0 ? front[n - 1]->cost : most;
    for (size_t i = 0, k = 1; i < n; i++) {
        if (i + 1 < n && front[i + 1]->cost >= step_end(most, least, k))
            continue;
        r->step[r->n_steps++].fit = front[i];
        while (i + 1 < n && k < MST_SEARCH_STEPS && front[i + 1]->cost < step_end(most, least, k))
            k++;
    }
}

static mst_status try_steps(mst_search_work *s)
{
    mst_search_result *r = s->r;
    for (size_t i = 0; i < r->n_steps; i++) {
        mst_search_step *x = &r->step[i];
        MST_TRY(hold(s, x->fit->value, &x->held));
        x->within = is_within(s, &x->held);
        if (x->within) {
            r->found = x->fit;
            r->rival[MST_RIVAL_SEARCHED] = x->held;
            r->has[MST_RIVAL_SEARCHED] = true;
        }
        if (x->within == (s->job->save > 0)) /* enough, or too much */
            r->n_steps = i + 1;
    }
    return MST_OK;
}

static bool is_better(const mst_search_job *job, const mst_search_state *a, const mst_search_state *b)
{
    return job->save > 0 ? a->fit.kl < b->fit.kl : a->cost < b->cost;
}

/* The same for one value for all; where that is better than what was found, that is found. */
static mst_status try_uniform(mst_search_work *s)
{
    mst_search_result *r = s->r;
    const mst_search_job *job = s->job;
    const mst_search_state *last = r->pool.states[0], *best = NULL;
    mst_trial t;
    for (size_t i = 0; i < job->opts.n_ladder; i++) {
        const mst_search_state *x = s->uniform[i];
        bool saves = x->cost < last->cost && (job->save <= 0 || x->cost <= (1 - job->save) * r->pool.states[0]->cost);
        if (!saves)
            continue;
        if (job->save <= 0 && !mst_search_hopes(s, &x->fit, HOPES))
            break;
        last = x;
        MST_TRY(hold(s, x->value, &t));
        bool within = is_within(s, &t);
        if (!within && job->save > 0)
            continue;
        if (!within)
            break;
        best = x;
        r->uniform = job->opts.ladder[s->rungs[i]];
        r->rival[MST_RIVAL_UNIFORM] = t;
        r->has[MST_RIVAL_UNIFORM] = true;
        if (job->save > 0)
            break;
    }
    if (best == NULL || (r->found != NULL && !is_better(job, best, r->found)))
        return MST_OK;
    r->found = best;
    r->rival[MST_RIVAL_SEARCHED] = r->rival[MST_RIVAL_UNIFORM];
    r->has[MST_RIVAL_SEARCHED] = true;
    return MST_OK;
}

/* ---- others ---- */

/* All ratios 0, but for those of self-attention: what the paper has, or none. */
static mst_status hold_paper(mst_search_work *s, double ratio, mst_search_rival which)
{
    for (size_t k = 0; k < s->r->n_groups; k++) {
        mst_search_group one = s->r->groups[k];
        double v = mst_search_is_attention(&one) ? ratio : 0;
        one.values = &v;
        mst_search_set(s->job->graph, &s->job->opts, &one, 0);
    }
    s->r->has[which] = true;
    return mst_trial_run(&s->r->judged, s->r->held, &s->r->rival[which], s->err);
}

static mst_status try_others(mst_search_work *s)
{
    const mst_search_result *r = s->r;
    bool masked = false, attention = false;
    if (s->job->opts.what != MST_SEARCH_RATIOS)
        return MST_OK;
    for (size_t k = 0; k < r->n_groups; k++) {
        masked = masked || r->groups[k].values[0] > 0;
        attention = attention || mst_search_is_attention(&r->groups[k]);
    }
    if (masked)
        MST_TRY(hold_paper(s, 0, MST_RIVAL_UNMASKED));
    return attention ? hold_paper(s, PAPER_RATIO, MST_RIVAL_PAPER) : MST_OK;
}

static mst_status judge_front(mst_search_work *s, const mst_drawn *drawn, const mst_search_state **front)
{
    mst_search_result *r = s->r;
    const mst_search_job *job = s->job;
    size_t n = mst_search_pool_front(&r->pool, front);
    r->least = n != 0 ? front[0] : NULL;
    r->least_loss = n != 0 ? mst_search_belief(s, &front[0]->fit) : 0;
    pick_steps(s, front, n);
    r->judged = (mst_trial_set){.graph = job->graph,
                                .run = job->run,
                                .steps = job->steps,
                                .data = job->judge != NULL ? job->judge : job->data,
                                .at = drawn->held,
                                .n = drawn->n_held,
                                .draws = DRAWS,
                                .references = DRAWS,
                                .threads = job->threads,
                                .energy = job->energy,
                                .progress = &s->progress,
                                .keep = true};
    size_t networks = r->n_steps + job->opts.n_ladder + MST_RIVALS; /* at most */
    mst_progress_begin(&s->progress, "judging", networks * DRAWS * drawn->n_held, job->quiet);
    MST_TRY(mst_trials_begin(&r->judged, &r->rival[MST_RIVAL_AS_IS], s->err));
    r->has[MST_RIVAL_AS_IS] = true;
    r->labelled = r->judged.labelled;
    r->draws = DRAWS;
    MST_TRY(try_steps(s));
    MST_TRY(try_uniform(s));
    MST_TRY(try_others(s));
    mst_progress_end(&s->progress);
    return MST_OK;
}

mst_status mst_search_judge(mst_search_work *s, const mst_drawn *drawn)
{
    mst_arena tmp = {0};
    const mst_search_state **front = mst_arena_array(&tmp, s->r->pool.n, sizeof *front);
    mst_status st = front != NULL ? judge_front(s, drawn, front)
                                  : mst_fail(s->err, MST_ENOMEM, "out of memory for %zu networks", s->r->pool.n);
    mst_arena_release(&tmp);
    return st;
}
