/* Figures of a run (docs/EXECUTION.md, "Counting"; Eq. 10 of the MST paper) and their two forms. */
#include "tools/run_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_table.h"

#define STEP_SECONDS 1e-3 /* Eq. 10 takes 1 ms */

/* Derived per-sample figures. */
typedef struct figures {
    double n, steps;
    double spikes, removed, sops, macs;
    double dense_pass, dense_run; /* of one pass; of T steps, static layers once */
    double power, power_step;     /* W: Eq. 10 over the inference, and over its mean step */
    double energy, ann_energy;    /* pJ */
    double per_input,
    break_even; /* spikes per synapse input over the run; where AC energy equals the ANN's */
} figures;

static figures figures_of(const mst_run_facts *r)
{
    const mst_program *p = r->opts->program;
    const mst_counters *c = &r->result->sum;
    double pass = (double)mst_program_dense_ops(p), once = (double)mst_program_dense_ops_static(p);
    figures f = {.n = (double)r->result->samples, .steps = r->opts->steps, .dense_pass = pass};
    f.spikes = (double)c->spikes / f.n;
    f.removed = (double)(c->spikes_before - c->spikes) / f.n;
    f.sops = (double)c->sops / f.n;
    f.macs = (double)c->macs / f.n;
    f.dense_run = once + (pass - once) * f.steps;
    f.power = f.spikes / STEP_SECONDS * r->energy.alpha;
    f.power_step = f.power / f.steps;
    f.energy = f.sops * r->energy.ac + f.macs * r->energy.mac;
    f.ann_energy = pass * r->energy.mac;
    f.per_input = pass > once ? f.sops / (pass - once) : NAN;
    f.break_even = r->energy.ac > 0 ? r->energy.mac / r->energy.ac : NAN;
    return f;
}

static double top1(const mst_sim_result *r, size_t k)
{
    return r->labelled != 0 ? (double)r->right[k] / (double)r->labelled : NAN;
}

static double rate_of(const mst_run_facts *r, size_t k)
{
    double outputs = (double)mst_program_layer(r->opts->program, k)->neurons * (double)r->result->samples;
    return (double)r->result->layers[k].spikes / (outputs * r->opts->steps);
}

static double input_rate_of(const mst_run_facts *r, size_t k)
{
    double dense = (double)mst_program_layer(r->opts->program, k)->dense_in * (double)r->result->samples;
    return dense > 0 ? (double)r->result->layers[k].ops / (dense * r->opts->steps) : NAN;
}

/* ---- for people ---- */

static mst_status print_accuracy(const mst_run_facts *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">t", ">top-1 %"};
    mst_table t;
    if (r->result->labelled == 0) {
        fprintf(f, "no labels: accuracy not known\n\n");
        return MST_OK;
    }
    mst_table_begin(&t, 2, heads);
    for (size_t k = 0; k < r->opts->at->n; k++) {
        mst_table_cell(&t, "%u", r->opts->at->values[k]);
        mst_table_cell(&t, "%.2f", 100 * top1(r->result, k));
    }
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

static void print_figures(const mst_run_facts *r, FILE *f)
{
    figures x = figures_of(r);
    fprintf(f, "spikes        %.0f per inference, %.0f per step; masks removed %.0f more\n", x.spikes,
            x.spikes / x.steps, x.removed);
    fprintf(f, "operations    %.4g M SOPs driven by spikes, %.4g M MACs of analog inputs, per inference\n",
            1e-6 * x.sops, 1e-6 * x.macs);
    fprintf(f, "dense         %.4g M per pass, %.4g M in %.0f steps if nothing were skipped\n",
            1e-6 * x.dense_pass,
            1e-6 * x.dense_run, x.steps);
    fprintf(f, "power         %.4g W per inference, %.4g W per step (Eq. 10: spikes / 1 ms * %g J)\n",
            x.power,
            x.power_step, r->energy.alpha);
    fprintf(f, "energy        %.4g uJ per inference (%g pJ per AC, %g pJ per MAC); the ANN's MACs: %.4g uJ\n",
            1e-6 * x.energy, r->energy.ac, r->energy.mac, 1e-6 * x.ann_energy);
    if (isfinite(x.per_input) && isfinite(x.break_even))
        fprintf(f, "break-even    %.2f spikes per synapse input over the run, %s %.1f by a factor of %.2f\n",
                x.per_input, x.per_input <= x.break_even ? "below" : "ABOVE", x.break_even,
                x.per_input <= x.break_even ? x.break_even / x.per_input : x.per_input / x.break_even);
    fprintf(f, "simulation    %.2f s for %.0f samples (%.1f samples/s)\n\n", r->result->seconds, x.n,
            r->result->seconds > 0 ? x.n / r->result->seconds : 0);
}

