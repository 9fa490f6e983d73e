/* See calib_search.h. Divergence ranks, as it is less noisy than top-1: it is what a price is paid in. Small losses of
 * top-1 are in proportion to it, so that all networks that were measured say together what a nat costs, and with that
 * how far the prices must go. What is taken then is decided on other samples, by top-1 alone. */
#include "tools/calib_search.h"

#include <math.h>
#include <string.h>

#include "tools/calib_search_state.h"

#define QUICK 8                /* one in so many samples, */
#define QUICK_SAMPLES 250      /* or so many, measure what each value costs alone, and what is worth a look */
#define REFERENCES 4           /* draws of masks that what the network said before is the mean of */
#define SWEEPS 3               /* over the groups, at each price */
#define PRICES 24              /* at most */
#define RISE 1.6               /* of the price, each time */
#define FIRST_SAVED_PRICE .005 /* nats for all of the cost: where a search for savings begins */
#define BEYOND 1.5             /* budgets at which prices end */
#define RUINED 0.25            /* networks that lose this share of all top-1 say nothing of small losses */
#define PRIOR_NATS 0.05        /* weight of what is believed beforehand: */
#define PRIOR_PER_NAT 0.45     /* share of top-1 that a nat costs */

static const char *const rivals[MST_RIVALS] = {[MST_RIVAL_AS_IS] = "as_is",
                                               [MST_RIVAL_UNMASKED] = "unmasked",
                                               [MST_RIVAL_PAPER] = "paper",
                                               [MST_RIVAL_UNIFORM] = "uniform",
                                               [MST_RIVAL_SEARCHED] = "searched"};

const char *mst_search_rival_name(mst_search_rival r) { return r < MST_RIVALS ? rivals[r] : NULL; }

/* ---- the network as it is to be tried ---- */

static void set_as_is(const mst_search_work *s)
{
    for (size_t k = 0; k < s->r->n_groups; k++)
        mst_search_set(s->job->graph, &s->job->opts, &s->r->groups[k], 0);
}

/* Learn from a network what a nat costs. */
static void learn(mst_search_work *s, const mst_trial *t)
{
    mst_search_result *r = s->r;
    if (t->loss < RUINED * r->pool.states[0]->fit.top1) {
        s->lost += t->loss;
        s->nats += t->kl;
    }
    r->per_nat = fmax((s->lost + PRIOR_NATS * PRIOR_PER_NAT) / fmax(s->nats + PRIOR_NATS, PRIOR_NATS), 0);
}

/* All samples to fit; each network once. */
static mst_status try_values(mst_search_work *s, const size_t *value, const mst_search_state **out)
{
    mst_trial t;
    *out = mst_search_pool_find(&s->r->pool, value);
    if (*out != NULL)
        return MST_OK;
    mst_search_set_all(s, value);
    MST_TRY(mst_trial_run(&s->set, s->set.n, &t, s->err));
    s->r->runs++;
    MST_TRY(mst_search_pool_add(&s->r->pool, value, &t, mst_search_cost(s->job, &t), out, s->err));
    learn(s, &t);
    return MST_OK;
}

static mst_search_point point_of(const mst_search_pool *p, const mst_search_state *x)
{
    return (mst_search_point){x->fit.kl, p->states[0]->cost - x->cost};
}

/* ---- alone ---- */

static size_t count_values(const mst_search_result *r)
{
    size_t n = 0;
    for (size_t k = 0; k < r->n_groups; k++)
        n += r->groups[k].n_values;
    return n;
}

/* On the first of them; what is saved is of these, so against the network as it is on these. */
static mst_status try_quick(mst_search_work *s, const size_t *value, const mst_search_state **out)
{
    mst_trial t;
    *out = mst_search_pool_find(&s->quick, value);
    if (*out != NULL)
        return MST_OK;
    mst_search_set_all(s, value);
    MST_TRY(mst_trial_run(&s->set, s->r->quick, &t, s->err));
    s->r->runs++;
    return mst_search_pool_add(&s->quick, value, &t, mst_search_cost(s->job, &t), out, s->err);
}

