/* The converter's report in its two forms. */
#include "tools/conv_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/conv_thresholds_report.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

static double size_ratio(const mst_conv_facts *c)
{
    return c->report->parameters != 0 ? (double)c->bytes / (4.0 * (double)c->report->parameters) : 0;
}

static void theta_cell(mst_table *t, const mst_report_row *r)
{
    if (!r->spiking)
        mst_table_cell(t, "-");
    else
        mst_table_range(t, r->theta_min, r->theta_max);
}

/* Has a layer other levels in count and radix mode than its L? */
static bool has_levels(const mst_report *r)
{
    bool found = false;
    for (uint32_t i = 0; i < r->n_rows; i++)
        found |= r->rows[i].spiking && r->rows[i].run_levels != r->rows[i].levels;
    return found;
}

static void add_row(mst_table *t, const mst_report_row *r, bool levels)
{
    mst_table_cell(t, "%s", r->name);
    mst_table_cell(t, "%s", r->kind);
    mst_table_cell(t, "%" PRIu64, r->neurons);
    theta_cell(t, r);
    if (r->spiking)
        mst_table_cell(t, "%d", r->levels);
    else
        mst_table_cell(t, "-");
    if (levels)
        mst_table_real(t, r->spiking ? (double)r->run_levels : (double)NAN, 0);
    mst_table_cell(t, "%s", r->spiking && mst_site_name((int)r->site) != NULL ? mst_site_name((int)r->site) : "-");
    mst_table_real(t, r->spiking && r->ratio >= 0 ? r->ratio : NAN, 2);
    mst_table_real(t, r->spiking && r->trained >= 0 ? r->trained : NAN, 2);
    mst_table_cell(t, "%s", !r->spiking && r->reason != NULL ? r->reason : "");
}

/* The layer whose weights changed most. */
static const mst_weight_row *worst_weights(const mst_report *r)
{
    const mst_weight_row *worst = &r->weights[0];
    for (uint32_t i = 1; i < r->n_weights; i++)
        if (r->weights[i].error > worst->error)
            worst = &r->weights[i];
    return worst;
}

static void print_weights(const mst_report *r, FILE *f)
{
    if (r->n_weights == 0)
        return;
    const mst_weight_row *worst = worst_weights(r);
    fprintf(f,
            "%" PRIu64 " weights of %u layers as %s, %" PRIu64
            " bytes; largest relative error of a layer's: %.3g (%s)\n",
            r->n_narrow, r->n_weights, mst_dtype_name(r->weight_type), r->narrow_bytes, worst->error, worst->name);
}

static void print_reals(const char *what, const float *values, uint32_t n, FILE *f)
{
    fprintf(f, "%s", what);
    for (uint32_t c = 0; c < n; c++)
        fprintf(f, "%s%g", c != 0 ? "," : " ", (double)values[c]);
}

static void print_input(const mst_conv_facts *c, FILE *f)
{
    const mst_meta *m = &c->graph->meta;
    fputs("input: ", f);
    if (m->n_norm != 0) {
        print_reals("(x - mean)/std, mean", m->mean, m->n_norm, f);
        print_reals(", std", m->std, m->n_norm, f);
    } else {
        fputs("x, not normalized (no --mean, --std)", f);
    }
    if (c->metadata[0] != '\0')
        fprintf(f, "; from the model's metadata: %s", c->metadata);
    fputc('\n', f);
}

static void print_network(const mst_conv_facts *c, FILE *f)
{
    const mst_report *r = c->report;
    const mst_meta *m = &c->graph->meta;
    fprintf(f, "\n%u layers spike, %u nodes are nonlinear and do not, %u masks; attention: %s; ",
            r->n_neuron_layers,
            r->n_non_spiking, r->n_masks, r->attention != NULL ? r->attention : "none");
    fprintf(f, "BatchNorm not folded: %u; T = %u", r->bn_kept, m->timesteps);
    if (m->run != MST_RULE_STEP)
        fprintf(f, "; mode: %s", mst_run_rule_name((int)m->run));
    if (m->thinning != MST_THIN_BINOMIAL)
        fprintf(f, "; thinning: %s", mst_thinning_name((int)m->thinning));
    fprintf(f, "\n");
    print_input(c, f);
    print_weights(r, f);
}

