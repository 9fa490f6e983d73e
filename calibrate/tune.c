/* A tuning: pairs the layers of two networks, sums what its workers commit, moves v(0) between passes and keeps
 * that of the last good one. Knows nothing of files, or of threads.
 */
#include "calibrate/tune_state.h"

#include <math.h>
#include <string.h>

#include "calibrate/calib.h"
#include "runtime/core/options.h"

#define MOST_MOVED 1.5 /* theta that v(0) may be moved by */

/* ---- layers and channels ----------------------------------------------------------- */

/* The channel of each neuron, in the order of mst_tuned: row-major along the axes. */
static void number_channels(const mst_tensor *y, uint32_t axes, uint32_t *channel)
{
    size_t n = mst_tensor_elements(y);
    for (size_t i = 0; i < n; i++) {
        size_t left = i, step = 1, at = 0;
        for (uint32_t d = y->rank; d-- > 0; left /= y->dims[d])
            if ((axes >> d & 1) != 0) {
                at += left % y->dims[d] * step;
                step *= y->dims[d];
            }
        channel[i] = (uint32_t)at;
    }
}

static bool allocate_layer(mst_arena *a, tune_layer *l)
{
    size_t n = l->channels;
    l->channel = mst_arena_array(a, l->neurons, sizeof *l->channel);
    l->first = mst_arena_array(a, n, sizeof *l->first);
    l->kept = mst_arena_array(a, n, sizeof *l->kept);
    l->theta = mst_arena_array(a, n, sizeof *l->theta);
    l->activation = mst_arena_array(a, n, sizeof *l->activation);
    l->spikes = mst_arena_array(a, n, sizeof *l->spikes);
    return l->channel != NULL && l->first != NULL && l->kept != NULL && l->theta != NULL && l->activation != NULL &&
           l->spikes != NULL;
}

/* Theta of each channel, which has one. */
static void spread_theta(const mst_graph *g, const mst_node *n, tune_layer *l)
{
    const mst_tensor *y = &g->tensors[n->out], *theta = &g->tensors[n->in[1]];
    bool one = mst_tensor_elements(theta) == 1;
    size_t inner = 1;
    for (uint32_t d = (uint32_t)n->ip[MST_NEURON_AXIS] + 1; d < y->rank; d++)
        inner *= y->dims[d];
    for (size_t i = 0; i < l->neurons; i++)
        l->theta[l->channel[i]] = mst_const_at(theta, one ? 0 : i / inner % mst_tensor_elements(theta));
}

static mst_status make_layer(mst_tune *t, size_t k, const uint32_t *axes, mst_err *err)
{
    const mst_graph *g = t->graph;
    tune_layer *l = &t->layers[k];
    uint32_t partner, node = mst_program_layer(t->snn, k)->node, mask = axes[g->nodes[node].out];
    const mst_tensor *y = &g->tensors[g->nodes[node].out];
    MST_TRY(mst_calib_partner(t->ann, t->snn, k, &partner, err));
    l->neurons = mst_tensor_elements(y);
    l->channels = 1;
    for (uint32_t d = 0; d < y->rank; d++)
        l->channels *= (mask >> d & 1) != 0 ? y->dims[d] : 1;
    l->shift = (double)g->nodes[node].fp[MST_NEURON_SHIFT];
    if (!allocate_layer(&t->arena, l))
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu neurons", l->neurons);
    number_channels(y, mask, l->channel);
    spread_theta(g, &g->nodes[node], l);
    for (size_t c = 0; c < l->channels; c++)
        l->first[c] = l->kept[c] = g->nodes[node].fp[MST_NEURON_SHIFT];
    t->tuned[k] = (mst_tuned){.node = node, .axes = mask, .n = (uint32_t)l->channels, .first = l->first};
    t->most_neurons = l->neurons > t->most_neurons ? l->neurons : t->most_neurons;
    t->layer_of[node] = (uint32_t)k;
    t->ann_layer_of[mst_program_layer(t->ann, partner)->node] = (uint32_t)k;
    return MST_OK;
}