static mst_status measure_alone(mst_search_work *s)
{
    mst_search_result *r = s->r;
    const mst_search_state *x;
    size_t few = s->set.n < QUICK_SAMPLES ? s->set.n : QUICK_SAMPLES;
    r->quick = s->set.n / QUICK > few ? s->set.n / QUICK : few;
    mst_progress_begin(&s->progress, "sensitivity", (count_values(r) - r->n_groups + 1) * r->quick, s->job->quiet);
    s->set.done = 0;
    MST_TRY(try_quick(s, s->at, &x));
    for (size_t k = 0; k < r->n_groups; k++) {
        mst_search_group *g = &r->groups[k];
        for (size_t v = 1; v < g->n_values; v++) {
            s->at[k] = v;
            MST_TRY(try_quick(s, s->at, &x));
            g->points[v] = point_of(&s->quick, x);
            r->top1_loss[k][v] = x->fit.loss;
        }
        s->at[k] = 0;
        memcpy(r->alone[k], g->points, g->n_values * sizeof *g->points);
    }
    mst_progress_end(&s->progress);
    return MST_OK;
}

/* ---- one value for all ---- */

static bool has_attention(const mst_search_result *r)
{
    for (size_t k = 0; k < r->n_groups; k++)
        if (mst_search_is_attention(&r->groups[k]))
            return true;
    return false;
}

/* Does a uniform rule speak of it? Of ratios where the network has attention, of that alone. */
static bool in_uniform(const mst_search_work *s, const mst_search_group *g)
{
    return s->job->opts.what == MST_SEARCH_LEVELS || !has_attention(s->r) || mst_search_is_attention(g);
}

/* One value for all of these, where it saves; others stay. */
static void uniform_values(const mst_search_work *s, double value, size_t *out)
{
    for (size_t k = 0; k < s->r->n_groups; k++) {
        const mst_search_group *g = &s->r->groups[k];
        out[k] = 0;
        for (size_t v = 1; in_uniform(s, g) && v < g->n_values; v++)
            if ((float)g->values[v] == (float)value)
                out[k] = v;
    }
}

/* What saves the least first. */
static void order_rungs(const mst_search_work *s)
{
    const mst_search_opts *o = &s->job->opts;
    double sign = o->what == MST_SEARCH_RATIOS ? 1 : -1;
    for (size_t i = 0; i < o->n_ladder; i++) {
        size_t j = i;
        for (; j > 0 && sign * o->ladder[s->rungs[j - 1]] > sign * o->ladder[i]; j--)
            s->rungs[j] = s->rungs[j - 1];
        s->rungs[j] = i;
    }
}

static mst_status try_uniform(mst_search_work *s)
{
    const mst_search_opts *o = &s->job->opts;
    mst_progress_begin(&s->progress, "uniform", o->n_ladder * s->set.n, s->job->quiet);
    s->set.done = 0;
    order_rungs(s);
    for (size_t i = 0; i < o->n_ladder; i++) {
        uniform_values(s, o->ladder[s->rungs[i]], s->at);
        MST_TRY(try_values(s, s->at, &s->uniform[i]));
    }
    mst_progress_end(&s->progress);
    return MST_OK;
}

/* ---- at prices ---- */

static mst_status measure(void *ctx, const size_t *value, bool quick, mst_search_point *out, mst_err *err)
{
    (void)err;
    mst_search_work *s = ctx;
    const mst_search_state *x;
    MST_TRY(quick ? try_quick(s, value, &x) : try_values(s, value, &x));
    *out = point_of(quick ? &s->quick : &s->r->pool, x);
    return MST_OK;
}

