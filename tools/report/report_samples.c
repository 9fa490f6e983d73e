/* Single samples: how a layer's values are distributed, and pictures of samples whose class flips. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"

#define LISTED 200u /* flips in the table */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- distributions ---- */

static double percent(const mst_histogram *h, size_t bin)
{
    return h->n != 0 ? 100 * (double)h->count[bin] / (double)h->n : 0;
}

static double centre(const mst_histogram *h, size_t bin)
{
    return h->bins > 1 ? h->lo + (h->hi - h->lo) * (double)bin / (double)(h->bins - 1) : h->lo;
}

/* What the first bin has, of which the scale shows only a part. */
static void first_bin(const mst_svg *s, const mst_histogram *const *h, const char *const *names, size_t n,
                      double half)
{
    char text[128];
    size_t used = (size_t)snprintf(text, sizeof text, "\xe2\x97\x82");
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %s %.0f %%", i != 0 ? "," : "", names[i],
                                 percent(h[i], 0));
    if (fmax(percent(h[0], 0), percent(h[n - 1], 0)) > s->y1)
        mst_svg_label(s, mst_svg_x(s, h[0]->lo + half) + 4, s->top + 11, "start", "", text);
}

/* Bars of n histograms side by side. What is in the first bin, most of all where neurons are silent, would leave
 * nothing to see of the others: the scale ends with the largest of these. */
static void histogram(const mst_histogram *const *h, const char *const *names, size_t n, const double *ticks,
                      size_t n_ticks, const char *axis, const mst_svg_text *text, FILE *f)
{
    static const int colours[] = {0, 1};
    double top = 0, step, w, half = (h[0]->hi - h[0]->lo) / (double)(h[0]->bins - 1) / 2;
    char tip[96];
    for (size_t b = 1; b < h[0]->bins; b++)
        for (size_t i = 0; i < n; i++)
            top = fmax(top, percent(h[i], b));
    mst_svg s = {.left = 46, .right = 10, .top = n > 1 ? 50 : 30, .bottom = 38, .y1 = top};
    mst_svg_round(&s.y0, &s.y1, 4, &step);
    s.x0 = h[0]->lo - half;
    s.x1 = h[0]->hi + half;
    mst_svg_begin(&s, f, n > 1 ? 240 : 220, text);
    if (n > 1)
        mst_svg_legend(&s, 0, n, colours, names);
    mst_svg_axis_y(&s, step, "% of neurons and samples");
    w = (mst_svg_x(&s, s.x0 + 2 * half) - mst_svg_x(&s, s.x0)) / (double)n;
    for (size_t b = 0; b < h[0]->bins; b++)
        for (size_t i = 0; i < n; i++) {
            double v = percent(h[i], b), y = mst_svg_y(&s, fmin(v, s.y1));
            double x = mst_svg_x(&s, centre(h[i], b)) - w * (double)n / 2 + w * (double)i;
            snprintf(tip, sizeof tip, "%s at %.3g: %.2f %%", names[i], centre(h[i], b), v);
            mst_svg_box(&s, colours[i], x + 0.3, y, w - 0.6, mst_svg_y(&s, s.y0) - y, tip);
        }
    first_bin(&s, h, names, n, half);
    mst_svg_axis_x(&s, n_ticks, ticks, axis);
    mst_svg_end(&s);
}

static void value_tables(const mst_look *l, FILE *f)
{
    static const char *const heads[] = {">activation / threshold", ">ANN, %", ">network, %"};
    static const char *const potential[] = {">potential / threshold", ">network, %"};
    mst_html_table t;
    mst_html_details(f, "The numbers");
    mst_html_table_begin(&t, f, "Activations", COUNT(heads), heads);
    for (size_t b = 0; b < l->ann.bins; b++) {
        mst_html_real(&t, centre(&l->ann, b), 4);
        mst_html_real(&t, percent(&l->ann, b), 3);
        mst_html_real(&t, percent(&l->snn, b), 3);
    }
    mst_html_table_end(&t);
    if (l->potential.bins != 0) {
        mst_html_table_begin(&t, f, "Potentials", COUNT(potential), potential);
        for (size_t b = 0; b < l->potential.bins; b++) {
            mst_html_real(&t, centre(&l->potential, b), 3);
            mst_html_real(&t, percent(&l->potential, b), 3);
        }
        mst_html_table_end(&t);
    }
    mst_html_details_end(f);
}

