/* Counts the activations of an ANN at its sites. The thresholds that follow are theta_solve.c's. */
#include "calibrate/theta_fit.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "runtime/core/options.h"

#define MOST_BYTES ((size_t)1 << 32) /* of counts: half a million channels */

struct mst_theta_worker {
    mst_arena arena;
    mst_theta_fit *f;
    mst_session *session;
    float *x;
    float **seen; /* [sites][elements] */
    size_t n_seen;
    uint32_t bad; /* site with an activation that is not finite; MST_NONE */
};

static mst_status check_opts(const mst_theta_opts *o, const mst_program *ann, mst_err *err)
{
    if (o->levels < 1 || o->levels > MST_MAX_RUN_LEVELS)
        return mst_fail(err, MST_EINVAL, "thresholds: expected 1 to %d levels, found %d", MST_MAX_RUN_LEVELS,
                        o->levels);
    if (o->method == MST_THETA_QUANTILE && !(o->quantile > 0 && o->quantile <= 1))
        return mst_fail(err, MST_EINVAL, "thresholds: expected a quantile above 0 and up to 1, found %g", o->quantile);
    if (mst_program_mode(ann) != MST_RUN_FLOAT)
        return mst_fail(err, MST_EINVAL, "thresholds: expected the ANN in float mode");
    return MST_OK;
}

