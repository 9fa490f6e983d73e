/* See conv_thresholds_report.h. */
#include "tools/conv_thresholds_report.h"

#include <math.h>

#include "tools/tool_output.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

#define WARN_BELOW 0.95 /* agreement */

static double agreement(const mst_thresholds *t) { return (double)t->agree / (double)t->held; }

/* Standard error of a share. */
static double share_error(double p, size_t n) { return sqrt(p * (1 - p) / (double)n); }

mst_status mst_thresholds_print(const mst_thresholds *t, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"ReLU", ">theta", ">of layer", ">positive %",
                                        ">above theta %", ">below a level %",
                                        ">error %"};
    mst_table table;
    mst_table_begin(&table, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < t->n; k++) {
        const mst_theta_result *r = &t->rows[k].result;
        mst_table_cell(&table, "%s", t->rows[k].name);
        mst_table_range(&table, r->theta_min, r->theta_max);
        mst_table_cell(&table, "%zu", r->by_layer);
        mst_table_real(&table, 100 * r->positive, 1);
        mst_table_real(&table, 100 * r->saturated, 2);
        mst_table_real(&table, 100 * r->silent, 1);
        mst_table_real(&table, 100 * r->error, 2);
    }
    fprintf(f, "\n");
    MST_TRY(mst_table_end(&table, f, err));
    fprintf(f, "\n%zu ReLUs are neurons of %d levels; thresholds by %s", t->n, t->levels, t->method);
    if (t->samples != 0)
        fprintf(f, ", one a %s, from %zu samples", t->grain, t->samples);
    if (t->held == 0)
        fprintf(f, "; not tried: %s\n", t->untried);
    else
        fprintf(f,
                "\non %zu other samples, count mode: the ANN's class for %.1f %% (+- %.1f), divergence %.4g nats, "
                "%.4g thousand spikes a sample, latency %u windows of %u = %u steps\n",
                t->held, 100 * agreement(t), 100 * share_error(agreement(t), t->held), t->divergence, 1e-3 * t->spikes,
                t->depth, t->window, t->depth * t->window);
    return MST_OK;
}

void mst_thresholds_warn(const mst_thresholds *t)
{
    if (t->held != 0 && agreement(t) < WARN_BELOW)
        mst_term_warn("mstconv", "the network has the class of its ANN for %.1f %% of %zu samples only: try more "
                                 "levels (--levels %d), other thresholds (--theta-method), or train with QCFS\n",
                      100 * agreement(t), t->held, t->levels < 128 ? 2 * t->levels : 255);
}

static json_t *json_row(const mst_threshold_row *row)
{
    const mst_theta_result *r = &row->result;
    json_t *theta = json_array(), *o = json_object();
    for (size_t c = 0; theta != NULL && c < r->n; c++)
        mst_json_append(&theta, mst_json_real((double)r->theta[c]));
    mst_json_set(&o, "name", mst_json_text(row->name));
    mst_json_set(&o, "bound", json_boolean(row->fixed));
    mst_json_set(&o, "theta", theta);
    mst_json_set(&o, "by_layer", mst_json_whole(r->by_layer));
    mst_json_set(&o, "positive_percent", mst_json_real(100 * r->positive));
    mst_json_set(&o, "saturated_percent", mst_json_real(100 * r->saturated));
    mst_json_set(&o, "silent_percent", mst_json_real(100 * r->silent));
    mst_json_set(&o, "error_percent", mst_json_real(100 * r->error));
    return o;
}

/* On the samples that were not used for thresholds. */
static json_t *json_held(const mst_thresholds *t)
{
    json_t *o = t->held != 0 ? json_object() : NULL;
    if (t->held == 0)
        return json_null();
    mst_json_set(&o, "samples", mst_json_whole(t->held));
    mst_json_set(&o, "agreement_percent", mst_json_real(100 * agreement(t)));
    mst_json_set(&o, "agreement_se_percent", mst_json_real(100 * share_error(agreement(t), t->held)));
    mst_json_set(&o, "divergence_nats", mst_json_real(t->divergence));
    mst_json_set(&o, "spikes_per_sample", mst_json_real(t->spikes));
    mst_json_set(&o, "depth", json_integer(t->depth));
    mst_json_set(&o, "window_steps", json_integer(t->window));
    return o;
}

json_t *mst_thresholds_json(const mst_thresholds *t)
{
    if (t == NULL)
        return json_null();
    json_t *rows = json_array();
    for (size_t k = 0; rows != NULL && k < t->n; k++)
        mst_json_append(&rows, json_row(&t->rows[k]));
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o}", "levels", t->levels, "method", t->method, "grain", t->grain,
                     "samples", mst_json_whole(t->samples), "layers", rows, "held_back", json_held(t));
}
