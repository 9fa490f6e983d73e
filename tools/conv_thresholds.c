/* Sites and neurons are the converter's work, activations and thresholds the calibrate library's. */
#include "tools/conv_thresholds.h"

#include <math.h>
#include <string.h>

#include "mst/data.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

#define DEFAULT_SAMPLES 128

static bool is_method(const mst_threshold_opts *o, const char *name)
{
    return strcmp(o->method != NULL ? o->method : "mse", name) == 0;
}

/* "p99.9" -> .999 */
static bool percentile(const char *text, double *share)
{
    if (text == NULL || text[0] != 'p' || !mst_parse_real(text + 1, share) || *share <= 0 || *share > 100)
        return false;
    *share /= 100;
    return true;
}

bool mst_thresholds_asked(const mst_threshold_opts *o) { return o->data != NULL || is_method(o, "bound"); }

mst_status mst_thresholds_check(const mst_threshold_opts *o, mst_err *err)
{
    double share;
    bool known = is_method(o, "mse") || is_method(o, "max") || is_method(o, "bound") || percentile(o->method, &share);
    if (!known)
        return mst_fail(err, MST_EINVAL, "--theta-method: expected mse, max, bound or a percentile as p99.9, found "
                                         "'%s'",
                        o->method);
    if (o->grain != NULL && strcmp(o->grain, "channel") != 0 && strcmp(o->grain, "layer") != 0)
        return mst_fail(err, MST_EINVAL, "--theta: expected channel or layer, found '%s'", o->grain);
    if (o->data != NULL && is_method(o, "bound"))
        return mst_fail(err, MST_EINVAL, "--theta-method bound: takes no --calibrate DATA");
    if (!mst_thresholds_asked(o) && (o->grain != NULL || o->method != NULL || o->limit.set || o->threads.set))
        return mst_fail(err, MST_EINVAL, "--theta, --theta-method, -n and --threads: expected with --calibrate DATA");
    return MST_OK;
}

typedef struct fit_run {
    const mst_data *data;
    mst_spread spread;
    mst_theta_worker **workers;
    mst_progress progress;
} fit_run;

static mst_status get(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    return mst_data_get(((const fit_run *)ctx)->data, i, x, label, err);
}

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    const fit_run *r = ctx;
    return mst_theta_measure(r->workers[worker], mst_spread_at(&r->spread, false, i), err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    fit_run *r = ctx;
    mst_progress_at(&r->progress, i + 1);
    return mst_theta_commit(r->workers[worker], err);
}

static mst_status run(fit_run *r, mst_theta_fit *fit, const mst_threshold_opts *o, bool quiet, mst_err *err)
{
    unsigned threads = mst_thread_count(r->spread.measured, &o->threads);
    r->workers = mst_alloc_array(NULL, threads, sizeof *r->workers);
    mst_status st = r->workers != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for %u threads", threads);
    for (unsigned i = 0; i < threads && st == MST_OK; i++)
        st = mst_theta_worker_create(fit, &r->workers[i], err);
    mst_parallel work = {.n = r->spread.measured, .threads = threads, .ctx = r, .work = measure, .commit = commit};
    if (st == MST_OK) {
        mst_progress_begin(&r->progress, "measuring", r->spread.measured, quiet);
        st = mst_parallel_run(&work, err);
        mst_progress_end(&r->progress);
    }
    for (unsigned i = 0; r->workers != NULL && i < threads; i++)
        mst_theta_worker_destroy(r->workers[i]);
    mst_free_array(NULL, r->workers, threads, sizeof *r->workers);
    return st;
}

static mst_status open_data(const mst_threshold_opts *o, const mst_graph *g, fit_run *r, mst_data **data, mst_err *err)
{
    MST_TRY(mst_data_open_for(o->data, g, data, err));
    r->data = *data;
    r->spread = mst_spread_of(mst_data_count(*data), o->limit.set ? (size_t)o->limit.value : DEFAULT_SAMPLES);
    if (r->spread.count == 0)
        return mst_fail(err, MST_EINVAL, "%s: holds no samples", o->data);
    return MST_OK;
}

/* Run the ANN, if anything is to be measured, and solve. */
static mst_status fit_sites(const mst_threshold_opts *o, const mst_graph *g, bool quiet, const mst_theta_site *sites,
                            mst_thresholds *out, mst_theta_fit **fit, mst_program **ann, mst_err *err)
{
    mst_data *data = NULL;
    fit_run r = {0};
    mst_run_opts ropts = {.mode = MST_RUN_FLOAT, .frames = mst_graph_frames(g)};
    mst_status st = o->data != NULL ? open_data(o, g, &r, &data, err) : MST_OK;
    out->samples = r.spread.measured;
    mst_theta_opts topts = {.method = is_method(o, "max") ? MST_THETA_MAX : MST_THETA_MSE,
                            .levels = out->levels,
                            .by_channel = strcmp(out->grain, "channel") == 0,
                            .samples = r.spread.measured,
                            .get = get,
                            .ctx = &r};
    if (percentile(o->method, &topts.quantile))
        topts.method = MST_THETA_QUANTILE;
    if (st == MST_OK)
        st = mst_program_create(g, &ropts, ann, err);
    if (st == MST_OK)
        st = mst_theta_fit_create(*ann, sites, out->n, &topts, fit, err);
    if (st == MST_OK && o->data != NULL)
        st = run(&r, *fit, o, quiet, err);
    if (st == MST_OK)
        st = mst_theta_solve(*fit, err);
    mst_data_close(data);
    return st;
}

