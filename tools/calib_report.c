/* Conversion error for people and for programs. */
#include "tools/calib_report.h"

#include <inttypes.h>
#include <math.h>

#include "tools/calib_attrib_report.h"
#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_table.h"

#define WORST 3 /* layers marked in the table */
#define LEVELS_COLUMN 4

static uint64_t latency_of(const mst_calib_report *r) { return (uint64_t)r->depth * r->window; }

static mst_status print_network(const mst_calib_report *r, FILE *f, mst_err *err)
{
    static const char *const heads[] = {">t", ">SNN top-1 %", ">agreement %", ">logit error (rel. L2)"};
    size_t from = mst_mode_counts(r->mode) ? 1 : 0; /* no time to show */
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
    mst_table_begin(&t, sizeof heads / sizeof heads[0] - from, heads + from);
    for (uint32_t i = 0; i < r->n_points; i++) {
        if (from == 0)
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

/* Heads of the columns of layers, [MST_TABLE_MAX_COLUMNS]; returns how many. parts: room for names, lent to heads. */
static size_t layer_heads(const mst_calib_report *r, const char **heads, char parts[MST_PART_COUNT][16])
{
    static const char *const fixed[] = {
        "",
        "layer",
        ">theta",
        ">L",
        ">levels",
        ">rate %",
        ">mae",
        ">rel. L2",
        ">max",
        ">bias",
        ">in theta/2L %",
        ">residual",
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (i != LEVELS_COLUMN || mst_mode_counts(r->mode))
            heads[n++] = fixed[i];
    for (int p = 0; p < MST_PART_COUNT; p++)
        if (mst_calib_has_part(r->mode, (mst_calib_part)p)) {
            snprintf(parts[p], sizeof parts[p], ">%s", mst_calib_part_name((mst_calib_part)p));
            heads[n++] = parts[p];
        }
    return n;
}

static mst_status print_layers(const mst_calib_report *r, FILE *f, mst_err *err)
{
    const char *heads[MST_TABLE_MAX_COLUMNS];
    char parts[MST_PART_COUNT][16];
    mst_table t;
    mst_table_begin(&t, layer_heads(r, heads, parts), heads);
    for (size_t k = 0; k < r->n_layers; k++) {
        const mst_calib_layer *l = &r->layers[k];
        mst_table_cell(&t, "%s", among_worst(r, k) ? "!" : "");
        mst_table_cell(&t, "%s", l->name);
        mst_table_cell(&t, "%.4g", l->theta);
        mst_table_cell(&t, "%d", l->levels);
        if (mst_mode_counts(r->mode))
            mst_table_cell(&t, "%d", l->run_levels);
        mst_table_real(&t, 100 * l->rate, 2);
        mst_table_real(&t, l->mae, 4);
        mst_table_real(&t, l->rel_l2, 4);
        mst_table_real(&t, l->max, 4);
        mst_table_real(&t, l->bias, 4);
        mst_table_real(&t, 100 * l->within, 2);
        mst_table_real(&t, l->residual, 4);
        for (int p = 0; p < MST_PART_COUNT; p++)
            if (mst_calib_has_part(r->mode, (mst_calib_part)p))
                mst_table_real(&t, l->part_abs[p], 4);
    }
    return mst_table_end(&t, f, err);
}

/* What accuracy is lost to the ANN, and what the network takes in its place. */
static void print_cost(const mst_calib_facts *c, const mst_figures *x, FILE *f)
{
    size_t last = c->report->n_points - 1;
    double loss = mst_versus_loss(c->versus, last), se = mst_versus_loss_se(c->versus, last);
    if (isfinite(loss))
        fprintf(f, "loss %.2f points", 100 * loss);
    if (isfinite(se))
        fprintf(f, " (standard error %.2f)", 100 * se);
    fprintf(f, "%s%.0f spikes per sample, %.4g M SOPs", isfinite(loss) ? "; " : "", x->spikes, 1e-6 * x->sops);
    if (isfinite(mst_energy_ratio(x, &x->ann, false)))
        fprintf(f, "; energy %.3g times the ANN's (%s), with memory %.3g times", mst_energy_ratio(x, &x->ann, false),
                c->run->about.energy.set.name, mst_energy_ratio(x, &x->ann, true));
    fputs("\n\n", f);
}

mst_status mst_calib_print(const mst_calib_facts *c, FILE *f, mst_err *err)
{
    const mst_calib_report *r = c->report;
    fprintf(f, "%s against %s on %s: %zu samples\n", c->model, c->onnx, c->data, r->samples);
    mst_figures x = mst_figures_of(&c->run->about, &c->run->sums.all, r->samples, mst_run_steps(&c->run->about));
    mst_assumed_print(&c->run->about.assumed, c->outcome, mst_figures_analog(&x), f);
    fputc('\n', f);
    if (mst_mode_counts(r->mode))
        fprintf(f, "mode %s, %s thinning; latency %" PRIu64 " steps (%u layers one after another, windows of %u)\n\n",
                mst_run_mode_name(r->mode), mst_thinning_name((int)c->thinning), latency_of(r), r->depth, r->window);
    else if (c->readout_from > 1)
        fprintf(f, "logits are averaged from step %u on; before it, from step 1\n\n", c->readout_from);
    if (c->lacks_masks)
        fputs("The ANN has no masks here; a network that was trained with them needs --ann-masks mean.\n\n", f);
    MST_TRY(print_network(r, f, err));
    print_cost(c, &x, f);
    MST_TRY(print_layers(r, f, err));
    fputc('\n', f);
    if (!mst_mode_counts(r->mode))
        fprintf(f, "At t = %u%s. ", r->points[r->n_points - 1].t, r->n_points > 1 ? " (--json: at all of them)" : "");
    fprintf(f,
            "! marks the %d layers with the largest relative error. The last five columns are the mean\n"
            "absolute parts of the error: see mstcalib --help.\n",
            WORST);
    return c->attrib != NULL ? mst_attrib_print(c->attrib, c->words, f, err) : MST_OK;
}

/* ---- JSON ---- */

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

static json_t *json_layer(const mst_calib_report *r, size_t k)
{
    const mst_calib_layer *l = &r->layers[k];
    double n = (double)r->samples;
    json_t *layer = json_object();
    mst_json_set(&layer, "name", mst_json_text(l->name));
    mst_json_set(&layer, "site", json_string(mst_site_name((int)l->site)));
    mst_json_set(&layer, "stage", json_integer(l->stage));
    mst_json_set(&layer, "block", json_integer(l->block));
    mst_json_set(&layer, "neurons", mst_json_whole(l->neurons));
    mst_json_set(&layer, "theta", mst_json_real(l->theta));
    mst_json_set(&layer, "L", json_integer(l->levels));
    if (mst_mode_counts(r->mode))
        mst_json_set(&layer, "levels", json_integer(l->run_levels));
    set_error(&layer, r->mode, l);
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

static json_t *json_points(const mst_calib_facts *c)
{
    const mst_calib_report *r = c->report;
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < r->n_points; i++) {
        const mst_calib_point *p = &r->points[i];
        json_t *point = json_object();
        if (!mst_mode_counts(r->mode))
            mst_json_set(&point, "t", json_integer(p->t));
        mst_json_set(&point, "top1_percent", mst_json_real(100 * p->top1));
        mst_json_set(&point, "agreement_percent", mst_json_real(100 * p->agreement));
        mst_json_set(&point, "logit_rel_l2", mst_json_real(p->logit_rel_l2));
        mst_json_set(&point, "loss_percent", mst_json_real(100 * mst_versus_loss(c->versus, i)));
        mst_json_set(&point, "loss_se_percent", mst_json_real(100 * mst_versus_loss_se(c->versus, i)));
        mst_figures x = mst_figures_of(&c->run->about, &p->counts, r->samples, p->t);
        mst_run_json_counts(&point, r->mode, &x);
        if (!mst_mode_counts(r->mode))
            mst_json_set(&point, "layers", json_errors(r, i));
        mst_json_append(&list, point);
    }
    return list;
}

/* T, or what takes its place. */
static void set_mode(json_t **root, const mst_calib_facts *c)
{
    const mst_calib_report *r = c->report;
    mst_json_set(root, "mode", json_string(mst_run_mode_name(r->mode)));
    if (!mst_mode_counts(r->mode)) {
        mst_json_set(root, "T", json_integer(r->points[r->n_points - 1].t));
        mst_json_set(root, "readout_from", json_integer(c->readout_from));
        return;
    }
    mst_json_set(root, "thinning", json_string(mst_thinning_name((int)c->thinning)));
    mst_json_set(root, "depth", json_integer(r->depth));
    mst_json_set(root, "window_steps", json_integer(r->window));
    mst_json_set(root, "latency_steps", mst_json_whole(latency_of(r)));
}

mst_status mst_calib_json(const mst_calib_facts *c, const char *path, mst_err *err)
{
    const mst_calib_report *r = c->report;
    mst_figures x = mst_figures_of(&c->run->about, &c->run->sums.all, r->samples, mst_run_steps(&c->run->about));
    json_t *layers = json_array(), *root = json_object();
    for (size_t k = 0; layers != NULL && k < r->n_layers; k++)
        mst_json_append(&layers, json_layer(r, k));
    mst_json_set(&root, "assumed", mst_assumed_json(&c->run->about.assumed));
    mst_json_add(&root, json_pack("{s:{s:o}}", "assumed", "analog_ops_percent",
                                  mst_json_real(100 * mst_figures_analog(&x))));
    mst_json_set(&root, "onnx", mst_json_text(c->onnx));
    mst_json_set(&root, "model", mst_json_text(c->model));
    mst_json_set(&root, "data", mst_json_text(c->data));
    mst_json_set(&root, "samples", mst_json_whole(r->samples));
    mst_json_set(&root, "labelled", mst_json_whole(r->labelled));
    mst_json_add(&root, mst_outcome_json(c->outcome));
    set_mode(&root, c);
    mst_json_set(&root, "ann_masks", json_string(c->ann_masks));
    mst_json_set(&root, "ann_top1_percent", mst_json_real(100 * r->ann_top1));
    mst_json_set(&root, "stored_top1_percent", mst_json_real(100 * r->stored_top1));
    mst_json_set(&root, "stored_logit_rel_l2", mst_json_real(r->stored_logit_rel_l2));
    mst_json_set(&root, "at", json_points(c));
    mst_run_json_counts(&root, r->mode, &x);
    mst_json_set(&root, "energy", mst_run_json_energy(c->run, &x));
    mst_json_set(&root, "ann", mst_versus_json(c->versus));
    mst_json_set(&root, "per_class",
                 mst_confusion_classes(&c->run->sums.confusion, c->run->about.names, c->run->about.n_names));
    mst_json_set(&root, "confusion", mst_confusion_json(&c->run->sums.confusion));
    mst_json_set(&root, "layers", layers);
    if (c->attrib != NULL)
        mst_json_set(&root, "attribution", mst_attrib_json(c->attrib, c->words));
    mst_json_set(&root, "provenance", json_pack("{s:s, s:i}", "isa", c->isa, "threads", (int)c->threads));
    return mst_json_write("mstcalib", root, path, err);
}
