/* An attribution: pairs the layers of two programs, and sums what its workers commit. Knows nothing of files, of the
 * converter, or of threads.
 */
#include "calibrate/attrib.h"

#include <math.h>
#include <string.h>

#include "runtime/core/options.h"

const char *mst_cause_name(int cause)
{
    static const char *const names[MST_CAUSE_COUNT] = {"network", "weights", "products", "islands", "quantization",
                                                       "clipping", "unevenness", "masks", "readout"};
    return (unsigned)cause < MST_CAUSE_COUNT ? names[cause] : NULL;
}

/* ---- layers ------------------------------------------------------------------------------- */

static attrib_neuron neuron_of(const mst_graph *g, const mst_node *n)
{
    const mst_tensor *y = &g->tensors[n->out], *theta = &g->tensors[n->in[1]];
    attrib_neuron q = {.theta = theta->data,
                       .thetas = mst_tensor_elements(theta),
                       .inner = 1,
                       .levels = (float)n->ip[MST_NEURON_LEVELS],
                       .shift = n->fp[MST_NEURON_SHIFT],
                       .even = n->ip[MST_NEURON_EVEN] != 0,
                       .kept = 1};
    for (uint32_t d = (uint32_t)n->ip[MST_NEURON_AXIS] + 1; d < y->rank; d++)
        q.inner *= y->dims[d];
    if (n->n_in > 3 && n->in[2] != MST_NONE) {
        q.gain = g->tensors[n->in[2]].data;
        q.gains = mst_tensor_elements(&g->tensors[n->in[2]]);
        q.bias = g->tensors[n->in[3]].data;
        q.biases = mst_tensor_elements(&g->tensors[n->in[3]]);
    }
    return q;
}

