/* From counts of activations to thresholds; the rule is in mst/thresholds.h. */
#include <math.h>

#include "calibrate/theta_fit.h"

#define CANDIDATES 80
#define LOWEST 0.04 /* of the largest activation */
#define FLOOR 1e-3  /* of the layer's largest activation */

/* Sum of squares of what quantizing to a threshold changes; few floats are summed in double. */
static double error_of(const theta_points *p, float theta, int levels)
{
    float per = (float)levels / theta, unit = theta / (float)levels;
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        float n = p->at[i] * per + 0.5f;
        float d = p->at[i] - unit * (float)(int)(n < (float)levels ? n : (float)levels);
        sum += (double)(d * d) * p->count[i];
    }
    return sum;
}

static double least_error(const theta_points *p, int levels)
{
    double best = 0, least = INFINITY;
    for (int k = 0; k < CANDIDATES; k++) {
        double theta = (double)p->largest * (LOWEST + (1 - LOWEST) * k / (CANDIDATES - 1));
        double error = error_of(p, (float)theta, levels);
        if (error < least) {
            least = error;
            best = theta;
        }
    }
    return best;
}

/* of all activations, total of them, those that are not positive included */
static double quantile(const theta_points *p, double share, double total)
{
    double left = ceil(share * total) - (total - p->positive);
    for (size_t i = 0; i < p->n && left > 0; i++) {
        left -= p->count[i];
        if (left <= 0)
            return fmin((double)p->at[i] + (double)p->half_width, (double)p->largest);
    }
    return (double)p->largest; /* nothing, or the quantile is 0 */
}

static double choose(const mst_theta_fit *f, const theta_points *p, double total)
{
    switch (f->opts.method) {
    case MST_THETA_MSE:
        return least_error(p, f->opts.levels);
    case MST_THETA_QUANTILE:
        return quantile(p, f->opts.quantile, total);
    case MST_THETA_MAX:
        break;
    }
    return (double)p->largest;
}

/* What a threshold does to the activations counted, added up. */
typedef struct tally {
    double positive, saturated, silent, error, power;
} tally;

static void tell(tally *t, const theta_points *p, float theta, int levels)
{
    t->positive += p->positive;
    t->error += error_of(p, theta, levels);
    for (size_t i = 0; i < p->n; i++) {
        t->saturated += p->at[i] - p->half_width > theta ? p->count[i] : 0;
        t->silent += p->at[i] * (float)levels / theta + 0.5f < 1 ? p->count[i] : 0;
        t->power += (double)p->at[i] * (double)p->at[i] * p->count[i];
    }
}

static float bounded(const fit_site *s, double theta, double largest)
{
    theta = fmax(theta, FLOOR * largest); /* below the bound: so are activations */
    return (float)(theta > 0 ? theta : fmin(1, s->site.bound));
}

static void finish(const mst_theta_fit *f, fit_site *s, const tally *t)
{
    mst_theta_result *r = &s->result;
    double total = (double)f->samples * (double)s->elements;
    r->node = s->site.node;
    r->theta = s->theta;
    r->n = s->n_bins > 1 ? s->channels : 1;
    r->theta_min = r->theta_max = (double)s->theta[0];
    for (size_t c = 1; c < r->n; c++) {
        r->theta_min = fmin(r->theta_min, (double)s->theta[c]);
        r->theta_max = fmax(r->theta_max, (double)s->theta[c]);
    }
    r->positive = s->n_bins != 0 ? t->positive / total : NAN;
    r->saturated = t->positive > 0 ? t->saturated / t->positive : NAN;
    r->silent = t->positive > 0 ? t->silent / t->positive : NAN;
    r->error = t->power > 0 ? sqrt(t->error / t->power) : NAN;
}

static void solve_site(const mst_theta_fit *f, fit_site *s, theta_sum *sum, theta_points *layer, theta_points *own)
{
    double rows = (double)f->samples * (double)(s->elements / (s->n_bins != 0 ? s->n_bins : 1));
    tally t = {0};
    theta_sum_begin(sum);
    for (size_t c = 0; c < s->n_bins; c++)
        theta_sum_add(sum, &s->bins[c]);
    theta_points_of_sum(layer, sum);
    double shared = s->n_bins == 0 ? s->site.bound : choose(f, layer, rows * (double)s->n_bins);
    s->theta[0] = bounded(s, shared, (double)layer->largest);
    s->result.by_layer = 0;
    if (s->n_bins == 1)
        tell(&t, layer, s->theta[0], f->opts.levels);
    for (size_t c = 0; c < s->n_bins && s->n_bins > 1; c++) {
        theta_points_of_bins(own, &s->bins[c]);
        bool enough = own->positive >= THETA_ENOUGH;
        s->result.by_layer += !enough;
        s->theta[c] = bounded(s, enough ? choose(f, own, rows) : shared, (double)layer->largest);
        tell(&t, own, s->theta[c], f->opts.levels);
    }
    finish(f, s, &t);
}

mst_status mst_theta_solve(mst_theta_fit *f, mst_err *err)
{
    struct {
        theta_sum sum;
        theta_points layer, own;
    } *room = mst_alloc(NULL, sizeof *room);
    if (room == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for thresholds");
    bool measured = false;
    for (size_t k = 0; k < f->n; k++)
        measured |= f->sites[k].n_bins != 0;
    mst_status st = MST_OK;
    if (measured && f->samples == 0)
        st = mst_fail(err, MST_EINVAL, "thresholds: no sample was measured");
    for (size_t k = 0; k < f->n && st == MST_OK; k++)
        solve_site(f, &f->sites[k], &room->sum, &room->layer, &room->own);
    mst_free(NULL, room, sizeof *room);
    return st;
}

const mst_theta_result *mst_theta_result_at(const mst_theta_fit *f, size_t k)
{
    return k < f->n ? &f->sites[k].result : NULL;
}
