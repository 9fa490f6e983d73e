/* Figures of runs as JSON: one object; {"runs": [..]} of several. */
#include <math.h>

#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"

/* Integers that only some modes have. */
static json_t *whole_if(bool known, uint64_t v) { return known ? mst_json_whole(v) : json_null(); }
static json_t *real_if(bool known, double v) { return known ? mst_json_real(v) : json_null(); }

/* Add what item (taken) holds to *root; on failure *root is released and NULL. */
static void add(json_t **root, json_t *item)
{
    if (*root != NULL && (item == NULL || json_object_update(*root, item) != 0)) {
        json_decref(*root);
        *root = NULL;
    }
    json_decref(item);
}

/* What a layer is. */
static json_t *json_kind(const mst_run_facts *r, size_t k, const char *kind)
{
    const mst_layer *l = mst_program_layer(r->opts.program, k);
    const mst_node *n = &mst_program_graph(r->opts.program)->nodes[l->node];
    return json_pack("{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:i, s:o, s:b, s:o, s:o, s:o}", "name",
                     mst_json_text(l->name), "kind", kind, "site", mst_site_name((int)l->site), "stage", l->stage,
                     "block", l->block, "neurons", mst_json_whole(l->neurons), "theta", mst_json_real(l->theta), "L",
                     (int)n->ip[MST_NEURON_LEVELS], "levels",
                     whole_if(mst_mode_counts(r->opts.mode), (uint64_t)l->levels), "mask", l->masked, "ratio",
                     mst_json_real(l->ratio), "trained", real_if(l->trained >= 0, l->trained), "dense_in",
                     mst_json_whole(l->dense_in));
}

/* What it did. */
static json_t *json_layer(const mst_run_facts *r, size_t k, const char *kind)
{
    const mst_sim_layer *s = &r->result.layers[k];
    bool spikes = r->opts.mode != MST_RUN_ANN, step = r->opts.mode == MST_RUN_SPIKING;
    double events = mst_run_input_events(r, k);
    json_t *layer = json_kind(r, k, kind);
    add(&layer, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rate", real_if(spikes, mst_run_rate(r, k)),
                          "input_rate", real_if(step, events / r->opts.steps), "input_events", real_if(spikes, events),
                          "fired", whole_if(spikes, s->fired), "spikes", whole_if(spikes, s->spikes),
                          "masked", whole_if(spikes && r->opts.mode != MST_RUN_RADIX, s->fired - s->spikes),
                          "input_ops", mst_json_whole(s->ops)));
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
static json_t *json_top1(const mst_run_facts *r)
{
    json_t *list = json_array();
    bool step = r->opts.mode == MST_RUN_SPIKING;
    for (size_t k = 0; list != NULL && k < r->opts.at->n; k++)
        mst_json_append(&list, json_pack("{s:o, s:o}", "t", whole_if(step, r->opts.at->values[k]), "top1",
                                         mst_json_real(mst_run_top1(r, k))));
    return list;
}

/* What was run on what, and how long a sample takes in steps. */
static json_t *json_run(const mst_run_facts *r)
{
    const mst_program *p = r->opts.program;
    bool counts = mst_mode_counts(r->opts.mode), ann = r->opts.mode == MST_RUN_ANN;
    const char *thinning = counts && mst_run_masked(r) ? mst_thinning_name((int)r->opts.thinning) : NULL;
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "model",
                     mst_json_text(r->model), "data", mst_json_text(r->data), "format", mst_data_format(r->opts.data),
                     "isa", mst_program_isa(p), "seed", mst_json_whole(r->seed), "samples",
                     mst_json_whole(r->result.samples), "mode", mst_run_mode_name(r->opts.mode), "T",
                     whole_if(!counts && !ann, r->opts.steps), "readout_from",
                     whole_if(!counts && !ann, r->opts.readout_from), "tuned",
                     mst_json_tuning(&mst_program_graph(p)->tuning), "levels",
                     whole_if(counts && r->opts.levels != 0, r->opts.levels), "thinning",
                     thinning != NULL ? json_string(thinning) : json_null(), "depth",
                     whole_if(counts, mst_program_depth(p)), "window_steps", whole_if(counts, mst_program_window(p)),
                     "latency_steps", real_if(!ann, mst_run_latency(r)), "labelled", mst_json_whole(r->result.labelled),
                     "top1", json_top1(r));
}

