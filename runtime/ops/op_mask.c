/* MASK: Random Spike Masking, where spikes are dropped. In float mode its mean. */
#include <math.h>

#include "runtime/core/philox.h"
#include "runtime/ops/op.h"

/* Counter based: only groups that hold a spike need their random numbers. */
static void run_mask(op_call *c)
{
    const op_mask *q = &c->node->u.mask;
    const float *x = op_in(c, 0);
    float *y = c->out;
    uint32_t counter[4] = {c->sample, c->time, q->index, 0};
    uint64_t left = 0;
    for (size_t e = 0; e < c->node->n; e += 4, counter[3]++) {
        size_t n = c->node->n - e < 4 ? c->node->n - e : 4;
        uint32_t word[4];
        bool drawn = false;
        for (size_t i = 0; i < n; i++) {
            y[e + i] = 0.0f;
            if (x[e + i] == 0.0f)
                continue;
            if (!drawn)
                mst_philox(counter, c->seed, word);
            drawn = true;
            if (word[i] >= q->threshold) {
                y[e + i] = x[e + i];
                left++;
            }
        }
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

mst_status op_prepare_MASK(op_prep *c, op_node *op)
{
    op_mask *q = &op->u.mask;
    float ratio = c->node->fp[MST_MASK_RATIO];
    uint32_t k = op_in_fact(c, 0)->layer;
    mst_layer *layer = k != MST_NONE ? &c->layers[k] : NULL; /* none: masks other values */
    op->run = c->mode == MST_RUN_SPIKING ? run_mask : run_mask_mean;
    q->index = (uint32_t)c->node->ip[MST_MASK_INDEX];
    q->threshold = (uint32_t)round((double)ratio * 4294967296.0);
    q->keep = 1.0f - ratio;
    if (layer != NULL && !layer->masked) { /* one neuron, two masks: the first counts */
        op->layer = k;
        layer->masked = true;
        layer->ratio = (double)ratio;
        layer->trained = (double)c->node->fp[MST_MASK_TRAINED];
    }
    return MST_OK;
}
