/* See calib_attrib_report.h. */
#include "tools/calib_attrib_report.h"

#include <math.h>

#include "tools/tool_output.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

#define WIDTH 100 /* of the paragraph */

/* ---- text ------------------------------------------------------------------------------------ */

static void points_cell(mst_table *t, const mst_attrib_effect *e)
{
    if (isnan(e->points))
        mst_table_real(t, NAN, 2);
    else if (isnan(e->points_se))
        mst_table_cell(t, "%.2f", 100 * e->points);
    else
        mst_table_cell(t, "%.2f +- %.2f", 100 * e->points, 100 * e->points_se);
}

static void effect_cells(mst_table *t, const mst_attrib_effect *e)
{
    points_cell(t, e);
    mst_table_real(t, e->logit, 4);
}

static mst_status print_causes(const mst_attrib_report *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"cause", ">away: points", ">logits", ">alone: points",
                                        ">logits", ">share: points",
                                        ">logits"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t i = 0; i < r->n_causes; i++) {
        mst_table_cell(&t, "%s", mst_cause_name((int)r->causes[i].cause));
        effect_cells(&t, &r->causes[i].away);
        effect_cells(&t, &r->causes[i].alone);
        effect_cells(&t, &r->causes[i].share);
    }
    mst_table_cell(&t, "rest (together)");
    effect_cells(&t, &r->rest_away);
    effect_cells(&t, &r->rest_alone);
    mst_table_cell(&t, "0");
    mst_table_cell(&t, "0");
    mst_table_cell(&t, "all");
    effect_cells(&t, &r->loss);
    effect_cells(&t, &r->loss);
    effect_cells(&t, &r->loss);
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

static mst_status print_parts(const mst_attrib_report *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"layer or block", "mostly", ">away: points",
                                        ">logits", ">alone: points", ">logits"};
    mst_arena tmp = {0};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t i = 0; i <= r->n_parts; i++) {
        if (i == r->layers_tried) { /* behind the layers */
            mst_table_cell(&t, "rest (%zu other layers, together)", r->n_layers + 1 - r->layers_tried);
            mst_table_cell(&t, "-");
            effect_cells(&t, &r->layers_rest);
            mst_table_cell(&t, "-");
            mst_table_cell(&t, "-");
        }
        if (i == r->n_parts)
            break;
        const mst_attrib_part *p = &r->parts[i];
        bool inside = p->layer != MST_NONE && p->layer != r->n_layers;
        const char *name = inside ? r->layers[p->layer].name : mst_part_text(&tmp, r, p);
        mst_table_cell(&t, "%s%s", name != NULL ? name : "?", p->layer == MST_NONE ? " (all its layers)" : "");
        mst_table_cell(&t, "%s", mst_cause_name((int)p->largest));
        effect_cells(&t, &p->away);
        effect_cells(&t, &p->alone);
    }
    mst_arena_release(&tmp);
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

mst_status mst_attrib_print(const mst_attrib_report *r, const mst_words *w, FILE *f, mst_err *err)
{
    fprintf(f, "\nWhere the accuracy goes (%zu samples)\n\n", r->samples);
    mst_term_flow(w->summary, WIDTH, 0, f);
    fputc('\n', f);
    MST_TRY(print_causes(r, f, err));
    if (r->n_parts != 0)
        MST_TRY(print_parts(r, f, err));
    static const char columns[] =
        "away: what is better without this cause (or this layer's own error); alone: what it costs by itself;\n"
        "share: causes added one by one, from the top and from the bottom, the mean of both. Points of top-1\n"
        "+- standard errors of pairs; logits: relative L2. Exact definitions: mst/attribute.h.\n";
    mst_term_print(f, 0, "%s", columns);
    return MST_OK;
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static json_t *json_effect(const mst_attrib_effect *e)
{
    return json_pack("{s:o, s:o, s:o}", "points", mst_json_real(100 * e->points), "points_se",
                     mst_json_real(100 * e->points_se), "logit_rel_l2", mst_json_real(e->logit));
}

static json_t *json_causes(const mst_attrib_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_causes; i++) {
        const mst_attrib_cause *c = &r->causes[i];
        mst_json_append(&list, json_pack("{s:s, s:o, s:o, s:o}", "cause", mst_cause_name((int)c->cause), "away",
                                         json_effect(&c->away), "alone", json_effect(&c->alone), "share",
                                         json_effect(&c->share)));
    }
    return list;
}

