/* See svg_chart.h. */
#include "tools/report/svg_chart.h"

#include <math.h>
#include <string.h>

#include "tools/report/html.h"

#define TEXT_WIDTH MST_SVG_CHARACTER
#define LINE 15.0 /* of text */
#define FAR 1e5   /* no coordinate is beyond */

/* As it may stand in an attribute. */
static double place(double v) { return !isfinite(v) ? 0 : v > FAR ? FAR
                                                      : v < -FAR  ? -FAR
                                                                  : v; }

void mst_svg_begin(mst_svg *s, FILE *f, double height, const mst_svg_text *text)
{
    s->f = f;
    s->width = MST_SVG_WIDTH;
    s->height = height;
    mst_html(f, "<figure>\n<figcaption>%s", text->title);
    if (text->note != NULL)
        mst_html(f, "<small>%s</small>", text->note);
    mst_html(f, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"%s-t %s-d\">\n",
             s->width, place(height), text->id, text->id);
    mst_html(f, "<title id=\"%s-t\">%s</title>\n<desc id=\"%s-d\">%s</desc>\n", text->id, text->title, text->id,
             text->desc);
}

void mst_svg_end(mst_svg *s) { fputs("</svg>\n</figure>\n", s->f); }

static double share(double v, double from, double to, bool log_scale)
{
    if (log_scale) {
        v = log2(v);
        from = log2(from);
        to = log2(to);
    }
    double d = to > from ? (v - from) / (to - from) : 0.5;
    return isfinite(d) ? d : 0;
}

double mst_svg_x(const mst_svg *s, double v)
{
    return place(s->left + share(v, s->x0, s->x1, s->log_x) * (s->width - s->left - s->right));
}

double mst_svg_y(const mst_svg *s, double v)
{
    return place(s->height - s->bottom - share(v, s->y0, s->y1, false) * (s->height - s->top - s->bottom));
}

void mst_svg_round(double *lo, double *hi, int n, double *step)
{
    double from = isfinite(*lo) ? *lo : 0, to = isfinite(*hi) && *hi > from ? *hi : from + 1;
    double raw = (to - from) / n, power = pow(10, floor(log10(raw))), ratio = raw / power;
    *step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2
                                  : ratio <= 5   ? 5
                                                 : 10);
    *lo = floor(from / *step + 1e-9) * *step;
    *hi = ceil(to / *step - 1e-9) * *step;
}

void mst_svg_round_percent(double *lo, double *hi, double ref, double *step)
{
    *lo = fmax(*lo, 0);
    *hi = fmin(*hi, 100);
    mst_svg_round(lo, hi, 5, step);
    double near = 0.02 * (*hi - *lo);
    if (ref <= *lo + near)
        *lo -= *step;
    if (ref >= *hi - near)
        *hi += *step;
    *lo = fmax(*lo, 0);
    *hi = fmin(*hi, 100);
}

void mst_svg_label(const mst_svg *s, double px, double py, const char *anchor, const char *class, const char *label)
{
    mst_html(s->f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", place(px), place(py),
             anchor, class, label);
}

void mst_svg_stroke(const mst_svg *s, const char *class, double x1, double y1, double x2, double y2)
{
    mst_html(s->f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, place(x1),
             place(y1), place(x2), place(y2));
}

/* As many digits as steps need. */
static void number(double v, double step, char *out, size_t n)
{
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (fabs(v) < step * 1e-6)
        v = 0;
    if (step >= 1000)
        mst_html_si(v, out, n);
    else
        snprintf(out, n, "%.*f", digits < 9 ? digits : 9, v);
}

void mst_svg_axis_y(const mst_svg *s, double step, const char *name)
{
    char text[48];
    int n = (int)lround((s->y1 - s->y0) / step);
    for (int i = 0; i <= n && i < 40; i++) {
        double v = s->y0 + i * step, y = mst_svg_y(s, v);
        mst_svg_stroke(s, i == 0 ? "axis" : "grid", s->left, y, s->width - s->right, y);
        number(v, step, text, sizeof text);
        mst_svg_label(s, s->left - 6, y + 4, "end", "t", text);
    }
    mst_svg_label(s, 0, s->top - 10, "start", "t", name);
}

static void name_x(const mst_svg *s, const char *name)
{
    mst_svg_label(s, s->width - s->right, s->height - s->bottom + 2 * LINE + 2, "end", "t", name);
}

void mst_svg_axis_x(const mst_svg *s, size_t n, const double *values, const char *name)
{
    char text[32];
    double last = -FAR;
    for (size_t i = 0; i < n; i++) {
        double x = mst_svg_x(s, values[i]);
        snprintf(text, sizeof text, "%g", values[i]);
        mst_svg_stroke(s, "axis", x, s->height - s->bottom, x, s->height - s->bottom + 4);
        if (x - last < TEXT_WIDTH * (double)(strlen(text) + 1))
            continue;
        mst_svg_label(s, x, s->height - s->bottom + LINE + 1, "middle", "t", text);
        last = x;
    }
    name_x(s, name);
}

void mst_svg_top_axis(const mst_svg *s, double step, double y, double below)
{
    char text[48];
    int n = (int)lround((s->x1 - s->x0) / step);
    for (int i = 0; i <= n && i < 40; i++) {
        double v = s->x0 + i * step, x = mst_svg_x(s, v);
        mst_svg_stroke(s, i == 0 ? "axis" : "grid", x, y + 4, x, below);
        number(v, step, text, sizeof text);
        mst_svg_label(s, x, y, "middle", "t", text);
    }
}