/* v(0) over theta of each neuron, as the network has it. */
static mst_status read_first(mst_attrib *a, const mst_session *s, attrib_layer *l, mst_err *err)
{
    if (mst_graph_tuned(mst_program_graph(a->snn), mst_program_layer(a->snn, l->snn_layer)->node) == NULL)
        return MST_OK;
    float *first = mst_arena_copy(&a->arena, mst_session_potential(s, l->snn_layer), l->neurons * sizeof *first);
    if (first == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for v(0) of %zu neurons", l->neurons);
    for (size_t i = 0; i < l->neurons; i++)
        first[i] /= l->snn.theta[l->snn.thetas != 1 ? i / l->snn.inner % l->snn.thetas : 0];
    l->first = first;
    return MST_OK;
}

static mst_status pair_layer(mst_attrib *a, size_t k, mst_err *err)
{
    uint32_t partner;
    MST_TRY(mst_calib_partner(a->ann, a->snn, k, &partner, err));
    const mst_layer *ann = mst_program_layer(a->ann, partner), *snn = mst_program_layer(a->snn, k);
    const mst_graph *ga = mst_program_graph(a->ann), *gs = mst_program_graph(a->snn);
    attrib_layer *l = &a->layers[k];
    l->snn_layer = (uint32_t)k;
    l->neurons = (size_t)snn->neurons;
    l->ann = neuron_of(ga, &ga->nodes[ann->node]);
    l->snn = neuron_of(gs, &gs->nodes[snn->node]);
    l->run_levels = (float)(a->counts ? (uint32_t)snn->levels : a->steps);
    l->run_even = a->counts && l->snn.even;
    a->block_of[k] = snn->block;
    a->ann_wires.layer_of[ann->node] = (uint32_t)k;
    a->snn_wires.layer_of[snn->node] = (uint32_t)k;
    a->ann_wires.source[k] = ga->nodes[ann->node].in[0];
    a->snn_wires.source[k] = gs->nodes[snn->node].in[0];
    return MST_OK;
}

/* ---- wires -------------------------------------------------------------------------------- */

static bool open_wires(mst_attrib *a, attrib_wiring *w, size_t nodes)
{
    mst_arena *m = &a->arena;
    size_t n = a->n_layers + 1;
    w->layer_of = mst_calib_nothing(m, nodes);
    w->mask_of = mst_calib_nothing(m, nodes);
    w->reader_of = mst_calib_nothing(m, nodes);
    w->next = mst_calib_nothing(m, n);
    w->given = mst_calib_nothing(m, n);
    w->source = mst_calib_nothing(m, n);
    w->masked = mst_arena_array(m, n, sizeof *w->masked);
    return w->layer_of != NULL && w->mask_of != NULL && w->reader_of != NULL && w->next != NULL && w->given != NULL &&
           w->source != NULL && w->masked != NULL;
}

/* Where currents come from, and masks: kept [layers] takes what float mode leaves behind them. */
static mst_status connect(mst_attrib *a, const mst_program *p, attrib_wiring *w, bool ann, mst_err *err)
{
    mst_arena tmp = {0};
    calib_wires c = {.g = mst_program_graph(p)};
    mst_status st = mst_calib_wires_read(&c, &tmp, err);
    if (st == MST_OK)
        mst_calib_find_masks(&c, w->layer_of, w->mask_of, w->masked);
    for (uint32_t i = 0; st == MST_OK && i < c.g->n_nodes; i++)
        if (w->mask_of[i] != MST_NONE) {
            attrib_layer *l = &a->layers[w->mask_of[i]];
            (ann ? &l->ann : &l->snn)->kept = 1.0f - c.g->nodes[i].fp[MST_MASK_RATIO];
        }
    for (uint32_t k = 0; st == MST_OK && k < a->n_layers; k++) {
        w->source[k] = c.root[w->source[k]];
        uint32_t node = c.producer[w->source[k]];
        if (node == MST_NONE) {
            w->given[w->n_given++] = k;
            continue;
        }
        w->next[k] = w->reader_of[node];
        w->reader_of[node] = k;
    }
    mst_arena_release(&tmp);
    return st;
}

/* ---- create --------------------------------------------------------------------------------- */

static bool allocate(mst_attrib *a)
{
    mst_arena *m = &a->arena;
    size_t n = a->n_layers + 1;
    a->layers = mst_arena_array(m, n, sizeof *a->layers);
    a->block_of = mst_arena_array(m, n, sizeof *a->block_of);
    a->harm = mst_arena_array(m, n, sizeof *a->harm);
    a->own = mst_arena_array(m, n, sizeof *a->own);
    a->mean = mst_arena_array(m, a->channels, sizeof *a->mean);
    a->deviation = mst_arena_array(m, a->channels, sizeof *a->deviation);
    a->x_sum = mst_arena_array(m, a->channels, sizeof *a->x_sum);
    a->x_sq = mst_arena_array(m, a->channels, sizeof *a->x_sq);
    return a->layers != NULL && a->block_of != NULL && a->harm != NULL && a->own != NULL && a->mean != NULL &&
           a->deviation != NULL && a->x_sum != NULL && a->x_sq != NULL &&
           open_wires(a, &a->ann_wires, mst_program_graph(a->ann)->n_nodes) &&
           open_wires(a, &a->snn_wires, mst_program_graph(a->snn)->n_nodes);
}

static mst_status read_tuning(mst_attrib *a, mst_err *err)
{
    mst_session *s;
    if (a->counts || mst_program_graph(a->snn)->tuning.timesteps == 0)
        return MST_OK;
    MST_TRY(mst_session_create(a->snn, &s, err));
    mst_status st = MST_OK;
    for (size_t k = 0; st == MST_OK && k < a->n_layers; k++)
        st = read_first(a, s, &a->layers[k], err);
    mst_session_destroy(s);
    return st;
}

static mst_status set_up(mst_attrib *a, mst_err *err)
{
    const mst_graph *g = mst_program_graph(a->snn);
    MST_TRY(mst_calib_check_shapes(a->ann, a->snn, err));
    a->n_layers = mst_program_layers(a->snn);
    a->classes = mst_graph_classes(g);
    a->input_size = mst_program_input_size(a->snn);
    uint32_t dims[MST_MAX_RANK], rank = mst_graph_input_shape(g, dims);
    a->channels = rank == 4 && dims[1] <= MST_MAX_CHANNELS ? dims[1] : 1; /* of images */
    if (!allocate(a))
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu layers", a->n_layers);
    a->block_of[a->n_layers] = -1;
    a->layers[a->n_layers] = (attrib_layer){.neurons = a->classes, .theta_ratio = 1};
    for (size_t k = 0; k < a->n_layers; k++)
        MST_TRY(pair_layer(a, k, err));
    MST_TRY(connect(a, a->ann, &a->ann_wires, true, err));
    MST_TRY(connect(a, a->snn, &a->snn_wires, false, err));
    MST_TRY(read_tuning(a, err));
    MST_TRY(mst_attrib_compare(a, err));
    mst_run_opts even = {.size = sizeof even,
                         .mode = MST_RUN_FLOAT,
                         .isa = mst_program_isa(a->snn),
                         .frames = mst_graph_frames(g)};
    MST_TRY(mst_program_create(g, &even, &a->even, err));
    return mst_attrib_plan(a, err);
}

mst_status mst_attrib_create(const mst_program *ann, const mst_program *snn, const mst_attrib_opts *opts,
                             mst_attrib **out, mst_err *err)
{
    mst_attrib_opts own = {0};
    *out = NULL;
    MST_TRY(MST_TAKE_OPTS(mst_attrib_opts, &own, opts, ctx, ctx, err));
    if (mst_program_mode(ann) != MST_RUN_FLOAT || mst_program_mode(snn) == MST_RUN_FLOAT)
        return mst_fail(err, MST_EINVAL, "attribution: expected an ANN in float mode, and a spiking network");
    mst_attrib *a = mst_alloc(NULL, sizeof *a);
    if (a == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    a->ann = ann;
    a->snn = snn;
    a->opts = own;
    a->mode = mst_program_mode(snn);
    a->counts = a->mode != MST_RUN_SPIKING;
    a->steps = a->counts ? 1 : own.steps;
    a->readout_from = !a->counts && own.readout_from > 1 ? own.readout_from : 1;
    bool fine = a->steps >= 1 && a->steps <= MST_MAX_TIMESTEPS && a->readout_from <= a->steps;
    mst_status st = fine ? set_up(a, err)
                         : mst_fail(err, MST_EINVAL, "attribution: %u time steps, logits from step %u on: out of range",
                                    own.steps, own.readout_from);
    if (st != MST_OK)
        mst_attrib_destroy(a);
    else
        *out = a;
    return st;
}

void mst_attrib_destroy(mst_attrib *a)
{
    if (a == NULL)
        return;
    mst_program_destroy(a->even);
    mst_arena_release(&a->arena);
    mst_free(NULL, a, sizeof *a);
}

size_t mst_attrib_runs(const mst_attrib *a) { return a->n_passes; }
