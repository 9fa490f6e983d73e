/* See run_energy.h. */
#include "tools/run_energy.h"

#include <math.h>
#include <string.h>

#include "tools/tool_mode.h"

#define STEP_SECONDS 1e-3 /* Eq. 10 takes 1 ms */

/* pJ in 45 nm, 0.9 V (Horowitz, "Computing's energy problem", ISSCC 2014): an addition; a multiplication and an
 * addition. int8: an 8-bit addition .03, a multiplication .2. The texts are for --list. */
static const struct {
    const char *name, *ac_text, *mac_text, *value_text, *state_text;
    double ac, mac;
    unsigned value_bits, state_bits;
} sets[] = {
    {"fp32", "0.9", "4.6", "32", "32", 0.9, 4.6, 32, 32},
    {"fp16", "0.4", "1.5", "16", "16", 0.4, 1.5, 16, 16},
    {"int8", "0.03", "0.23", "8", "32", 0.03, 0.23, 8, 32},
};
#define N_SETS (sizeof sets / sizeof sets[0])

static bool set_row(size_t k, const char **cells)
{
    if (k >= N_SETS)
        return false;
    cells[0] = sets[k].name;
    cells[1] = sets[k].ac_text;
    cells[2] = sets[k].mac_text;
    cells[3] = sets[k].value_text;
    cells[4] = sets[k].state_text;
    return true;
}

const mst_list mst_list_energy_sets = {
    "energy-sets", 5, {"set", "pJ an AC", "pJ a MAC", "bits of weights and activations", "bits of membranes"}, set_row};

mst_status mst_energy_find(const char *name, mst_energy *out, mst_err *err)
{
    char known[MST_LIST_TEXT];
    size_t k = 0;
    while (name != NULL && k < N_SETS && strcmp(sets[k].name, name) != 0)
        k++;
    if (k == N_SETS) {
        mst_list_names(&mst_list_energy_sets, known, sizeof known);
        return mst_fail(err, MST_EINVAL, "--energy-set: expected one of %s, found '%s'", known, name);
    }
    *out = (mst_energy){.set = sets[k].name,
                        .alpha = MST_DEFAULT_ALPHA,
                        .ac = sets[k].ac,
                        .mac = sets[k].mac,
                        .value_bits = sets[k].value_bits,
                        .state_bits = sets[k].state_bits};
    return MST_OK;
}

/* pJ of n reads or writes of that many bits. */
static double memory_pj(double n, unsigned bits)
{
    return n * (double)bits / MST_SRAM_WORD_BITS * MST_SRAM_WORD_PJ;
}

/* A weight for each operation; membranes read and written; spikes written and read once as addresses. A neuron
 * adds its current at each update, and takes theta away for each spike. */
static mst_cost cost_of_snn(const mst_figures *x, const mst_energy *e)
{
    return (mst_cost){.operations = x->sops * e->ac + x->macs * e->mac,
                      .memory = memory_pj(x->sops + x->macs, e->value_bits) +
                                memory_pj(2 * x->state_updates, e->state_bits) +
                                memory_pj(2 * x->spikes, MST_EVENT_BITS),
                      .updates = (x->state_updates + x->fired) * e->ac};
}

/* A weight for each operation; activations written and read once. A neuron scales, then rounds. */
static mst_cost cost_of_ann(const mst_figures *x, const mst_energy *e)
{
    return (mst_cost){.operations = x->dense_pass * e->mac,
                      .memory = memory_pj(x->dense_pass, e->value_bits) + memory_pj(2 * x->neurons, e->value_bits),
                      .updates = x->neurons * e->mac};
}

/* Activations of K bits, a multiplication done bit by bit: K accumulates. The image (once: the static part) is not
 * of K bits. */
static mst_cost cost_of_bit_ann(const mst_figures *x, double once, const mst_energy *e)
{
    return (mst_cost){.operations = once * e->mac + (x->dense_pass - once) * x->bits * e->ac,
                      .memory = memory_pj(x->dense_pass, e->value_bits) + memory_pj(2 * x->neurons, x->bits),
                      .updates = x->neurons * e->mac};
}

mst_figures mst_figures_of(const mst_sim_opts *o, const mst_sim_result *r, const mst_energy *e)
{
    const mst_program *p = o->program;
    const mst_counters *c = &r->sum;
    double pass = (double)mst_program_dense_ops(p), once = (double)mst_program_dense_ops_static(p);
    mst_figures x = {.n = (double)r->samples, .dense_pass = pass, .dense_run = once + (pass - once) * o->steps};
    x.spikes = (double)c->spikes / x.n;
    x.fired = (double)c->spikes_before / x.n;
    x.sops = (double)c->sops / x.n;
    x.macs = (double)c->macs / x.n;
    x.power = x.spikes / STEP_SECONDS * e->alpha;
    x.per_input = pass > once ? x.sops / (pass - once) : (double)NAN;
    for (size_t k = 0; k < mst_program_layers(p); k++) {
        x.neurons += (double)mst_program_layer(p, k)->neurons;
        x.silent += r->layers[k].spikes == 0;
    }
    x.fires = c->spikes != 0;
    x.state_updates = x.neurons * o->steps;
    x.bits = o->mode == MST_RUN_RADIX ? mst_program_window(p) : 0;
    x.ann = cost_of_ann(&x, e);
    if (x.bits != 0)
        x.bit_ann = cost_of_bit_ann(&x, once, e);
    x.snn = o->mode == MST_RUN_ANN ? x.ann : cost_of_snn(&x, e);
    return x;
}

double mst_energy_ratio(const mst_figures *x, const mst_cost *ann, bool all)
{
    double mine = x->snn.operations + (all ? x->snn.memory + x->snn.updates : 0);
    double theirs = ann->operations + (all ? ann->memory + ann->updates : 0);
    return x->fires && theirs > 0 ? mine / theirs : (double)NAN;
}
