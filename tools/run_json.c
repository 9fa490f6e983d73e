/* Figures of runs as JSON: one object; {"runs": [..]} of several. */
#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"

/* What a layer is. */
static json_t *json_kind(const mst_run_facts *r, size_t k, const char *kind)
{
    const mst_layer *l = mst_program_layer(r->opts.program, k);
    const mst_node *n = &mst_program_graph(r->opts.program)->nodes[l->node];
    return json_pack("{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:i, s:o, s:b, s:o, s:o, s:o}", "name",
                     mst_json_text(l->name), "kind", kind, "site", mst_site_name((int)l->site), "stage", l->stage,
                     "block", l->block, "neurons", mst_json_whole(l->neurons), "theta", mst_json_real(l->theta), "L",
                     (int)n->ip[MST_NEURON_LEVELS], "levels",
                     mst_json_whole_if(mst_mode_counts(r->opts.mode), (uint64_t)l->levels), "mask", l->masked, "ratio",
                     mst_json_real(l->ratio), "trained", mst_json_real_if(l->trained >= 0, l->trained), "dense_in",
                     mst_json_whole(l->dense_in));
}

/* What it did. */
static json_t *json_layer(const mst_run_facts *r, size_t k, const char *kind)
{
    const mst_sim_layer *s = &r->result.layers[k];
    bool spikes = r->opts.mode != MST_RUN_ANN, step = r->opts.mode == MST_RUN_SPIKING;
    bool differ = spikes && r->opts.mode != MST_RUN_RADIX; /* whose masks may leave more digits */
    double events = mst_run_input_events(r, k), n = (double)r->result.samples;
    json_t *layer = json_kind(r, k, kind);
    mst_json_set(&layer, "rate_percent", mst_json_real_if(spikes, 100 * mst_run_rate(r, k)));
    mst_json_set(&layer, "input_rate_percent", mst_json_real_if(step, 100 * events / r->opts.steps));
    mst_json_set(&layer, "input_events", mst_json_real_if(spikes, events));
    mst_json_set(&layer, "fired_per_sample", mst_json_real_if(spikes, (double)s->fired / n));
    mst_json_set(&layer, "spikes_per_sample", mst_json_real_if(spikes, (double)s->spikes / n));
    mst_json_set(&layer, "masked_per_sample", mst_json_real_if(differ, (double)(s->fired - s->spikes) / n));
    mst_json_set(&layer, "input_ops_per_sample", mst_json_real((double)s->ops / n));
    return layer;
}

static json_t *json_layers(const mst_run_facts *r)
{
    const mst_program *p = r->opts.program;
    mst_arena arena = {0};
    const char **kinds = mst_model_kinds(p, &arena);
    json_t *list = kinds != NULL ? json_array() : NULL;
    for (size_t k = 0; list != NULL && k < mst_program_layers(p); k++)
        mst_json_append(&list, json_layer(r, k, kinds[k]));
    mst_arena_release(&arena);
    return list;
}

/* Of every step asked for; of the one window in the other modes. */
static json_t *json_at(const mst_run_facts *r)
{
    json_t *list = json_array();
    bool step = r->opts.mode == MST_RUN_SPIKING;
    for (size_t k = 0; list != NULL && k < r->opts.at->n; k++)
        mst_json_append(&list, json_pack("{s:o, s:o}", "t", mst_json_whole_if(step, r->opts.at->values[k]),
                                         "top1_percent", mst_json_real(100 * mst_run_top1(r, k))));
    return list;
}

/* What was run on what, and how long a sample takes in steps. */
static json_t *json_run(const mst_run_facts *r)
{
    const mst_program *p = r->opts.program;
    bool counts = mst_mode_counts(r->opts.mode), ann = r->opts.mode == MST_RUN_ANN;
    const char *thinning = counts && mst_run_masked(r) ? mst_thinning_name((int)r->opts.thinning) : NULL;
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "model",
                     mst_json_text(r->model), "data", mst_json_text(r->data), "format", mst_data_format(r->opts.data),
                     "seed", mst_json_whole(r->seed), "samples",
                     mst_json_whole(r->result.samples), "mode", mst_run_mode_name(r->opts.mode), "T",
                     mst_json_whole_if(!counts && !ann, r->opts.steps), "readout_from",
                     mst_json_whole_if(!counts && !ann, r->opts.readout_from), "tuned",
                     mst_json_tuning(&mst_program_graph(p)->tuning), "levels",
                     mst_json_whole_if(counts && r->opts.levels != 0, r->opts.levels), "thinning",
                     thinning != NULL ? json_string(thinning) : json_null(), "depth",
                     mst_json_whole_if(counts, mst_program_depth(p)), "window_steps",
                     mst_json_whole_if(counts, mst_program_window(p)),
                     "latency_steps", mst_json_real_if(!ann, mst_run_latency(r)), "labelled",
                     mst_json_whole(r->result.labelled),
                     "at", json_at(r));
}

