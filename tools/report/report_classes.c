/* Classes: which are taken for which, and how many of each are right. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "mst/alloc.h"
#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"

#define DRAWN 100    /* classes of a matrix, rows of a chart */
#define LISTED 2000u /* cells in a table; of more the largest mistakes: */
#define MISTAKES 200u
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* What became of the samples of one class. */
typedef struct class_sum {
    uint32_t class;
    uint64_t samples, right, ann_right;
} class_sum;

typedef struct classes {
    mst_arena arena;
    size_t n;           /* that the network has */
    const char **names; /* [n] */
    class_sum *sums;    /* [n_seen] of those that were seen, ascending */
    size_t n_seen;
} classes;

static mst_status no_memory(mst_err *err) { return mst_fail(err, MST_ENOMEM, "out of memory for a report"); }

static mst_status name_classes(const mst_page *r, classes *c, mst_err *err)
{
    char number[16];
    c->n = r->outcome->classes;
    c->names = mst_arena_array(&c->arena, c->n + 1, sizeof *c->names);
    c->sums = mst_arena_array(&c->arena, c->n + 1, sizeof *c->sums);
    if (c->names == NULL || c->sums == NULL)
        return no_memory(err);
    for (size_t i = 0; i < c->n; i++)
        if ((c->names[i] = mst_arena_strdup(&c->arena, mst_page_class(r, (uint32_t)i, number, sizeof number))) ==
            NULL)
            return no_memory(err);
    return MST_OK;
}

static void add_up(const mst_confusion *m, class_sum *sums, size_t n, bool ann)
{
    for (size_t i = 0; i < m->cap; i++) {
        const mst_confusion_cell *x = &m->cells[i];
        if (x->samples == 0 || x->label >= n)
            continue;
        class_sum *s = &sums[x->label];
        uint64_t right = x->said == x->label ? x->samples : 0;
        s->samples += ann ? 0 : x->samples;
        s->right += ann ? 0 : right;
        s->ann_right += ann ? right : 0;
    }
}

static mst_status sum_classes(const mst_page *r, classes *c, mst_err *err)
{
    MST_TRY(name_classes(r, c, err));
    add_up(&r->run->sums.confusion, c->sums, c->n, false);
    if (r->versus != NULL)
        add_up(&r->versus->ann, c->sums, c->n, true);
    for (size_t i = 0; i < c->n; i++)
        if (c->sums[i].samples != 0) {
            c->sums[c->n_seen] = c->sums[i];
            c->sums[c->n_seen++].class = (uint32_t)i;
        }
    return MST_OK;
}

/* ---- matrices ---- */

/* Shares of rows, their roots: mistakes are rare, and are to be seen all the same. */
static mst_status matrix(const mst_confusion *m, classes *c, const char *rows, const char *columns,
                         const mst_svg_text *text, FILE *f, mst_err *err)
{
    size_t n = c->n;
    double *shade = mst_arena_array(&c->arena, n * n, sizeof *shade);
    unsigned long *number = mst_arena_array(&c->arena, n * n, sizeof *number);
    if (shade == NULL || number == NULL)
        return no_memory(err);
    for (size_t i = 0; i < m->cap; i++)
        if (m->cells[i].samples != 0 && m->cells[i].label < n && m->cells[i].said < n)
            number[m->cells[i].label * n + m->cells[i].said] = (unsigned long)m->cells[i].samples;
    for (size_t row = 0; row < n; row++) {
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += (double)number[row * n + k];
        for (size_t k = 0; sum > 0 && k < n; k++)
            shade[row * n + k] = sqrt((double)number[row * n + k] / sum);
    }
    mst_svg_matrix(f, &(mst_svg_heat){n, shade, number, c->names, rows, columns}, text);
    return MST_OK;
}

static int by_samples(const void *a, const void *b)
{
    const mst_confusion_cell *x = a, *y = b;
    if ((x->label == x->said) != (y->label == y->said))
        return x->label == x->said ? 1 : -1;
    if (x->samples != y->samples)
        return x->samples > y->samples ? -1 : 1;
    return x->label != y->label ? (x->label < y->label ? -1 : 1) : (x->said > y->said) - (x->said < y->said);
}

static mst_status cells(const mst_confusion *m, const classes *c, const char *caption, const char *rows,
                        const char *columns, FILE *f, mst_err *err)
{
    const char *const heads[] = {rows, columns, ">samples"};
    mst_confusion_cell *list = mst_confusion_sorted(m);
    mst_html_table t;
    size_t n = m->n;
    char text[160];
    if (list == NULL && n != 0)
        return no_memory(err);
    snprintf(text, sizeof text, n > LISTED ? "%s: the %u largest that differ" : "%s", caption, MISTAKES);
    if (n > LISTED) {
        qsort(list, n, sizeof *list, by_samples);
        n = MISTAKES;
    }
    mst_html_details(f, text);
    mst_html_table_begin(&t, f, caption, COUNT(heads), heads);
    for (size_t i = 0; i < n; i++) {
        mst_html_cell(&t, "%s", c->names[list[i].label]);
        mst_html_cell(&t, "%s", c->names[list[i].said]);
        mst_html_whole(&t, list[i].samples);
    }
    mst_html_table_end(&t);
    mst_html_details_end(f);
    mst_free_array(NULL, list, m->n, sizeof *list);
    return MST_OK;
}

