/* Conversion error for people and for programs. */
#include "tools/calib_report.h"

#include <inttypes.h>
#include <math.h>

#include "tools/tool_output.h"
#include "tools/tool_table.h"

#define WORST 3 /* layers marked in the table */

static mst_status print_network(const mst_calib_report *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">t", ">SNN top-1 %", ">agreement %", ">logit error (rel. L2)"};
    mst_table t;
    if (r->labelled != 0)
        fprintf(f, "ANN top-1 %.2f %%\n", 100 * r->ann_top1);
    if (!isnan(r->stored_logit_rel_l2)) {
        fprintf(f, "with the stored weights ");
        if (r->labelled != 0)
            fprintf(f, "top-1 %.2f %%, ", 100 * r->stored_top1);
        fprintf(f, "logit error (rel. L2) %.4f\n", r->stored_logit_rel_l2);
    }
    if (r->labelled != 0 || !isnan(r->stored_logit_rel_l2))
        fputc('\n', f);
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (uint32_t i = 0; i < r->n_points; i++) {
        mst_table_cell(&t, "%u", r->points[i].t);
        mst_table_real(&t, 100 * r->points[i].top1, 2);
        mst_table_real(&t, 100 * r->points[i].agreement, 2);
        mst_table_real(&t, r->points[i].logit_rel_l2, 4);
    }
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    return MST_OK;
}

/* Is fewer than WORST layers' relative error larger than this one's? */
static bool among_worst(const mst_calib_report *r, size_t layer)
{
    size_t larger = 0;
    if (!isfinite(r->layers[layer].rel_l2) || r->layers[layer].rel_l2 <= 0)
        return false;
    for (size_t k = 0; k < r->n_layers && larger < WORST; k++)
        larger += r->layers[k].rel_l2 > r->layers[layer].rel_l2;
    return larger < WORST;
}

static mst_status print_layers(const mst_calib_report *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {
        "", "layer", ">theta", ">L", ">rate %", ">mae", ">rel. L2", ">max", ">bias", ">in theta/2L %",
        ">residual",
        ">clipping", ">unevenness", ">quantization", ">inherited", ">weights",
    };
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->n_layers; k++) {
        const mst_calib_layer *l = &r->layers[k];
        mst_table_cell(&t, "%s", among_worst(r, k) ? "!" : "");
        mst_table_cell(&t, "%s", l->name);
        mst_table_cell(&t, "%.4g", l->theta);
        mst_table_cell(&t, "%d", l->levels);
        mst_table_real(&t, 100 * l->rate, 2);
        mst_table_real(&t, l->mae, 4);
        mst_table_real(&t, l->rel_l2, 4);
        mst_table_real(&t, l->max, 4);
        mst_table_real(&t, l->bias, 4);
        mst_table_real(&t, 100 * l->within, 2);
        mst_table_real(&t, l->residual, 4);
        for (int p = 0; p < MST_PART_COUNT; p++)
            mst_table_real(&t, l->part_abs[p], 4);
    }
    return mst_table_end(&t, f, err);
}

mst_status mst_calib_print(const mst_calib_facts *c, FILE *f, mst_err *err)
{
    const mst_calib_report *r = c->report;
    fprintf(f, "%s against %s on %s: %zu samples\n\n", c->model, c->onnx, c->data, r->samples);
    MST_TRY(print_network(r, f, err));
    MST_TRY(print_layers(r, f, err));
    fprintf(f,
            "\nAt t = %u. ! marks the %d layers with the largest relative error. The last five columns are "
            "the mean\n"
            "absolute parts of the error: see mstcalib --help.\n", r->points[r->n_points - 1].t, WORST);
    return MST_OK;
}

/* ---- JSON ---- */

static json_t *json_points(const mst_calib_report *r)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < r->n_points; i++) {
        const mst_calib_point *p = &r->points[i];
        mst_json_append(&list, json_pack("{s:i, s:o, s:o, s:o}", "t", (int)p->t, "top1",
                                         mst_json_real(p->top1),
                                         "agreement", mst_json_real(p->agreement), "logit_rel_l2",
                                         mst_json_real(p->logit_rel_l2)));
    }
    return list;
}

static json_t *json_parts(const double *values)
{
    json_t *parts = json_object();
    for (int p = 0; parts != NULL && p < MST_PART_COUNT; p++)
        if (json_object_set_new(parts, mst_calib_part_name((mst_calib_part)p),
                                mst_json_real(values[p])) != 0) {
            json_decref(parts);
            return NULL;
        }
    return parts;
}

static json_t *json_layer(const mst_calib_layer *l)
{
    return json_pack("{s:o, s:s, s:i, s:i, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "name",
                     mst_json_text(l->name), "site", mst_site_name((int)l->site), "stage", l->stage, "block",
                     l->block,
                     "neurons", mst_json_whole(l->neurons), "theta", mst_json_real(l->theta), "L", l->levels,
                     "rate",
                     mst_json_real(l->rate), "mae", mst_json_real(l->mae), "mae_se", mst_json_real(l->mae_se),
                     "rel_l2",
                     mst_json_real(l->rel_l2), "max", mst_json_real(l->max), "bias", mst_json_real(l->bias),
                     "within",
                     mst_json_real(l->within), "residual", mst_json_real(l->residual), "parts",
                     json_parts(l->part_abs),
                     "parts_bias", json_parts(l->part_mean));
}

mst_status mst_calib_json(const mst_calib_facts *c, const char *path, mst_err *err)
{
    const mst_calib_report *r = c->report;
    json_t *layers = json_array();
    for (size_t k = 0; layers != NULL && k < r->n_layers; k++)
        mst_json_append(&layers, json_layer(&r->layers[k]));
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "onnx", mst_json_text(c->onnx),
                             "model",
                             mst_json_text(c->model), "data", mst_json_text(c->data), "samples",
                             mst_json_whole(r->samples), "labelled", mst_json_whole(r->labelled), "T",
                             (int)r->points[r->n_points - 1].t, "ann_top1", mst_json_real(r->ann_top1), "stored_top1", mst_json_real(r->stored_top1),
                             "stored_logit_rel_l2", mst_json_real(r->stored_logit_rel_l2), "snn",
                             json_points(r), "layers", layers);
    return mst_json_write(root, path, err);
}
