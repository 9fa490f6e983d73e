/* Conversion error for programs (docs/JSON.md). */
#include <math.h>

#include "tools/calib_attrib_report.h"
#include "tools/calib_report.h"
#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"

static json_t *json_parts(mst_run_mode mode, const double *values)
{
    json_t *parts = json_object();
    for (int p = 0; p < MST_PART_COUNT; p++)
        if (mst_calib_has_part(mode, (mst_calib_part)p))
            mst_json_set(&parts, mst_calib_part_name((mst_calib_part)p), mst_json_real(values[p]));
    return parts;
}

/* How far a layer is off. */
static void set_error(json_t **layer, mst_run_mode mode, const mst_calib_layer *l)
{
    mst_json_set(layer, "rate_percent", mst_json_real(100 * l->rate));
    mst_json_set(layer, "mae", mst_json_real(l->mae));
    mst_json_set(layer, "mae_se", mst_json_real(l->mae_se));
    mst_json_set(layer, "rel_l2", mst_json_real(l->rel_l2));
    mst_json_set(layer, "max", mst_json_real(l->max));
    mst_json_set(layer, "bias", mst_json_real(l->bias));
    mst_json_set(layer, "within_percent", mst_json_real(100 * l->within));
    mst_json_set(layer, "residual", mst_json_real(l->residual));
    mst_json_set(layer, "parts", json_parts(mode, l->part_abs));
    mst_json_set(layer, "parts_bias", json_parts(mode, l->part_mean));
}

/* What a layer is, and how far it is off. */
static json_t *json_layer(const mst_calib_facts *c, size_t k)
{
    const mst_calib_layer *l = &c->report.layers[k];
    double n = (double)c->report.samples;
    json_t *layer = mst_run_layer_json(&c->run.about.layers[k]);
    set_error(&layer, c->report.mode, l);
    mst_json_set(&layer, "fired_per_sample", mst_json_real((double)l->fired / n));
    mst_json_set(&layer, "spikes_per_sample", mst_json_real((double)l->spikes / n));
    mst_json_set(&layer, "input_ops_per_sample", mst_json_real((double)l->ops / n));
    return layer;
}

/* Of all layers at point i. */
static json_t *json_errors(const mst_calib_report *r, uint32_t i)
{
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < r->n_layers; k++) {
        const mst_calib_layer *l = &r->layers_at[i * r->n_layers + k];
        json_t *one = json_object();
        mst_json_set(&one, "name", mst_json_text(l->name));
        set_error(&one, r->mode, l);
        mst_json_append(&list, one);
    }
    return list;
}

/* What accuracy is lost to the ANN at point i, and how sure that is. */
static void set_loss(json_t **point, const mst_versus *v, uint32_t i)
{
    const mst_versus_at *at = &v->at[i];
    mst_interval top1 = mst_share_interval(at->right, v->labelled);
    mst_json_set(point, "top1_low_percent", mst_json_real(100 * top1.low));
    mst_json_set(point, "top1_high_percent", mst_json_real(100 * top1.high));
    mst_json_set(point, "loss_percent", mst_json_real(100 * mst_versus_loss(v, i)));
    mst_json_set(point, "loss_se_percent", mst_json_real(100 * mst_versus_loss_se(v, i)));
    mst_json_set(point, "loss_p", mst_json_real_if(v->labelled != 0, mst_paired_p(at->lost, at->gained)));
}

static json_t *json_points(const mst_calib_facts *c)
{
    const mst_calib_report *r = &c->report;
    bool step = !mst_mode_counts(r->mode);
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < r->n_points; i++) {
        const mst_calib_point *p = &r->points[i];
        json_t *point = json_object();
        mst_json_set(&point, "t", mst_json_whole_if(step, p->t));
        mst_json_set(&point, "top1_percent", mst_json_real(100 * p->top1));
        set_loss(&point, &c->versus, i);
        mst_json_set(&point, "agreement_percent", mst_json_real(100 * p->agreement));
        mst_json_set(&point, "logit_rel_l2", mst_json_real(p->logit_rel_l2));
        mst_figures x = mst_figures_of(&c->run.about, &p->counts, r->samples, p->t);
        mst_run_json_counts(&point, r->mode, &x);
        if (step)
            mst_json_set(&point, "layers", json_errors(r, i));
        mst_json_append(&list, point);
    }
    return list;
}

/* One a seed; null: its masks were not drawn. */
static json_t *json_drawn(const mst_calib_report *r)
{
    json_t *list = r->drawn ? json_array() : json_null();
    for (unsigned k = 0; r->drawn && list != NULL && k < MST_CALIB_DRAWS; k++)
        mst_json_append(&list, mst_json_real(100 * r->drawn_top1[k]));
    return list;
}

mst_status mst_calib_json(const mst_calib_facts *c, const char *path, mst_err *err)
{
    const mst_calib_report *r = &c->report;
    const mst_run_about *a = &c->run.about;
    mst_figures x = mst_figures_of(a, &c->run.sums.all, r->samples, mst_run_steps(a));
    json_t *layers = json_array(), *root = mst_run_about_json(a);
    for (size_t k = 0; layers != NULL && k < r->n_layers; k++)
        mst_json_append(&layers, json_layer(c, k));
    mst_calib_about_set(&root, &c->about);
    mst_json_add(&root, json_pack("{s:{s:o}}", "assumed", "analog_ops_percent",
                                  mst_json_real(100 * mst_figures_analog(&x))));
    mst_json_set(&root, "samples", mst_json_whole(r->samples));
    mst_json_set(&root, "labelled", mst_json_whole(r->labelled));
    mst_json_add(&root, mst_outcome_json(&c->run.sums.outcome));
    mst_json_set(&root, "latency_steps", mst_json_real(mst_run_latency(a)));
    mst_json_set(&root, "ann_top1_percent", mst_json_real(100 * r->ann_top1));
    mst_json_set(&root, "stored_top1_percent", mst_json_real(100 * r->stored_top1));
    mst_json_set(&root, "stored_logit_rel_l2", mst_json_real(r->stored_logit_rel_l2));
    mst_json_set(&root, "ann_drawn_top1_percent", json_drawn(r));
    mst_json_set(&root, "at", json_points(c));
    mst_run_json_counts(&root, r->mode, &x);
    mst_json_set(&root, "energy", mst_run_json_energy(&c->run, &x));
    mst_json_set(&root, "ann", mst_versus_json(&c->versus));
    mst_json_set(&root, "per_class", mst_confusion_classes(&c->run.sums.confusion, a->names, a->n_names));
    mst_json_set(&root, "confusion", mst_confusion_json(&c->run.sums.confusion));
    mst_json_set(&root, "layers", layers);
    if (c->attrib != NULL)
        mst_json_set(&root, "attribution", mst_attrib_json(c->attrib, c->words));
    mst_json_set(&root, "sums", json_incref(c->sums));
    mst_json_set(&root, "provenance", mst_run_json_machine(&c->run, json_incref(c->parts)));
    return mst_json_write("mstcalib", root, path, err);
}
