/* MASK: Random Spike Masking, where spikes are dropped. In float mode its mean; of the ANN as it was trained whole
 * values or single levels of them (mst_trained_on); in count and radix mode how many of a neuron's spikes survive,
 * drawn by one random word. */
#include <math.h>

#include "runtime/core/philox.h"
#include "runtime/kernels/count_kernels.h"
#include "runtime/ops/op.h"

static void run_mask(op_call *c)
{
    const op_mask *q = &c->node->u.mask;
    const float *x = op_in(c, 0);
    float *y = c->out;
    mst_draw d = {.seed = c->seed, .group = UINT64_MAX, .sample = c->sample, .time = c->time, .index = q->index};
    uint64_t left = 0;
    for (size_t e = 0; e < c->node->n; e++) {
        bool stays = x[e] != 0.0f && mst_survives(mst_draw_word(&d, e), q->threshold) != 0;
        y[e] = stays ? x[e] : 0.0f;
        left += stays;
    }
    c->active += left;
}

static void run_mask_mean(op_call *c)
{
    const op_mask *q = &c->node->u.mask;
    const float *x = op_in(c, 0);
    float *y = c->out;
    uint64_t left = 0;
    for (size_t i = 0; i < c->node->n; i++) {
        y[i] = x[i] * q->keep;
        left += y[i] != 0.0f;
    }
    c->active += left;
}

/* ---- thinning of counts ---------------------------------------------------------------- */

/* Survivors of n spikes. */
static uint32_t thin(const op_mask *q, uint32_t n, uint32_t word)
{
    if (q->table == NULL)
        return (uint32_t)(((uint64_t)n * q->step + word) >> 32);
    uint32_t left = 0;
    while (left < n && q->table[left * q->ld + n - 1] <= word)
        left++;
    return left;
}

static float theta_at(const op_mask *q, size_t e)
{
    return q->of != NULL ? q->of->k.theta[e / q->of->ch.inner % q->of->ch.channels] : q->theta;
}

static float worth(const op_mask *q, size_t e, uint32_t n)
{
    return theta_at(q, e) * ((float)n / q->levels);
}

/* How many levels x is: one of theta*n/L, but for what is not a number. */
static uint32_t level_of(const op_mask *q, size_t e, float x)
{
    double n = round((double)x * (double)q->levels / (double)theta_at(q, e));
    return n > 0 && n <= (double)q->levels ? (uint32_t)n : 0;
}

static void run_thin(op_call *c)
{
    const op_mask *q = &c->node->u.mask;
    mst_draw d = {.seed = c->seed, .group = UINT64_MAX, .sample = c->sample, .time = 1, .index = q->index};
    const uint32_t *from = c->events[0];
    for (size_t e = 0; e < c->node->n; e++) {
        uint32_t n = from[e];
        if (n != 0 && q->keep != 1.0f)
            n = thin(q, n, mst_draw_word(&d, e));
        c->out_events[e] = n;
        c->out[e] = worth(q, e, n);
        c->active += op_spikes_of(n, q->digits);
    }
}

/* Levels of values: those of the staircase before, so that this is run_thin of count mode with as many levels. */
static void run_thin_values(op_call *c)
{
    const op_mask *q = &c->node->u.mask;
    mst_draw d = {.seed = c->seed, .group = UINT64_MAX, .sample = c->sample, .time = 1, .index = q->index};
    const float *x = op_in(c, 0);
    for (size_t e = 0; e < c->node->n; e++) {
        uint32_t n = level_of(q, e, x[e]);
        if (n != 0)
            n = thin(q, n, mst_draw_word(&d, e));
        c->out[e] = worth(q, e, n);
        c->active += n != 0;
    }
}

static mst_status binomial_table(op_prep *c, op_mask *q, double ratio, uint32_t levels)
{
    uint32_t *t = mst_arena_array(c->arena, mstc_thin_row(levels) * levels, sizeof *t);
    if (t == NULL)
        return op_no_memory(c->err);
    mstc_thin_table(levels, ratio, t);
    q->table = t;
    q->ld = (uint32_t)mstc_thin_row(levels);
    return MST_OK;
}

