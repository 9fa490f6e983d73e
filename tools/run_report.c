/* Figures of runs (docs/EXECUTION.md, "Counting"; docs/ENERGY.md) as text. */
#include "tools/run_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_table.h"

double mst_run_top1(const mst_run_facts *r, size_t k)
{
    return r->result.labelled != 0 ? (double)r->result.right[k] / (double)r->result.labelled : (double)NAN;
}

double mst_run_slots(const mst_run_facts *r, size_t layer)
{
    unsigned levels = (unsigned)mst_program_layer(r->opts.program, layer)->levels;
    if (!mst_mode_counts(r->opts.mode))
        return r->opts.steps;
    return r->opts.mode == MST_RUN_COUNT || levels == 0 ? levels : 32 - (unsigned)__builtin_clz(levels);
}

double mst_run_rate(const mst_run_facts *r, size_t layer)
{
    double outputs = (double)mst_program_layer(r->opts.program, layer)->neurons * (double)r->result.samples;
    return (double)r->result.layers[layer].spikes / (outputs * mst_run_slots(r, layer));
}

double mst_run_input_events(const mst_run_facts *r, size_t layer)
{
    double dense = (double)mst_program_layer(r->opts.program, layer)->dense_in * (double)r->result.samples;
    return dense > 0 ? (double)r->result.layers[layer].ops / dense : (double)NAN;
}

bool mst_run_masked(const mst_run_facts *r)
{
    bool found = false;
    for (size_t k = 0; k < mst_program_layers(r->opts.program); k++) {
        const mst_layer *l = mst_program_layer(r->opts.program, k);
        found |= l->masked && l->ratio > 0;
    }
    return found;
}

double mst_run_latency(const mst_run_facts *r)
{
    const mst_program *p = r->opts.program;
    return mst_mode_counts(r->opts.mode) ? (double)mst_program_depth(p) * mst_program_window(p) : r->opts.steps;
}

/* "16 levels", "each layer's own levels (15 to 16)" */
static const char *levels_text(const mst_run_facts *r, char *out, size_t n)
{
    int least = INT32_MAX, most = 0;
    for (size_t k = 0; k < mst_program_layers(r->opts.program); k++) {
        int l = mst_program_layer(r->opts.program, k)->levels;
        least = l < least ? l : least;
        most = l > most ? l : most;
    }
    if (r->opts.levels != 0)
        snprintf(out, n, "%u levels", r->opts.levels);
    else if (least >= most)
        snprintf(out, n, "each layer's own levels (%d)", most);
    else
        snprintf(out, n, "each layer's own levels (%d to %d)", least, most);
    return out;
}

/* ", logits of steps 9 to 16": where they are not all that there are at step t. */
static const char *readout_text(const mst_run_facts *r, uint32_t t, char *out, size_t n)
{
    out[0] = '\0';
    if (r->opts.readout_from > 1 && t >= r->opts.readout_from)
        snprintf(out, n, ", logits of steps %u to %u", r->opts.readout_from, t);
    return out;
}

static void print_title(const mst_run_facts *r, bool several, FILE *f)
{
    char levels[64], readout[64];
    fprintf(f, "%s on %s (%s): %zu samples, ", r->model, r->data, mst_data_format(r->opts.data), r->result.samples);
    if (r->opts.mode == MST_RUN_SPIKING)
        fprintf(f, "T = %u%s", r->opts.steps, readout_text(r, r->opts.steps, readout, sizeof readout));
    else if (r->opts.mode == MST_RUN_ANN)
        fprintf(f, "mode ann%s", mst_run_masked(r) ? ", masks of whole activations drawn" : "");
    else
        fprintf(f, "mode %s, %s", mst_run_mode_name(r->opts.mode),
                several ? "a run for each row" : levels_text(r, levels, sizeof levels));
    if (mst_mode_counts(r->opts.mode) && mst_run_masked(r))
        fprintf(f, ", %s thinning", mst_thinning_name((int)r->opts.thinning));
    fprintf(f, ", seed %" PRIu64 ", kernels %s\n", r->seed, mst_program_isa(r->opts.program));
    mst_outcome_print(&r->result.outcome, f);
    fputc('\n', f);
}