/* From s->at; price: nats for all of the cost. */
static mst_status descend(mst_search_work *s, double price, const mst_search_state **end)
{
    mst_search_result *r = s->r;
    const mst_search_descent d = {.size = sizeof d,
                                  .price = price / r->pool.states[0]->cost,
                                  .sweeps = SWEEPS,
                                  .measure = measure,
                                  .ctx = s};
    mst_search_point now;
    MST_TRY(try_values(s, s->at, end));
    now = point_of(&r->pool, *end);
    MST_TRY(mst_search_descend(r->groups, r->n_groups, &d, s->at, &now, s->err));
    return try_values(s, s->at, end);
}

static bool is_enough(const mst_search_work *s, const mst_search_state *x)
{
    return s->job->save > 0 ? x->cost <= (1 - s->job->save) * s->r->pool.states[0]->cost
                            : !mst_search_hopes(s, &x->fit, BEYOND);
}

/* From the network as it is, at rising prices, until there is enough. */
static mst_status climb_prices(mst_search_work *s)
{
    const mst_search_state *x = s->r->pool.states[0];
    double price = s->job->save > 0 ? FIRST_SAVED_PRICE : s->job->budget / fmax(s->r->per_nat, PRIOR_NATS);
    memset(s->at, 0, s->r->n_groups * sizeof *s->at);
    for (unsigned i = 0; i < PRICES && price > 0 && !is_enough(s, x); i++, price *= RISE) {
        char what[32];
        snprintf(what, sizeof what, "price %u", i + 1);
        mst_progress_begin(&s->progress, what, s->r->n_groups * s->set.n, s->job->quiet);
        s->set.done = 0;
        MST_TRY(descend(s, price, &x));
        mst_progress_end(&s->progress);
    }
    return MST_OK;
}

/* What was learned on the way to another network says little of this one: what values cost alone does. */
static void forget(const mst_search_result *r)
{
    for (size_t k = 0; k < r->n_groups; k++) {
        const mst_search_group *g = &r->groups[k];
        memcpy(g->points, r->alone[k], g->n_values * sizeof *g->points);
        memset(g->sure, 0, g->n_values * sizeof *g->sure);
    }
}

/* From each one value for all that may be within the budget, at what the step to it cost: divergences do not add up,
 * and what many small changes make of a network may be less than their sum. A step that costs next to nothing is
 * taken at the least of prices. */
static mst_status leave_uniform(mst_search_work *s)
{
    const mst_search_state *last = s->r->pool.states[0], *end;
    for (size_t i = 0; i < s->job->opts.n_ladder; i++) {
        const mst_search_state *x = s->uniform[i];
        double saved = (last->cost - x->cost) / s->r->pool.states[0]->cost, lost = x->fit.kl - last->fit.kl;
        if (!(saved > 0))
            continue;
        last = x;
        if (!mst_search_hopes(s, &x->fit, BEYOND))
            continue;
        forget(s->r);
        mst_progress_begin(&s->progress, "beside uniform", s->r->n_groups * s->set.n, s->job->quiet);
        s->set.done = 0;
        memcpy(s->at, x->value, s->r->n_groups * sizeof *s->at);
        MST_TRY(descend(s, fmax(lost / saved, FIRST_SAVED_PRICE), &end));
        mst_progress_end(&s->progress);
    }
    return MST_OK;
}

/* ---- all of it ---- */

static mst_status make_tables(mst_search_work *s)
{
    mst_search_result *r = s->r;
    r->alone = mst_arena_array(&r->arena, r->n_groups, sizeof *r->alone);
    r->top1_loss = mst_arena_array(&r->arena, r->n_groups, sizeof *r->top1_loss);
    for (size_t k = 0; r->alone != NULL && r->top1_loss != NULL && k < r->n_groups; k++) {
        r->alone[k] = mst_arena_array(&r->arena, r->groups[k].n_values, sizeof **r->alone);
        r->top1_loss[k] = mst_arena_array(&r->arena, r->groups[k].n_values, sizeof **r->top1_loss);
        if (r->alone[k] == NULL || r->top1_loss[k] == NULL)
            return MST_ENOMEM;
    }
    return r->alone != NULL && r->top1_loss != NULL ? MST_OK : MST_ENOMEM;
}

