/* NEURON and MASK: where spikes are made and dropped. In float mode the QCFS
 * staircase, and the mask's mean. */
#include <math.h>

#include "runtime/exec/channels.h"
#include "runtime/exec/philox.h"

static void count_layer(mst_session *s, uint32_t layer, uint64_t fired)
{
    s->fired[layer] += fired;
    s->counters.spikes_before += fired;
    if (!s->p->layers[layer].masked) {
        s->spikes[layer] += fired;
        s->counters.spikes += fired;
    }
}

/* The neurons of channel c of the constants. */
static mstk_neuron at_channel(const mstk_neuron *k, size_t c)
{
    mstk_neuron q = *k;
    q.theta += c;
    if (q.gain != NULL) {
        q.gain += c;
        q.bias += c;
    }
    return q;
}

static void run_fire(mst_session *s, const exec_step *st)
{
    const exec_neuron *q = &st->u.neuron;
    const mst_kernels *k = &s->p->k;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st), *v = (float *)(void *)(s->mem + q->v);
    uint64_t fired = 0;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            fired += k->fire_each_f32(&q->k, x + at, v + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t c = 0; c < q->ch.channels; c++, at += q->ch.inner) {
            mstk_neuron of = at_channel(&q->k, c);
            fired += k->fire_same_f32(&of, x + at, v + at, y + at, q->ch.inner);
        }
    }
    count_layer(s, q->layer, fired);
}

static void run_stair(mst_session *s, const exec_step *st)
{
    const exec_neuron *q = &st->u.neuron;
    const mst_kernels *k = &s->p->k;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint64_t on = 0;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            on += k->stair_each_f32(&q->k, x + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t c = 0; c < q->ch.channels; c++, at += q->ch.inner) {
            mstk_neuron of = at_channel(&q->k, c);
            on += k->stair_same_f32(&of, x + at, y + at, q->ch.inner);
        }
    }
    count_layer(s, q->layer, on);
}

static void describe_layer(exec_compiler *c, mst_layer *l, uint32_t node, uint64_t neurons)
{
    const mst_node *n = c->node;
    const mst_tensor *theta = exec_in_tensor(c, 1);
    size_t n_theta = mst_tensor_elements(theta);
    double sum = 0;
    for (size_t i = 0; i < n_theta; i++)
        sum += (double)exec_const(c, 1)[i];
    *l = (mst_layer){.name = n->name,
                     .node = node,
                     .site = (mst_site)n->ip[MST_NEURON_SITE],
                     .stage = n->ip[MST_NEURON_STAGE],
                     .block = n->ip[MST_NEURON_BLOCK],
                     .neurons = neurons,
                     .theta = sum / (double)n_theta,
                     .theta_per_channel = n_theta != 1,
                     .levels = n->ip[MST_NEURON_LEVELS],
                     .trained = -1};
}

mst_status exec_prepare_NEURON(exec_compiler *c, exec_step *st)
{
    exec_neuron *q = &st->u.neuron;
    const float *values[3];
    st->run = c->p->mode == MST_RUN_SPIKING ? run_fire : run_stair;
    MST_TRY(exec_channels_of(c, c->node->ip[MST_NEURON_AXIS], 1, 3, &q->ch, values));
    q->k = (mstk_neuron){values[0], values[1], values[2], (float)c->node->ip[MST_NEURON_LEVELS],
                         c->node->fp[MST_NEURON_SHIFT]};
    q->layer = c->p->tensors[c->node->out].layer;
    describe_layer(c, &c->p->layers[q->layer], st->node, st->n);
    return MST_OK;
}

/* ---- masks -------------------------------------------------------------- */

static void count_masked(mst_session *s, const exec_mask *q, uint64_t left)
{
    if (q->layer == MST_NONE)
        return;
    s->spikes[q->layer] += left;
    s->counters.spikes += left;
}

/* Counter based: only groups that hold a spike need their random numbers. */
static void run_mask(mst_session *s, const exec_step *st)
{
    const exec_mask *q = &st->u.mask;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint32_t counter[4] = {s->sample, s->time, q->index, 0};
    uint64_t left = 0;
    for (size_t e = 0; e < st->n; e += 4, counter[3]++) {
        size_t n = st->n - e < 4 ? st->n - e : 4;
        uint32_t word[4];
        bool drawn = false;
        for (size_t i = 0; i < n; i++) {
            y[e + i] = 0.0f;
            if (x[e + i] == 0.0f)
                continue;
            if (!drawn)
                exec_philox(counter, s->p->seed, word);
            drawn = true;
            if (word[i] >= q->threshold) {
                y[e + i] = x[e + i];
                left++;
            }
        }
    }
    count_masked(s, q, left);
}

static void run_mask_mean(mst_session *s, const exec_step *st)
{
    const exec_mask *q = &st->u.mask;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint64_t left = 0;
    for (size_t i = 0; i < st->n; i++) {
        y[i] = x[i] * q->keep;
        left += y[i] != 0.0f;
    }
    count_masked(s, q, left);
}

mst_status exec_prepare_MASK(exec_compiler *c, exec_step *st)
{
    exec_mask *q = &st->u.mask;
    float ratio = c->node->fp[MST_MASK_RATIO];
    uint32_t k = exec_in_attr(c, 0)->layer;
    mst_layer *layer = k != MST_NONE ? &c->p->layers[k] : NULL; /* none: masks other values */
    st->run = c->p->mode == MST_RUN_SPIKING ? run_mask : run_mask_mean;
    q->index = (uint32_t)c->node->ip[MST_MASK_INDEX];
    q->threshold = (uint32_t)round((double)ratio * 4294967296.0);
    q->keep = 1.0f - ratio;
    q->layer = MST_NONE;
    if (layer != NULL && !layer->masked) { /* one neuron, two masks: the first counts */
        q->layer = k;
        layer->masked = true;
        layer->ratio = (double)ratio;
        layer->trained = (double)c->node->fp[MST_MASK_TRAINED];
    }
    return MST_OK;
}