static mst_status allocate(mst_tune *t, mst_err *err)
{
    mst_arena *a = &t->arena;
    size_t n = t->n_layers != 0 ? t->n_layers : 1, held = t->opts.held, logits;
    size_t snn = t->graph->n_nodes, ann = mst_program_graph(t->ann)->n_nodes;
    if (__builtin_mul_overflow(held, t->classes, &logits))
        return mst_fail(err, MST_ELIMIT, "%zu samples held out are too many", held);
    t->layers = mst_arena_array(a, n, sizeof *t->layers);
    t->tuned = mst_arena_array(a, n, sizeof *t->tuned);
    t->layer_of = mst_arena_array(a, snn, sizeof *t->layer_of);
    t->ann_layer_of = mst_arena_array(a, ann, sizeof *t->ann_layer_of);
    t->ann_logits = mst_arena_array(a, logits, sizeof *t->ann_logits);
    t->held = mst_arena_array(a, held, sizeof *t->held);
    t->untuned = mst_arena_array(a, held, sizeof *t->untuned);
    t->kept = mst_arena_array(a, held, sizeof *t->kept);
    if (t->layers == NULL || t->tuned == NULL || t->layer_of == NULL || t->ann_layer_of == NULL ||
        t->ann_logits == NULL || t->held == NULL || t->untuned == NULL || t->kept == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu layers and %zu samples", n, held);
    memset(t->layer_of, 0xff, snn * sizeof *t->layer_of);
    memset(t->ann_layer_of, 0xff, ann * sizeof *t->ann_layer_of);
    return MST_OK;
}

static mst_status make_layers(mst_tune *t, mst_err *err)
{
    mst_arena tmp = {0};
    const uint32_t *axes = mst_tune_axes(t->graph, &tmp);
    mst_status st = axes != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for the axes of channels");
    for (size_t k = 0; st == MST_OK && k < t->n_layers; k++)
        st = make_layer(t, k, axes, err);
    mst_arena_release(&tmp);
    return st;
}

/* ---- passes ----------------------------------------------------------------------------- */

static mst_status compile(mst_tune *t, mst_err *err)
{
    mst_program_destroy(t->snn);
    t->snn = NULL;
    return mst_program_create(t->graph, &t->run, &t->snn, err);
}

static mst_status set_up(mst_tune *t, mst_err *err)
{
    MST_TRY(compile(t, err));
    MST_TRY(mst_calib_check_shapes(t->ann, t->snn, err));
    t->n_layers = mst_program_layers(t->snn);
    t->input_size = mst_program_input_size(t->snn);
    t->classes = mst_graph_classes(t->graph);
    MST_TRY(allocate(t, err));
    MST_TRY(make_layers(t, err));
    uint32_t from = (uint32_t)(t->run.readout_from > 1 ? t->run.readout_from : 1);
    t->graph->tuning = (mst_tuning){t->opts.timesteps, from, (uint32_t)t->n_layers, t->tuned};
    return MST_OK;
}

mst_status mst_tune_create(const mst_program *ann, mst_graph *graph, const mst_run_opts *run, const mst_tune_opts *opts,
                           mst_tune **out, mst_err *err)
{
    mst_tune_opts own = {0};
    *out = NULL;
    MST_TRY(MST_TAKE_OPTS(mst_tune_opts, &own, opts, damping, damping, err));
    if (own.timesteps < 1 || own.timesteps > MST_MAX_TIMESTEPS || run->readout_from > own.timesteps)
        return mst_fail(err, MST_EINVAL, "tuning: %u time steps, logits from step %llu on: out of range", own.timesteps,
                        (unsigned long long)run->readout_from);
    if (own.fit < 1 || own.held < 2)
        return mst_fail(err, MST_EINVAL, "tuning: expected samples to fit and at least 2 held out, found %zu and %zu",
                        own.fit, own.held);
    if (run->mode != MST_RUN_SPIKING || mst_program_mode(ann) != MST_RUN_FLOAT)
        return mst_fail(err, MST_EINVAL, "tuning: expected an ANN in float mode, and step mode");
    mst_tune *t = mst_alloc(NULL, sizeof *t);
    if (t == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    graph->tuning = (mst_tuning){0};
    *t = (mst_tune){.ann = ann, .graph = graph, .run = *run, .opts = own};
    t->opts.damping = own.damping != 0 ? own.damping : MST_TUNE_DAMPING;
    mst_status st = set_up(t, err);
    if (st != MST_OK)
        mst_tune_destroy(t);
    else
        *out = t;
    return st;
}

void mst_tune_destroy(mst_tune *t)
{
    if (t == NULL)
        return;
    mst_program_destroy(t->snn);
    t->graph->tuning = (mst_tuning){0};
    mst_arena_release(&t->arena);
    mst_free(NULL, t, sizeof *t);
}

mst_status mst_tune_begin(mst_tune *t, mst_err *err)
{
    for (size_t k = 0; k < t->n_layers; k++)
        memset(t->layers[k].spikes, 0, t->layers[k].channels * sizeof *t->layers[k].spikes);
    return compile(t, err);
}

/* Where the channel's rate on the samples to fit asks v(0) to go. */
static void move_layer(const mst_tune *t, tune_layer *l)
{
    double each = (double)t->opts.fit * (double)(l->neurons / l->channels), steps = t->opts.timesteps;

    for (size_t c = 0; c < l->channels; c++) {
        double missing = l->activation[c] / l->theta[c] * steps - (double)l->spikes[c]; /* spikes */
        double first = (double)l->first[c] + t->opts.damping * missing / each;
        first = first < l->shift - MOST_MOVED ? l->shift - MOST_MOVED : first;
        l->first[c] = (float)(first > l->shift + MOST_MOVED ? l->shift + MOST_MOVED : first);
    }
}

void mst_tune_end(mst_tune *t)
{
    size_t n = t->opts.held;
    if (t->pass == 0)
        memcpy(t->untuned, t->held, n * sizeof *t->held);
    else if (t->taken == 0 || mst_tune_better(t->held, t->untuned, n) || !mst_tune_better(t->kept, t->untuned, n)) {
        t->taken = t->pass;
        memcpy(t->kept, t->held, n * sizeof *t->held);
        for (size_t k = 0; k < t->n_layers; k++)
            memcpy(t->layers[k].kept, t->layers[k].first, t->layers[k].channels * sizeof(float));
    }
    for (size_t k = 0; k < t->n_layers; k++)
        move_layer(t, &t->layers[k]);
    t->pass++;
}

/* ---- the result -------------------------------------------------------------------------- */

mst_status mst_tune_take(const mst_tune *t, mst_graph *g, mst_err *err)
{
    mst_tuned *layers = mst_arena_copy(&g->arena, t->tuned, t->n_layers * sizeof *layers);
    for (size_t k = 0; layers != NULL && k < t->n_layers; k++) {
        layers[k].first = mst_arena_copy(&g->arena, t->layers[k].kept, layers[k].n * sizeof(float));
        if (layers[k].first == NULL)
            layers = NULL;
    }
    if (layers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for v(0) of %zu layers", t->n_layers);
    g->tuning = t->graph->tuning;
    g->tuning.layers = layers;
    return MST_OK;
}
