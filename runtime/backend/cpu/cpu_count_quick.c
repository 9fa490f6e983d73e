/* Neurons in one step. What a layer fires is a staircase of its sum s, a whole number: c, b, gain, bias, levels, theta
 * and shift, each rounded, only say where its steps are. So is floor(k*s + d), and where both have all steps at the
 * same sums, they are the same for every s. That is found out here, for each output, before anything runs. */
#include <math.h>

#include "runtime/backend/cpu/cpu_count.h"

#define MOST_STEPS 64u /* of a staircase; more take long to look for */
#define MOST_TRIES 64u /* from where a step should be to where it is */
#define LARGEST 0x1p30 /* k*s + d is turned into 32 bits */

/* One output. */
typedef struct stairs {
    float c, b, theta, gain, bias, levels, shift, back;
    bool gains;
    int64_t most; /* no sum is larger, or less than -most */
} stairs;

/* As kernels compute it (count_kernels.h). */
static float current(const stairs *q, int64_t s)
{
    float x = q->c * (float)s;
    x = x + q->b;
    if (!q->gains)
        return x;
    x = q->gain * x;
    return x + q->bias;
}

static float within(const stairs *q, float z)
{
    if (z >= q->levels)
        return q->levels;
    return z >= 1 ? floorf(z) : 0; /* 0 where it is no number */
}

static float fires(const stairs *q, int64_t s)
{
    float z = current(q, s) * q->levels;
    z = z / q->theta;
    z = z + q->shift;
    return within(q, z - q->back);
}

static float quickly(const stairs *q, float k, float d, int64_t s)
{
    float z = k * (float)s;
    return within(q, z + d);
}

/* The least sum that fires n, most + 1 where none does; false: it is not near where it should be. */
static bool find_step(const stairs *q, float n, int64_t *at)
{
    double shift = q->back != 0 ? 0.5 : (double)q->shift;
    double x = ((double)n - shift) * (double)q->theta / (double)q->levels;
    if (q->gains)
        x = (x - (double)q->bias) / (double)q->gain;
    x = ceil((x - (double)q->b) / (double)q->c);
    if (!(x > -LARGEST * 4))
        x = -LARGEST * 4;
    int64_t s = x < LARGEST * 4 ? (int64_t)x : (int64_t)(LARGEST * 4);
    s = s < -q->most ? -q->most : s > q->most + 1 ? q->most + 1
                                                  : s;
    for (unsigned tries = 0; tries < MOST_TRIES; tries++)
        if (s > -q->most && fires(q, s - 1) >= n)
            s--;
        else if (s <= q->most && fires(q, s) < n)
            s++;
        else {
            *at = s;
            return true;
        }
    return false;
}

/* k and d whose staircase has the same steps; false: not found. */
static bool find_line(const stairs *q, float *k, float *d)
{
    int64_t at[MOST_STEPS + 1];
    double low = -INFINITY, high = INFINITY; /* d lies between them, if nothing is rounded */
    double reach = ((double)q->c * (double)q->most + fabs((double)q->b)) * (q->gains ? (double)q->gain : 1.0);
    if (!((reach + fabs((double)q->bias)) * (double)q->levels < 1e37)) /* or it might not be a staircase */
        return false;
    *k = (float)((double)q->c * (q->gains ? (double)q->gain : 1.0) * (double)q->levels / (double)q->theta);
    if (!(*k > 0) || !(q->c > 0) || !(q->theta > 0) || (q->gains && !(q->gain > 0)))
        return false;
    for (float n = 1; n <= q->levels; n++) {
        int64_t *s = &at[(size_t)n];
        if (!find_step(q, n, s))
            return false;
        if (*s <= q->most)
            low = fmax(low, (double)n - (double)*s * (double)*k);
        if (*s > -q->most)
            high = fmin(high, (double)n - (double)(*s - 1) * (double)*k);
    }
    *d = (float)(isinf(low) ? high - 1 : isinf(high) ? low + 1
                                                     : (low + high) / 2);
    if (!(fabs((double)*k) * (double)q->most + fabs((double)*d) < LARGEST))
        return false;
    for (float n = 1; n <= q->levels; n++) {
        int64_t s = at[(size_t)n];
        if ((s <= q->most && quickly(q, *k, *d, s) < n) || (s > -q->most && quickly(q, *k, *d, s - 1) >= n))
            return false;
    }
    return true;
}

/* How many outputs, and the largest sum; 0: not for such layers. */
static size_t outputs_of(const rt_op *op, int64_t *most)
{
    const rt_expr *e = op->expr;
    if (op->fire.rule != RT_FIRE_COUNT || op->fire.each == RT_EACH_ROW || e->n_terms != 0 ||
        op->fire.levels > (float)MOST_STEPS)
        return 0;
    if (e->syn != NULL) {
        const cpu_count_synapse *how = cpu_count_of(e->syn);
        *most = (int64_t)(how->at.n_taps * how->at.k) * 128 * (int64_t)e->syn->bits.levels;
        return e->cols;
    }
    if (e->prod == NULL || op->fire.each != RT_EACH_SAME)
        return 0;
    *most = (int64_t)e->prod->k * (int64_t)e->prod->a.levels * (int64_t)e->prod->b.levels;
    return e->prod->n;
}

mst_status cpu_count_find_quick(lowering *lo, rt_op *op)
{
    int64_t most;
    const size_t n = outputs_of(op, &most);
    const rt_fire *f = &op->fire;
    const rt_synapse *syn = op->expr->syn;
    if (n == 0)
        return MST_OK;
    cpu_count_quick *quick = mst_arena_alloc(&lo->p->arena, sizeof *quick);
    float *k = mst_arena_array(&lo->p->arena, 2 * n, sizeof *k), *d = k + n;
    if (quick == NULL || k == NULL)
        return low_no_memory(lo);
    for (size_t o = 0; o < n; o++) {
        stairs q = {.c = syn != NULL ? syn->node->weights->unit_c[o] : op->expr->prod->node->u.matmul.c,
                    .b = syn != NULL ? cpu_count_of(syn)->b[o] : -0.0f,
                    .theta = f->theta[o],
                    .gain = f->gain != NULL ? f->gain[o] : 1,
                    .bias = f->gain != NULL ? f->bias[o] : 0,
                    .levels = f->levels,
                    .shift = f->shift,
                    .back = f->back,
                    .gains = f->gain != NULL,
                    .most = most};
        if (!find_line(&q, &k[o], &d[o]))
            return MST_OK;
    }
    *quick = (cpu_count_quick){k, d};
    op->how = quick;
    return MST_OK;
}
