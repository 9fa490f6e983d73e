/* What one layer does in a what-if run, and its own error by cause. Pure arithmetic: knows nothing of sessions.
 */
#include <math.h>

#include "calibrate/attrib.h"

static inline float along(const float *values, size_t n, size_t inner, size_t i)
{
    return values[n != 1 ? i / inner % n : 0];
}

void mst_attrib_current(const attrib_neuron *n, size_t neurons, const float *x, float *out)
{
    for (size_t i = 0; i < neurons; i++)
        out[i] = n->gain != NULL
                     ? along(n->gain, n->gains, n->inner, i) * x[i] + along(n->bias, n->biases, n->inner, i)
                     : x[i];
}

static inline float theta_of(const attrib_neuron *n, size_t i) { return along(n->theta, n->thetas, n->inner, i); }

/* The staircase with the constants and levels that the causes ask for. Steps know nothing of L: there the levels are
 * the ANN's until quantization makes them T. */
static inline float stair(const attrib_layer *l, bool counts, uint32_t on, size_t i, float current)
{
    const attrib_neuron *n = (on & ATTRIB_BIT(MST_CAUSE_NETWORK)) != 0 ? &l->snn : &l->ann;
    bool run = (on & ATTRIB_BIT(MST_CAUSE_QUANTIZATION)) != 0;
    return calib_stair(current, theta_of(n, i), run ? l->run_levels : counts ? n->levels
                                                                             : l->ann.levels,
                       run && l->first != NULL ? l->first[i] : n->shift, run ? l->run_even : n->even);
}

/* How the network itself has it: its own constants, its run's levels. */
#define AS_RUN (ATTRIB_BIT(MST_CAUSE_NETWORK) | ATTRIB_BIT(MST_CAUSE_QUANTIZATION))

void mst_attrib_settle(const attrib_layer *l, bool counts, const float *residual, const attrib_values *v)
{
    for (size_t i = 0; i < l->neurons; i++) {
        v->mean[i] = residual != NULL ? v->fired[i] + residual[i] : v->even[i];
        v->off[i] = (v->fired[i] - stair(l, counts, AS_RUN, i, v->mean[i])) / theta_of(&l->snn, i);
    }
}

/* Whose error `off` is. Counts that take in all have none, but for sums of int8 weights, which round otherwise. */
static inline mst_cause cause_of_off(const attrib_layer *l, bool counts, float mean, size_t i)
{
    if (counts)
        return MST_CAUSE_WEIGHTS;
    return mean < 0 || mean > theta_of(&l->snn, i) ? MST_CAUSE_CLIPPING : MST_CAUSE_UNEVENNESS;
}

/* What the layer fires with the current x, nothing done yet but x's own gain and bias. */
static inline float fire(const attrib_layer *l, bool counts, uint32_t on, const attrib_values *v, float x, size_t i)
{
    double current = (double)x;
    if ((on & l->current) != 0)
        current += (double)v->even[i] - (double)v->ann[i];
    if ((on & l->steps) != 0)
        current += (double)v->mean[i] - (double)v->even[i];
    float y = stair(l, counts, on, i, (float)current);
    if ((on & ATTRIB_BIT(cause_of_off(l, counts, v->mean[i], i))) == 0)
        return y;
    float theta = theta_of((on & ATTRIB_BIT(MST_CAUSE_NETWORK)) != 0 ? &l->snn : &l->ann, i);
    y += theta * v->off[i];
    return y < 0 ? 0 : y > theta ? theta
                                 : y;
}

/* The share that a mask leaves. */
static inline float kept(const attrib_layer *l, uint32_t on, const attrib_values *v, size_t i)
{
    if ((on & ATTRIB_BIT(MST_CAUSE_MASKS)) == 0)
        return l->ann.kept;
    return v->fired[i] > 0 ? v->left[i] / v->fired[i] : l->snn.kept;
}

void mst_attrib_fire(const attrib_layer *l, bool counts, uint32_t on, const attrib_values *v, float *x, float *fired)
{
    bool all = (l->causes & ~on) == 0;
    mst_attrib_current(&l->ann, l->neurons, x, x);
    for (size_t i = 0; i < l->neurons; i++) {
        bool same = all && x[i] == v->ann[i]; /* then it is what the network did, to the bit */
        fired[i] = same ? v->fired[i] : fire(l, counts, on, v, x[i], i);
        x[i] = same ? v->left[i] : fired[i] * kept(l, on, v, i);
    }
}

void mst_attrib_reduce(const attrib_layer *l, bool counts, const attrib_values *v, attrib_own *sum)
{
    attrib_own s = *sum;
    for (size_t i = 0; i < l->neurons; i++) {
        const float own = l->ann.kept;
        const uint32_t network = ATTRIB_BIT(MST_CAUSE_NETWORK);
        float a = stair(l, counts, 0, i, v->ann[i]), b = stair(l, counts, network, i, v->even[i]),
              m = stair(l, counts, network, i, v->mean[i]), t = stair(l, counts, AS_RUN, i, v->mean[i]);
        float error = v->left[i] - a * own;
        s.error_sq += (double)error * (double)error;
        s.ann_sq += (double)(a * own) * (double)(a * own);
        s.ann_abs += (double)(a * own);
        s.part_abs[l->differs ? MST_CAUSE_NETWORK : MST_CAUSE_WEIGHTS] += (double)fabsf(b - a);
        s.part_abs[mst_attrib_step_cause(l)] += (double)fabsf(m - b);
        s.part_abs[MST_CAUSE_QUANTIZATION] += (double)fabsf(t - m);
        s.part_abs[cause_of_off(l, counts, v->mean[i], i)] += (double)fabsf(v->fired[i] - t);
        s.part_abs[MST_CAUSE_MASKS] += (double)fabsf(v->left[i] - v->fired[i] * own);
    }
    *sum = s;
}