void mst_page_values(const mst_page *r, FILE *f)
{
    const mst_look *l = r->look;
    if (l == NULL || l->samples == 0 || l->ann.n == 0)
        return;
    static const char *const names[] = {"ANN", "network"}, *const below[] = {"at the end or beyond:"};
    static const double shares[] = {0, 0.5, 1}, multiples[] = {-1, 0, 1, 2};
    const mst_histogram *both[] = {&l->ann, &l->snn}, *potential[] = {&l->potential};
    const char *why = r->layer_named     ? ""
                      : r->calib != NULL ? ", which adds most error of its own (--html-layer picks another)"
                                         : ", the last (--html-layer picks another)";
    mst_html_section(f, "values-section", "Inside one layer");
    mst_html(f,
             "<p>Layer <code>%s</code>%s, on %zu samples: its values as multiples of the threshold, before its "
             "mask.</p>\n",
             r->run->about.layers[l->layer].name, why, l->samples);
    fputs("<div class=\"charts\">\n", f);
    histogram(both, names, 2, shares, COUNT(shares), "activation / threshold",
              &(mst_svg_text){"activations", "Activations",
                              "bars at 0 go beyond the scale, which is that of the others",
                              "Two histograms: the ANN's activations, and spikes over how many there could be"},
              f);
    if (l->potential.bins != 0)
        histogram(potential, below, 1, multiples, COUNT(multiples), "potential / threshold",
                  &(mst_svg_text){
                      "potentials", "Membrane potentials behind the last step",
                      "0 to 1: what is left of an even current; above: charge that came late; below: inhibition",
                      "A histogram of membrane potentials over thresholds"},
                  f);
    fputs("</div>\n", f);
    value_tables(l, f);
    mst_html_section_end(f);
}

/* ---- pictures ---- */

/* Viridis, roughly: even steps of brightness, for any colour vision. */
static void colour(double v, uint8_t *rgb)
{
    static const double stops[][3] = {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};
    double at = fmin(fmax(v, 0), 1) * (COUNT(stops) - 1);
    size_t i = (size_t)at < COUNT(stops) - 2 ? (size_t)at : COUNT(stops) - 2;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround(stops[i][c] + (at - (double)i) * (stops[i + 1][c] - stops[i][c]));
}

static mst_status map(const mst_look *l, const float *v, double top, const char *caption, const char *alt, FILE *f,
                      mst_err *err)
{
    mst_image im = {0};
    MST_TRY(mst_image_make(&im, l->width, l->height, 3, "--html", err));
    for (size_t i = 0; i < (size_t)l->width * l->height; i++)
        colour(top > 0 ? (double)v[i] / top : 0, im.pixels + 3 * i);
    fputs("<figure>", f);
    mst_status st = mst_html_picture(f, &im, alt, err);
    mst_html(f, "<figcaption>%s</figcaption></figure>\n", caption);
    mst_image_free(&im);
    return st;
}

static mst_status maps(const mst_page *r, const mst_look_picture *p, FILE *f, mst_err *err)
{
    const mst_look *l = r->look;
    char alt[96];
    double top = 0; /* of both: they are to be compared */
    for (size_t i = 0; i < (size_t)l->width * l->height; i++)
        top = fmax(top, fmax((double)p->ann[i], (double)p->snn[i]));
    snprintf(alt, sizeof alt, "activation map of the ANN, sample %u", p->flip.sample);
    MST_TRY(map(l, p->ann, top, "ANN", alt, f, err));
    snprintf(alt, sizeof alt, "spike activation map, sample %u", p->flip.sample);
    return map(l, p->snn, top, "spikes", alt, f, err);
}

