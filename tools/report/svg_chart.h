/* Charts as SVG, drawn by hand: no library to depend on, nothing to load or run, sharp on paper, read aloud by screen
 * readers, the same bytes on every machine. Each is a <figure> with a caption, a role, a title and a description, and
 * leaves room for the table of its numbers. Knows nothing of networks.
 *
 * Colours are classes of html_style.h: f0..f5 fill, l0..l3 stroke.
 */
#ifndef MST_SVG_CHART_H
#define MST_SVG_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "mst/status.h"

#define MST_SVG_WIDTH 420.0   /* of every chart, in its own units: 12 of them are a line of text */
#define MST_SVG_CHARACTER 7.0 /* at most about as wide as letters are, whatever font there is */

/* A rectangle of the drawing, and the values at its edges. */
typedef struct mst_svg {
    FILE *f;
    double width, height, left, right, top, bottom;
    double x0, x1, y0, y1;
    bool log_x;
} mst_svg;

/* What a chart is called: id, of the document; title, in its caption; note, under it (NULL: none); desc: what there is
 * to see, in words. */
typedef struct mst_svg_text {
    const char *id, *title, *note, *desc;
} mst_svg_text;

/* Open figure and drawing. The margins and values of s are the caller's to set. */
void mst_svg_begin(mst_svg *s, FILE *f, double height, const mst_svg_text *text);
/* Close both. */
void mst_svg_end(mst_svg *s);

/* Where a value is. What is not finite is at the lower end. */
double mst_svg_x(const mst_svg *s, double v);
double mst_svg_y(const mst_svg *s, double v);

/* The least and largest of round numbers about lo..hi, and their distance (about n of them). */
void mst_svg_round(double *lo, double *hi, int n, double *step);

/* The same of shares in percent, 0 to 100, with room about ref (NaN: none), whose line would lie on the edge. */
void mst_svg_round_percent(double *lo, double *hi, double ref, double *step);

/* Lines across at round values from y0 to y1, numbers at the left, what they are above. */
void mst_svg_axis_y(const mst_svg *s, double step, const char *name);
/* Numbers below, at values[n]. */
void mst_svg_axis_x(const mst_svg *s, size_t n, const double *values, const char *name);
/* Numbers above: at y, with lines from there down to `below`. */
void mst_svg_top_axis(const mst_svg *s, double step, double y, double below);

/* Through n points of colour c, with dots; breaks where y is not known. Whiskers from y - e to y + e; e NULL: none. */
void mst_svg_line(const mst_svg *s, int c, size_t n, const double *x, const double *y, const double *e);
/* Dashed, over the whole width at y, with a label above or below its right end. */
void mst_svg_level(const mst_svg *s, double y, bool above, const char *label);
/* anchor: start, middle, end; class: "" or one of the style's. */
void mst_svg_label(const mst_svg *s, double px, double py, const char *anchor, const char *class, const char *label);
/* A filled box of colour c with a text that shows when it is pointed at. Coordinates of the drawing. */
void mst_svg_box(const mst_svg *s, int c, double px, double py, double w, double h, const char *tip);
/* A line in coordinates of the drawing. */
void mst_svg_stroke(const mst_svg *s, const char *class, double x1, double y1, double x2, double y2);

/* Names of n colours in as many lines as they take, from y on. Returns where they end. */
double mst_svg_legend_width(const char *name);
double mst_svg_legend(const mst_svg *s, double y, size_t n, const int *colours, const char *const *names);

/* Bars from 0, a row each, of parts one behind another, what is negative to the left. */
typedef struct mst_svg_bars {
    size_t n, parts;
    const char *const *labels; /* [n] */
    const double *values;      /* [n*parts]; what is not finite is left out */
    const int *colours;        /* [parts] */
    const char *const *names;  /* [parts], of a legend; NULL: none */
    const double *marks;       /* [n] a stroke across the row; NULL: none; NaN: not there */
    double ref;                /* a dashed line at that value; NaN: none */
    const char *ref_name;
    const char *axis; /* what is measured */
    int digits;       /* of numbers at the ends of bars, what a row sums up to; -1: none */
} mst_svg_bars;
void mst_svg_rows(FILE *f, const mst_svg_bars *b, const mst_svg_text *text);

/* A matrix [rows][columns] of shares 0..1 as squares, in drawing and on its own: labels of rows and columns may be
 * NULL; texts in the cells, where there is one; tips. */
typedef struct mst_svg_heat {
    size_t n;                  /* rows and columns */
    const double *shade;       /* [n*n] 0..1 */
    const unsigned long *text; /* [n*n] numbers in the cells, 0: none; NULL: none at all */
    const char *const *labels; /* [n] */
    const char *rows, *columns;
} mst_svg_heat;
void mst_svg_matrix(FILE *f, const mst_svg_heat *h, const mst_svg_text *text);

#endif
