/* A calibration: pairs the layers of two programs, and sums what its workers
 * commit. Knows nothing of files, of the converter, or of threads.
 */
#include "calibrate/calib.h"

#include <string.h>

#include "runtime/core/options.h"

const char *mst_calib_part_name(mst_calib_part part)
{
    static const char *const names[MST_PART_COUNT] = {"clipping", "unevenness", "quantization", "masks", "inherited",
                                                      "weights"};
    return (unsigned)part < MST_PART_COUNT ? names[part] : NULL;
}

static bool is_count(mst_run_mode mode) { return mode == MST_RUN_COUNT || mode == MST_RUN_RADIX; }

bool mst_calib_has_part(mst_run_mode mode, mst_calib_part part)
{
    return part != (is_count(mode) ? MST_PART_UNEVENNESS : MST_PART_MASKS);
}

/* The k-th ANN layer of that name, k = how many layers of that name the SNN has had so far. */
static uint32_t find_partner(const mst_program *ann, const mst_program *snn, size_t layer)
{
    const char *name = mst_program_layer(snn, layer)->name;
    size_t skip = 0;
    for (size_t i = 0; i < layer; i++)
        skip += strcmp(mst_program_layer(snn, i)->name, name) == 0;
    for (size_t i = 0; i < mst_program_layers(ann); i++)
        if (strcmp(mst_program_layer(ann, i)->name, name) == 0 && skip-- == 0)
            return (uint32_t)i;
    return MST_NONE;
}

static void set_current(calib_pair *p, const mst_graph *g, const mst_node *node)
{
    p->next = MST_NONE;
    if (node->n_in < 4 || node->in[2] == MST_NONE)
        return;
    const mst_tensor *gain = &g->tensors[node->in[2]], *bias = &g->tensors[node->in[3]];
    p->gain = gain->data;
    p->gains = mst_tensor_elements(gain);
    p->bias = bias->data;
    p->biases = mst_tensor_elements(bias);
}

static void set_threshold(calib_pair *p, const mst_graph *g, const mst_node *node)
{
    const mst_tensor *x = &g->tensors[node->out], *theta = &g->tensors[node->in[1]];
    int32_t axis = node->ip[MST_NEURON_AXIS];
    p->theta = theta->data;
    p->channels = mst_tensor_elements(theta);
    p->inner = 1;
    for (uint32_t d = (uint32_t)axis + 1; d < x->rank; d++)
        p->inner *= x->dims[d];
    p->levels = node->ip[MST_NEURON_LEVELS];
    p->shift = (double)node->fp[MST_NEURON_SHIFT];
    p->even = node->ip[MST_NEURON_EVEN] != 0;
}

mst_status mst_calib_partner(const mst_program *ann, const mst_program *snn, size_t k, uint32_t *partner, mst_err *err)
{
    const mst_layer *l = mst_program_layer(snn, k);
    *partner = find_partner(ann, snn, k);
    if (*partner == MST_NONE)
        return mst_fail(err, MST_EINVAL,
                        "layer '%s': in the spiking network, not in the ANN: is the model another one?",
                        l->name);
    const mst_layer *a = mst_program_layer(ann, *partner);
    if (a->neurons != l->neurons)
        return mst_fail(err, MST_EINVAL, "layer '%s': expected %llu neurons as the ANN has, found %llu",
                        l->name, (unsigned long long)a->neurons, (unsigned long long)l->neurons);
    return MST_OK;
}

const mst_node *mst_calib_partner_node(const mst_graph *g, const mst_node *node, uint32_t *from)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t k = (*from + i) % g->n_nodes;
        const mst_node *n = &g->nodes[k];
        if (n->op == node->op && strcmp(n->name, node->name) == 0) {
            *from = k + 1;
            return n;
        }
    }
    return NULL;
}

static mst_status pair_layer(mst_calib *c, size_t k, mst_err *err)
{
    uint32_t partner;
    MST_TRY(mst_calib_partner(c->ann, c->snn, k, &partner, err));
    const mst_layer *ann = mst_program_layer(c->ann, partner), *snn = mst_program_layer(c->snn, k);
    calib_pair *p = &c->pairs[k];
    p->snn_layer = (uint32_t)k;
    p->ann_layer = partner;
    p->neurons = (size_t)snn->neurons;
    const mst_graph *g = mst_program_graph(c->snn);
    set_threshold(p, g, &g->nodes[snn->node]);
    set_current(p, g, &g->nodes[snn->node]);
    p->run_levels = c->counts ? snn->levels : 0;
    c->snn_of_node[snn->node] = (uint32_t)k;
    c->ann_of_node[ann->node] = (uint32_t)k;
    return MST_OK;
}

