/* Conversion error for people. */
#include "tools/calib_report.h"

#include <gsl/gsl_statistics_double.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/calib_attrib_report.h"
#include "tools/run_report.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

#define WORST 3 /* layers marked in the table */
#define LEVELS_COLUMN 4

void mst_calib_facts_free(mst_calib_facts *c)
{
    mst_versus_free(&c->versus);
    mst_calib_report_free(&c->report);
    mst_run_facts_free(&c->run);
    mst_calib_about_free(&c->about);
    json_decref(c->sums);
    json_decref(c->parts);
    *c = (mst_calib_facts){0};
}

/* Mean and standard deviation of a few. */
static void print_drawn(const mst_calib_report *r, FILE *f)
{
    fprintf(f, "with its masks drawn top-1 %.2f %% +- %.2f (standard deviation of %d seeds)\n",
            100 * gsl_stats_mean(r->drawn_top1, 1, MST_CALIB_DRAWS),
            100 * gsl_stats_sd(r->drawn_top1, 1, MST_CALIB_DRAWS), MST_CALIB_DRAWS);
}

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
    if (r->labelled != 0 && r->drawn)
        print_drawn(r, f);
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
        ">~theta",
        ">~L",
        ">~levels",
        ">~rate %",
        ">~mae",
        ">rel. L2",
        ">~max",
        ">~bias",
        ">~in theta/2L %",
        ">~residual",
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

/* What marks and columns are, of those that are there. */
static void print_notes(const mst_calib_report *r, const mst_table *t, FILE *f)
{
    char time[64] = "", parts[200] = "";
    size_t from = t->columns, used = 0, shown = 0;
    for (int p = 0; p < MST_PART_COUNT; p++)
        from -= mst_calib_has_part(r->mode, (mst_calib_part)p);
    for (size_t c = from; c < t->columns; c++)
        shown += t->shown[c];
    for (size_t c = from; c < t->columns && shown < t->columns - from; c++)
        if (t->shown[c])
            used += (size_t)snprintf(parts + used, sizeof parts - used, "%s%s", used != 0 ? ", " : "", t->heads[c] + 1);
    if (!mst_mode_counts(r->mode))
        snprintf(time, sizeof time, "At t = %u%s. ", r->points[r->n_points - 1].t,
                 r->n_points > 1 ? " (--json: at all of them)" : "");
    if (shown == t->columns - from)
        snprintf(parts, sizeof parts, "The last five columns\nare the mean absolute parts of the error: ");
    else if (shown != 0)
        snprintf(parts + used, sizeof parts - used, ": mean absolute parts of the error: ");
    mst_term_print(f, 0,
                   "%s! marks the %d layers with the largest relative error, inherited or own. %s"
                   "see mstcalib --help.\n",
                   time, WORST, parts);
}

/* brief: there is no room for whole names. */
static mst_status print_layers(const mst_calib_report *r, FILE *f, bool *brief, mst_err *err)
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
    MST_TRY(mst_table_end(&t, f, err));
    fputc('\n', f);
    print_notes(r, &t, f);
    *brief = t.brief;
    return MST_OK;
}

/* What accuracy is lost to the ANN, and what the network takes in its place. */
static void print_cost(const mst_calib_facts *c, const mst_figures *x, FILE *f)
{
    size_t last = c->report.n_points - 1;
    double loss = mst_versus_loss(&c->versus, last), se = mst_versus_loss_se(&c->versus, last);
    if (isfinite(loss))
        fprintf(f, "loss %.2f points", 100 * loss);
    if (isfinite(se))
        fprintf(f, " (standard error %.2f; McNemar's p %.2g)", 100 * se,
                mst_paired_p(c->versus.at[last].lost, c->versus.at[last].gained));
    fprintf(f, "%s%.0f spikes per sample, %.4g M SOPs", isfinite(loss) ? "; " : "", x->spikes, 1e-6 * x->sops);
    if (isfinite(mst_energy_ratio(x, &x->ann, false)))
        fprintf(f, "; energy %.3g times the ANN's (%s), with memory %.3g times", mst_energy_ratio(x, &x->ann, false),
                c->run.about.energy.set.name, mst_energy_ratio(x, &x->ann, true));
    fputs("\n\n", f);
}

/* What takes the place of time steps, or how logits are read. */
static void print_mode(const mst_run_about *a, FILE *f)
{
    if (mst_mode_counts(a->mode))
        fprintf(f,
                "mode %s%s%s%s; latency %.0f steps (%" PRIu64 " layers one after another, windows of %" PRIu64 ")\n\n",
                a->mode_name, a->thinning != NULL ? ", " : "", a->thinning != NULL ? a->thinning : "",
                a->thinning != NULL ? " thinning" : "",
                mst_run_latency(a), a->depth, a->window);
    else if (a->readout_from > 1)
        fprintf(f, "logits are averaged from step %" PRIu64 " on; before it, from step 1\n\n", a->readout_from);
}

static void print_head(const mst_calib_facts *c, const mst_figures *x, FILE *f)
{
    const mst_calib_report *r = &c->report;
    const mst_run_about *a = &c->run.about;
    fprintf(f, "%s against %s on %s: %zu samples\n", a->model, c->about.onnx, a->data, r->samples);
    mst_assumed_print(&a->assumed, &c->run.sums.outcome, mst_figures_analog(x), f);
    fputc('\n', f);
    if (r->samples == 0) { /* of a part */
        fputs("no sample could be used\n", f);
        return;
    }
    print_mode(a, f);
    if (c->about.lacks_masks)
        fputs("The ANN has no masks here; a network that was trained with them needs --ann-masks trained or mean.\n\n",
              f);
    else if (strcmp(c->about.ann_masks, "none") != 0)
        fprintf(f, "The ANN has the masks %s, by their mean.\n\n",
                strcmp(c->about.ann_masks, "trained") == 0 ? "that the weights were trained with"
                                                           : "of the model file");
}

mst_status mst_calib_print(const mst_calib_facts *c, FILE *f, mst_err *err)
{
    const mst_calib_report *r = &c->report;
    mst_figures x = mst_figures_of(&c->run.about, &c->run.sums.all, r->samples, mst_run_steps(&c->run.about));
    mst_term_lines lines;
    bool brief;
    print_head(c, &x, mst_term_hold(&lines, f));
    mst_term_release(&lines, 2);
    if (r->samples == 0)
        return MST_OK;
    MST_TRY(print_network(r, f, err));
    print_cost(c, &x, mst_term_hold(&lines, f));
    mst_term_release(&lines, 2);
    MST_TRY(print_layers(r, f, &brief, err));
    if (c->attrib == NULL)
        return MST_OK;
    return brief ? mst_attrib_print(&c->brief->report, &c->brief->words, f, err)
                 : mst_attrib_print(c->attrib, c->words, f, err);
}
