/* Horizontal bars: names of layers need room at the left, and a page has more of that below than beside. */
#include <math.h>
#include <string.h>

#include "tools/report/html.h"
#include "tools/report/svg_chart.h"

#define MANY 14   /* rows that are drawn close together */
#define SMALL 6.0 /* wide, a letter of many rows */
#define LABEL_MOST 150.0

/* Of the parts of a row on one side of 0. */
static double row_sum(const mst_svg_bars *b, size_t row, bool negative)
{
    double sum = 0;
    for (size_t p = 0; p < b->parts; p++) {
        double v = b->values[row * b->parts + p];
        sum += isfinite(v) && (v < 0) == negative ? v : 0;
    }
    return sum;
}

/* Characters, not bytes. */
static size_t letters(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static double label_width(const mst_svg_bars *b)
{
    double most = 0;
    for (size_t i = 0; i < b->n; i++)
        most = fmax(most, (b->n > MANY ? SMALL : MST_SVG_CHARACTER) * (double)letters(b->labels[i]));
    return fmin(most, LABEL_MOST) + 14;
}

/* The end of a label that is too long: names of layers differ there. */
static const char *cut(const char *label, bool many, char *out, size_t n)
{
    size_t room = (size_t)(LABEL_MOST / (many ? SMALL : MST_SVG_CHARACTER)), all = letters(label);
    if (all <= room)
        return label;
    for (size_t skip = all - room + 1; skip > 0; skip--)
        for (label++; ((unsigned char)*label & 0xc0) == 0x80; label++)
            ;
    snprintf(out, n, "\xe2\x80\xa6%s", label);
    return out;
}

/* What the row sums up to, right of its bars; strokes that would cross it are before it. */
static void number_row(const mst_svg *s, const mst_svg_bars *b, size_t i, const double ends[2], double middle)
{
    char text[64];
    double sum = ends[0] + ends[1], end = mst_svg_x(s, ends[0]);
    const double strokes[2] = {b->marks != NULL ? b->marks[i] : (double)NAN, b->ref};
    snprintf(text, sizeof text, "%.*f", b->digits, fabs(sum) < 0.5 * pow(10, -b->digits) ? 0 : sum);
    for (int again = 0; again < 2; again++) /* one may move it to the other */
        for (int k = 0; k < 2; k++) {
            double at = isfinite(strokes[k]) ? mst_svg_x(s, strokes[k]) : 0;
            if (at > end && at < end + 9 + MST_SVG_CHARACTER * (double)strlen(text))
                end = at;
        }
    mst_svg_label(s, end + 5, middle + 4, "start", b->n > MANY ? "s" : "", text);
}

static void draw_row(const mst_svg *s, const mst_svg_bars *b, size_t i, double y, double high)
{
    char tip[256], room[128];
    double ends[2] = {0, 0}, middle = y + high / 2; /* right of 0, and left of it */
    mst_svg_label(s, s->left - 6, middle + 4, "end", b->n > MANY ? "s" : "",
                  cut(b->labels[i], b->n > MANY, room, sizeof room));
    for (size_t p = 0; p < b->parts; p++) {
        double v = b->values[i * b->parts + p];
        if (!isfinite(v) || v == 0)
            continue;
        double *at = &ends[v < 0];
        if (b->names != NULL)
            snprintf(tip, sizeof tip, "%.150s, %s: %.4g", b->labels[i], b->names[p], v);
        else
            snprintf(tip, sizeof tip, "%.150s: %.4g", b->labels[i], v);
        double from = mst_svg_x(s, *at), to = mst_svg_x(s, *at + v);
        mst_svg_box(s, b->colours[p], fmin(from, to), y + high * 0.12, fabs(to - from), high * 0.76, tip);
        *at += v;
    }
    if (b->marks != NULL && isfinite(b->marks[i]))
        mst_svg_stroke(s, "tick", mst_svg_x(s, b->marks[i]), y, mst_svg_x(s, b->marks[i]), y + high);
    if (b->digits >= 0)
        number_row(s, b, i, ends, middle);
}

void mst_svg_rows(FILE *f, const mst_svg_bars *b, const mst_svg_text *text)
{
    double high = b->n > MANY ? 15 : 23, most = isfinite(b->ref) ? b->ref : 0, least = 0, step, legend = 0;
    for (size_t i = 0; i < b->n; i++) {
        most = fmax(most, row_sum(b, i, false));
        least = fmin(least, row_sum(b, i, true));
        if (b->marks != NULL && isfinite(b->marks[i]))
            most = fmax(most, b->marks[i]);
    }
    mst_svg s = {.left = label_width(b), .right = b->digits >= 0 ? 50 : 12, .bottom = 4, .x0 = least, .x1 = most};
    if (b->names != NULL) { /* measured before it is drawn: how many lines it takes */
        double x = 0;
        legend = 17;
        for (size_t p = 0; p < b->parts; p++) {
            double w = mst_svg_legend_width(b->names[p]);
            legend += x != 0 && x + w > MST_SVG_WIDTH ? 17 : 0;
            x = x != 0 && x + w > MST_SVG_WIDTH ? w : x + w;
        }
    }
    bool named = isfinite(b->ref);
    s.top = legend + 36 + (named ? 14 : 0);
    mst_svg_round(&s.x0, &s.x1, 5, &step);
    double below = s.top + high * (double)b->n;
    mst_svg_begin(&s, f, below + 6, text);
    if (b->names != NULL)
        mst_svg_legend(&s, 0, b->parts, b->colours, b->names);
    mst_svg_label(&s, s.left, legend + 12, "start", "t", b->axis);
    mst_svg_top_axis(&s, step, legend + 28, below);
    if (s.x0 < 0)
        mst_svg_stroke(&s, "axis", mst_svg_x(&s, 0), legend + 32, mst_svg_x(&s, 0), below);
    for (size_t i = 0; i < b->n; i++)
        draw_row(&s, b, i, s.top + high * (double)i, high);
    if (named) {
        double x = mst_svg_x(&s, b->ref);
        mst_svg_stroke(&s, "ref", x, s.top - 6, x, below);
        mst_svg_label(&s, x + 4, s.top - 4, "start", "s", b->ref_name);
    }
    mst_svg_end(&s);
}
