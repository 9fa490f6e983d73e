/* Where the accuracy goes: what --attribute found, in words, as bars, and as tables. */
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"

/* What is drawn of each effect: points where there are labels, else the error of the logits. */
static double drawn(const mst_attrib_report *r, const mst_attrib_effect *e)
{
    return r->labelled != 0 ? 100 * e->points : e->logit;
}

static void draw_causes(const mst_attrib_report *r, FILE *f)
{
    static const int colour[] = {0};
    double values[MST_CAUSE_COUNT];
    const char *labels[MST_CAUSE_COUNT];
    for (size_t i = 0; i < r->n_causes; i++) {
        labels[i] = mst_cause_name((int)r->causes[i].cause);
        values[i] = drawn(r, &r->causes[i].share);
    }
    mst_svg_bars bars = {.n = r->n_causes,
                         .parts = 1,
                         .labels = labels,
                         .values = values,
                         .colours = colour,
                         .ref = NAN,
                         .axis = r->labelled != 0 ? "points of top-1" : "error of the logits (relative L2)",
                         .digits = r->labelled != 0 ? 2 : 4};
    mst_svg_text text = {.id = "attribution-causes",
                         .title = "Share of each cause in what is lost",
                         .note = "Shares add up to the whole loss; what is negative gains.",
                         .desc = "A bar for each cause of the loss; the numbers are in the table below."};
    mst_svg_rows(f, &bars, &text);
}

static void effect_cells(mst_html_table *t, const mst_attrib_effect *e)
{
    mst_html_scaled(t, e->points, 100, 2);
    mst_html_scaled(t, e->points_se, 100, 2);
    mst_html_real(t, e->logit, 4);
}

static void list_causes(const mst_attrib_report *r, FILE *f)
{
    static const char *const heads[] = {"cause", ">away: points", ">standard error", ">logits",
                                        ">alone: points", ">standard error", ">logits",
                                        ">share: points", ">standard error", ">logits"};
    mst_html_table t;
    mst_html_details(f, "Causes in numbers");
    mst_html_table_begin(&t, f, "What is better without each cause, its cost alone, its share",
                         sizeof heads / sizeof *heads,
                         heads);
    for (size_t i = 0; i < r->n_causes; i++) {
        mst_html_cell(&t, "%s", mst_cause_name((int)r->causes[i].cause));
        effect_cells(&t, &r->causes[i].away);
        effect_cells(&t, &r->causes[i].alone);
        effect_cells(&t, &r->causes[i].share);
    }
    mst_html_cell(&t, "rest (together)");
    effect_cells(&t, &r->rest_away);
    effect_cells(&t, &r->rest_alone);
    for (int i = 0; i < 3; i++)
        mst_html_real(&t, 0, 0);
    mst_html_table_end(&t);
    mst_html_details_end(f);
}

static void list_parts(const mst_attrib_report *r, FILE *f)
{
    static const char *const heads[] = {"layer or block", "mostly", ">away: points", ">standard error",
                                        ">logits", ">alone: points", ">standard error", ">logits"};
    mst_arena names = {0};
    mst_html_table t;
    mst_html_details(f, "Layers and blocks in numbers");
    mst_html_table_begin(&t, f, "What is better without a layer's or block's own error, what that costs alone",
                         sizeof heads / sizeof *heads, heads);
    for (size_t i = 0; i < r->n_parts; i++) {
        const mst_attrib_part *p = &r->parts[i];
        const char *name = p->layer < r->n_layers ? r->layers[p->layer].name : mst_part_text(&names, r, p);
        mst_html_cell(&t, "%s", name != NULL ? name : "?");
        mst_html_cell(&t, "%s", mst_cause_name((int)p->largest));
        effect_cells(&t, &p->away);
        effect_cells(&t, &p->alone);
    }
    mst_html_table_end(&t);
    mst_html_details_end(f);
    mst_arena_release(&names);
}

void mst_page_attribution(const mst_page *r, FILE *f)
{
    if (r->attrib == NULL)
        return;
    mst_html_section(f, "attribution", "Where the accuracy goes");
    mst_html(f, "<p>%s</p>\n", r->words->summary);
    if (r->attrib->n_causes != 0) {
        draw_causes(r->attrib, f);
        list_causes(r->attrib, f);
    }
    if (r->attrib->n_parts != 0)
        list_parts(r->attrib, f);
    mst_html_section_end(f);
}