static mst_status pair_layers(mst_calib *c, mst_err *err)
{
    for (size_t k = 0; k < c->n_layers; k++)
        MST_TRY(pair_layer(c, k, err));
    for (size_t k = 0; k < mst_program_layers(c->ann); k++) {
        const mst_layer *ann = mst_program_layer(c->ann, k);
        if (c->ann_of_node[ann->node] == MST_NONE)
            return mst_fail(err, MST_EINVAL,
                            "layer '%s': in the ANN, not in the spiking network: is the model another "
                            "one?",
                            ann->name);
    }
    return MST_OK;
}

/* v(0) of the layers that are tuned, as the network itself has it. */
static mst_status read_first(mst_calib *c, mst_err *err)
{
    const mst_graph *g = mst_program_graph(c->snn);
    mst_session *s;
    if (g->tuning.timesteps == 0)
        return MST_OK;
    MST_TRY(mst_session_create(c->snn, &s, err));
    mst_status st = MST_OK;
    for (size_t k = 0; st == MST_OK && k < c->n_layers; k++) {
        calib_pair *p = &c->pairs[k];
        if (mst_graph_tuned(g, mst_program_layer(c->snn, k)->node) == NULL)
            continue;
        p->first = mst_arena_copy(&c->arena, mst_session_potential(s, k), p->neurons * sizeof *p->first);
        if (p->first == NULL)
            st = mst_fail(err, MST_ENOMEM, "out of memory for v(0) of %zu neurons", p->neurons);
    }
    mst_session_destroy(s);
    return st;
}

/* The ANN with other weights has its layers at the same nodes. */
static mst_status check_stored(const mst_calib *c, mst_err *err)
{
    size_t n = c->stored != NULL ? mst_program_layers(c->ann) : 0;
    bool same = c->stored == NULL || mst_program_layers(c->stored) == n;
    for (size_t k = 0; same && k < n; k++) {
        const mst_layer *a = mst_program_layer(c->ann, k), *b = mst_program_layer(c->stored, k);
        same = a->node == b->node && a->neurons == b->neurons;
    }
    if (c->stored != NULL)
        same = same && mst_program_graph(c->stored)->n_nodes == mst_program_graph(c->ann)->n_nodes;
    return same ? MST_OK : mst_fail(err, MST_EINVAL, "the ANN with the stored weights is not the same network");
}

mst_status mst_calib_check_shapes(const mst_program *ann, const mst_program *snn, mst_err *err)
{
    size_t in = mst_program_input_size(snn), out = mst_graph_classes(mst_program_graph(snn)),
           in_a = mst_program_input_size(ann), out_a = mst_graph_classes(mst_program_graph(ann));
    if (in_a != in || out_a != out)
        return mst_fail(err, MST_EINVAL,
                        "networks differ: expected input of %zu and %zu classes as the ANN has, found %zu "
                        "and %zu",
                        in_a, out_a, in, out);
    return MST_OK;
}

static mst_status check_steps(const mst_calib_opts *opts, mst_err *err)
{
    if (opts->n_at == 0)
        return mst_fail(err, MST_EINVAL, "calibration: expected at least one time step, found none");
    for (uint32_t i = 0; i < opts->n_at; i++)
        if (opts->at[i] == 0 || opts->at[i] > MST_MAX_TIMESTEPS || (i != 0 && opts->at[i] <= opts->at[i - 1]))
            return mst_fail(err, MST_EINVAL, "calibration: expected ascending time steps 1..%u, found %u",
                            MST_MAX_TIMESTEPS, opts->at[i]);
    return MST_OK;
}

static bool allocate_maps(mst_calib *c, size_t n)
{
    size_t ann = mst_program_graph(c->ann)->n_nodes, snn = mst_program_graph(c->snn)->n_nodes;
    mst_arena *a = &c->arena;
    c->ann_of_node = mst_calib_nothing(a, ann);
    c->ann_mask_of = mst_calib_nothing(a, ann);
    c->snn_of_node = mst_calib_nothing(a, snn);
    c->snn_mask_of = mst_calib_nothing(a, snn);
    c->reader_of = mst_calib_nothing(a, snn);
    c->given = mst_calib_nothing(a, n);
    c->ann_masked = mst_arena_array(a, n, sizeof *c->ann_masked);
    c->snn_masked = mst_arena_array(a, n, sizeof *c->snn_masked);
    return c->ann_of_node != NULL && c->ann_mask_of != NULL && c->snn_of_node != NULL && c->snn_mask_of != NULL &&
           c->reader_of != NULL && c->given != NULL && c->ann_masked != NULL && c->snn_masked != NULL;
}

static bool allocate(mst_calib *c)
{
    mst_arena *a = &c->arena;
    size_t n = c->n_layers != 0 ? c->n_layers : 1, n_at = c->opts.n_at;
    c->opts.at = mst_arena_copy(a, c->opts.at, n_at * sizeof *c->opts.at);
    c->pairs = mst_arena_array(a, n, sizeof *c->pairs);
    return c->opts.at != NULL && c->pairs != NULL && allocate_maps(c, n) &&
           mst_calib_sums_create(c->n_layers, n_at, &c->sums, NULL) == MST_OK;
}

