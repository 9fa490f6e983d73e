/* See run_figures.h. */
#include "tools/run_figures.h"

#include <math.h>

#include "tools/tool_mode.h"

#define STEP_SECONDS 1e-3 /* Eq. 10 takes 1 ms */

/* ---- energy ---- */

mst_figures mst_figures_of(const mst_run_about *a, const mst_counters *c, uint64_t samples, double steps)
{
    const mst_energy_set *e = &a->energy.set;
    double n = (double)samples, pass = (double)a->dense_pass, once = (double)a->dense_static;
    mst_figures x = {.dense_pass = pass, .dense_run = once + (pass - once) * steps};
    x.spikes = (double)c->spikes / n;
    x.fired = (double)c->spikes_before / n;
    x.sops = (double)c->sops / n;
    x.macs = (double)c->macs / n;
    x.power = x.spikes / STEP_SECONDS * a->energy.alpha;
    x.per_input = pass > once ? x.sops / (pass - once) : (double)NAN;
    for (size_t k = 0; k < a->n_layers; k++)
        x.neurons += (double)a->layers[k].neurons;
    x.fires = c->spikes != 0;
    x.state_updates = x.neurons * steps;
    x.bits = a->mode == MST_RUN_RADIX ? (unsigned)a->window : 0;
    const mst_work work = {.sops = x.sops,
                           .macs = x.macs,
                           .spikes = x.spikes,
                           .fired = x.fired,
                           .neurons = x.neurons,
                           .updates = x.state_updates,
                           .dense_ops = pass,
                           .dense_static = once};
    x.ann = mst_energy_of_ann(e, &work);
    if (x.bits != 0)
        x.bit_ann = mst_energy_of_bit_ann(e, &work, x.bits);
    x.snn = a->mode == MST_RUN_ANN ? x.ann : mst_energy_of_run(e, &work);
    return x;
}

double mst_energy_ratio(const mst_figures *x, const mst_cost *ann, bool all)
{
    double mine = x->snn.operations + (all ? x->snn.memory + x->snn.updates : 0);
    double theirs = ann->operations + (all ? ann->memory + ann->updates : 0);
    return x->fires && theirs > 0 ? mine / theirs : (double)NAN;
}

double mst_figures_analog(const mst_figures *x)
{
    double all = x->sops + x->macs;
    return all > 0 ? x->macs / all : (double)NAN;
}

/* ---- accuracy, rates ---- */

void mst_run_facts_free(mst_run_facts *r)
{
    mst_run_about_free(&r->about);
    mst_run_sums_free(&r->sums);
}

static double share(uint64_t n, uint64_t of) { return of != 0 ? (double)n / (double)of : (double)NAN; }

double mst_run_top1(const mst_run_facts *r, size_t k) { return share(r->sums.at[k].right, r->sums.labelled); }
double mst_run_top5(const mst_run_facts *r, size_t k) { return share(r->sums.at[k].right5, r->sums.labelled); }

double mst_run_slots(const mst_run_facts *r, size_t layer)
{
    uint64_t levels = r->about.layers[layer].levels;
    if (!mst_mode_counts(r->about.mode))
        return mst_run_steps(&r->about);
    return r->about.mode == MST_RUN_COUNT || levels == 0 ? (double)levels : 64 - __builtin_clzll(levels);
}

double mst_run_rate(const mst_run_facts *r, size_t layer)
{
    double outputs = (double)r->about.layers[layer].neurons * (double)r->sums.samples;
    return (double)r->sums.layers[layer].spikes / (outputs * mst_run_slots(r, layer));
}

double mst_run_input_events(const mst_run_facts *r, size_t layer)
{
    double dense = (double)r->about.layers[layer].dense_in * (double)r->sums.samples;
    return dense > 0 ? (double)r->sums.layers[layer].ops / dense : (double)NAN;
}

double mst_run_sparsity(const mst_run_facts *r)
{
    double slots = 0;
    for (size_t k = 0; k < r->sums.n_layers; k++)
        slots += (double)r->about.layers[k].neurons * mst_run_slots(r, k) * (double)r->sums.samples;
    return slots > 0 ? 1 - (double)r->sums.all.spikes_before / slots : (double)NAN;
}

size_t mst_run_silent(const mst_run_facts *r)
{
    size_t n = 0;
    for (size_t k = 0; k < r->sums.n_layers; k++)
        n += r->sums.layers[k].spikes == 0;
    return n;
}

double mst_run_latency(const mst_run_about *a)
{
    return mst_mode_counts(a->mode) ? (double)a->depth * (double)a->window : mst_run_steps(a);
}
