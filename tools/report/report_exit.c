/* Samples that stop early: where, and what that changes against the same samples run to each stage. */
#include <inttypes.h>
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MARKS 41 /* of the energy axis, at most */

static const char *stage_name(const mst_exit_facts *x, size_t k, char *out, size_t n)
{
    snprintf(out, n, x->counts ? "%u levels" : "t = %u", x->stage[k].at);
    return out;
}

static const mst_exit_figures *last_of(const mst_exit_result *x) { return &x->alone[x->facts.n - 1]; }

static double top1(const mst_exit_figures *x) { return 100 * mst_exit_share(x->right, x->labelled); }

static double top1_se(const mst_exit_figures *x) { return 100 * mst_exit_share_se(x->right, x->labelled); }

/* Of the samples, that stop at stage k. */
static double stopped(const mst_exit_result *x, size_t k)
{
    return 100 * mst_exit_share(x->sums.at[k].samples, x->early.samples);
}

static void words(const mst_exit_result *x, FILE *f)
{
    const mst_exit_facts *facts = &x->facts;
    char name[32], last[48];
    double won = 100 * mst_exit_won(&x->sums.change), se = 100 * mst_exit_won_se(&x->sums.change);
    snprintf(last, sizeof last, facts->counts ? "with %s alone" : "to %s",
             stage_name(facts, facts->n - 1, name, sizeof name));
    mst_html(f,
             "<p>With <code>--exit margin:%g</code> a sample stops at the first of %zu %s at which its largest "
             "probability is %g above the second: %.1f %% of the samples do so before the last. ",
             x->margin, facts->n, facts->counts ? "numbers of levels" : "time steps", x->margin,
             100 - stopped(x, facts->n - 1));
    if (x->early.labelled != 0) {
        mst_html(f, "Then <strong>%.2f %%</strong> are right, %+.2f points", top1(&x->early), won);
        if (isfinite(se))
            mst_html(f, " (standard error %.2f, of pairs)", se);
        mst_html(f, " against all of them run %s, after", last);
    } else {
        mst_html(f, "The class is another than where all are run %s for %.2f %% of them, after", last,
                 100 * mst_exit_share(x->sums.change.other, x->sums.change.samples));
    }
    mst_html(f, " %.1f steps in place of %.1f on average", x->early.latency, last_of(x)->latency);
    if (isfinite(x->saved))
        mst_html(f, "; <strong>%.1f %%</strong> of the energy of operations is %s", 100 * fabs(x->saved),
                 x->saved < 0 ? "added" : "saved");
    mst_html(f, ". All else on this page is of samples that all run %s.</p>\n", last);
}

static void stop_chart(const mst_exit_result *x, FILE *f)
{
    static const int colours[] = {0};
    char text[MST_OPT_MAX_LIST][32];
    const char *labels[MST_OPT_MAX_LIST];
    double values[MST_OPT_MAX_LIST];
    for (size_t k = 0; k < x->facts.n; k++) {
        labels[k] = stage_name(&x->facts, k, text[k], sizeof text[k]);
        values[k] = stopped(x, k);
    }
    mst_svg_bars b = {.n = x->facts.n,
                      .parts = 1,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .ref = (double)NAN,
                      .axis = "samples, %",
                      .digits = 1};
    mst_svg_rows(f, &b,
                 &(mst_svg_text){"exit-stops", "Where samples stop", NULL, "Bars of the share of samples by stage"});
}