static mst_status check_modes(const mst_program *ann, const mst_program *snn, const mst_calib_opts *o, mst_err *err)
{
    bool fine = ann != NULL && snn != NULL && mst_program_mode(ann) == MST_RUN_FLOAT &&
                mst_program_mode(snn) != MST_RUN_FLOAT &&
                (o->stored == NULL || mst_program_mode(o->stored) == MST_RUN_FLOAT) &&
                (o->drawn == NULL || (mst_program_mode(o->drawn) == MST_RUN_FLOAT &&
                                      mst_program_input_size(o->drawn) == mst_program_input_size(ann) &&
                                      mst_graph_classes(mst_program_graph(o->drawn)) ==
                                          mst_graph_classes(mst_program_graph(ann))));
    return fine ? MST_OK : mst_fail(err, MST_EINVAL, "calibration: expected ANNs in float mode, and a spiking network");
}

mst_status mst_calib_create(const mst_program *ann, const mst_program *snn, const mst_calib_opts *opts,
                            mst_calib **out, mst_err *err)
{
    *out = NULL;
    static const uint32_t once = 1;
    mst_calib_opts own = {0};
    MST_TRY(MST_TAKE_OPTS(mst_calib_opts, &own, opts, stored, seed, err));
    bool counts = snn != NULL && is_count(mst_program_mode(snn));
    if (counts) {
        own.at = &once;
        own.n_at = 1;
    }
    MST_TRY(check_steps(&own, err));
    MST_TRY(check_modes(ann, snn, &own, err));
    mst_calib *c = mst_alloc(NULL, sizeof *c);
    if (c == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    c->ann = ann;
    c->snn = snn;
    c->opts = own;
    c->stored = own.stored;
    c->drawn = own.drawn;
    c->mode = mst_program_mode(snn);
    c->counts = counts;
    c->steps = own.at[own.n_at - 1];
    c->n_layers = mst_program_layers(snn);
    c->input_size = mst_program_input_size(snn);
    c->classes = mst_graph_classes(mst_program_graph(snn));
    mst_status st = allocate(c) ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for %zu layers", c->n_layers);
    if (st == MST_OK)
        st = mst_calib_check_shapes(ann, snn, err);
    if (st == MST_OK)
        st = pair_layers(c, err);
    if (st == MST_OK)
        st = check_stored(c, err);
    if (st == MST_OK)
        st = counts ? mst_calib_wire(c, err) : read_first(c, err);
    if (st != MST_OK)
        mst_calib_destroy(c);
    else
        *out = c;
    return st;
}

void mst_calib_destroy(mst_calib *c)
{
    if (c == NULL)
        return;
    mst_calib_sums_destroy(c->sums);
    mst_arena_release(&c->arena);
    mst_free(NULL, c, sizeof *c);
}

mst_calib_sums *mst_calib_sums_of(mst_calib *c) { return c->sums; }

static mst_calib_layer describe(const mst_calib *c, size_t k)
{
    const mst_layer *l = mst_program_layer(c->snn, k);
    return (mst_calib_layer){.name = l->name,
                             .site = l->site,
                             .stage = l->stage,
                             .block = l->block,
                             .neurons = l->neurons,
                             .theta = l->theta,
                             .levels = (int)c->pairs[k].levels,
                             .run_levels = c->pairs[k].run_levels};
}

mst_status mst_calib_describe(const mst_calib *c, mst_calib_report *out, mst_err *err)
{
    MST_TRY(mst_calib_report_begin(out, c->n_layers, c->opts.n_at, err));
    out->mode = c->mode;
    out->depth = c->counts ? mst_program_depth(c->snn) : 0;
    out->window = c->counts ? mst_program_window(c->snn) : 0;
    out->stored = c->stored != NULL;
    out->drawn = c->drawn != NULL;
    for (uint32_t i = 0; i < c->opts.n_at; i++) {
        out->points[i].t = c->opts.at[i];
        for (size_t k = 0; k < c->n_layers; k++)
            out->layers_at[i * c->n_layers + k] = describe(c, k);
    }
    return MST_OK;
}

mst_status mst_calib_report_make(const mst_calib *c, mst_calib_report *out, mst_err *err)
{
    *out = (mst_calib_report){0};
    if (c->sums->samples == 0)
        return mst_fail(err, MST_EINVAL, "calibration: expected at least one sample, found none");
    mst_status st = mst_calib_describe(c, out, err);
    if (st == MST_OK)
        mst_calib_sums_report(c->sums, out);
    else
        mst_calib_report_free(out);
    return st;
}
