/* The error of one layer on one sample, split into its parts. Pure arithmetic:
 * knows nothing of sessions or samples.
 */
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "calibrate/calib.h"

static double staircase(double m, double theta, double steps, double shift)
{
    double q = floor(m * steps / theta + shift);
    q = q < 0 ? 0 : q > steps ? steps : q;
    return theta * (q / steps);
}

calib_error mst_calib_split(double theta, double levels, double shift, double steps, double spikes, double a,
                            double stored, double v_end)
{
    calib_error r = {0};
    double phi = theta * spikes / steps;
    r.e = phi - a;
    r.residual = (v_end - shift * theta) / steps;
    double m = phi + r.residual;
    double even = staircase(m, theta, steps, shift), quantized = staircase(m, theta, levels, shift);
    r.part[m < 0 || m > theta ? MST_PART_CLIPPING : MST_PART_UNEVENNESS] = phi - even;
    r.part[MST_PART_QUANTIZATION] = even - quantized;
    r.part[MST_PART_INHERITED] = quantized - stored;
    r.part[MST_PART_WEIGHTS] = stored - a;
    return r;
}

static double mean_abs(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fabs(x[i]);
    return gsl_stats_mean(x, 1, n);
}

void mst_calib_reduce(const calib_pair *p, double steps, const calib_values *in, double *scratch,
                      calib_sample *out)
{
    size_t n = p->neurons, within = 0;
    double *e = scratch, *r = scratch + n, *ann = scratch + 2 * n, *part = scratch + 3 * n;
    for (size_t i = 0; i < n; i++) {
        double theta = (double)p->theta[i / p->inner % p->channels];
        calib_error x = mst_calib_split(theta, p->levels, p->shift, steps, in->count[i], (double)in->a[i],
                                        (double)in->stored[i], (double)in->v[i]);
        e[i] = x.e;
        r[i] = x.residual;
        ann[i] = (double)in->a[i];
        within += fabs(x.e) <= theta / (2 * p->levels);
        for (int k = 0; k < MST_PART_COUNT; k++)
            part[(size_t)k * n + i] = x.part[k];
    }
    out->within = (double)within / (double)n;
    out->bias = gsl_stats_mean(e, 1, n);
    out->error_sq = gsl_stats_tss_m(e, 1, n, 0.0);
    out->ann_sq = gsl_stats_tss_m(ann, 1, n, 0.0);
    out->residual = mean_abs(r, n);
    for (int k = 0; k < MST_PART_COUNT; k++) {
        out->part_mean[k] = gsl_stats_mean(part + (size_t)k * n, 1, n);
        out->part_abs[k] = mean_abs(part + (size_t)k * n, n);
    }
    out->mae = mean_abs(e, n);
    out->max = gsl_stats_max(e, 1, n);
}