/* Accuracy over energy: a line of the stages alone, a point of stopping early. */
static void accuracy_chart(const mst_exit_result *x, FILE *f)
{
    static const int colours[] = {0, 1};
    static const char *const names[] = {"all samples to one stage", "early exit"};
    double ex[MST_OPT_MAX_LIST + 1], y[MST_OPT_MAX_LIST + 1], e[MST_OPT_MAX_LIST + 1], marks[MARKS], step;
    size_t n = x->facts.n, n_marks = 0;
    mst_svg s = {.left = 46, .right = 24, .top = 46, .bottom = 38, .x0 = 0, .x1 = 0, .y0 = 100, .y1 = 0};
    for (size_t k = 0; k <= n; k++) {
        const mst_exit_figures *of = k < n ? &x->alone[k] : &x->early;
        ex[k] = of->energy;
        y[k] = top1(of);
        e[k] = top1_se(of);
        if (!isfinite(ex[k]))
            return;
        double whisker = isfinite(e[k]) ? e[k] : 0;
        s.x1 = fmax(s.x1, ex[k]);
        s.y0 = fmin(s.y0, y[k] - whisker);
        s.y1 = fmax(s.y1, y[k] + whisker);
    }
    mst_svg_round(&s.x0, &s.x1, 5, &step);
    for (; n_marks < MARKS && s.x0 + (double)n_marks * step < s.x1 + step / 2; n_marks++)
        marks[n_marks] = s.x0 + (double)n_marks * step;
    mst_svg_round_percent(&s.y0, &s.y1, (double)NAN, &step);
    mst_svg_begin(&s, f, 270,
                  &(mst_svg_text){"exit-accuracy", "Accuracy over energy", "whiskers: standard error",
                                  "A line of accuracy by energy where all samples run to one stage; a point of "
                                  "stopping early"});
    mst_svg_legend(&s, 0, COUNT(names), colours, names);
    mst_svg_axis_y(&s, step, "top-1, %");
    mst_svg_axis_x(&s, n_marks, marks, "energy of operations, times the ANN's");
    mst_svg_line(&s, colours[0], n, ex, y, e);
    mst_svg_line(&s, colours[1], 1, ex + n, y + n, e + n);
    mst_svg_end(&s);
}

static void figures_row(mst_html_table *t, const char *name, const mst_exit_figures *x)
{
    mst_html_cell(t, "%s", name);
    mst_html_real(t, top1(x), 2);
    mst_html_real(t, top1_se(x), 2);
    mst_html_real(t, x->latency, 2);
    mst_html_real(t, x->spikes, 0);
    mst_html_scaled(t, x->sops, 1e-6, 3);
    mst_html_real(t, x->energy, 3);
    mst_html_real(t, x->energy_all, 3);
}

static void tables(const mst_exit_result *x, FILE *f)
{
    static const char *const stops[] = {"stage", ">samples that stop", ">of these with a label", ">of these right",
                                        ">latency, steps"};
    static const char *const heads[] = {"", ">top-1, %", ">\xc2\xb1", ">latency, steps",
                                        ">spikes", ">SOPs, M", ">energy, times the ANN's", ">with memory"};
    char name[48], stage[32];
    mst_html_table t;
    mst_html_table_begin(&t, f, "Where samples stop", COUNT(stops), stops);
    for (size_t k = 0; k < x->facts.n; k++) {
        const mst_exit_at *at = &x->sums.at[k];
        mst_html_cell(&t, "%s", stage_name(&x->facts, k, name, sizeof name));
        mst_html_whole(&t, at->samples);
        mst_html_whole(&t, at->labelled);
        mst_html_whole(&t, at->right);
        mst_html_real(&t, x->facts.stage[k].latency, 0);
    }
    mst_html_table_end(&t);
    mst_html_table_begin(&t, f, "Early exit, a sample", COUNT(heads), heads);
    for (size_t k = 0; k < x->facts.n; k++) {
        snprintf(name, sizeof name, "all to %s", stage_name(&x->facts, k, stage, sizeof stage));
        figures_row(&t, name, &x->alone[k]);
    }
    figures_row(&t, "early exit", &x->early);
    mst_html_table_end(&t);
}

void mst_page_exit(const mst_page *r, FILE *f)
{
    const mst_exit_result *x = r->early;
    if (x == NULL || x->early.samples == 0)
        return;
    mst_html_section(f, "exit-section", "Early exit");
    words(x, f);
    fputs("<div class=\"charts\">\n", f);
    stop_chart(x, f);
    if (x->early.labelled != 0)
        accuracy_chart(x, f);
    fputs("</div>\n", f);
    mst_html_details(f, "The numbers");
    tables(x, f);
    mst_html_details_end(f);
    mst_html_section_end(f);
}
