/* See verdict.h. */
#include "converter/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "converter/pairs.h"

/* What a value is made of, the larger the later. */
enum { OF_INPUT,
       OF_SPIKES,    /* reads a neuron */
       OF_SYNAPSES,  /* reads a synapse that reads a neuron */
       OF_ISLANDS }; /* reads an analog activation of that */

/* Maxima of pools are none: they only choose. */
static bool is_activation(const mst_graph *g, const mst_node *n)
{
    switch (n->op) {
    case MST_OP_SOFTMAX:
    case MST_OP_LAYERNORM:
    case MST_OP_MATMUL: return true; /* a product of live values */
    case MST_OP_CLIP:
    case MST_OP_UNARY:
    case MST_OP_BINARY: return !mst_node_is_linear(g, n);
    default: return false;
    }
}

static uint8_t made_of(const mst_graph *g, const mst_node *n, const uint8_t *of)
{
    uint8_t most = OF_INPUT;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && of[n->in[k]] > most)
            most = of[n->in[k]];
    if (n->op == MST_OP_NEURON)
        return OF_SPIKES; /* one that reads more than that ends the search */
    if ((mst_op_get(n->op)->flags & MST_F_SYNAPSE) != 0 && most == OF_SPIKES)
        return OF_SYNAPSES; /* products of spikes, too */
    return most == OF_SYNAPSES && is_activation(g, n) ? OF_ISLANDS : most;
}

/* Does a synapse read an analog activation behind the first spikes, and no neuron reads a synapse of spikes? */
static bool one_stage_only(const mst_graph *g, uint8_t *of)
{
    bool analog = false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        uint8_t in = n->in[0] != MST_NONE ? of[n->in[0]] : (uint8_t)OF_INPUT;
        if (n->op == MST_OP_NEURON && in >= OF_SYNAPSES)
            return false;
        of[n->out] = made_of(g, n, of);
        analog = analog || ((mst_op_get(n->op)->flags & MST_F_SYNAPSE) != 0 && of[n->out] == OF_ISLANDS);
    }
    return analog;
}

/* Those that --calibrate would take. A LeakyRelu or PRelu is written with two, which have its name. */
static mst_status count_relus(mst_graph *g, size_t *relus, size_t *leaky, mst_err *err)
{
    mst_arena arena = {.alloc = g->arena.alloc};
    mst_relu *found;
    size_t n;
    *relus = *leaky = 0;
    mst_status st = mst_relus_find(g, &arena, &found, &n, err);
    for (size_t k = 0; k < n && st == MST_OK; k++) {
        bool two = k + 1 < n && strcmp(found[k].name, found[k + 1].name) == 0;
        *(two ? leaky : relus) += 1;
        k += two;
    }
    mst_arena_release(&arena);
    return st;
}

/* Pairs of a quantized model that stay analog. */
static size_t count_roundings(const mst_graph *g)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op == MST_OP_UNARY && qdq_mark(&g->nodes[i]) != 0;
    return n;
}

mst_status mst_check_spikes(mst_graph *g, const mst_report *r, mst_err *err)
{
    bool none = r->n_neuron_layers == 0, stage = false;
    if (!none) {
        uint8_t *of = mst_alloc_array(g->arena.alloc, g->n_tensors, sizeof *of);
        if (of == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory: looking for what spikes");
        stage = one_stage_only(g, of);
        mst_free_array(g->arena.alloc, of, g->n_tensors, sizeof *of);
    }
    if (!none && !stage)
        return MST_OK;
    char relus[192] = "", roundings[160] = "", text[96] = "";
    size_t n, leaky, pairs = count_roundings(g);
    MST_TRY(count_relus(g, &n, &leaky, err));
    if (pairs != 0)
        snprintf(roundings, sizeof roundings,
                 " (%zu pairs of QuantizeLinear and DequantizeLinear are no neurons: signed ones are not there yet)",
                 pairs);
    if (leaky != 0)
        snprintf(text, sizeof text, "%s%zu LeakyRelus or PRelus, two layers of neurons each,", n != 0 ? " and " : "",
                 leaky);
    if (n != 0)
        snprintf(relus, sizeof relus, ", or take thresholds for its %zu ReLUs%s from data (--calibrate DATA)", n, text);
    else if (leaky != 0)
        snprintf(relus, sizeof relus, ", or take thresholds for its %s from data (--calibrate DATA)", text);
    return mst_fail(err, MST_EUNSUPPORTED,
                    "%s%s: train the model with QCFS activations, theta*clip(floor(x*L/theta+1/2)/L, 0, 1)%s; "
                    "--allow-analog converts it as it is",
                    none ? "nothing in this network spikes" : "only the input stage of this network spikes", roundings,
                    relus);
}

/* The factor of an AFFINE that is one number without offset; 0: none. */
static double factor_of(const mst_graph *g, const mst_node *n)
{
    if (n->op != MST_OP_AFFINE || mst_tensor_elements(&g->tensors[n->in[1]]) != 1 ||
        mst_tensor_elements(&g->tensors[n->in[2]]) != 1 || mst_const_at(&g->tensors[n->in[2]], 0) != 0)
        return 0;
    return mst_const_at(&g->tensors[n->in[1]], 0);
}

/* Random Spike Masking does not scale what survives. */
static bool is_rescaled(const mst_graph *g, const mst_node *mask)
{
    double expected = 1 / (1 - (double)mask->fp[MST_MASK_RATIO]);
    for (uint32_t i = 0; i < g->n_nodes && expected != 1; i++) {
        const mst_node *n = &g->nodes[i];
        if ((n->in[0] == mask->out || n->out == mask->in[0]) && fabs(factor_of(g, n) / expected - 1) < 1e-4)
            return true;
    }
    return false;
}

void mst_warn_dropout(const mst_graph *g, const mst_import_opts *opts)
{
    const char *first = NULL;
    unsigned n = 0;
    for (uint32_t i = 0; i < g->n_nodes && opts->warn != NULL; i++)
        if (g->nodes[i].op == MST_OP_MASK && is_rescaled(g, &g->nodes[i]) && n++ == 0)
            first = g->nodes[i].name;
    if (n == 0)
        return;
    char text[512];
    snprintf(text, sizeof text,
             "node '%.200s'%s: dropout in training mode, kept as a random mask; if that is not meant, call "
             "model.eval() before the export",
             first, n > 1 ? " and others" : "");
    opts->warn(opts->warn_ctx, text);
}
