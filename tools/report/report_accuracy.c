/* Accuracy over time steps, against the ANN's. */
#include <inttypes.h>
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"
#include "tools/tool_mode.h"

/* ---- accuracy ---- */

typedef struct curve {
    size_t n;
    double x[MST_OPT_MAX_LIST], y[MST_OPT_MAX_LIST], e[MST_OPT_MAX_LIST];
} curve;

static void accuracy_curve(const mst_page *r, curve *c)
{
    const mst_run_sums *s = &r->run->sums;
    c->n = s->n_at;
    for (size_t k = 0; k < c->n; k++) {
        double top1 = mst_run_top1(r->run, k);
        c->x[k] = r->run->about.at.values[k];
        c->y[k] = 100 * top1;
        c->e[k] = 100 * mst_share_se(top1, s->labelled);
    }
}

/* With its whiskers. */
static void range_of(const curve *c, double *lo, double *hi)
{
    for (size_t k = 0; k < c->n; k++)
        if (isfinite(c->y[k])) {
            double e = isfinite(c->e[k]) ? c->e[k] : 0;
            *lo = fmin(*lo, c->y[k] - e);
            *hi = fmax(*hi, c->y[k] + e);
        }
}

/* Over time steps, on a scale on which they double. */
static void time_axes(mst_svg *s, const curve *c)
{
    s->left = 46;
    s->right = 44;
    s->top = 26;
    s->bottom = 38;
    s->log_x = true;
    s->x0 = c->x[0];
    s->x1 = c->x[c->n - 1];
}

static void accuracy_chart(const mst_page *r, const curve *c, FILE *f)
{
    double ann = r->versus != NULL ? 100 * mst_versus_ann_top1(r->versus) : (double)NAN, step;
    char desc[300], label[64];
    mst_svg s = {.y0 = isfinite(ann) ? ann : 100, .y1 = isfinite(ann) ? ann : 0};
    range_of(c, &s.y0, &s.y1);
    mst_svg_round_percent(&s.y0, &s.y1, ann, &step);
    time_axes(&s, c);
    snprintf(desc, sizeof desc, "A line from %.1f %% at %.0f time steps to %.1f %% at %.0f", c->y[0], c->x[0],
             c->y[c->n - 1], c->x[c->n - 1]);
    mst_svg_begin(&s, f, 250,
                  &(mst_svg_text){"accuracy", "Accuracy over time steps", "whiskers: standard error", desc});
    mst_svg_axis_y(&s, step, "top-1, %");
    mst_svg_axis_x(&s, c->n, c->x, "time steps");
    if (isfinite(ann)) {
        snprintf(label, sizeof label, "ANN %.2f %%", ann);
        mst_svg_level(&s, ann, ann < s.y1 - 0.12 * (s.y1 - s.y0), label);
    }
    mst_svg_line(&s, 0, c->n, c->x, c->y, c->e);
    snprintf(label, sizeof label, "%.1f", c->y[c->n - 1]);
    mst_svg_label(&s, s.width - s.right + 8, mst_svg_y(&s, c->y[c->n - 1]) + 4, "start", "", label);
    mst_svg_end(&s);
}

/* One point in time: bars. */
static void accuracy_bars(const mst_page *r, FILE *f)
{
    char mode[80], name[96];
    double values[2] = {100 * mst_run_top1(r->run, 0), r->versus != NULL ? 100 * mst_versus_ann_top1(r->versus) : 0};
    mst_page_mode(&r->run->about, mode, sizeof mode);
    snprintf(name, sizeof name, "%s", r->run->about.mode == MST_RUN_ANN ? "ANN" : mode);
    const char *const labels[] = {name, "its ANN"};
    static const int colours[] = {0};
    mst_svg_bars b = {.n = r->versus != NULL ? 2 : 1,
                      .parts = 1,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .ref = (double)NAN,
                      .axis = "top-1, %",
                      .digits = 2};
    mst_svg_rows(f, &b,
                 &(mst_svg_text){"accuracy", "Accuracy", NULL, "Bars of the network's accuracy and its ANN's"});
}

static void logit_chart(const mst_calib_report *c, FILE *f)
{
    curve k = {.n = c->n_points};
    double step;
    char desc[200], label[32];
    mst_svg s = {0};
    for (size_t i = 0; i < k.n; i++) {
        k.x[i] = c->points[i].t;
        k.y[i] = c->points[i].logit_rel_l2;
    }
    range_of(&k, &s.y0, &s.y1);
    mst_svg_round(&s.y0, &s.y1, 5, &step);
    time_axes(&s, &k);
    snprintf(desc, sizeof desc, "A line from %.3f at %.0f time steps to %.3f at %.0f", k.y[0], k.x[0], k.y[k.n - 1],
             k.x[k.n - 1]);
    mst_svg_begin(&s, f, 250,
                  &(mst_svg_text){"logits", "Error of the logits over time steps", "against the ANN's", desc});
    mst_svg_axis_y(&s, step, "relative L2");
    mst_svg_axis_x(&s, k.n, k.x, "time steps");
    mst_svg_line(&s, 1, k.n, k.x, k.y, NULL);
    snprintf(label, sizeof label, "%.3f", k.y[k.n - 1]);
    mst_svg_label(&s, s.width - s.right + 8, mst_svg_y(&s, k.y[k.n - 1]) + 4, "start", "", label);
    mst_svg_end(&s);
}

static void accuracy_table(const mst_page *r, const curve *c, FILE *f)
{
    static const char *const heads[] = {">time steps", ">top-1, %", ">\xc2\xb1",
                                        ">loss, points", ">\xc2\xb1", ">same class as the ANN, %",
                                        ">error of logits"};
    bool step = r->run->about.mode == MST_RUN_SPIKING;
    size_t columns = r->calib != NULL ? 7 : r->versus != NULL ? 6
                                                              : 3;
    mst_html_table t;
    mst_html_details(f, "The numbers");
    mst_html_table_begin(&t, f, "Accuracy", columns, heads);
    for (size_t k = 0; k < c->n; k++) {
        if (step)
            mst_html_whole(&t, (uint64_t)c->x[k]);
        else
            mst_html_cell(&t, "%s", r->run->about.mode_name);
        mst_html_real(&t, c->y[k], 2);
        mst_html_real(&t, c->e[k], 2);
        if (columns > 3) {
            mst_html_real(&t, 100 * mst_versus_loss(r->versus, k), 2);
            mst_html_real(&t, 100 * mst_versus_loss_se(r->versus, k), 2);
            mst_html_real(&t, 100 * mst_versus_agreement(r->versus, k), 2);
        }
        if (columns > 6)
            mst_html_real(&t, r->calib->points[k].logit_rel_l2, 4);
    }
    mst_html_table_end(&t);
    mst_html_details_end(f);
}

void mst_page_accuracy(const mst_page *r, FILE *f)
{
    curve c;
    bool known = r->run->sums.labelled != 0;
    if (r->run->sums.samples == 0 || (!known && r->versus == NULL))
        return;
    accuracy_curve(r, &c);
    mst_html_section(f, "accuracy-section", "Accuracy");
    fputs("<div class=\"charts\">\n", f);
    if (known && r->run->about.mode == MST_RUN_SPIKING)
        accuracy_chart(r, &c, f);
    else if (known)
        accuracy_bars(r, f);
    if (r->calib != NULL && !mst_mode_counts(r->calib->mode))
        logit_chart(r->calib, f);
    fputs("</div>\n", f);
    accuracy_table(r, &c, f);
    mst_html_section_end(f);
}