static mst_status print_layers(const mst_run_facts *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"layer", "kind", ">neurons", ">theta", ">L", ">mask", ">rate %",
                                        ">input rate %", ">spikes", ">masked"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    const char **kinds = mst_model_kinds(r->opts->program, &t.arena);
    double n = (double)r->result->samples;
    for (size_t k = 0; kinds != NULL && k < mst_program_layers(r->opts->program); k++) {
        const mst_layer *l = mst_program_layer(r->opts->program, k);
        const mst_sim_layer *s = &r->result->layers[k];
        mst_table_cell(&t, "%s", l->name);
        mst_table_cell(&t, "%s", kinds[k]);
        mst_table_cell(&t, "%" PRIu64, l->neurons);
        mst_table_cell(&t, "%.4g%s", l->theta, l->theta_per_channel ? "*" : "");
        mst_table_cell(&t, "%d", l->levels);
        if (l->masked)
            mst_table_cell(&t, "%s %.2f", mst_site_name((int)l->site), l->ratio);
        else
            mst_table_cell(&t, "-");
        mst_table_real(&t, 100 * rate_of(r, k), 2);
        mst_table_real(&t, 100 * input_rate_of(r, k), 2);
        mst_table_cell(&t, "%.0f", (double)s->spikes / n);
        mst_table_cell(&t, "%.0f", (double)(s->fired - s->spikes) / n);
    }
    if (kinds == NULL)
        t.status = MST_ENOMEM;
    return mst_table_end(&t, f, err);
}

mst_status mst_run_print(const mst_run_facts *r, FILE *f, mst_err *err)
{
    fprintf(f, "%s on %s (%s): %zu samples, T = %u, seed %" PRIu64 ", kernels %s\n\n", r->model, r->data,
            mst_data_format(r->opts->data), r->result->samples, r->opts->steps, r->seed,
            mst_program_isa(r->opts->program));
    MST_TRY(print_accuracy(r, f, err));
    print_figures(r, f);
    return print_layers(r, f, err);
}

/* ---- JSON ---- */

static json_t *json_layer(const mst_run_facts *r, size_t k, const char *kind)
{
    const mst_layer *l = mst_program_layer(r->opts->program, k);
    const mst_sim_layer *s = &r->result->layers[k];
    return json_pack("{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "name",
                     mst_json_text(l->name), "kind", kind, "site", mst_site_name((int)l->site), "stage",
                     l->stage,
                     "block", l->block, "neurons", mst_json_whole(l->neurons), "theta",
                     mst_json_real(l->theta), "L",
                     l->levels, "mask", l->masked, "ratio", mst_json_real(l->ratio), "trained",
                     l->trained >= 0 ? mst_json_real(l->trained) : json_null(), "rate",
                     mst_json_real(rate_of(r, k)),
                     "input_rate", mst_json_real(input_rate_of(r, k)), "spikes", mst_json_whole(s->spikes),
                     "masked",
                     mst_json_whole(s->fired - s->spikes), "input_ops", mst_json_whole(s->ops));
}

static json_t *json_layers(const mst_run_facts *r)
{
    const mst_program *p = r->opts->program;
    mst_arena arena = {0};
    const char **kinds = mst_model_kinds(p, &arena);
    json_t *list = kinds != NULL ? json_array() : NULL;
    for (size_t k = 0; list != NULL && k < mst_program_layers(p); k++)
        mst_json_append(&list, json_layer(r, k, kinds[k]));
    mst_arena_release(&arena);
    return list;
}

static json_t *json_top1(const mst_run_facts *r)
{
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < r->opts->at->n; k++)
        mst_json_append(&list, json_pack("{s:i, s:o}", "t", (int)r->opts->at->values[k], "top1",
                                         mst_json_real(top1(r->result, k))));
    return list;
}

mst_status mst_run_json(const mst_run_facts *r, const char *path, mst_err *err)
{
    figures x = figures_of(r);
    json_t *root = json_pack(
        "{s:o, s:o, s:s, s:s, s:o, s:o, s:i, s:o, s:o}", "model", mst_json_text(r->model), "data",
        mst_json_text(r->data), "format", mst_data_format(r->opts->data), "isa",
        mst_program_isa(r->opts->program), "seed",
        mst_json_whole(r->seed), "samples", mst_json_whole(r->result->samples), "T", (int)r->opts->steps,
        "labelled",
        mst_json_whole(r->result->labelled), "top1", json_top1(r));
    json_t *counts = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "spikes_per_sample", mst_json_real(x.spikes),
        "masked_spikes_per_sample",
        mst_json_real(x.removed), "sops_per_sample", mst_json_real(x.sops), "macs_per_sample",
        mst_json_real(x.macs),
        "dense_ops_per_sample", mst_json_real(x.dense_run), "dense_ops_per_pass",
        mst_json_real(x.dense_pass));
    json_t *costs = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "alpha_joules",
        mst_json_real(r->energy.alpha),
        "power_alpha_watts", mst_json_real(x.power), "power_alpha_watts_per_step",
        mst_json_real(x.power_step),
        "energy_ac_pj", mst_json_real(r->energy.ac), "energy_mac_pj", mst_json_real(r->energy.mac),
        "energy_pj",
        mst_json_real(x.energy), "ann_energy_pj", mst_json_real(x.ann_energy), "spikes_per_input",
        mst_json_real(x.per_input), "break_even", mst_json_real(x.break_even), "seconds",
        mst_json_real(r->result->seconds), "layers", json_layers(r));
    if (root != NULL && (json_object_update(root, counts) != 0 || json_object_update(root, costs) != 0)) {
        json_decref(root);
        root = NULL;
    }
    json_decref(counts);
    json_decref(costs);
    return mst_json_write(root, path, err);
}