static void verdict(const mst_page *r, const mst_flip *x, FILE *f)
{
    char label[16], ann[16], snn[16];
    mst_html(f, "<p>Sample %u", x->sample);
    if (x->label >= 0)
        mst_html(f, ", label <strong>%s</strong>", mst_page_class(r, (uint32_t)x->label, label, sizeof label));
    mst_html(f, "<br>ANN: <span class=\"%s\">%s</span><br>network: <span class=\"%s\">%s</span></p>\n",
             x->label < 0                   ? ""
             : (uint32_t)x->label == x->ann ? "good"
                                            : "bad",
             mst_page_class(r, x->ann, ann, sizeof ann),
             x->label < 0                   ? ""
             : (uint32_t)x->label == x->snn ? "good"
                                            : "bad",
             mst_page_class(r, x->snn, snn, sizeof snn));
}

static mst_status picture(const mst_page *r, const mst_look_picture *p, FILE *f, mst_err *err)
{
    char alt[64];
    bool wide = p->image.width > 2 * p->image.height;
    fputs("<li>", f);
    verdict(r, &p->flip, f);
    fprintf(f, "<div class=\"row%s\">\n", p->ann == NULL ? " one" : "");
    if (p->image.pixels != NULL) {
        snprintf(alt, sizeof alt, "sample %u", p->flip.sample);
        fputs(wide ? "<figure class=\"wide\">" : "<figure>", f);
        MST_TRY(mst_html_picture(f, &p->image, alt, err));
        fputs("<figcaption>input</figcaption></figure>\n", f);
    }
    if (p->ann != NULL)
        MST_TRY(maps(r, p, f, err));
    fputs("</div></li>\n", f);
    return MST_OK;
}

static void flip_table(const mst_page *r, FILE *f)
{
    static const char *const heads[] = {">sample", "label", "ANN", "network"};
    const mst_versus *v = r->versus;
    mst_html_table t;
    char name[16];
    mst_html_details(f, v->n_flips > LISTED ? "The first 200 samples that flip" : "All samples that flip");
    mst_html_table_begin(&t, f, "Samples that flip", COUNT(heads), heads);
    for (size_t i = 0; i < v->n_flips && i < LISTED; i++) {
        const mst_flip *x = &v->flips[i];
        mst_html_whole(&t, x->sample);
        mst_html_cell(&t, "%s",
                      x->label >= 0 ? mst_page_class(r, (uint32_t)x->label, name, sizeof name) : "\xe2\x80\x93");
        mst_html_cell(&t, "%s", mst_page_class(r, x->ann, name, sizeof name));
        mst_html_cell(&t, "%s", mst_page_class(r, x->snn, name, sizeof name));
    }
    mst_html_table_end(&t);
    mst_html_details_end(f);
}

mst_status mst_page_flips(const mst_page *r, FILE *f, mst_err *err)
{
    const mst_versus *v = r->versus;
    const mst_look *l = r->look;
    if (v == NULL || v->samples == 0)
        return MST_OK;
    mst_html_section(f, "flips-section", "Samples whose class flips");
    mst_html(f, "<p>The network says another class than its ANN for %" PRIu64 " of %" PRIu64 " samples", v->n_flips,
             v->samples);
    if (v->labelled != 0)
        mst_html(f, "; of these the ANN alone is right for %" PRIu64 ", the network alone for %" PRIu64,
                 v->at[v->n_at - 1].lost, v->at[v->n_at - 1].gained);
    fputs(".</p>\n", f);
    if (l != NULL && l->n_pictures != 0 && l->height != 0)
        mst_html(f,
                 "<p class=\"note\">Maps: layer <code>%s</code>, the mean over its channels at each of %u x %u "
                 "places, the "
                 "ANN's activations and the network's spikes on one scale, dark for none.</p>\n",
                 r->run->about.layers[l->map_layer].name, l->height, l->width);
    if (l != NULL && l->n_pictures != 0) {
        fputs("<ul class=\"flips\">\n", f);
        for (size_t i = 0; i < l->n_pictures; i++)
            MST_TRY(picture(r, &l->pictures[i], f, err));
        fputs("</ul>\n", f);
    }
    if (v->n_flips != 0)
        flip_table(r, f);
    mst_html_section_end(f);
    return MST_OK;
}