static mst_status add_site(mst_theta_fit *f, size_t k, const mst_theta_site *site, mst_err *err)
{
    const mst_graph *g = mst_program_graph(f->ann);
    fit_site *s = &f->sites[k];
    if (site->node >= g->n_nodes || f->site_of[site->node] != MST_NONE)
        return mst_fail(err, MST_EINVAL, "thresholds: node %u is not in the graph, or named twice", site->node);
    const mst_tensor *t = &g->tensors[g->nodes[site->node].out];
    if (t->rank == 0 || !(site->bound > 0) || (site->fixed != 0 && !isfinite(site->bound)))
        return mst_fail(err, MST_EINVAL, "thresholds: node '%s' is a scalar, or its bound %g is no threshold",
                        g->nodes[site->node].name, site->bound);
    *s = (fit_site){.site = *site, .name = g->nodes[site->node].name, .elements = mst_tensor_elements(t)};
    s->channels = t->dims[t->rank - 1];
    size_t rows = s->elements / s->channels, samples = f->opts.samples;
    bool few = samples != 0 && samples < THETA_ENOUGH && samples * rows < THETA_ENOUGH;
    s->n_bins = site->fixed != 0 ? 0 : f->opts.by_channel && !few ? s->channels
                                                                  : 1;
    s->bins = mst_arena_array(&f->arena, s->n_bins + 1, sizeof *s->bins);
    s->theta = mst_arena_array(&f->arena, s->channels, sizeof *s->theta);
    uint32_t *counts = mst_arena_array(&f->arena, s->n_bins * THETA_BINS + 1, sizeof *counts);
    if (s->bins == NULL || s->theta == NULL || counts == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for the activations of node '%s'", s->name);
    for (size_t i = 0; i < s->n_bins; i++)
        s->bins[i] = (theta_bins){.count = counts + i * THETA_BINS, .exponent = INT_MIN};
    f->site_of[site->node] = (uint32_t)k;
    return MST_OK;
}

static mst_status fill(mst_theta_fit *f, const mst_theta_site *sites, size_t n, mst_err *err)
{
    size_t nodes = mst_program_graph(f->ann)->n_nodes;
    f->n = n;
    f->input_size = mst_program_input_size(f->ann);
    f->sites = mst_arena_array(&f->arena, n, sizeof *f->sites);
    f->site_of = mst_arena_array(&f->arena, nodes, sizeof *f->site_of);
    if (f->sites == NULL || f->site_of == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu sites", n);
    memset(f->site_of, 0xff, nodes * sizeof *f->site_of);
    for (size_t k = 0; k < n; k++)
        MST_TRY(add_site(f, k, &sites[k], err));
    return MST_OK;
}

mst_status mst_theta_fit_create(const mst_program *ann, const mst_theta_site *sites, size_t n,
                                const mst_theta_opts *opts, mst_theta_fit **out, mst_err *err)
{
    mst_theta_opts own = {0};
    *out = NULL;
    MST_TRY(MST_TAKE_OPTS(mst_theta_opts, &own, opts, ctx, ctx, err));
    MST_TRY(check_opts(&own, ann, err));
    mst_theta_fit *f = mst_alloc(NULL, sizeof *f);
    if (f == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    f->ann = ann;
    f->opts = own;
    f->arena.limit = MOST_BYTES;
    mst_status st = fill(f, sites, n, err);
    if (st != MST_OK) {
        mst_theta_fit_destroy(f);
        return st;
    }
    *out = f;
    return MST_OK;
}

void mst_theta_fit_destroy(mst_theta_fit *f)
{
    if (f == NULL)
        return;
    mst_arena_release(&f->arena);
    mst_free(NULL, f, sizeof *f);
}

static void on_value(void *ctx, const mst_session *session, const mst_tap *t)
{
    (void)session;
    mst_theta_worker *w = ctx;
    uint32_t k = w->f->site_of[t->node];
    if (k == MST_NONE)
        return;
    w->n_seen++;
    mst_tap_values(t, 0, w->seen[k]);
    for (size_t i = 0; i < t->n && w->bad == MST_NONE; i++)
        if (!isfinite(w->seen[k][i]))
            w->bad = k;
}

mst_status mst_theta_worker_create(mst_theta_fit *f, mst_theta_worker **out, mst_err *err)
{
    *out = NULL;
    mst_theta_worker *w = mst_alloc(NULL, sizeof *w);
    if (w == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    w->f = f;
    w->x = mst_arena_array(&w->arena, f->input_size, sizeof *w->x);
    w->seen = mst_arena_array(&w->arena, f->n + 1, sizeof *w->seen);
    bool ok = w->x != NULL && w->seen != NULL;
    for (size_t k = 0; k < f->n && ok; k++)
        ok = (w->seen[k] = mst_arena_array(&w->arena, f->sites[k].elements, sizeof **w->seen)) != NULL;
    mst_status st = ok ? mst_session_create(f->ann, &w->session, err)
                       : mst_fail(err, MST_ENOMEM, "out of memory for the activations of a sample");
    if (st != MST_OK) {
        mst_theta_worker_destroy(w);
        return st;
    }
    mst_session_tap(w->session, on_value, w);
    *out = w;
    return MST_OK;
}

void mst_theta_worker_destroy(mst_theta_worker *w)
{
    if (w == NULL)
        return;
    mst_session_destroy(w->session);
    mst_arena_release(&w->arena);
    mst_free(NULL, w, sizeof *w);
}

mst_status mst_theta_measure(mst_theta_worker *w, size_t i, mst_err *err)
{
    int label;
    MST_TRY(w->f->opts.get(w->f->opts.ctx, i, w->x, &label, err));
    w->n_seen = 0;
    w->bad = MST_NONE;
    mst_session_begin(w->session, w->x, (uint32_t)i);
    mst_session_step(w->session);
    if (w->bad != MST_NONE)
        return mst_fail(err, MST_EINVAL, "sample %zu: the ANN's activations at node '%s' are not finite", i,
                        w->f->sites[w->bad].name);
    if (w->n_seen != w->f->n)
        return mst_fail(err, MST_EINVAL, "thresholds: expected the values of %zu nodes, saw %zu: the ANN is to run by "
                                         "the step schedule",
                        w->f->n, w->n_seen);
    return MST_OK;
}

mst_status mst_theta_commit(mst_theta_worker *w, mst_err *err)
{
    mst_theta_fit *f = w->f;
    for (size_t k = 0; k < f->n; k++) {
        const fit_site *s = &f->sites[k];
        if (s->n_bins != 0 && (f->samples + 1) > UINT32_MAX / (s->elements / s->n_bins))
            return mst_fail(err, MST_ELIMIT, "node '%s': 2^32 activations of a channel: take fewer samples",
                            s->name);
    }
    for (size_t k = 0; k < f->n; k++)
        if (f->sites[k].n_bins != 0)
            theta_bins_add(f->sites[k].bins, f->sites[k].n_bins, w->seen[k], f->sites[k].elements);
    f->samples++;
    return MST_OK;
}
