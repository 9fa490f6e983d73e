/* Sums over samples, and their figures. Knows nothing of networks. */
#include <math.h>
#include <string.h>

#include "calibrate/calib.h"

mst_status mst_calib_sums_create(size_t n_layers, size_t n_points, mst_calib_sums **out, mst_err *err)
{
    mst_calib_sums *s = mst_alloc(NULL, sizeof *s);
    *out = s;
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    s->n_layers = n_layers;
    s->n_at = n_points;
    s->points = mst_arena_array(&s->arena, n_points + 1, sizeof *s->points);
    s->totals = mst_arena_array(&s->arena, n_points * n_layers + 1, sizeof *s->totals);
    if (s->points != NULL && s->totals != NULL)
        return MST_OK;
    mst_calib_sums_destroy(s);
    *out = NULL;
    return mst_fail(err, MST_ENOMEM, "out of memory for sums of %zu layers", n_layers);
}

void mst_calib_sums_destroy(mst_calib_sums *s)
{
    if (s == NULL)
        return;
    mst_arena_release(&s->arena);
    mst_free(NULL, s, sizeof *s);
}

void mst_calib_sums_clear(mst_calib_sums *s)
{
    memset(s->points, 0, s->n_at * sizeof *s->points);
    memset(s->totals, 0, s->n_at * s->n_layers * sizeof *s->totals);
    *s = (mst_calib_sums){
        .arena = s->arena, .n_layers = s->n_layers, .n_at = s->n_at, .points = s->points, .totals = s->totals};
}

size_t mst_calib_sums_samples(const mst_calib_sums *s) { return (size_t)s->samples; }
size_t mst_calib_sums_labelled(const mst_calib_sums *s) { return (size_t)s->labelled; }

static double share(double part, double whole) { return whole > 0 ? part / whole : NAN; }

static double root_share(const mst_exact *part, const mst_exact *whole)
{
    return sqrt(share(mst_exact_value(part), mst_exact_value(whole)));
}

/* Of a mean: sqrt((n S2 - S1^2) / (n (n-1)) / n), where the sums are exact and the difference is that of values twice
 * as long as doubles. */
static double standard_error(const mst_exact *sum, const mst_exact *squares, double n)
{
    double a = mst_exact_value(sum), a_rest = mst_exact_rest(sum);
    double q = mst_exact_value(squares), q_rest = mst_exact_rest(squares);
    double p = a * a, p_rest = fma(a, a, -p) + 2 * a * a_rest;
    double m = n * q, m_rest = fma(n, q, -m) + n * q_rest;
    double spread = (m - p) + (m_rest - p_rest);
    return n > 1 ? sqrt((spread > 0 ? spread : 0) / (n * n * (n - 1))) : NAN;
}

/* The most spikes that a neuron of a layer fires for a sample, up to point i. */
static double most_spikes(const mst_calib_report *r, uint32_t i, const mst_calib_layer *l)
{
    int digits = 0;
    if (l->run_levels == 0)
        return r->points[i].t;
    for (int left = l->run_levels; left > 0; left /= 2)
        digits++;
    return r->mode == MST_RUN_RADIX ? digits : l->run_levels;
}

static void fill_layer(const calib_total *t, double n, double most, mst_calib_layer *out)
{
    out->rate = (double)t->spikes / (n * (double)out->neurons * most);
    out->mae = mst_exact_value(&t->mae) / n;
    out->mae_se = standard_error(&t->mae, &t->mae_sq, n);
    out->rel_l2 = root_share(&t->error_sq, &t->ann_sq);
    out->max = n > 0 ? t->max : (double)NAN;
    out->bias = mst_exact_value(&t->bias) / n;
    out->within = mst_exact_value(&t->within) / n;
    out->residual = mst_exact_value(&t->residual) / n;
    out->fired = t->fired;
    out->spikes = t->spikes;
    out->ops = t->ops;
    for (int p = 0; p < MST_PART_COUNT; p++) {
        out->part_abs[p] = mst_exact_value(&t->part_abs[p]) / n;
        out->part_mean[p] = mst_exact_value(&t->part_mean[p]) / n;
    }
}

mst_status mst_calib_report_begin(mst_calib_report *out, size_t n_layers, size_t n_points, mst_err *err)
{
    *out = (mst_calib_report){.n_layers = n_layers, .n_points = (uint32_t)n_points};
    out->points = mst_arena_array(&out->arena, n_points + 1, sizeof *out->points);
    out->layers_at = mst_arena_array(&out->arena, n_points * n_layers + 1, sizeof *out->layers_at);
    if (n_points == 0)
        return mst_fail(err, MST_EINVAL, "calibration: expected at least one time step, found none");
    if (out->points == NULL || out->layers_at == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for the report");
    out->layers = out->layers_at + (n_points - 1) * n_layers;
    return MST_OK;
}

void mst_calib_sums_report(const mst_calib_sums *s, mst_calib_report *out)
{
    double n = (double)s->samples, labelled = (double)s->labelled;
    out->samples = (size_t)s->samples;
    out->labelled = (size_t)s->labelled;
    out->ann_top1 = share((double)s->ann_right, labelled);
    out->stored_top1 = out->stored ? share((double)s->stored_right, labelled) : NAN;
    out->stored_logit_rel_l2 = out->stored ? root_share(&s->stored_logit_sq, &s->ann_logit_sq) : NAN;
    for (unsigned k = 0; k < MST_CALIB_DRAWS; k++)
        out->drawn_top1[k] = out->drawn ? share((double)s->drawn_right[k], labelled) : NAN;
    for (uint32_t i = 0; i < out->n_points; i++) {
        mst_calib_point *p = &out->points[i];
        p->top1 = share((double)s->points[i].right, labelled);
        p->agreement = (double)s->points[i].agree / n;
        p->logit_rel_l2 = root_share(&s->points[i].logit_sq, &s->ann_logit_sq);
        p->counts = s->points[i].counts;
        for (size_t k = 0; k < out->n_layers; k++) {
            mst_calib_layer *l = &out->layers_at[i * out->n_layers + k];
            fill_layer(&s->totals[i * s->n_layers + k], n, most_spikes(out, i, l), l);
        }
    }
}

void mst_calib_report_free(mst_calib_report *r)
{
    mst_arena_release(&r->arena);
    *r = (mst_calib_report){0};
}
