/* See mst/search.h: one group at a time, at a price. Knows nothing of networks. */
#include <math.h>
#include <string.h>

#include "mst/search.h"
#include "runtime/core/options.h"

#define SLACK 4.0      /* what a value costs in company may be so much less than what it costs alone, */
#define SURE_SLACK 1.1 /* or than when it was measured last */
#define TRIES 2        /* values of a group in one sweep */

typedef struct walker {
    mst_search_group *groups;
    size_t n;
    const mst_search_descent *d;
    size_t *value;
    mst_search_point *now, few; /* of value; of it, on a few samples */
    bool *tried;                /* [values of the largest group] in this visit */
    mst_err *err;
} walker;

/* Loss less the worth of what is saved: the least is the best. */
static double worth(const walker *w, const mst_search_point *p) { return p->loss - w->d->price * p->saved; }

/* Is v worth a run? Towards more savings unless it loses far more than they are worth, back unless that gains far
 * less than it costs. */
static bool hopeful(const walker *w, const mst_search_group *g, size_t at, size_t v)
{
    double lost = g->points[v].loss - g->points[at].loss, saved = g->points[v].saved - g->points[at].saved;
    double slack = g->sure[v] ? SURE_SLACK : SLACK;
    return saved > 0 ? lost <= slack * w->d->price * saved : -lost * slack > w->d->price * -saved;
}

/* The best by what is known; SIZE_MAX: none that is worth a run. */
static size_t next_value(const walker *w, size_t k)
{
    const mst_search_group *g = &w->groups[k];
    size_t best = SIZE_MAX;
    for (size_t v = 0; v < g->n_values; v++)
        if (!w->tried[v] && hopeful(w, g, w->value[k], v) &&
            (best == SIZE_MAX || worth(w, &g->points[v]) < worth(w, &g->points[best])))
            best = v;
    return best;
}

static void forget_block(const walker *w, size_t k)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->groups[i].block == w->groups[k].block)
            memset(w->groups[i].sure, 0, w->groups[i].n_values * sizeof *w->groups[i].sure);
}

static mst_status measure(const walker *w, size_t k, size_t v, bool quick, mst_search_point *out)
{
    size_t at = w->value[k];
    w->value[k] = v;
    mst_status st = w->d->measure(w->d->ctx, w->value, quick, out, w->err);
    w->value[k] = at;
    return st;
}

/* What is known of value v of group k, by what it changes. */
static void learn(const walker *w, size_t k, size_t v, const mst_search_point *from, const mst_search_point *to)
{
    mst_search_group *g = &w->groups[k];
    const mst_search_point *at = &g->points[w->value[k]];
    g->points[v] = (mst_search_point){at->loss + to->loss - from->loss, at->saved + to->saved - from->saved};
    g->sure[v] = true;
}

/* Take v of group k if it is better on a few samples and on all. */
static mst_status try_value(walker *w, size_t k, size_t v, bool *moved)
{
    mst_search_point few, all;
    MST_TRY(measure(w, k, v, true, &few));
    learn(w, k, v, &w->few, &few);
    if (worth(w, &few) >= worth(w, &w->few))
        return MST_OK;
    MST_TRY(measure(w, k, v, false, &all));
    learn(w, k, v, w->now, &all);
    if (worth(w, &all) >= worth(w, w->now))
        return MST_OK;
    forget_block(w, k);
    w->value[k] = v;
    w->few = few;
    *w->now = all;
    *moved = true;
    return MST_OK;
}

static mst_status visit(walker *w, size_t k, bool *moved)
{
    memset(w->tried, 0, w->groups[k].n_values * sizeof *w->tried);
    w->tried[w->value[k]] = true;
    for (unsigned i = 0; i < TRIES; i++) {
        size_t v = next_value(w, k);
        if (v == SIZE_MAX)
            return MST_OK;
        w->tried[v] = true;
        MST_TRY(try_value(w, k, v, moved));
    }
    return MST_OK;
}

mst_status mst_search_descend(mst_search_group *groups, size_t n, const mst_search_descent *d, size_t *value,
                              mst_search_point *now, mst_err *err)
{
    mst_search_descent o = {0};
    mst_arena tmp = {0};
    MST_TRY(MST_TAKE_OPTS(mst_search_descent, &o, d, ctx, ctx, err));
    if (!(o.price > 0 && isfinite(o.price)) || o.sweeps == 0)
        return mst_fail(err, MST_EINVAL, "search: expected a price above 0 and sweeps, found %g and %u", o.price,
                        o.sweeps);
    size_t most = 1;
    for (size_t k = 0; k < n; k++)
        most = groups[k].n_values > most ? groups[k].n_values : most;
    walker w = {.groups = groups,
                .n = n,
                .d = &o,
                .value = value,
                .now = now,
                .tried = mst_arena_array(&tmp, most, sizeof *w.tried),
                .err = err};
    mst_status st = w.tried != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for %zu values", most);
    if (st == MST_OK && n != 0)
        st = o.measure(o.ctx, value, true, &w.few, err);
    bool moved = true;
    for (unsigned i = 0; st == MST_OK && moved && i < o.sweeps; i++) {
        moved = false;
        for (size_t k = 0; st == MST_OK && k < n; k++)
            st = visit(&w, k, &moved);
    }
    mst_arena_release(&tmp);
    return st;
}
