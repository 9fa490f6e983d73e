/* NEURON: integrate and fire, where spikes are made; the membranes are its state. In float mode the QCFS
 * staircase, which keeps none. */
#include "runtime/ops/channels.h"

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

static void run_fire(op_call *c)
{
    const op_neuron *q = &c->node->u.neuron;
    const mst_kernels *k = c->k;
    const float *x = op_in(c, 0);
    float *y = c->out, *v = c->state;
    uint64_t fired = 0;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            fired += k->fire_each_f32(&q->k, x + at, v + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t i = 0; i < q->ch.channels; i++, at += q->ch.inner) {
            mstk_neuron of = at_channel(&q->k, i);
            fired += k->fire_same_f32(&of, x + at, v + at, y + at, q->ch.inner);
        }
    }
    c->active += fired;
}

static void run_stair(op_call *c)
{
    const op_neuron *q = &c->node->u.neuron;
    const mst_kernels *k = c->k;
    const float *x = op_in(c, 0);
    float *y = c->out;
    uint64_t on = 0;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            on += k->stair_each_f32(&q->k, x + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t i = 0; i < q->ch.channels; i++, at += q->ch.inner) {
            mstk_neuron of = at_channel(&q->k, i);
            on += k->stair_same_f32(&of, x + at, y + at, q->ch.inner);
        }
    }
    c->active += on;
}

/* A layer's neurons take in the whole input, then fire n = 0..levels spikes. Nothing fires where the current is
 * not a number. */
static void run_count(op_call *c)
{
    const op_neuron *q = &c->node->u.neuron;
    const float *x = op_in(c, 0);
    uint64_t spikes = 0;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            spikes += c->k->count_each_u32(&q->k, x + at, c->out + at, c->out_events + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t i = 0; i < q->ch.channels; i++, at += q->ch.inner) {
            mstk_neuron of = at_channel(&q->k, i);
            spikes += c->k->count_same_u32(&of, x + at, c->out + at, c->out_events + at, q->ch.inner);
        }
    }
    if (!q->digits) {
        c->active += spikes;
        return;
    }
    for (size_t i = 0; i < c->node->n; i++)
        c->active += op_spikes_of(c->out_events[i], true);
}

/* Membranes to v(0). */
static void reset(const op_node *op, void *state)
{
    const op_neuron *q = &op->u.neuron;
    float *v = state;
    for (size_t o = 0; o < q->ch.outer; o++)
        for (size_t c = 0; c < q->ch.channels; c++)
            for (size_t i = 0; i < q->ch.inner; i++)
                *v++ = q->k.shift * q->k.theta[c];
}

static void reset_tuned(const op_node *op, void *state)
{
    const op_neuron *q = &op->u.neuron;
    const nd_loop *nd = &q->tuned->nd;
    uint32_t last = nd->rank - 1;
    ptrdiff_t step[ND_OPERANDS] = {nd->stride[0][last], nd->stride[1][last], nd->stride[2][last]};
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    float *v = state;
    do {
        for (ptrdiff_t i = 0; i < (ptrdiff_t)nd->dims[last]; i++)
            v[at[0] + i * step[0]] = q->tuned->value[at[1] + i * step[1]] * q->k.theta[at[2] + i * step[2]];
    } while (nd_next(nd, pos, at));
}

/* The constants of a neuron: along its axis; of its tuning: along others. */
static mst_status prepare_tuned(op_prep *c, const mst_tuned *tuned, op_node *op)
{
    op_neuron *q = &op->u.neuron;
    const mst_tensor *y = op_out_tensor(c);
    op_first *first = mst_arena_array(c->arena, 1, sizeof *first);
    if (first == NULL)
        return op_no_memory(c->err);
    first->value = tuned->first;
    first->nd.rank = y->rank;
    nd_strides(y, first->nd.stride[0]);
    int32_t step = 1;
    for (uint32_t d = y->rank; d-- > 0;) {
        bool own = (tuned->axes >> d & 1) != 0;
        first->nd.dims[d] = y->dims[d];
        first->nd.stride[1][d] = own ? step : 0;
        step *= own ? (int32_t)y->dims[d] : 1;
        first->nd.stride[2][d] = q->ch.channels != 1 && d == (uint32_t)c->node->ip[MST_NEURON_AXIS];
    }
    nd_collapse(&first->nd);
    q->tuned = first;
    op->reset = reset_tuned;
    return MST_OK;
}

rt_kind op_worth_of(const op_prep *c, const mst_node *neuron, mst_form form)
{
    const mst_tensor *theta = &c->g->tensors[neuron->in[1]];
    return (rt_kind){.form = form,
                     .scale = mst_tensor_elements(theta) == 1 ? *(const float *)theta->data : 0.0f,
                     .levels = form == MST_FORM_COUNT ? (uint32_t)op_levels_of(c, neuron) : 0};
}

static void describe_layer(op_prep *c, mst_layer *l, uint32_t node, uint64_t neurons)
{
    const mst_node *n = c->node;
    const mst_tensor *theta = op_in_tensor(c, 1);
    size_t n_theta = mst_tensor_elements(theta);
    double sum = 0;
    for (size_t i = 0; i < n_theta; i++)
        sum += (double)op_const(c, 1)[i];
    *l = (mst_layer){.name = n->name,
                     .node = node,
                     .site = (mst_site)n->ip[MST_NEURON_SITE],
                     .stage = n->ip[MST_NEURON_STAGE],
                     .block = n->ip[MST_NEURON_BLOCK],
                     .neurons = neurons,
                     .theta = sum / (double)n_theta,
                     .theta_per_channel = n_theta != 1,
                     .levels = op_levels_of(c, n),
                     .trained = -1};
}

mst_status op_prepare_NEURON(op_prep *c, op_node *op)
{
    op_neuron *q = &op->u.neuron;
    const float *values[3];
    static const op_run runs[] = {[MST_RUN_SPIKING] = run_fire,
                                  [MST_RUN_FLOAT] = run_stair,
                                  [MST_RUN_COUNT] = run_count,
                                  [MST_RUN_RADIX] = run_count};
    int32_t levels = op_levels_of(c, c->node);
    op->run = runs[c->mode];
    if (op_counts(c->mode) && levels > MST_MAX_RUN_LEVELS)
        return mst_fail(c->err, MST_EUNSUPPORTED,
                        "%d levels: count and radix mode have 1 to %d: give levels for all layers, or use step", levels,
                        MST_MAX_RUN_LEVELS);
    q->digits = c->mode == MST_RUN_RADIX;
    MST_TRY(op_channels_of(c, c->node->ip[MST_NEURON_AXIS], 1, 3, &q->ch, values));
    bool even = c->node->ip[MST_NEURON_EVEN] != 0 && c->mode != MST_RUN_SPIKING;
    q->k = (mstk_neuron){values[0], values[1], values[2], (float)levels,
                         even ? MSTK_EVEN : c->node->fp[MST_NEURON_SHIFT], even ? MSTK_EVEN : 0.0f};
    op->layer = c->facts[c->node->out].layer;
    if (c->mode == MST_RUN_SPIKING) {
        size_t at;
        MST_TRY(op_add_bytes(c->err, op->n, sizeof(float), &at, &op->state_bytes));
        op->reset = reset;
        const mst_tuned *tuned = mst_graph_tuned(c->g, op->index);
        if (tuned != NULL)
            MST_TRY(prepare_tuned(c, tuned, op));
    }
    describe_layer(c, &c->layers[op->layer], op->index, op->n);
    return MST_OK;
}