static json_t *json_counts(const mst_run_facts *r, const mst_figures *x)
{
    bool spikes = r->opts.mode != MST_RUN_ANN;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fired_per_sample",
                     mst_json_real_if(spikes, x->fired), "spikes_per_sample", mst_json_real_if(spikes, x->spikes),
                     "masked_per_sample",
                     mst_json_real_if(spikes && r->opts.mode != MST_RUN_RADIX, x->fired - x->spikes),
                     "sops_per_sample", mst_json_real(x->sops), "macs_per_sample", mst_json_real(x->macs),
                     "dense_ops_per_sample", mst_json_real(x->dense_run), "dense_ops_per_pass",
                     mst_json_real(x->dense_pass), "spikes_per_input", mst_json_real_if(spikes, x->per_input),
                     "silent_layers", mst_json_whole(x->silent));
}

/* pJ of one network, all of it; ratio: to which this run's energy is so many times, where there is one. */
static json_t *json_cost(const mst_figures *x, const mst_cost *c, bool ratio)
{
    double total = c->operations + c->memory + c->updates;
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "operations_pj", mst_json_real(c->operations), "memory_pj",
                          mst_json_real(c->memory), "updates_pj", mst_json_real(c->updates), "total_pj",
                          mst_json_real(total));
    if (ratio)
        mst_json_add(&o, json_pack("{s:o, s:o}", "ratio", mst_json_real(mst_energy_ratio(x, c, false)), "total_ratio",
                                   mst_json_real(mst_energy_ratio(x, c, true))));
    return o;
}

static json_t *json_energy(const mst_run_facts *r, const mst_figures *x)
{
    const mst_energy *e = &r->energy;
    bool ann = r->opts.mode == MST_RUN_ANN;
    json_t *bit = json_null();
    if (x->bits != 0) {
        bit = json_cost(x, &x->bit_ann, true);
        mst_json_add(&bit, json_pack("{s:i}", "bits", (int)x->bits));
    }
    json_t *unit = json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:i, s:i}", "set", e->set, "ac_pj", mst_json_real(e->ac),
                             "mac_pj", mst_json_real(e->mac), "value_bits", (int)e->value_bits, "state_bits",
                             (int)e->state_bits, "sram_word_pj", mst_json_real(MST_SRAM_WORD_PJ), "sram_word_bits",
                             MST_SRAM_WORD_BITS, "event_bits", MST_EVENT_BITS);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "constants", unit, "state_updates",
                     mst_json_real_if(!ann, x->state_updates), "run", json_cost(x, &x->snn, false), "ann",
                     json_cost(x, &x->ann, !ann), "bit_ann", bit);
}

/* The same by NeuroBench's names. */
static json_t *json_neurobench(const mst_figures *x)
{
    return json_pack("{s:{s:o, s:o, s:o}}", "SynapticOperations", "Effective_ACs", mst_json_real(x->sops),
                     "Effective_MACs", mst_json_real(x->macs), "Dense", mst_json_real(x->dense_run));
}

/* Of the threads, the one that had most; no reading, no waiting. */
static json_t *json_timing(const mst_run_facts *r)
{
    double s = r->result.seconds;
    return json_pack("{s:o, s:o}", "simulation_seconds", mst_json_real(s), "samples_per_second",
                     mst_json_real_if(s > 0, (double)r->result.samples / s));
}

static json_t *json_of(const mst_run_facts *r)
{
    mst_figures x = mst_figures_of(&r->opts, &r->result, &r->energy);
    const mst_energy *e = &r->energy;
    bool spikes = r->opts.mode != MST_RUN_ANN, step = r->opts.mode == MST_RUN_SPIKING;
    json_t *root = json_run(r);
    mst_json_add(&root, mst_outcome_json(&r->result.outcome));
    mst_json_add(&root, json_counts(r, &x));
    mst_json_set(&root, "alpha_joules", mst_json_real_if(spikes, e->alpha));
    mst_json_set(&root, "power_alpha_watts", mst_json_real_if(spikes, x.power));
    mst_json_set(&root, "power_alpha_watts_per_step", mst_json_real_if(step, x.power / r->opts.steps));
    mst_json_set(&root, "energy_ac_pj", mst_json_real(e->ac));
    mst_json_set(&root, "energy_mac_pj", mst_json_real(e->mac));
    mst_json_set(&root, "energy_pj", mst_json_real(x.snn.operations));
    mst_json_set(&root, "ann_energy_pj", mst_json_real(x.ann.operations));
    mst_json_set(&root, "energy_ratio", mst_json_real_if(spikes, mst_energy_ratio(&x, &x.ann, false)));
    mst_json_set(&root, "energy", json_energy(r, &x));
    mst_json_set(&root, "neurobench", json_neurobench(&x));
    mst_json_set(&root, "layers", json_layers(r));
    mst_json_set(&root, "timing", json_timing(r));
    return root;
}

/* On what it ran: nothing that results depend on. */
static json_t *json_machine(const mst_run_facts *r)
{
    return json_pack("{s:s, s:i}", "isa", mst_program_isa(r->opts.program), "threads", (int)r->threads);
}

mst_status mst_run_json(const mst_run_facts *runs, size_t n, const char *path, mst_err *err)
{
    json_t *list = json_array(), *root = NULL;
    for (size_t k = 0; list != NULL && k < n; k++)
        mst_json_append(&list, json_of(&runs[k]));
    if (list != NULL)
        root = n == 1 ? json_incref(json_array_get(list, 0)) : json_pack("{s:O}", "runs", list);
    mst_json_set(&root, "provenance", json_machine(runs));
    json_decref(list);
    return mst_json_write("mstrun", root, path, err);
}