void mst_svg_line(const mst_svg *s, int c, size_t n, const double *x, const double *y, const double *e)
{
    bool drawn = false;
    mst_html(s->f, "<path class=\"line l%d\" d=\"", c);
    for (size_t i = 0; i < n; i++) {
        if (isfinite(y[i]))
            mst_html(s->f, "%c%.1f %.1f", drawn ? 'L' : 'M', mst_svg_x(s, x[i]), mst_svg_y(s, y[i]));
        drawn = isfinite(y[i]);
    }
    fputs("\"/>\n", s->f);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            continue;
        double px = mst_svg_x(s, x[i]);
        if (e != NULL && isfinite(e[i]))
            mst_html(s->f, "<line class=\"whisker l%d\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", c, px,
                     mst_svg_y(s, fmin(y[i] + e[i], s->y1)), px, mst_svg_y(s, fmax(y[i] - e[i], s->y0)));
        mst_html(s->f, "<circle class=\"f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.4\"><title>%g: %.4g</title></circle>\n",
                 c, px, mst_svg_y(s, y[i]), x[i], y[i]);
    }
}

void mst_svg_level(const mst_svg *s, double y, bool above, const char *label)
{
    double py = mst_svg_y(s, y);
    mst_svg_stroke(s, "ref", s->left, py, s->width - s->right, py);
    mst_svg_label(s, s->left + 4, above ? py - 5 : py + 14, "start", "", label);
}

void mst_svg_box(const mst_svg *s, int c, double px, double py, double w, double h, const char *tip)
{
    mst_html(s->f, "<rect class=\"f%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">", c, place(px),
             place(py), place(w > 0 ? w : 0), place(h > 0 ? h : 0));
    if (tip != NULL)
        mst_html(s->f, "<title>%s</title>", tip);
    fputs("</rect>\n", s->f);
}

double mst_svg_legend_width(const char *name) { return 28 + TEXT_WIDTH * (double)strlen(name); }

double mst_svg_legend(const mst_svg *s, double y, size_t n, const int *colours, const char *const *names)
{
    double x = 0;
    for (size_t i = 0; i < n; i++) {
        double w = mst_svg_legend_width(names[i]);
        if (x != 0 && x + w > s->width) {
            x = 0;
            y += LINE + 2;
        }
        mst_svg_box(s, colours[i], x, y, 11, 11, NULL);
        mst_svg_label(s, x + 15, y + 10, "start", "", names[i]);
        x += w;
    }
    return y + LINE + 2;
}

/* ---- matrix ---- */

#define MATRIX_LABELS 20 /* classes with a label each */
#define MATRIX_TEXT 12   /* cells with a number each */
#define LABEL_CHARACTERS 11
#define FLAT 3 /* characters that need not be turned */

/* The beginning of a label, in out. */
static const char *cut(const char *label, char out[40])
{
    size_t n = strlen(label);
    if (n <= LABEL_CHARACTERS)
        return label;
    for (n = LABEL_CHARACTERS - 1; n > 0 && ((unsigned char)label[n] & 0xc0) == 0x80; n--)
        ; /* not within a character */
    snprintf(out, 40, "%.*s\xe2\x80\xa6", (int)n, label);
    return out;
}

static void matrix_cells(const mst_svg *s, const mst_svg_heat *h, double side)
{
    char text[32];
    for (size_t i = 0; i < h->n * h->n; i++) {
        double x = s->left + side * (double)(i % h->n), y = s->top + side * (double)(i / h->n);
        double v = isfinite(h->shade[i]) ? fmin(fmax(h->shade[i], 0), 1) : 0;
        if (v > 0)
            mst_html(s->f,
                     "<rect class=\"heat\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" opacity=\"%.3f\"/>\n",
                     x, y, side, side, v);
        if (h->text == NULL || h->n > MATRIX_TEXT || h->text[i] == 0)
            continue;
        snprintf(text, sizeof text, "%lu", h->text[i]);
        mst_svg_label(s, x + side / 2, y + side / 2 + 4, "middle", v > 0.55 ? "s onheat" : "s", text);
    }
}

void mst_svg_matrix(FILE *f, const mst_svg_heat *h, const mst_svg_text *text)
{
    bool labels = h->n <= MATRIX_LABELS;
    char room[40];
    double longest = 0;
    for (size_t i = 0; labels && i < h->n; i++)
        longest = fmax(longest, (double)strlen(cut(h->labels[i], room)));
    mst_svg s = {.left = fmax(16, fmin(80, 6.5 * longest + 10)),
                 .top = longest <= FLAT ? 34 : 22 + fmin(56, 5.5 * longest),
                 .right = 2};
    double side = (MST_SVG_WIDTH - s.left - s.right) / (double)h->n, high = side * (double)h->n;
    mst_svg_begin(&s, f, s.top + high + 4, text);
    matrix_cells(&s, h, side);
    mst_html(f, "<rect class=\"box\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n", s.left, s.top, high,
             high);
    for (size_t i = 0; labels && i < h->n; i++) {
        double middle = side * ((double)i + 0.5);
        mst_svg_label(&s, s.left - 5, s.top + middle + 4, "end", "s", cut(h->labels[i], room));
        if (longest <= FLAT)
            mst_svg_label(&s, s.left + middle, s.top - 5, "middle", "s", h->labels[i]);
        else
            mst_html(f, "<text class=\"s\" transform=\"translate(%.1f %.1f) rotate(-55)\">%s</text>\n",
                     s.left + middle + 2, s.top - 5, cut(h->labels[i], room));
    }
    mst_svg_label(&s, 0, 10, "start", "t", h->rows);
    mst_svg_label(&s, s.width, 10, "end", "t", h->columns);
    mst_svg_end(&s);
}