static mst_status print_accuracy(const mst_run_facts *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">t", ">top-1 %"};
    mst_table t;
    if (r->result.labelled == 0) {
        fprintf(f, "no labels: accuracy not known\n\n");
        return MST_OK;
    }
    if (r->opts.mode != MST_RUN_SPIKING) {
        fprintf(f, "top-1         %.2f %%\n", 100 * mst_run_top1(r, 0));
        return MST_OK;
    }
    mst_table_begin(&t, 2, heads);
    for (size_t k = 0; k < r->opts.at->n; k++) {
        mst_table_cell(&t, "%u", r->opts.at->values[k]);
        mst_table_cell(&t, "%.2f", 100 * mst_run_top1(r, k));
    }
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

static void print_latency(const mst_run_facts *r, FILE *f)
{
    const mst_program *p = r->opts.program;
    if (mst_mode_counts(r->opts.mode))
        fprintf(f, "latency       %u neurons in sequence x a window of %u steps = %.0f steps; pipelined, one sample a "
                   "window\n",
                mst_program_depth(p), mst_program_window(p), mst_run_latency(r));
}

static void print_spikes(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    fprintf(f, "spikes        %.0f per inference", x->spikes);
    if (r->opts.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.0f per step", x->spikes / r->opts.steps);
    if (mst_run_masked(r))
        fprintf(f, "; %.0f fired, before masks", x->fired);
    fprintf(f, "\noperations    %.4g M SOPs driven by spikes, %.4g M MACs of analog inputs, per inference\n",
            1e-6 * x->sops, 1e-6 * x->macs);
    fprintf(f, "dense         %.4g M per pass", 1e-6 * x->dense_pass);
    if (r->opts.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.4g M in %u steps if nothing were skipped", 1e-6 * x->dense_run, r->opts.steps);
    if (isfinite(x->per_input))
        fprintf(f, "; %.2f spikes per synapse input", x->per_input);
    fprintf(f, "\npower         %.4g W per inference", x->power);
    if (r->opts.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.4g W per step", x->power / r->opts.steps);
    fprintf(f, " (Eq. 10: spikes / 1 ms * %g J)\n", r->energy.alpha);
    if (x->silent != 0)
        fprintf(f, "silent        %zu of %zu layers never fire\n", x->silent, mst_program_layers(r->opts.program));
}

/* "12.3 uJ, 0.45 times the ANN's 27 uJ" */
static void print_against(double energy, double theirs, double ratio, FILE *f)
{
    fprintf(f, "%.4g uJ", 1e-6 * energy);
    if (isfinite(ratio))
        fprintf(f, ", %.3g times the ANN's %.4g uJ", ratio, 1e-6 * theirs);
    else
        fprintf(f, "; not compared with the ANN's %.4g uJ", 1e-6 * theirs);
}

static double all_of(const mst_cost *c) { return c->operations + c->memory + c->updates; }

static void print_energy(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    const mst_energy *e = &r->energy;
    fprintf(f, "energy        ");
    print_against(x->snn.operations, x->ann.operations, mst_energy_ratio(x, &x->ann, false), f);
    fprintf(f, " (%s: %g pJ per AC, %g pJ per MAC)\n  and memory  ", e->set, e->ac, e->mac);
    print_against(all_of(&x->snn), all_of(&x->ann), mst_energy_ratio(x, &x->ann, true), f);
    fprintf(f, " (%g pJ for %d bits of an 8 KB SRAM; docs/ENERGY.md)\n", MST_SRAM_WORD_PJ, MST_SRAM_WORD_BITS);
    if (x->bits == 0 || !x->fires)
        return;
    fprintf(f, "%u-bit ANN     %.4g uJ, a multiplication as %u ACs: the energy above is %.3g times this; with memory "
               "%.4g uJ: %.3g times\n",
            x->bits, 1e-6 * x->bit_ann.operations, x->bits, mst_energy_ratio(x, &x->bit_ann, false),
            1e-6 * all_of(&x->bit_ann), mst_energy_ratio(x, &x->bit_ann, true));
}

static void print_ann(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    fprintf(f, "operations    %.4g M MACs, %.4g M of them of activations that are not zero\n", 1e-6 * x->dense_pass,
            1e-6 * x->macs);
    fprintf(f, "energy        %.4g uJ (%s: %g pJ per MAC); with memory %.4g uJ (docs/ENERGY.md)\n",
            1e-6 * x->ann.operations, r->energy.set, r->energy.mac, 1e-6 * all_of(&x->ann));
}

static double samples_a_second(const mst_run_facts *r)
{
    return r->result.seconds > 0 ? (double)r->result.samples / r->result.seconds : 0;
}

static void layer_cells(const mst_run_facts *r, size_t k, const char *kind, mst_table *t)
{
    const mst_layer *l = mst_program_layer(r->opts.program, k);
    const mst_sim_layer *s = &r->result.layers[k];
    double n = (double)r->result.samples;
    mst_table_cell(t, "%s", l->name);
    mst_table_cell(t, "%s", kind);
    mst_table_cell(t, "%" PRIu64, l->neurons);
    mst_table_cell(t, "%.4g%s", l->theta, l->theta_per_channel ? "*" : "");
    mst_table_cell(t, "%d", l->levels);
    if (l->masked)
        mst_table_cell(t, "%s %.2f", mst_site_name((int)l->site), l->ratio);
    else
        mst_table_cell(t, "-");
    mst_table_real(t, 100 * mst_run_rate(r, k), 2);
    if (r->opts.mode == MST_RUN_SPIKING)
        mst_table_real(t, 100 * mst_run_input_events(r, k) / r->opts.steps, 2);
    else
        mst_table_real(t, mst_run_input_events(r, k), 2);
    mst_table_cell(t, "%.0f", (double)s->fired / n);
    mst_table_cell(t, "%.0f", (double)s->spikes / n);
}

static mst_status print_layers(const mst_run_facts *r, FILE *f, mst_err *err)
{
    bool counts = mst_mode_counts(r->opts.mode);
    const char *const heads[] = {"layer", "kind", ">neurons", ">theta", counts ? ">levels" : ">L", ">mask", ">rate %",
                                 counts ? ">events/synapse" : ">input rate %", ">fired", ">spikes"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    const char **kinds = mst_model_kinds(r->opts.program, &t.arena);
    for (size_t k = 0; kinds != NULL && k < mst_program_layers(r->opts.program); k++)
        layer_cells(r, k, kinds[k], &t);
    if (kinds == NULL)
        t.status = MST_ENOMEM;
    return mst_table_end(&t, f, err);
}

static mst_status print_one(const mst_run_facts *r, FILE *f, mst_err *err)
{
    mst_figures x = mst_figures_of(&r->opts, &r->result, &r->energy);
    print_title(r, false, f);
    MST_TRY(print_accuracy(r, f, err));
    if (r->opts.mode == MST_RUN_ANN) {
        print_ann(r, &x, f);
    } else {
        print_latency(r, f);
        print_spikes(r, &x, f);
        print_energy(r, &x, f);
    }
    fprintf(f, "simulation    %.2f s for %.0f samples (%.1f samples/s)\n", r->result.seconds, x.n, samples_a_second(r));
    if (r->opts.mode == MST_RUN_ANN)
        return MST_OK;
    fputc('\n', f);
    return print_layers(r, f, err);
}

static mst_status print_rows(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">levels", ">top-1 %", ">latency, steps", ">fired", ">spikes", ">SOPs, M",
                                        ">MACs, M", ">energy, uJ", ">x ANN", ">and memory", ">x ANN", ">samples/s"};
    mst_table t;
    print_title(&runs[0], true, f);
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (const mst_run_facts *r = runs; r < runs + n; r++) {
        mst_figures x = mst_figures_of(&r->opts, &r->result, &r->energy);
        mst_table_cell(&t, "%u", r->opts.levels);
        mst_table_real(&t, 100 * mst_run_top1(r, 0), 2);
        mst_table_cell(&t, "%.0f", mst_run_latency(r));
        mst_table_cell(&t, "%.0f", x.fired);
        mst_table_cell(&t, "%.0f", x.spikes);
        mst_table_cell(&t, "%.4g", 1e-6 * x.sops);
        mst_table_cell(&t, "%.4g", 1e-6 * x.macs);
        mst_table_cell(&t, "%.4g", 1e-6 * x.snn.operations);
        mst_table_real(&t, mst_energy_ratio(&x, &x.ann, false), 3);
        mst_table_cell(&t, "%.4g", 1e-6 * all_of(&x.snn));
        mst_table_real(&t, mst_energy_ratio(&x, &x.ann, true), 3);
        mst_table_cell(&t, "%.1f", samples_a_second(r));
    }
    return mst_table_end(&t, f, err);
}

mst_status mst_run_print(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err)
{
    return n == 1 ? print_one(runs, f, err) : print_rows(runs, n, f, err);
}