static mst_status prepare_thinning(op_prep *c, op_mask *q, double ratio)
{
    const rt_fact *x = op_in_fact(c, 0);
    const mst_node *from = x->producer != MST_NONE ? &c->g->nodes[x->producer] : NULL;
    if (!rt_is_count(x))
        return mst_fail(c->err, MST_EUNSUPPORTED, "masks values that are no counts of spikes: use step");
    if (from->op == MST_OP_NEURON)
        q->of = &c->nodes[x->producer].u.neuron;
    else if (!rt_has_unit(x))
        return mst_fail(c->err, MST_EUNSUPPORTED, "masks moved spikes of neurons whose thresholds differ: use step");
    q->theta = x->value.scale;
    q->levels = q->of != NULL ? q->of->k.levels : (float)x->value.levels;
    q->digits = c->mode == MST_RUN_RADIX;
    bool draws = q->keep != 1.0f; /* otherwise the share left, 2^32, would not fit below */
    if (draws)
        q->step = (uint32_t)(4294967296.0 - round(ratio * 4294967296.0));
    return c->thinning == MST_THIN_BINOMIAL && draws ? binomial_table(c, q, ratio, (uint32_t)q->levels) : MST_OK;
}

/* The ANN: spikes of time steps are levels here, too. */
static bool drops_levels(const op_prep *c)
{
    mst_trained_on what = c->g->meta.trained_on;
    return c->draws && (what == MST_TRAINED_ON_LEVELS || what == MST_TRAINED_ON_STEPS);
}

static mst_status prepare_levels(op_prep *c, op_node *op, double ratio)
{
    op_mask *q = &op->u.mask;
    const rt_fact *x = op_in_fact(c, 0);
    const mst_node *from = x->producer != MST_NONE ? &c->g->nodes[x->producer] : NULL;
    if (from == NULL || from->op != MST_OP_NEURON || c->nodes[x->producer].u.neuron.k.levels > MST_MAX_RUN_LEVELS)
        return mst_fail(c->err, MST_EUNSUPPORTED, "drops single levels of the ANN, and does not stand behind a neuron "
                                                  "of at most %d: use float mode, where it is its mean",
                        MST_MAX_RUN_LEVELS);
    q->of = &c->nodes[x->producer].u.neuron;
    q->levels = q->of->k.levels;
    op->run = run_thin_values;
    return binomial_table(c, q, ratio, (uint32_t)q->levels);
}

mst_status op_prepare_MASK(op_prep *c, op_node *op)
{
    op_mask *q = &op->u.mask;
    float ratio = c->node->fp[MST_MASK_RATIO];
    uint32_t k = op_in_fact(c, 0)->layer;
    mst_layer *layer = k != MST_NONE ? &c->layers[k] : NULL; /* none: masks other values */
    static const op_run runs[] = {[MST_RUN_SPIKING] = run_mask,
                                  [MST_RUN_FLOAT] = run_mask_mean,
                                  [MST_RUN_COUNT] = run_thin,
                                  [MST_RUN_RADIX] = run_thin};
    op->run = c->draws ? run_mask : runs[c->mode];
    q->index = (uint32_t)c->node->ip[MST_MASK_INDEX];
    q->threshold = (uint32_t)round((double)ratio * 4294967296.0);
    q->keep = 1.0f - ratio;
    if (op_counts(c->mode))
        MST_TRY(prepare_thinning(c, q, (double)ratio));
    if (drops_levels(c) && ratio != 0)
        MST_TRY(prepare_levels(c, op, (double)ratio));
    if (layer != NULL && !layer->masked) { /* one neuron, two masks: the first counts */
        op->layer = k;
        layer->masked = true;
        layer->ratio = (double)ratio;
        layer->trained = (double)c->node->fp[MST_MASK_TRAINED];
    }
    return MST_OK;
}
