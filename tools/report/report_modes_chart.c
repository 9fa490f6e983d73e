/* The ways of running a network beside each other: accuracy over latency, and what each takes. */
#include <inttypes.h>
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"
#include "tools/tool_mode.h"

#define MOST_POINTS (MST_OPT_MAX_LIST > MST_MODES_MAX ? MST_OPT_MAX_LIST : MST_MODES_MAX)

/* Accuracies of a mode, by the steps from the input to the output. */
typedef struct line {
    size_t n;
    double x[MOST_POINTS], y[MOST_POINTS], e[MOST_POINTS];
} line;

static void add_point(line *l, const mst_run_facts *r, size_t k, double latency)
{
    double top1 = mst_run_top1(r, k);
    l->x[l->n] = latency;
    l->y[l->n] = 100 * top1;
    l->e[l->n++] = 100 * mst_share_se(top1, r->sums.labelled);
}

static void fill(const mst_page *r, line *step, line *count, line *radix)
{
    for (size_t k = 0; k < r->run->sums.n_at; k++)
        add_point(step, r->run, k, r->run->about.at.values[k]);
    for (size_t k = 0; k < r->modes->n; k++) {
        const mst_run_facts *m = &r->modes->runs[k];
        add_point(m->about.mode == MST_RUN_COUNT ? count : radix, m, 0, mst_run_latency(&m->about));
    }
}

static void stretch(const line *l, mst_svg *s)
{
    for (size_t k = 0; k < l->n; k++) {
        s->x0 = fmin(s->x0, l->x[k]);
        s->x1 = fmax(s->x1, l->x[k]);
        double e = isfinite(l->e[k]) ? l->e[k] : 0;
        s->y0 = fmin(s->y0, l->y[k] - e);
        s->y1 = fmax(s->y1, l->y[k] + e);
    }
}

/* The time steps, then doubled until the end of the drawing. */
static void ticks(const mst_svg *s, const line *t)
{
    double at[MOST_POINTS + 32];
    size_t n = t->n;
    for (size_t k = 0; k < n; k++)
        at[k] = t->x[k];
    for (; n < t->n + 32 && 2 * at[n - 1] <= s->x1; n++)
        at[n] = 2 * at[n - 1];
    mst_svg_axis_x(s, n, at, "steps from the input to the output");
}

static void chart(const mst_page *r, const line lines[3], FILE *f)
{
    static const int colours[] = {0, 1, 2};
    static const char *const names[] = {"time steps", "count", "radix"};
    char label[64];
    double ann = r->versus != NULL ? 100 * mst_versus_ann_top1(r->versus) : (double)NAN, step;
    const line *t = &lines[0];
    mst_svg s = {.left = 46, .right = 24, .top = 46, .bottom = 38, .log_x = true, .x0 = t->x[0], .x1 = t->x[0]};
    s.y0 = s.y1 = isfinite(ann) ? ann : t->y[0];
    for (int i = 0; i < 3; i++)
        stretch(&lines[i], &s);
    if (s.x0 >= s.x1)
        s.x1 = 2 * s.x0;
    mst_svg_round_percent(&s.y0, &s.y1, ann, &step);
    mst_svg_begin(&s, f, 270,
                  &(mst_svg_text){.id = "modes",
                                  .title = "Accuracy over latency, by mode",
                                  .note = "whiskers: standard error",
                                  .desc = "Lines of accuracy by steps from the input to the output: in time steps, "
                                          "as counts, as digits"});
    mst_svg_legend(&s, 0, 3, colours, names);
    snprintf(label, sizeof label, "ANN %.2f %%", ann);
    mst_svg_axis_y(&s, step, "top-1, %");
    ticks(&s, t);
    if (isfinite(ann))
        mst_svg_level(&s, ann, ann < s.y1 - 0.12 * (s.y1 - s.y0), label);
    for (int i = 0; i < 3; i++)
        mst_svg_line(&s, colours[i], lines[i].n, lines[i].x, lines[i].y, lines[i].e);
    mst_svg_end(&s);
}

/* Operations until time t; a run of another mode: of all of it. */
static void row(mst_html_table *t, const mst_run_facts *r, size_t k, const char *name, double latency, double steps)
{
    double top1 = mst_run_top1(r, k);
    mst_figures x = mst_figures_of(&r->about, &r->sums.at[k].counts, r->sums.samples, steps);
    mst_html_cell(t, "%s", name);
    mst_html_real(t, 100 * top1, 2);
    mst_html_real(t, 100 * mst_share_se(top1, r->sums.labelled), 2);
    mst_html_real(t, latency, 0);
    mst_html_real(t, x.spikes, 0);
    mst_html_scaled(t, x.sops, 1e-6, 3);
    mst_html_real(t, mst_energy_ratio(&x, &x.ann, false), 3);
    mst_html_real(t, mst_energy_ratio(&x, &x.ann, true), 3);
}

static void table(const mst_page *r, FILE *f)
{
    static const char *const heads[] = {"mode", ">top-1, %", ">\xc2\xb1", ">latency, steps",
                                        ">spikes", ">SOPs, M", ">energy, times the ANN's", ">with memory"};
    char name[80];
    mst_html_table t;
    mst_html_table_begin(&t, f, "Modes, a sample", sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->run->sums.n_at; k++) {
        uint32_t at = r->run->about.at.values[k];
        snprintf(name, sizeof name, "T = %" PRIu32, at);
        row(&t, r->run, k, name, at, at);
    }
    for (size_t k = 0; k < r->modes->n; k++) {
        const mst_run_facts *m = &r->modes->runs[k];
        if (m->about.levels != 0)
            snprintf(name, sizeof name, "%s, %" PRIu64 " levels", m->about.mode_name, m->about.levels);
        else
            snprintf(name, sizeof name, "%s, each layer's levels", m->about.mode_name);
        row(&t, m, 0, name, mst_run_latency(&m->about), 1);
    }
    mst_html_table_end(&t);
}

/* What the last of each line is: the ANN, but for masks and coarse weights. */
static const char *at_the_end(const mst_page *r)
{
    for (size_t k = 0; k < r->run->about.n_layers; k++)
        if (r->run->about.layers[k].ratio > 0)
            return ". Masks thin what it fires by chance, so that no line ends with the ANN's activations.";
    if (r->calib != NULL && !isnan(r->calib->stored_logit_rel_l2))
        return ", so that the last of each line has the activations of the ANN with the weights as they are stored.";
    return ", so that the last of each line has the ANN's activations.";
}

void mst_page_modes(const mst_page *r, FILE *f)
{
    line lines[3] = {{0}};
    if (r->modes == NULL || r->modes->n == 0 || r->run->sums.labelled == 0)
        return;
    fill(r, &lines[0], &lines[1], &lines[2]);
    mst_html_section(f, "modes-section", "Other ways of running it");
    mst_html(f, "<p>The same network on the same samples, as counts of spikes and as their binary digits "
                "(<code>--mode count</code>, <code>--mode radix</code>): a layer fires once it has its whole input");
    mst_html(f, "%s", at_the_end(r));
    mst_html(f, " Latency is of one sample: layers in sequence "
                "wait for each other, and work on other samples meanwhile.</p>\n");
    fputs("<div class=\"charts\">\n", f);
    chart(r, lines, f);
    fputs("</div>\n", f);
    mst_html_details(f, "The numbers");
    table(r, f);
    mst_html_details_end(f);
    mst_html_section_end(f);
}
