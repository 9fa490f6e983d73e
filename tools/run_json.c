/* Figures of runs as JSON (docs/JSON.md): one object; {"runs": [..]} of several. */
#include <math.h>

#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_hash.h"
#include "tools/tool_ranks.h"

/* What a layer is, and what it did. */
static json_t *json_layer(const mst_run_facts *r, size_t k)
{
    const mst_run_layer_sums *s = &r->sums.layers[k];
    mst_run_mode mode = r->about.mode;
    bool spikes = mode != MST_RUN_ANN, step = mode == MST_RUN_SPIKING;
    bool differ = spikes && mode != MST_RUN_RADIX; /* whose masks may leave more digits */
    double events = mst_run_input_events(r, k), n = (double)r->sums.samples;
    json_t *layer = mst_run_layer_json(&r->about.layers[k]);
    mst_json_set(&layer, "rate_percent", mst_json_real_if(spikes, 100 * mst_run_rate(r, k)));
    mst_json_set(&layer, "input_rate_percent", mst_json_real_if(step, 100 * events / mst_run_steps(&r->about)));
    mst_json_set(&layer, "input_events", mst_json_real_if(spikes, events));
    mst_json_set(&layer, "fired_per_sample", mst_json_real_if(spikes, (double)s->fired / n));
    mst_json_set(&layer, "spikes_per_sample", mst_json_real_if(spikes, (double)s->spikes / n));
    mst_json_set(&layer, "masked_per_sample", mst_json_real_if(differ, ((double)s->fired - (double)s->spikes) / n));
    mst_json_set(&layer, "input_ops_per_sample", mst_json_real((double)s->ops / n));
    return layer;
}

static json_t *json_layers(const mst_run_facts *r)
{
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < r->sums.n_layers; k++)
        mst_json_append(&list, json_layer(r, k));
    return list;
}

void mst_run_json_counts(json_t **to, mst_run_mode mode, const mst_figures *x)
{
    bool spikes = mode != MST_RUN_ANN;
    mst_json_set(to, "fired_per_sample", mst_json_real_if(spikes, x->fired));
    mst_json_set(to, "spikes_per_sample", mst_json_real_if(spikes, x->spikes));
    mst_json_set(to, "masked_per_sample", mst_json_real_if(spikes && mode != MST_RUN_RADIX, x->fired - x->spikes));
    mst_json_set(to, "sops_per_sample", mst_json_real(x->sops));
    mst_json_set(to, "macs_per_sample", mst_json_real(x->macs));
    mst_json_set(to, "energy_pj", mst_json_real(x->snn.operations));
    mst_json_set(to, "energy_ratio", mst_json_real_if(spikes, mst_energy_ratio(x, &x->ann, false)));
    mst_json_set(to, "energy_total_ratio", mst_json_real_if(spikes, mst_energy_ratio(x, &x->ann, true)));
}

/* At every step asked for; at the end of the one window in the other modes. */
static json_t *json_at(const mst_run_facts *r)
{
    json_t *list = json_array();
    bool step = r->about.mode == MST_RUN_SPIKING;
    for (size_t k = 0; list != NULL && k < r->sums.n_at; k++) {
        uint32_t t = r->about.at.values[k];
        mst_figures x = mst_figures_of(&r->about, &r->sums.at[k].counts, r->sums.samples, t);
        json_t *at = json_object();
        mst_json_set(&at, "t", mst_json_whole_if(step, t));
        mst_json_set(&at, "top1_percent", mst_json_real(100 * mst_run_top1(r, k)));
        mst_json_set(&at, "top5_percent", mst_json_real(100 * mst_run_top5(r, k)));
        mst_run_json_counts(&at, r->about.mode, &x);
        mst_json_append(&list, at);
    }
    return list;
}

/* pJ of one network, all of it; ratio: to which this run's energy is so many times, where there is one. */
static json_t *json_cost(const mst_figures *x, const mst_cost *c, bool ratio)
{
    json_t *o = json_object();
    mst_json_set(&o, "operations_pj", mst_json_real(c->operations));
    mst_json_set(&o, "memory_pj", mst_json_real(c->memory));
    mst_json_set(&o, "updates_pj", mst_json_real(c->updates));
    mst_json_set(&o, "total_pj", mst_json_real(mst_cost_all(c)));
    if (ratio) {
        mst_json_set(&o, "ratio", mst_json_real(mst_energy_ratio(x, c, false)));
        mst_json_set(&o, "total_ratio", mst_json_real(mst_energy_ratio(x, c, true)));
    }
    return o;
}

/* Beside its constants. */
static json_t *json_energy(const mst_run_facts *r, const mst_figures *x)
{
    bool ann = r->about.mode == MST_RUN_ANN;
    json_t *bit = json_null();
    if (x->bits != 0) {
        bit = json_cost(x, &x->bit_ann, true);
        mst_json_set(&bit, "bits", json_integer(x->bits));
    }
    json_t *sram = json_pack("{s:o, s:i, s:i}", "sram_word_pj", mst_json_real(MST_SRAM_WORD_PJ), "sram_word_bits",
                             MST_SRAM_WORD_BITS, "event_bits", MST_EVENT_BITS);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "constants", sram, "state_updates",
                     mst_json_real_if(!ann, x->state_updates), "run", json_cost(x, &x->snn, false), "ann",
                     json_cost(x, &x->ann, !ann), "bit_ann", bit);
}

