/* The error of one layer on one sample, split into its parts. Pure arithmetic:
 * knows nothing of sessions or samples.
 */
#include <math.h>

#include "calibrate/calib.h"

static inline double staircase(double m, double theta, double n, double shift)
{
    double q = m * n / theta + shift;
    q = q > 0 ? q < n ? (double)(int64_t)q : n : 0; /* floor, between 0 and n */
    return theta * (q / n);
}

/* first: v(0)/theta */
static inline calib_error split(double theta, double levels, double shift, double first, double steps, double spikes,
                                double a, double stored, double v_end)
{
    calib_error r = {0};
    double phi = theta * spikes / steps;
    r.e = phi - a;
    r.residual = (v_end - first * theta) / steps;
    double m = phi + r.residual;
    double even = staircase(m, theta, steps, first), quantized = staircase(m, theta, levels, shift);
    bool clipped = m < 0 || m > theta;
    r.part[MST_PART_CLIPPING] = clipped ? phi - even : 0;
    r.part[MST_PART_UNEVENNESS] = clipped ? 0 : phi - even;
    r.part[MST_PART_QUANTIZATION] = even - quantized;
    r.part[MST_PART_INHERITED] = quantized - stored;
    r.part[MST_PART_WEIGHTS] = stored - a;
    return r;
}

calib_error mst_calib_split(double theta, double levels, double shift, double steps, double spikes, double a,
                            double stored, double v_end)
{
    return split(theta, levels, shift, shift, steps, spikes, a, stored, v_end);
}

calib_error mst_calib_split_count(float theta, float levels, float shift, bool even, const calib_counted *x)
{
    calib_error r = {0};
    double asked = (double)calib_stair(x->current, theta, levels, shift, even);
    double fired = (double)x->fired, left = (double)x->left, a = (double)x->a, kept = (double)x->kept;
    bool clipped = x->current < 0 || x->current > theta;
    r.e = left - kept;
    r.residual = (double)x->current - fired;
    r.part[clipped ? MST_PART_CLIPPING : MST_PART_QUANTIZATION] = fired - asked;
    r.part[MST_PART_MASKS] = (left - fired) - (kept - a);
    r.part[MST_PART_INHERITED] = asked - (double)x->stored;
    r.part[MST_PART_WEIGHTS] = (double)x->stored - a;
    return r;
}

/* Add one neuron's error to the sums of its layer. */
static inline void add_error(const calib_error *x, double a, double half_level, calib_sample *out)
{
    double e = fabs(x->e);
    out->mae += e;
    out->bias += x->e;
    out->error_sq += x->e * x->e;
    out->ann_sq += a * a;
    out->residual += fabs(x->residual);
    out->within += e <= half_level;
    out->max = e > out->max ? e : out->max;
    for (int k = 0; k < MST_PART_COUNT; k++) {
        out->part_mean[k] += x->part[k];
        out->part_abs[k] += fabs(x->part[k]);
    }
}

/* Neurons from..to-1, which have one threshold. */
static void add_errors(const calib_pair *p, double theta, double steps, const calib_values *in, size_t from, size_t to,
                       calib_sample *out)
{
    calib_sample sum = *out;
    for (size_t i = from; i < to; i++) {
        double a = (double)in->a[i], first = p->first != NULL ? (double)p->first[i] / theta : p->shift;
        calib_error x = split(theta, p->levels, p->shift, first, steps, in->count[i], a, (double)in->stored[i],
                              (double)in->v[i]);
        add_error(&x, a, theta / (2 * p->levels), &sum);
    }
    *out = sum;
}

/* Sums to means. */
static void divide(calib_sample *s, double n)
{
    s->mae /= n;
    s->bias /= n;
    s->residual /= n;
    s->within /= n;
    for (int k = 0; k < MST_PART_COUNT; k++) {
        s->part_mean[k] /= n;
        s->part_abs[k] /= n;
    }
}

void mst_calib_reduce(const calib_pair *p, double steps, const calib_values *in, calib_sample *out)
{
    size_t same = p->channels != 1 ? p->inner : p->neurons;
    *out = (calib_sample){.max = 0};
    for (size_t i = 0, c = 0; i < p->neurons; i += same, c = c + 1 < p->channels ? c + 1 : 0)
        add_errors(p, (double)p->theta[c], steps, in, i, i + same, out);
    divide(out, (double)p->neurons);
}

void mst_calib_reduce_counts(const calib_pair *p, const calib_counts *in, calib_sample *out)
{
    calib_sample sum = {0};
    for (size_t i = 0; i < p->neurons; i++) {
        float theta = p->theta[i / p->inner % p->channels], current = in->input[i];
        if (p->gain != NULL)
            current = p->gain[i / p->inner % p->gains] * current + p->bias[i / p->inner % p->biases];
        calib_counted x = {current, in->fired[i], in->left[i], in->a[i], in->stored[i], in->kept[i]};
        calib_error e = mst_calib_split_count(theta, (float)p->levels, (float)p->shift, p->even, &x);
        add_error(&e, (double)x.kept, (double)theta / (2 * p->levels), &sum);
    }
    *out = sum;
    divide(out, (double)p->neurons);
}

void mst_calib_mean_frame(const float *x, size_t size, size_t n, float *out)
{
    size_t frames = size / n;
    for (size_t i = 0; i < n; i++) {
        out[i] = x[i];
        for (size_t f = 1; f < frames; f++)
            out[i] += x[f * n + i];
        out[i] = frames > 1 ? out[i] / (float)frames : out[i];
    }
}
