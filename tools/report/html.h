/* HTML as it is written: text escaped, numbers finite, tables, pictures. Knows nothing of networks.
 *
 * Nothing that comes from a file or a command line gets into the document but through a %s of mst_html, which escapes
 * it: what is in a format is markup, what is put into it is text.
 */
#ifndef MST_HTML_H
#define MST_HTML_H

#include <stdint.h>
#include <stdio.h>

#include "mst/status.h"
#include "runtime/data/image.h"

/* printf, but that the text of %s is escaped for elements and quoted attributes ('?' for what is not UTF-8 or not
 * allowed in XML), and that a number that is not finite is written as a dash. Conversions: d i u x (with l, ll, z), f g
 * e, s, c, %%; flags, widths and precisions of numbers as numbers. */
void mst_html(FILE *f, const char *fmt, ...) MST_PRINTF(2, 3);

/* The document up to its first section; title is shown as its heading, kind above it. */
void mst_html_begin(FILE *f, const char *tool, const char *title, const char *kind);
void mst_html_end(FILE *f);

/* A section of the document, with a heading that can be linked to. */
void mst_html_section(FILE *f, const char *id, const char *heading);
void mst_html_section_end(FILE *f);

/* A table in a box that scrolls by itself. heads [columns]: a '>' in front aligns to the right. Lent until the end. */
typedef struct mst_html_table {
    FILE *f;
    const char *const *heads;
    size_t columns, cells;
} mst_html_table;
void mst_html_table_begin(mst_html_table *t, FILE *f, const char *caption, size_t columns, const char *const *heads);
/* The next cell, row by row; the first of a row is its head. */
void mst_html_cell(mst_html_table *t, const char *fmt, ...) MST_PRINTF(2, 3);
/* A number to that many digits behind the point, which carries the digits that JSON has as its value. */
void mst_html_real(mst_html_table *t, double v, int digits);
void mst_html_scaled(mst_html_table *t, double v, double scale, int digits); /* shows v * scale */
void mst_html_whole(mst_html_table *t, uint64_t v);
void mst_html_table_end(mst_html_table *t);

/* A table that is folded away behind a line that says what it is. */
void mst_html_details(FILE *f, const char *summary);
void mst_html_details_end(FILE *f);

/* An <img> with its pixels in it. EIO, ENOMEM. */
mst_status mst_html_picture(FILE *f, const mst_image *im, const char *alt, mst_err *err);

/* 1234567 as "1.23 M". Returns out. */
const char *mst_html_si(double v, char *out, size_t n);

#endif