json_t *mst_run_json_energy(const mst_run_facts *r, const mst_figures *x)
{
    json_t *all = mst_run_about_energy(&r->about);
    mst_json_add(&all, json_energy(r, x));
    return all;
}

/* The same by NeuroBench's names and in its scales, beside what it says of the model. */
static json_t *json_neurobench(const mst_run_facts *r, const mst_figures *x)
{
    bool spikes = r->about.mode != MST_RUN_ANN;
    return json_pack("{s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "ClassificationAccuracy",
                     mst_json_real(mst_run_top1(r, r->sums.n_at - 1)), "ActivationSparsity",
                     mst_json_real_if(spikes, mst_run_sparsity(r)), "MembraneUpdates",
                     mst_json_real_if(spikes, x->state_updates), "SynapticOperations", "Effective_ACs",
                     mst_json_real(x->sops), "Effective_MACs", mst_json_real(x->macs), "Dense",
                     mst_json_real(x->dense_run));
}

/* Beside what is known before a run. */
static json_t *json_assumed(const mst_figures *x)
{
    return json_pack("{s:o}", "analog_ops_percent", mst_json_real(100 * mst_figures_analog(x)));
}

/* Of the threads, the one that had most; of parts, their sum. */
static json_t *json_timing(const mst_run_facts *r)
{
    double s = r->sums.seconds;
    return json_pack("{s:o, s:o}", "simulation_seconds", mst_json_real(s), "samples_per_second",
                     mst_json_real_if(s > 0, (double)r->sums.samples / s));
}

static json_t *json_of(const mst_run_facts *r)
{
    mst_figures x = mst_figures_of(&r->about, &r->sums.all, r->sums.samples, mst_run_steps(&r->about));
    bool spikes = r->about.mode != MST_RUN_ANN, step = r->about.mode == MST_RUN_SPIKING;
    json_t *root = mst_run_about_json(&r->about);
    mst_json_add(&root, mst_outcome_json(&r->sums.outcome));
    mst_json_set(&root, "samples", mst_json_whole(r->sums.samples));
    mst_json_set(&root, "labelled", mst_json_whole(r->sums.labelled));
    mst_json_set(&root, "latency_steps", mst_json_real_if(spikes, mst_run_latency(&r->about)));
    mst_json_set(&root, "at", json_at(r));
    mst_run_json_counts(&root, r->about.mode, &x);
    mst_json_set(&root, "ann_energy_pj", mst_json_real(x.ann.operations));
    mst_json_set(&root, "dense_ops_per_sample", mst_json_real(x.dense_run));
    mst_json_set(&root, "spikes_per_input", mst_json_real_if(spikes, x.per_input));
    mst_json_set(&root, "silent_layers", mst_json_whole(mst_run_silent(r)));
    mst_json_set(&root, "power_alpha_watts", mst_json_real_if(spikes, x.power));
    mst_json_set(&root, "power_alpha_watts_per_step", mst_json_real_if(step, x.power / mst_run_steps(&r->about)));
    mst_json_add(&root, json_pack("{s:o}", "energy", json_energy(r, &x)));
    mst_json_add(&root, json_pack("{s:o, s:o}", "neurobench", json_neurobench(r, &x), "assumed", json_assumed(&x)));
    mst_json_set(&root, "ann", r->versus != NULL && r->versus->samples != 0 ? mst_versus_json(r->versus) : json_null());
    mst_json_set(&root, "layers", json_layers(r));
    mst_json_set(&root, "per_class",
                 mst_confusion_classes(&r->sums.confusion, r->about.names, r->about.n_names));
    mst_json_set(&root, "confusion", mst_confusion_json(&r->sums.confusion));
    mst_json_set(&root, "sums", mst_run_sums_json(&r->sums));
    mst_json_set(&root, "timing", json_timing(r));
    return root;
}

json_t *mst_run_json_machine(const mst_run_facts *r, json_t *parts)
{
    char digits[MST_HASH_DIGITS];
    json_t *machine = parts != NULL ? json_pack("{s:o}", "parts", parts)
                                    : json_pack("{s:s, s:i}", "isa", r->isa, "threads", (int)r->threads);
    if (mst_ranks() > 1)
        mst_json_set(&machine, "ranks", mst_json_whole(mst_ranks()));
    if (r->predictions != NULL)
        mst_json_set(&machine, "predictions",
                     json_pack("{s:o, s:s}", "file", mst_json_text(r->predictions), "hash",
                               mst_hash_digits(r->predicted, digits)));
    return machine;
}

mst_status mst_run_json(const mst_run_facts *runs, size_t n, json_t *parts, const char *path, mst_err *err)
{
    json_t *list = json_array(), *root = NULL;
    for (size_t k = 0; list != NULL && k < n; k++)
        mst_json_append(&list, json_of(&runs[k]));
    if (list != NULL)
        root = n == 1 ? json_incref(json_array_get(list, 0)) : json_pack("{s:O}", "runs", list);
    mst_json_set(&root, "provenance", mst_run_json_machine(runs, parts));
    json_decref(list);
    return mst_json_write("mstrun", root, path, err);
}