/* Of a channel: what was found, but no more than its own bound (bounds NULL: it has none). */
static float theta_of(const mst_theta_result *r, const float *bounds, bool fixed, size_t c)
{
    float found = r->theta[r->n == 1 ? 0 : c];
    return bounds == NULL ? found : fixed ? bounds[c]
                                          : fminf(found, bounds[c]);
}

/* Keep what the fit lends. */
static mst_status keep(mst_thresholds *out, const mst_theta_fit *fit, const mst_relu *relus,
                       mst_threshold *thresholds, mst_err *err)
{
    for (size_t k = 0; k < out->n; k++) {
        mst_theta_result *r = &out->rows[k].result;
        *r = *mst_theta_result_at(fit, k);
        const float *bounds = out->rows[k].fixed || strcmp(out->grain, "layer") != 0 ? relus[k].bounds : NULL;
        size_t n = bounds != NULL ? relus[k].channels : r->n;
        float *theta = mst_arena_array(&out->arena, n, sizeof *theta);
        if (theta == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %zu thresholds", n);
        for (size_t c = 0; c < n; c++)
            theta[c] = theta_of(r, bounds, out->rows[k].fixed, c);
        r->theta = theta;
        r->n = n;
        r->theta_min = r->theta_max = (double)theta[0];
        for (size_t c = 1; c < r->n; c++) {
            r->theta_min = fmin(r->theta_min, (double)theta[c]);
            r->theta_max = fmax(r->theta_max, (double)theta[c]);
        }
        thresholds[k] = (mst_threshold){.node = r->node, .levels = out->levels, .theta = r->theta, .n = r->n};
    }
    return MST_OK;
}

static mst_status list_sites(const mst_threshold_opts *o, const mst_relu *relus, mst_theta_site *sites,
                             mst_thresholds *out, mst_err *err)
{
    for (size_t k = 0; k < out->n; k++) {
        out->rows[k].name = mst_arena_strdup(&out->arena, relus[k].name);
        if (out->rows[k].name == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %zu ReLUs", out->n);
        out->rows[k].fixed = is_method(o, "bound");
        sites[k] = (mst_theta_site){.node = relus[k].node, .fixed = out->rows[k].fixed, .bound = relus[k].bound};
        if (out->rows[k].fixed && !isfinite(relus[k].bound))
            return mst_fail(err, MST_EUNSUPPORTED,
                            "node '%s': a ReLU without an upper bound; take its threshold from data: --calibrate DATA",
                            relus[k].name);
    }
    return MST_OK;
}

mst_status mst_thresholds_set(const mst_threshold_opts *o, int levels, const mst_import_opts *iopts, mst_graph *g,
                              bool quiet, mst_thresholds *out, mst_err *err)
{
    mst_relu *relus;
    mst_theta_fit *fit = NULL;
    mst_program *ann = NULL;
    *out = (mst_thresholds){.levels = levels,
                            .method = o->method != NULL ? o->method : "mse",
                            .grain = o->grain != NULL ? o->grain : "channel"};
    MST_TRY(mst_relus_find(g, &out->arena, &relus, &out->n, err));
    if (out->n == 0)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: the model has no ReLU (or Clip from 0) that could become a layer of neurons",
                        o->data != NULL ? "--calibrate" : "--theta-method bound");
    mst_theta_site *sites = mst_arena_array(&out->arena, out->n, sizeof *sites);
    mst_threshold *thresholds = mst_arena_array(&out->arena, out->n, sizeof *thresholds);
    out->rows = mst_arena_array(&out->arena, out->n, sizeof *out->rows);
    if (sites == NULL || thresholds == NULL || out->rows == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu ReLUs", out->n);
    mst_status st = list_sites(o, relus, sites, out, err);
    if (st == MST_OK)
        st = fit_sites(o, g, quiet, sites, out, &fit, &ann, err);
    if (st == MST_OK)
        st = keep(out, fit, relus, thresholds, err);
    mst_theta_fit_destroy(fit);
    mst_program_destroy(ann);
    return st == MST_OK ? mst_relus_convert(g, thresholds, out->n, iopts, err) : st;
}

void mst_thresholds_free(mst_thresholds *t) { mst_arena_release(&t->arena); }
