/* Figures of runs as text. */
#include "tools/run_report.h"

#include <inttypes.h>
#include <math.h>

#include "tools/tool_mode.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

#define LABEL 14 /* columns before a figure */

/* "16 levels", "each layer's own levels (15 to 16)" */
static const char *levels_text(const mst_run_about *a, char *out, size_t n)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t k = 0; k < a->n_layers; k++) {
        uint64_t l = a->layers[k].levels;
        least = l < least ? l : least;
        most = l > most ? l : most;
    }
    if (a->levels != 0)
        snprintf(out, n, "%" PRIu64 " levels", a->levels);
    else if (least >= most)
        snprintf(out, n, "each layer's own levels (%" PRIu64 ")", most);
    else
        snprintf(out, n, "each layer's own levels (%" PRIu64 " to %" PRIu64 ")", least, most);
    return out;
}

static void print_title(const mst_run_facts *r, bool several, FILE *f)
{
    const mst_run_about *a = &r->about;
    char levels[80];
    fprintf(f, "%s on %s (%s): %" PRIu64 " samples, ", a->model, a->data, a->format, r->sums.samples);
    if (a->mode == MST_RUN_SPIKING)
        fprintf(f, "T = %" PRIu64, a->steps);
    else if (a->mode == MST_RUN_ANN)
        fprintf(f, "mode ann%s%s%s", mst_run_masked(a) ? ", masks of " : "",
                !mst_run_masked(a)        ? ""
                : mst_run_drops_levels(a) ? "levels"
                                          : "whole activations",
                mst_run_masked(a) ? " drawn" : "");
    else
        fprintf(f, "mode %s, %s", a->mode_name, several ? "a run for each row" : levels_text(a, levels, sizeof levels));
    if (a->readout_from > 1) /* not all that there are */
        fprintf(f, ", logits of steps %" PRIu64 " to %" PRIu64, a->readout_from, a->steps);
    if (a->thinning != NULL)
        fprintf(f, ", %s thinning", a->thinning);
    fprintf(f, ", seed %" PRIu64 "%s%s", a->seed, r->isa != NULL ? ", kernels " : "", r->isa != NULL ? r->isa : "");
    if (a->shards != 0)
        fprintf(f, ", part %" PRIu64 " of %" PRIu64, a->shard, a->shards);
    fputc('\n', f);
    mst_figures x = mst_figures_of(a, &r->sums.all, r->sums.samples, mst_run_steps(a));
    mst_assumed_print(&a->assumed, &r->sums.outcome, mst_figures_analog(&x), f);
    fputc('\n', f);
}

static void title(const mst_run_facts *r, bool several, FILE *f)
{
    mst_term_lines lines;
    print_title(r, several, mst_term_hold(&lines, f));
    mst_term_release(&lines, 2);
}

/* In step mode what there is at each step asked for. */
static mst_status print_steps(const mst_run_facts *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">t", ">top-1 %", ">top-5 %", ">spikes", ">SOPs, M", ">energy, uJ", ">x ANN"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->sums.n_at; k++) {
        uint32_t step = r->about.at.values[k];
        mst_figures x = mst_figures_of(&r->about, &r->sums.at[k].counts, r->sums.samples, step);
        mst_table_cell(&t, "%u", step);
        mst_table_real(&t, 100 * mst_run_top1(r, k), 2);
        mst_table_real(&t, 100 * mst_run_top5(r, k), 2);
        mst_table_cell(&t, "%.0f", x.spikes);
        mst_table_cell(&t, "%.4g", 1e-6 * x.sops);
        mst_table_cell(&t, "%.4g", 1e-6 * x.snn.operations);
        mst_table_real(&t, mst_energy_ratio(&x, &x.ann, false), 3);
    }
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

static mst_status print_accuracy(const mst_run_facts *r, FILE *f, mst_err *err)
{
    if (r->sums.labelled == 0)
        fprintf(f, "no labels: accuracy not known\n\n");
    if (r->about.mode == MST_RUN_SPIKING)
        return print_steps(r, f, err);
    if (r->sums.labelled != 0)
        fprintf(f, "top-1         %.2f %%, top-5 %.2f %%\n", 100 * mst_run_top1(r, 0), 100 * mst_run_top5(r, 0));
    return MST_OK;
}