static json_t *json_block(int block) { return block >= 0 ? json_integer(block) : json_null(); }

static json_t *json_name(const mst_attrib_report *r, uint32_t layer)
{
    if (layer == MST_NONE)
        return json_null();
    return layer == r->n_layers ? json_string("") : mst_json_text(r->layers[layer].name);
}

static json_t *json_parts(const mst_attrib_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_parts; i++) {
        const mst_attrib_part *p = &r->parts[i];
        mst_json_append(&list, json_pack("{s:o, s:o, s:i, s:s, s:o, s:o}", "layer", json_name(r, p->layer), "block",
                                         json_block(p->block), "layers", (int)p->n_layers, "largest",
                                         mst_cause_name((int)p->largest), "away", json_effect(&p->away), "alone",
                                         json_effect(&p->alone)));
    }
    return list;
}

static json_t *json_sizes(const mst_attrib_layer *l)
{
    json_t *sizes = json_object();
    for (int c = 0; c < MST_CAUSE_COUNT; c++)
        mst_json_set(&sizes, mst_cause_name(c), mst_json_real(l->size[c]));
    return sizes;
}

static json_t *json_layers(const mst_attrib_report *r)
{
    json_t *list = json_array();
    for (size_t k = 0; k <= r->n_layers; k++) {
        const mst_attrib_layer *l = &r->layers[k];
        mst_json_append(&list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "name",
                                         json_name(r, (uint32_t)k),
                                         "theta_ratio", mst_json_real_if(k < r->n_layers, l->theta_ratio), "L",
                                         mst_json_whole_if(k < r->n_layers, (uint64_t)l->levels), "model_L",
                                         mst_json_whole_if(k < r->n_layers, (uint64_t)l->snn_levels), "levels",
                                         mst_json_whole_if(k < r->n_layers, (uint64_t)l->run_levels), "ratio",
                                         mst_json_real(l->ratio), "differs", l->differs, "own_rel_l2",
                                         mst_json_real(l->own_rel_l2), "own_by_cause", json_sizes(l)));
    }
    return list;
}

static json_t *json_findings(const mst_words *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->n; i++) {
        const mst_finding *f = &w->findings[i];
        mst_json_append(&list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kind", f->kind, "layer",
                                         f->layer != NULL ? mst_json_text(f->layer) : json_null(), "block",
                                         json_block(f->block), "worth", json_effect(&f->effect), "text",
                                         mst_json_text(f->text), "advice",
                                         f->advice != NULL ? mst_json_text(f->advice) : json_null()));
    }
    return list;
}

static json_t *json_reals(const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        mst_json_append(&list, mst_json_real(x[i]));
    return list;
}

json_t *mst_attrib_json(const mst_attrib_report *r, const mst_words *w)
{
    json_t *o = json_object();
    mst_json_set(&o, "summary", mst_json_text(w->summary));
    mst_json_set(&o, "findings", json_findings(w));
    mst_json_set(&o, "samples", mst_json_whole(r->samples));
    mst_json_set(&o, "labelled", mst_json_whole(r->labelled));
    mst_json_set(&o, "loss", json_effect(&r->loss));
    mst_json_set(&o, "causes", json_causes(r));
    mst_json_set(&o, "rest_away", json_effect(&r->rest_away));
    mst_json_set(&o, "rest_alone", json_effect(&r->rest_alone));
    mst_json_set(&o, "parts", json_parts(r));
    mst_json_set(&o, "layers_tried", mst_json_whole(r->layers_tried));
    mst_json_set(&o, "layers_rest", json_effect(&r->layers_rest));
    mst_json_set(&o, "counted", json_effect(&r->counted));
    mst_json_set(&o, "standard_inputs", json_effect(&r->standard));
    mst_json_set(&o, "input_mean", json_reals(r->mean, r->channels));
    mst_json_set(&o, "input_deviation", json_reals(r->deviation, r->channels));
    mst_json_set(&o, "layers", json_layers(r));
    return o;
}
