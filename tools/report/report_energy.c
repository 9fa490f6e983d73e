/* Spikes, operations and energy, against the ANN. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"

#define MICRO 1e-6   /* pJ to uJ, operations to millions */
#define MOST_SETS 8u /* of energies */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* The run as if a set of energies had been chosen. */
typedef struct priced {
    mst_energy set;
    mst_figures x;
} priced;

/* Set k of those there are; false behind the last. */
static bool in_set(const mst_page *r, size_t k, priced *p)
{
    const mst_energy_set *set = mst_energy_set_at(k);
    mst_run_about about = r->run->about; /* lent: only its prices differ */
    if (set == NULL)
        return false;
    if (strcmp(set->name, about.energy.set.name) != 0) /* that one has what the user said */
        about.energy.set = *set;
    p->set = about.energy;
    p->x = mst_figures_of(&about, &r->run->sums.all, r->run->sums.samples, mst_run_steps(&about));
    return true;
}

/* How many times the ANN's energy that of an ANN of K bits is: below it the network is the cheaper one. */
static double bit_mark(const mst_figures *x, bool all)
{
    double mine = all ? mst_cost_all(&x->bit_ann) : x->bit_ann.operations;
    double theirs = all ? mst_cost_all(&x->ann) : x->ann.operations;
    return x->bits != 0 && theirs > 0 ? mine / theirs : (double)NAN;
}

static void ratio_chart(const priced *sets, size_t n, FILE *f)
{
    static const int colours[] = {0};
    char text[2 * MOST_SETS][48], note[160] = "dashed: the ANN";
    const char *labels[2 * MOST_SETS];
    double values[2 * MOST_SETS], marks[2 * MOST_SETS];
    for (size_t k = 0; k < 2 * n; k++) {
        const priced *p = &sets[k / 2];
        bool all = k % 2 != 0;
        snprintf(text[k], sizeof text[k], all ? "and memory" : "%s", p->set.set.name);
        labels[k] = text[k];
        values[k] = mst_energy_ratio(&p->x, &p->x.ann, all);
        marks[k] = bit_mark(&p->x, all);
    }
    if (sets[0].x.bits != 0)
        snprintf(note, sizeof note,
                 "dashed: the ANN; strokes: an ANN with activations of %u bits, multiplied bit by bit",
                 sets[0].x.bits);
    mst_svg_bars b = {.n = 2 * n,
                      .parts = 1,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .marks = marks,
                      .ref = 1,
                      .ref_name = "ANN",
                      .axis = "energy of one sample, times the ANN's",
                      .digits = 2};
    mst_svg_rows(
        f, &b,
        &(mst_svg_text){"energy", "Energy against the ANN, by set of energies", note,
                        "Bars of the energy ratio: operations alone, and with memory and neurons, for each set"});
}

/* What the energy of the set in use goes to. */
static void cost_chart(const mst_page *r, const mst_figures *x, FILE *f)
{
    static const int colours[] = {0, 5, 4};
    static const char *const names[] = {"operations", "memory", "neurons"};
    char bits[32], title[96];
    const mst_cost *costs[] = {&x->snn, &x->ann, &x->bit_ann};
    size_t n = x->bits != 0 ? 3 : 2;
    double values[9];
    snprintf(bits, sizeof bits, "%u-bit ANN", x->bits);
    snprintf(title, sizeof title, "Where the energy goes (%s)", r->run->about.energy.set.name);
    const char *const labels[] = {"this run", "ANN", bits};
    for (size_t k = 0; k < n; k++) {
        values[3 * k] = MICRO * costs[k]->operations;
        values[3 * k + 1] = MICRO * costs[k]->memory;
        values[3 * k + 2] = MICRO * costs[k]->updates;
    }
    mst_svg_bars b = {.n = n,
                      .parts = 3,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .names = names,
                      .ref = (double)NAN,
                      .axis = "energy of one sample, \xc2\xb5J",
                      .digits = 1};
    mst_svg_rows(f, &b, &(mst_svg_text){"costs", title, NULL, "Stacked bars of operations, memory and neurons"});
}

static void cost_row(mst_html_table *t, const char *name, const mst_cost *c, double ratio, double all)
{
    mst_html_cell(t, "%s", name);
    mst_html_scaled(t, c->operations, MICRO, 3);
    mst_html_scaled(t, c->memory, MICRO, 3);
    mst_html_scaled(t, c->updates, MICRO, 3);
    mst_html_scaled(t, mst_cost_all(c), MICRO, 3);
    mst_html_real(t, ratio, 3);
    mst_html_real(t, all, 3);
}