static json_t *json_counts(const mst_run_facts *r, const mst_figures *x)
{
    bool spikes = r->opts.mode != MST_RUN_ANN;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fired_spikes_per_sample",
                     real_if(spikes, x->fired), "spikes_per_sample", real_if(spikes, x->spikes),
                     "masked_spikes_per_sample", real_if(spikes && r->opts.mode != MST_RUN_RADIX, x->fired - x->spikes),
                     "sops_per_sample", mst_json_real(x->sops), "macs_per_sample", mst_json_real(x->macs),
                     "dense_ops_per_sample", mst_json_real(x->dense_run), "dense_ops_per_pass",
                     mst_json_real(x->dense_pass), "spikes_per_input", real_if(spikes, x->per_input),
                     /* the same by NeuroBench's names */
                     "Dense", mst_json_real(x->dense_run), "Eff_ACs", mst_json_real(x->sops), "Eff_MACs",
                     mst_json_real(x->macs), "silent_layers", mst_json_whole(x->silent));
}

/* pJ of one network, all of it; ratio: to which this run's energy is so many times, where there is one. */
static json_t *json_cost(const mst_figures *x, const mst_cost *c, bool ratio)
{
    double total = c->operations + c->memory + c->updates;
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "operations_pj", mst_json_real(c->operations), "memory_pj",
                          mst_json_real(c->memory), "updates_pj", mst_json_real(c->updates), "total_pj",
                          mst_json_real(total));
    if (ratio)
        add(&o, json_pack("{s:o, s:o}", "ratio", mst_json_real(mst_energy_ratio(x, c, false)), "total_ratio",
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
        add(&bit, json_pack("{s:i}", "bits", (int)x->bits));
    }
    json_t *unit = json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:i, s:i}", "set", e->set, "ac_pj", mst_json_real(e->ac),
                             "mac_pj", mst_json_real(e->mac), "value_bits", (int)e->value_bits, "state_bits",
                             (int)e->state_bits, "sram_word_pj", mst_json_real(MST_SRAM_WORD_PJ), "sram_word_bits",
                             MST_SRAM_WORD_BITS, "event_bits", MST_EVENT_BITS);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "constants", unit, "state_updates",
                     real_if(!ann, x->state_updates), "run", json_cost(x, &x->snn, false), "ann",
                     json_cost(x, &x->ann, !ann), "bit_ann", bit);
}

static json_t *json_of(const mst_run_facts *r)
{
    mst_figures x = mst_figures_of(&r->opts, &r->result, &r->energy);
    const mst_energy *e = &r->energy;
    bool spikes = r->opts.mode != MST_RUN_ANN, step = r->opts.mode == MST_RUN_SPIKING;
    json_t *root = json_run(r);
    add(&root, mst_outcome_json(&r->result.outcome));
    add(&root, json_counts(r, &x));
    add(&root, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "alpha_joules",
                         real_if(spikes, e->alpha), "power_alpha_watts", real_if(spikes, x.power),
                         "power_alpha_watts_per_step", real_if(step, x.power / r->opts.steps), "energy_ac_pj",
                         mst_json_real(e->ac), "energy_mac_pj", mst_json_real(e->mac), "energy_pj",
                         mst_json_real(x.snn.operations), "ann_energy_pj", mst_json_real(x.ann.operations),
                         "energy_ratio", real_if(spikes, mst_energy_ratio(&x, &x.ann, false)), "energy",
                         json_energy(r, &x), "seconds", mst_json_real(r->result.seconds), "layers", json_layers(r)));
    return root;
}

mst_status mst_run_json(const mst_run_facts *runs, size_t n, const char *path, mst_err *err)
{
    if (n == 1)
        return mst_json_write("mstrun", json_of(runs), path, err);
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < n; k++)
        mst_json_append(&list, json_of(&runs[k]));
    json_t *root = list != NULL ? json_pack("{s:o}", "runs", list) : NULL;
    return mst_json_write("mstrun", root, path, err);
}