static void print_latency(const mst_run_about *a, FILE *f)
{
    if (mst_mode_counts(a->mode))
        fprintf(f, "latency       %" PRIu64 " neurons in sequence x a window of %" PRIu64 " steps = %.0f steps; "
                   "pipelined, one sample a window\n",
                a->depth, a->window, mst_run_latency(a));
}

static void print_spikes(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    fprintf(f, "spikes        %.0f per inference", x->spikes);
    if (r->about.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.0f per step", x->spikes / mst_run_steps(&r->about));
    if (mst_run_masked(&r->about))
        fprintf(f, "; %.0f fired, before masks", x->fired);
    fprintf(f, "\noperations    %.4g M SOPs driven by spikes, %.4g M MACs of analog inputs, per inference\n",
            1e-6 * x->sops, 1e-6 * x->macs);
    fprintf(f, "dense         %.4g M per pass", 1e-6 * x->dense_pass);
    if (r->about.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.4g M in %.0f steps if nothing were skipped", 1e-6 * x->dense_run, mst_run_steps(&r->about));
    if (isfinite(x->per_input))
        fprintf(f, "; %.2f spikes per synapse input", x->per_input);
    fprintf(f, "\npower         %.4g W per inference", x->power);
    if (r->about.mode == MST_RUN_SPIKING)
        fprintf(f, ", %.4g W per step", x->power / mst_run_steps(&r->about));
    fprintf(f, " (Eq. 10: spikes / 1 ms * %g J)\n", r->about.energy.alpha);
    if (mst_run_silent(r) != 0)
        fprintf(f, "silent        %zu of %zu layers never fire\n", mst_run_silent(r), r->sums.n_layers);
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

static void print_energy(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    const mst_energy_set *e = &r->about.energy.set;
    fprintf(f, "energy        ");
    print_against(x->snn.operations, x->ann.operations, mst_energy_ratio(x, &x->ann, false), f);
    fprintf(f, " (%s: %g pJ per AC, %g pJ per MAC)\n  and memory  ", e->name, e->ac, e->mac);
    print_against(mst_cost_all(&x->snn), mst_cost_all(&x->ann), mst_energy_ratio(x, &x->ann, true), f);
    fprintf(f, " (%g pJ for %d bits of an 8 KB SRAM; docs/ENERGY.md)\n", MST_SRAM_WORD_PJ, MST_SRAM_WORD_BITS);
    if (x->bits == 0 || !x->fires)
        return;
    fprintf(f, "%u-bit ANN     %.4g uJ, a multiplication as %u ACs: the energy above is %.3g times this; with memory "
               "%.4g uJ: %.3g times\n",
            x->bits, 1e-6 * x->bit_ann.operations, x->bits, mst_energy_ratio(x, &x->bit_ann, false),
            1e-6 * mst_cost_all(&x->bit_ann), mst_energy_ratio(x, &x->bit_ann, true));
}

static void print_ann(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    fprintf(f, "operations    %.4g M MACs, %.4g M of them of activations that are not zero\n", 1e-6 * x->dense_pass,
            1e-6 * x->macs);
    fprintf(f, "energy        %.4g uJ (%s: %g pJ per MAC); with memory %.4g uJ (docs/ENERGY.md)\n",
            1e-6 * x->ann.operations, r->about.energy.set.name, r->about.energy.set.mac, 1e-6 * mst_cost_all(&x->ann));
}

static double samples_a_second(const mst_run_facts *r)
{
    return r->sums.seconds > 0 ? (double)r->sums.samples / r->sums.seconds : 0;
}

static void layer_cells(const mst_run_facts *r, size_t k, mst_table *t)
{
    const mst_run_layer *l = &r->about.layers[k];
    const mst_run_layer_sums *s = &r->sums.layers[k];
    double n = (double)r->sums.samples;
    mst_table_cell(t, "%s", l->name);
    mst_table_cell(t, "%s", l->kind);
    mst_table_cell(t, "%" PRIu64, l->neurons);
    mst_table_cell(t, "%.4g%s", l->theta, l->theta_per_channel ? "*" : "");
    if (mst_mode_counts(r->about.mode))
        mst_table_cell(t, "%" PRIu64, l->levels);
    else
        mst_table_cell(t, "%" PRId64, l->L);
    if (l->mask)
        mst_table_cell(t, "%s %.2f", l->site, l->ratio);
    else
        mst_table_cell(t, "-");
    mst_table_real(t, 100 * mst_run_rate(r, k), 2);
    if (r->about.mode == MST_RUN_SPIKING)
        mst_table_real(t, 100 * mst_run_input_events(r, k) / mst_run_steps(&r->about), 2);
    else
        mst_table_real(t, mst_run_input_events(r, k), 2);
    mst_table_cell(t, "%.0f", (double)s->fired / n);
    mst_table_cell(t, "%.0f", (double)s->spikes / n);
}

static mst_status print_layers(const mst_run_facts *r, FILE *f, mst_err *err)
{
    bool counts = mst_mode_counts(r->about.mode);
    const char *const heads[] = {"layer", "kind", ">neurons", ">~theta",
                                 counts ? ">~levels" : ">~L", ">~mask", ">rate %",
                                 counts ? ">~events/synapse" : ">~input rate %", ">fired", ">spikes"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->sums.n_layers; k++)
        layer_cells(r, k, &t);
    return mst_table_end(&t, f, err);
}

static void print_figures(const mst_run_facts *r, const mst_figures *x, FILE *f)
{
    mst_term_lines lines;
    FILE *o = mst_term_hold(&lines, f);
    if (r->about.mode == MST_RUN_ANN) {
        print_ann(r, x, o);
    } else {
        print_latency(&r->about, o);
        print_spikes(r, x, o);
        print_energy(r, x, o);
    }
    fprintf(o, "simulation    %.2f s for %" PRIu64 " samples (%.1f samples/s)\n", r->sums.seconds,
            r->sums.samples, samples_a_second(r));
    mst_term_release(&lines, LABEL);
}

static mst_status print_one(const mst_run_facts *r, FILE *f, mst_err *err)
{
    mst_figures x = mst_figures_of(&r->about, &r->sums.all, r->sums.samples, mst_run_steps(&r->about));
    title(r, false, f);
    if (r->sums.samples == 0) {
        fputs("no sample could be used\n", f);
        return MST_OK;
    }
    MST_TRY(print_accuracy(r, f, err));
    print_figures(r, &x, f);
    if (r->about.mode == MST_RUN_ANN)
        return MST_OK;
    fputc('\n', f);
    return print_layers(r, f, err);
}

static mst_status print_rows(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">levels", ">top-1 %", ">latency, steps", ">fired", ">spikes", ">SOPs, M",
                                        ">MACs, M", ">energy, uJ", ">x ANN", ">and memory", ">x ANN", ">samples/s"};
    mst_table t;
    title(&runs[0], true, f);
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (const mst_run_facts *r = runs; r < runs + n; r++) {
        mst_figures x = mst_figures_of(&r->about, &r->sums.all, r->sums.samples, mst_run_steps(&r->about));
        mst_table_cell(&t, "%" PRIu64, r->about.levels);
        mst_table_real(&t, 100 * mst_run_top1(r, 0), 2);
        mst_table_cell(&t, "%.0f", mst_run_latency(&r->about));
        mst_table_cell(&t, "%.0f", x.fired);
        mst_table_cell(&t, "%.0f", x.spikes);
        mst_table_cell(&t, "%.4g", 1e-6 * x.sops);
        mst_table_cell(&t, "%.4g", 1e-6 * x.macs);
        mst_table_cell(&t, "%.4g", 1e-6 * x.snn.operations);
        mst_table_real(&t, mst_energy_ratio(&x, &x.ann, false), 3);
        mst_table_cell(&t, "%.4g", 1e-6 * mst_cost_all(&x.snn));
        mst_table_real(&t, mst_energy_ratio(&x, &x.ann, true), 3);
        mst_table_cell(&t, "%.1f", samples_a_second(r));
    }
    return mst_table_end(&t, f, err);
}

mst_status mst_run_print(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err)
{
    return n == 1 ? print_one(runs, f, err) : print_rows(runs, n, f, err);
}