mst_status mst_conv_print(const mst_conv_facts *c, FILE *f, mst_err *err)
{
    static const char *const all[] = {"layer", "kind", ">neurons", ">theta", ">L", ">levels", "site", ">mask",
                                      ">trained",
                                      "does not spike because"};
    const char *heads[sizeof all / sizeof all[0]];
    const mst_report *r = c->report;
    bool levels = has_levels(r);
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (levels || strcmp(all[i], ">levels") != 0)
            heads[n++] = all[i];
    mst_table t;
    mst_table_begin(&t, n, heads);
    for (int spiking = 1; spiking >= 0; spiking--)
        for (uint32_t i = 0; i < r->n_rows; i++)
            if (r->rows[i].spiking == (spiking == 1))
                add_row(&t, &r->rows[i], levels);
    MST_TRY(mst_table_end(&t, f, err));
    mst_term_lines lines;
    print_network(c, mst_term_hold(&lines, f));
    mst_term_release(&lines, 2);
    MST_TRY(mst_pairs_print(c->pairs, f, err));
    if (c->thresholds != NULL)
        MST_TRY(mst_thresholds_print(c->thresholds, f, err));
    fprintf(f, "%" PRIu64 " parameters; ", r->parameters);
    if (c->bytes != 0)
        fprintf(f, "%s: %" PRIu64 " bytes, %.3f of the float32 weights\n", c->output, c->bytes,
                size_ratio(c));
    else
        fprintf(f, "nothing written\n");
    return MST_OK;
}

static json_t *json_ratio(double ratio)
{
    return ratio >= 0 ? mst_json_real(ratio) : json_null();
}

static json_t *json_row(const mst_report_row *r)
{
    if (!r->spiking)
        return json_pack("{s:o, s:o, s:o, s:o}", "name", mst_json_text(r->name), "kind",
                         mst_json_text(r->kind),
                         "outputs", mst_json_whole(r->neurons), "reason", mst_json_text(r->reason));
    const char *site = mst_site_name((int)r->site);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o, s:i, s:i, s:o, s:o}", "name",
                     mst_json_text(r->name), "kind",
                     mst_json_text(r->kind), "neurons", mst_json_whole(r->neurons), "theta_min",
                     mst_json_real(r->theta_min), "theta_max", mst_json_real(r->theta_max), "L", r->levels,
                     "levels", r->run_levels, "site",
                     mst_json_text(site), "stage", r->stage, "block", r->block, "ratio", json_ratio(r->ratio),
                     "trained",
                     json_ratio(r->trained));
}

static json_t *json_weights(const mst_report *r)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < r->n_weights; i++) {
        const mst_weight_row *row = &r->weights[i];
        mst_json_append(&list, json_pack("{s:o, s:o, s:o}", "name", mst_json_text(row->name), "weights",
                                         mst_json_whole(row->weights), "error", mst_json_real(row->error)));
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "type", mst_dtype_name(r->weight_type), "count",
                     mst_json_whole(r->n_narrow), "bytes", mst_json_whole(r->narrow_bytes), "layers", list);
}

static json_t *json_rows(const mst_report *r, bool spiking)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < r->n_rows; i++)
        if (r->rows[i].spiking == spiking)
            mst_json_append(&list, json_row(&r->rows[i]));
    return list;
}

mst_status mst_conv_json(const mst_conv_facts *c, const char *path, mst_err *err)
{
    const mst_report *r = c->report;
    const mst_meta *m = &c->graph->meta;
    char hash[65];
    mst_hash_text(m->source_sha256, hash);
    json_t *root = json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:s, s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:s}",
        "source", mst_json_text(m->source_name), "source_sha256", hash, "output",
        c->bytes != 0 ? mst_json_text(c->output) : json_null(), "bytes",
        c->bytes != 0 ? mst_json_whole(c->bytes) : json_null(), "parameters", mst_json_whole(r->parameters),
        "bytes_over_float32", c->bytes != 0 ? mst_json_real(size_ratio(c)) : json_null(), "T",
        (int)m->timesteps, "mode", mst_run_rule_name((int)m->run), "thinning",
        mst_thinning_name((int)m->thinning), "seed",
        mst_json_whole(m->seed), "attention", mst_json_text(r->attention != NULL ? r->attention : "none"),
        "spiking_layers", (int)r->n_neuron_layers, "non_spiking_nodes", (int)r->n_non_spiking, "masks",
        (int)r->n_masks,
        "bn_kept", (int)r->bn_kept, "layers", json_rows(r, true),
        "non_spiking",
        json_rows(r, false), "weights", json_weights(r), "thresholds", mst_thresholds_json(c->thresholds), "pairs",
        mst_pairs_json(c->pairs), "metadata", c->metadata);
    return mst_json_write("mstconv", root, path, err);
}