/* ---- accuracy of each ---- */

static mst_status class_chart(const mst_page *r, classes *c, FILE *f, mst_err *err)
{
    static const int colours[] = {0};
    size_t n = c->n_seen;
    double *values = mst_arena_array(&c->arena, n + 1, sizeof *values);
    double *marks = mst_arena_array(&c->arena, n + 1, sizeof *marks);
    const char **labels = mst_arena_array(&c->arena, n + 1, sizeof *labels);
    if (values == NULL || marks == NULL || labels == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const class_sum *s = &c->sums[i];
        labels[i] = c->names[s->class];
        values[i] = 100 * (double)s->right / (double)s->samples;
        marks[i] = r->versus != NULL ? 100 * (double)s->ann_right / (double)s->samples : (double)NAN;
    }
    mst_svg_bars b = {.n = n,
                      .parts = 1,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .marks = marks,
                      .ref = (double)NAN,
                      .axis = "right, % of the samples of a class",
                      .digits = 1};
    mst_svg_rows(f, &b,
                 &(mst_svg_text){"classes", "Accuracy of each class", r->versus != NULL ? "strokes: the ANN" : NULL,
                                 "A bar for each class that was seen, with a stroke at the ANN's accuracy"});
    return MST_OK;
}

static void class_table(const mst_page *r, const classes *c, FILE *f)
{
    static const char *const heads[] = {"class", ">samples", ">right", ">top-1, %", ">right: ANN", ">loss, points"};
    mst_html_table t;
    mst_html_details(f, "The numbers of each class");
    mst_html_table_begin(&t, f, "Accuracy of each class", r->versus != NULL ? 6 : 4, heads);
    for (size_t i = 0; i < c->n_seen; i++) {
        const class_sum *s = &c->sums[i];
        mst_html_cell(&t, "%s", c->names[s->class]);
        mst_html_whole(&t, s->samples);
        mst_html_whole(&t, s->right);
        mst_html_real(&t, 100 * (double)s->right / (double)s->samples, 1);
        if (r->versus == NULL)
            continue;
        mst_html_whole(&t, s->ann_right);
        mst_html_real(&t, 100 * ((double)s->ann_right - (double)s->right) / (double)s->samples, 1);
    }
    mst_html_table_end(&t);
    mst_html_details_end(f);
}

static mst_status charts(const mst_page *r, classes *c, FILE *f, mst_err *err)
{
    const mst_confusion *said = &r->run->sums.confusion;
    bool small = c->n <= DRAWN, labelled = c->n_seen != 0;
    if (labelled && c->n_seen <= DRAWN)
        MST_TRY(class_chart(r, c, f, err));
    if (labelled && small)
        MST_TRY(matrix(said, c, "label \xe2\x86\x93", "said \xe2\x86\x92",
                       &(mst_svg_text){"confusion", "Labels, and what the network says",
                                       "shade: root of the share of a row", "A matrix of labels by classes said"},
                       f, err));
    if (r->versus != NULL && small)
        MST_TRY(matrix(&r->versus->both, c, "ANN \xe2\x86\x93", "network \xe2\x86\x92",
                       &(mst_svg_text){"flips", "What the ANN says, and what the network says",
                                       "off the diagonal: samples whose class flips",
                                       "A matrix of the classes that the ANN says by those that the network says"},
                       f, err));
    return MST_OK;
}

static mst_status tables(const mst_page *r, const classes *c, FILE *f, mst_err *err)
{
    if (c->n_seen != 0) {
        class_table(r, c, f);
        MST_TRY(cells(&r->run->sums.confusion, c, "Labels and what the network says", "label", "said", f, err));
    }
    if (r->versus == NULL)
        return MST_OK;
    if (c->n_seen != 0)
        MST_TRY(cells(&r->versus->ann, c, "Labels and what the ANN says", "label", "said", f, err));
    return cells(&r->versus->both, c, "What the ANN and the network say", "ANN", "network", f, err);
}

mst_status mst_page_classes(const mst_page *r, FILE *f, mst_err *err)
{
    classes c = {0};
    if (r->run->sums.samples == 0 || (r->run->sums.labelled == 0 && r->versus == NULL))
        return MST_OK;
    mst_status st = sum_classes(r, &c, err);
    if (st == MST_OK) {
        mst_html_section(f, "classes-section", "Classes");
        fputs("<div class=\"charts\">\n", f);
        st = charts(r, &c, f, err);
        fputs("</div>\n", f);
        if (st == MST_OK)
            st = tables(r, &c, f, err);
        mst_html_section_end(f);
    }
    mst_arena_release(&c.arena);
    return st;
}