static mst_status make_room(mst_search_work *s)
{
    mst_search_result *r = s->r;
    mst_status st = mst_search_groups(s->job->graph, &s->job->opts, &r->arena, &r->groups, &r->n_groups, s->err);
    if (st == MST_ELIMIT && s->job->outside) {
        const mst_err many = *s->err;
        return mst_fail(s->err, MST_ELIMIT, "%s: expected --search-sites paper, which leaves other neurons as they are",
                        many.text);
    }
    MST_TRY(st);
    size_t values = count_values(r), rungs = s->job->opts.n_ladder;
    if (values == r->n_groups)
        return mst_fail(s->err, MST_EINVAL, "nothing to search: no value of the ladder saves more than what %s now",
                        r->n_groups != 0 ? "the network has" : "is there");
    r->pool.n_groups = s->quick.n_groups = r->n_groups;
    s->at = mst_arena_array(&r->arena, r->n_groups, sizeof *s->at);
    s->rungs = mst_arena_array(&r->arena, rungs, sizeof *s->rungs);
    s->uniform = mst_arena_array(&r->arena, rungs, sizeof *s->uniform);
    if (s->at == NULL || s->rungs == NULL || s->uniform == NULL || make_tables(s) != MST_OK)
        return mst_fail(s->err, MST_ENOMEM, "out of memory for %zu values", values);
    return MST_OK;
}

/* The network as it is: the first of the pool. */
static mst_status begin(mst_search_work *s)
{
    const mst_search_state *first;
    mst_trial t;
    mst_progress_begin(&s->progress, "as it is", (REFERENCES + 1) * s->set.n, s->job->quiet);
    MST_TRY(mst_trials_begin(&s->set, &t, s->err));
    mst_progress_end(&s->progress);
    return mst_search_pool_add(&s->r->pool, s->at, &t, mst_search_cost(s->job, &t), &first, s->err);
}

static mst_status run_all(mst_search_work *s, const mst_drawn *drawn)
{
    MST_TRY(make_room(s));
    MST_TRY(begin(s));
    MST_TRY(measure_alone(s));
    MST_TRY(try_uniform(s));
    MST_TRY(climb_prices(s));
    MST_TRY(leave_uniform(s));
    set_as_is(s);
    return mst_search_judge(s, drawn);
}

mst_status mst_search_run(const mst_search_job *job, mst_search_result *out, mst_err *err)
{
    mst_drawn drawn = {0};
    *out = (mst_search_result){.uniform = NAN};
    mst_search_work s = {.job = job, .r = out, .err = err};
    mst_status st = mst_draw_samples(&job->draw, &drawn, err);
    out->fit = drawn.n_fit;
    out->held = drawn.n_held;
    s.set = (mst_trial_set){.graph = job->graph,
                            .run = job->run,
                            .steps = job->steps,
                            .data = job->data,
                            .at = drawn.fit,
                            .n = drawn.n_fit,
                            .draws = 1,
                            .references = REFERENCES,
                            .threads = job->threads,
                            .energy = job->energy,
                            .progress = &s.progress};
    if (st == MST_OK)
        st = run_all(&s, &drawn);
    set_as_is(&s);
    mst_trials_free(&s.set);
    mst_arena_release(&s.quick.arena);
    mst_drawn_free(&drawn);
    return st;
}

void mst_search_result_free(mst_search_result *r)
{
    mst_trials_free(&r->judged);
    mst_arena_release(&r->pool.arena);
    mst_arena_release(&r->arena);
}

void mst_search_take(const mst_search_job *job, const mst_search_result *r)
{
    for (size_t k = 0; k < r->n_groups; k++)
        mst_search_set(job->graph, &job->opts, &r->groups[k], r->found->value[k]);
}