static void cost_table(const priced *sets, size_t n, FILE *f)
{
    static const char *const heads[] = {"",
                                        ">operations, \xc2\xb5J",
                                        ">memory, \xc2\xb5J",
                                        ">neurons, \xc2\xb5J",
                                        ">all, \xc2\xb5J",
                                        ">operations: run, times this",
                                        ">all: run, times this"};
    mst_html_table t;
    char name[96];
    mst_html_table_begin(&t, f, "Energy", COUNT(heads), heads);
    for (size_t k = 0; k < n; k++) {
        const mst_figures *x = &sets[k].x;
        snprintf(name, sizeof name, "%s: this run", sets[k].set.set.name);
        cost_row(&t, name, &x->snn, (double)NAN, (double)NAN);
        snprintf(name, sizeof name, "%s: ANN", sets[k].set.set.name);
        cost_row(&t, name, &x->ann, mst_energy_ratio(x, &x->ann, false), mst_energy_ratio(x, &x->ann, true));
        if (x->bits == 0)
            continue;
        snprintf(name, sizeof name, "%s: ANN of %u bits", sets[k].set.set.name, x->bits);
        cost_row(&t, name, &x->bit_ann, mst_energy_ratio(x, &x->bit_ann, false),
                 mst_energy_ratio(x, &x->bit_ann, true));
    }
    mst_html_table_end(&t);
    fputs("<p class=\"note\">", f);
    for (size_t k = 0; k < n; k++)
        mst_html(f, "%s%s: %g pJ for an addition, %g pJ for a multiply-add", k == 0 ? "" : "; ", sets[k].set.set.name,
                 sets[k].set.set.ac, sets[k].set.set.mac);
    mst_html(f, ". Memory: %g pJ for %d bits. Definitions: docs/ENERGY.md.</p>\n", MST_SRAM_WORD_PJ,
             MST_SRAM_WORD_BITS);
}

static void operations_table(const mst_page *r, FILE *f)
{
    static const char *const heads[] = {">time steps", ">fired", ">spikes",
                                        ">SOPs, M", ">MACs, M", ">energy, \xc2\xb5J",
                                        ">times the ANN's", ">with memory"};
    mst_html_table t;
    const mst_run_facts *run = r->run;
    bool step = run->about.mode == MST_RUN_SPIKING;
    mst_html_table_begin(&t, f, "Spikes and operations of one sample", COUNT(heads), heads);
    for (size_t k = 0; k < run->sums.n_at; k++) {
        uint32_t at = run->about.at.values[k];
        mst_figures x = mst_figures_of(&run->about, &run->sums.at[k].counts, run->sums.samples, at);
        if (step)
            mst_html_whole(&t, at);
        else
            mst_html_cell(&t, "%s", run->about.mode_name);
        mst_html_real(&t, x.fired, 0);
        mst_html_real(&t, x.spikes, 0);
        mst_html_scaled(&t, x.sops, MICRO, 3);
        mst_html_scaled(&t, x.macs, MICRO, 3);
        mst_html_scaled(&t, x.snn.operations, MICRO, 3);
        mst_html_real(&t, mst_energy_ratio(&x, &x.ann, false), 3);
        mst_html_real(&t, mst_energy_ratio(&x, &x.ann, true), 3);
    }
    mst_html_table_end(&t);
}

static void sentence(const mst_page *r, const mst_figures *x, FILE *f)
{
    char spikes[32], fired[32], sops[32], macs[32], dense[32];
    mst_html(f, "<p>One sample: %s spikes leave the neurons", mst_html_si(x->spikes, spikes, sizeof spikes));
    if (mst_run_masked(&r->run->about))
        mst_html(f, " (%s are fired before masks)", mst_html_si(x->fired, fired, sizeof fired));
    mst_html(
        f,
        "; they cause %s additions (SOPs), and analog inputs %s multiply-adds (MACs). The ANN does %s multiply-adds",
        mst_html_si(x->sops, sops, sizeof sops), mst_html_si(x->macs, macs, sizeof macs),
        mst_html_si(x->dense_pass, dense, sizeof dense));
    if (isfinite(x->per_input))
        mst_html(f, "; a synapse sees %.2f spikes", x->per_input);
    mst_html(f, ".</p>\n");
}

void mst_page_energy(const mst_page *r, FILE *f)
{
    priced sets[MOST_SETS];
    size_t n = 0;
    mst_figures x = mst_page_figures(r);
    if (r->run->sums.samples == 0)
        return;
    while (n < MOST_SETS && in_set(r, n, &sets[n]))
        n++;
    mst_html_section(f, "energy-section", "Spikes, operations, energy");
    sentence(r, &x, f);
    fputs("<div class=\"charts\">\n", f);
    if (x.fires)
        ratio_chart(sets, n, f);
    cost_chart(r, &x, f);
    fputs("</div>\n", f);
    mst_html_details(f, "The numbers, by set of energies");
    cost_table(sets, n, f);
    mst_html_details_end(f);
    mst_html_details(f, r->run->about.mode == MST_RUN_SPIKING ? "Spikes and operations over time steps"
                                                              : "Spikes and operations");
    operations_table(r, f);
    mst_html_details_end(f);
    mst_html_section_end(f);
}
