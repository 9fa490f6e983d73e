/* See calib_search_report.h. */
#include "tools/calib_search_report.h"

#include <inttypes.h>
#include <math.h>

#include "tools/tool_mode.h"
#include "tools/tool_table.h"

#define NATS 1e3 /* divergences are printed in thousandths */

const char *const mst_search_metrics[] = {[MST_SEARCH_SPIKES] = "spikes", [MST_SEARCH_ENERGY] = "energy", NULL};

static const char *const rival_texts[MST_RIVALS] = {[MST_RIVAL_AS_IS] = "as it is",
                                                    [MST_RIVAL_UNMASKED] = "no masks",
                                                    [MST_RIVAL_PAPER] = "q, k, attn 75 %",
                                                    [MST_RIVAL_UNIFORM] = "uniform",
                                                    [MST_RIVAL_SEARCHED] = "searched"};

static bool of_ratios(const mst_search_facts *c) { return c->job->opts.what == MST_SEARCH_RATIOS; }

/* Of a group, as found; as it is where nothing was. */
static double found_value(const mst_search_result *r, size_t k)
{
    return r->groups[k].values[r->found != NULL ? r->found->value[k] : 0];
}

static double ratio_to(double mine, double theirs) { return theirs > 0 ? mine / theirs : (double)NAN; }

/* ---- for people ---- */

/* Column of a value: its place in the ladder, ordered by what it saves. */
static size_t columns(const mst_search_facts *c, double values[MST_TABLE_MAX_COLUMNS])
{
    const mst_search_result *r = c->result;
    size_t n = 0;
    for (size_t k = 0; k < r->n_groups; k++)
        for (size_t v = 1; v < r->groups[k].n_values; v++) {
            double x = r->groups[k].values[v];
            size_t i = 0;
            while (i < n && (of_ratios(c) ? values[i] < x : values[i] > x))
                i++;
            if (i < n && values[i] == x)
                continue;
            for (size_t j = n++; j > i; j--)
                values[j] = values[j - 1];
            values[i] = x;
        }
    return n;
}

static void print_group(mst_table *t, const mst_search_group *g)
{
    if (g->name != NULL)
        mst_table_cell(t, "%s", g->name);
    else
        mst_table_cell(t, "block %d %s", g->block, mst_site_name((int)g->site));
}

static mst_status print_groups(const mst_search_facts *c, FILE *f, mst_err *err)
{
    const mst_search_result *r = c->result;
    const char *heads[MST_TABLE_MAX_COLUMNS] = {"group", ">now", ">found"};
    char text[MST_TABLE_MAX_COLUMNS][24];
    double values[MST_TABLE_MAX_COLUMNS];
    size_t n = columns(c, values);
    mst_table t;
    for (size_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], ">%g", values[i]);
        heads[3 + i] = text[i];
    }
    fprintf(f,
            "Divergence of the classes from those of the network as it is, in thousandths of a nat, of each group\n"
            "alone at %s of (%zu samples):\n\n",
            of_ratios(c) ? "a ratio" : "levels", r->quick);
    mst_table_begin(&t, 3 + n, heads);
    for (size_t k = 0; k < r->n_groups; k++) {
        const mst_search_group *g = &r->groups[k];
        print_group(&t, g);
        mst_table_cell(&t, "%g", g->values[0]);
        mst_table_cell(&t, "%g", found_value(r, k));
        for (size_t i = 0, v = 1; i < n; i++) {
            bool has = v < g->n_values && g->values[v] == values[i];
            mst_table_real(&t, has ? NATS * r->alone[k][v].loss : (double)NAN, 1);
            v += has;
        }
    }
    return mst_table_end(&t, f, err);
}

static mst_status print_steps(const mst_search_facts *c, FILE *f, mst_err *err)
{
    static const char *const budget[] = {"tried on the samples held out", ">cost %", ">change", ">97.5 % bound",
                                         ">within"};
    static const char *const save[] = {"tried on the samples held out", ">cost %", ">change", ">enough saved"};
    const bool saves = c->job->save > 0;
    const mst_search_result *r = c->result;
    const double was = mst_search_cost(c->job, &r->rival[MST_RIVAL_AS_IS]);
    mst_table t;
    if (r->n_steps == 0)
        return MST_OK;
    fputc('\n', f);
    if (saves)
        mst_table_begin(&t, sizeof save / sizeof save[0], save);
    else
        mst_table_begin(&t, sizeof budget / sizeof budget[0], budget);
    for (size_t i = 0; i < r->n_steps; i++) {
        const mst_trial *x = &r->step[i].held;
        mst_table_cell(&t, "%zu%s", i + 1, r->step[i].fit == r->found ? ", taken" : "");
        mst_table_real(&t, 100 * ratio_to(mst_search_cost(c->job, x), was), 1);
        mst_table_cell(&t, "%+.2f +- %.2f", 0 - 100 * x->loss, 100 * x->loss_se);
        if (!saves)
            mst_table_cell(&t, "%+.2f", 0 - 100 * x->loss_bound);
        mst_table_cell(&t, "%s", r->step[i].within ? "yes" : "no");
    }
    return mst_table_end(&t, f, err);
}

static mst_status print_rivals(const mst_search_facts *c, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"on the samples held out", ">top-1 %", ">change", ">spikes", ">of as it is %",
                                        ">energy/ANN"};
    const mst_search_result *r = c->result;
    const mst_trial *was = &r->rival[MST_RIVAL_AS_IS];
    mst_table t;
    fputc('\n', f);
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (int k = 0; k < MST_RIVALS; k++) {
        const mst_trial *x = &r->rival[k];
        if (!r->has[k])
            continue;
        if (k == MST_RIVAL_UNIFORM)
            mst_table_cell(&t, "%s %g", rival_texts[k], r->uniform);
        else
            mst_table_cell(&t, "%s", rival_texts[k]);
        mst_table_cell(&t, "%.2f +- %.2f", 100 * x->top1, 100 * x->top1_se);
        mst_table_cell(&t, "%+.2f +- %.2f", 0 - 100 * x->loss, 100 * x->loss_se);
        mst_table_real(&t, x->spikes, 0);
        mst_table_real(&t, 100 * ratio_to(x->spikes, was->spikes), 1);
        mst_table_real(&t, ratio_to(x->energy, x->ann), 3);
    }
    return mst_table_end(&t, f, err);
}

/* Searched against the others, sample by sample. */
static void print_versus(const mst_search_facts *c, FILE *f)
{
    const mst_search_result *r = c->result;
    const mst_trial *x = &r->rival[MST_RIVAL_SEARCHED];
    double change, se;
    if (r->found == NULL)
        return;
    fputc('\n', f);
    for (int k = MST_RIVAL_UNMASKED; k < MST_RIVAL_SEARCHED; k++) {
        if (!r->has[k])
            continue;
        mst_trial_pairs(x, &r->rival[k], r->held, &change, &se);
        fprintf(f, "Searched against %s: %+.2f +- %.2f points, %.1f %% of its spikes.\n", rival_texts[k], 100 * change,
                100 * se, 100 * ratio_to(x->spikes, r->rival[k].spikes));
    }
    fprintf(f, "+- standard errors; of changes, of pairs. These samples also said what is taken (the samples to fit\n"
               "whether that is one value for all): expect a little less on others.\n");
}

mst_status mst_search_print(const mst_search_facts *c, FILE *f, mst_err *err)
{
    const mst_search_result *r = c->result;
    fprintf(f, "%s on %s: %s, %s mode\n", c->model, c->data, c->aim, mst_run_mode_name((int)c->job->run.mode));
    fprintf(f, "%zu samples to fit, %zu held out%s%s (drawn by seed %" PRIu64 "); %zu networks measured\n\n", r->fit,
            r->held, c->judge != NULL ? " of " : "", c->judge != NULL ? c->judge : "", c->job->draw.seed, r->runs);
    MST_TRY(print_groups(c, f, err));
    MST_TRY(print_steps(c, f, err));
    MST_TRY(print_rivals(c, f, err));
    print_versus(c, f);
    return MST_OK;
}

const char *mst_search_aim(const mst_search_job *job, mst_arena *arena)
{
    const char *metric = mst_search_metrics[job->metric];
    const char *of = job->opts.what == MST_SEARCH_RATIOS ? "mask ratios" : "levels";
    return job->save > 0 ? mst_arena_printf(arena, "%s that save %g %% of the %s", of, 100 * job->save, metric)
                         : mst_arena_printf(arena, "%s for the least %s, %g points of top-1 to lose", of, metric,
                                            100 * job->budget);
}

const char *mst_search_about(const mst_search_facts *c, mst_arena *arena)
{
    const mst_search_result *r = c->result;
    const mst_trial *was = &r->rival[MST_RIVAL_AS_IS], *now = &r->rival[MST_RIVAL_SEARCHED];
    const char *mode = mst_run_mode_name((int)c->job->run.mode);
    return mst_arena_printf(
        arena,
        "# %s, %s mode, %zu samples.\n"
        "# On %zu others: top-1 %.2f %% (%+.2f +- %.2f against the network as it was), %.1f %% of its spikes,\n"
        "# energy of operations %.3f times the ANN's (%.3f).\n",
        c->aim, mode, r->fit, r->held, 100 * now->top1, 0 - 100 * now->loss, 100 * now->loss_se,
        100 * ratio_to(now->spikes, was->spikes), ratio_to(now->energy, now->ann), ratio_to(was->energy, was->ann));
}

/* ---- for programs ---- */

static json_t *json_trial(const mst_trial *x)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "top1_percent", mst_json_real(100 * x->top1), "top1_se_percent", mst_json_real(100 * x->top1_se),
                     "change_percent", mst_json_real(0 - 100 * x->loss),
                     "change_se_percent", mst_json_real(100 * x->loss_se),
                     "loss_bound_percent", mst_json_real(100 * x->loss_bound), "divergence_nats", mst_json_real(x->kl),
                     "divergence_se_nats", mst_json_real(x->kl_se), "spikes_per_sample", mst_json_real(x->spikes),
                     "fired_per_sample", mst_json_real(x->fired), "sops_per_sample", mst_json_real(x->sops),
                     "macs_per_sample", mst_json_real(x->macs), "operations_pj", mst_json_real(x->energy),
                     "energy_ratio", mst_json_real(ratio_to(x->energy, x->ann)));
}

static json_t *json_alone(const mst_search_result *r, size_t k)
{
    json_t *list = json_array();
    for (size_t v = 1; list != NULL && v < r->groups[k].n_values; v++)
        mst_json_append(&list, json_pack("{s:o, s:o, s:o, s:o}", "value", mst_json_real(r->groups[k].values[v]),
                                         "divergence_nats", mst_json_real(r->alone[k][v].loss), "change_percent",
                                         mst_json_real(0 - 100 * r->top1_loss[k][v]), "saved",
                                         mst_json_real(r->alone[k][v].saved)));
    return list;
}

static json_t *json_groups(const mst_search_facts *c)
{
    const mst_search_result *r = c->result;
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < r->n_groups; k++) {
        const mst_search_group *g = &r->groups[k];
        json_t *node = g->name != NULL ? mst_json_text(g->name) : json_null();
        mst_json_append(&list, json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "site", mst_site_name((int)g->site), "block",
                                         g->block, "node", node, "now", mst_json_real(g->values[0]), "found",
                                         mst_json_real(found_value(r, k)), "alone",
                                         json_alone(r, k)));
    }
    return list;
}

/* The networks on the samples held out, and searched against each, sample by sample. */
static json_t *json_rivals(const mst_search_facts *c)
{
    const mst_search_result *r = c->result;
    json_t *list = json_array();
    double change = 0, se = 0;
    for (int k = 0; list != NULL && k < MST_RIVALS; k++) {
        if (!r->has[k])
            continue;
        json_t *one = json_trial(&r->rival[k]);
        if (r->found != NULL)
            mst_trial_pairs(&r->rival[MST_RIVAL_SEARCHED], &r->rival[k], r->held, &change, &se);
        mst_json_set(&one, "name", mst_json_text(mst_search_rival_name((mst_search_rival)k)));
        mst_json_set(&one, "value", mst_json_real_if(k == MST_RIVAL_UNIFORM, r->uniform));
        mst_json_set(&one, "searched_change_percent", mst_json_real_if(r->found != NULL, 100 * change));
        mst_json_set(&one, "searched_change_se_percent", mst_json_real_if(r->found != NULL, 100 * se));
        mst_json_append(&list, one);
    }
    return list;
}

/* Those that were tried on the samples held out. */
static json_t *json_steps(const mst_search_facts *c)
{
    const mst_search_result *r = c->result;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < r->n_steps; i++) {
        const mst_trial *x = &r->step[i].held;
        mst_json_append(&list,
                        json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}", "spikes_per_sample", mst_json_real(x->spikes),
                                  "change_percent", mst_json_real(0 - 100 * x->loss), "change_se_percent",
                                  mst_json_real(100 * x->loss_se), "loss_bound_percent",
                                  mst_json_real(100 * x->loss_bound), "within", r->step[i].within, "taken",
                                  r->step[i].fit == r->found));
    }
    return list;
}

mst_status mst_search_json(const mst_search_facts *c, const char *path, mst_err *err)
{
    const mst_search_result *r = c->result;
    const mst_search_job *job = c->job;
    bool counts = mst_mode_counts(job->run.mode);
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "onnx",
        mst_json_text(c->onnx), "model", mst_json_text(c->model), "data", mst_json_text(c->data), "held_out_data",
        c->judge != NULL ? mst_json_text(c->judge) : json_null(), "out",
        r->found != NULL ? mst_json_text(c->out) : json_null(), "searched", of_ratios(c) ? "masks" : "levels", "mode",
        mst_run_mode_name((int)job->run.mode), "T", mst_json_whole_if(!counts, job->steps), "readout_from",
        mst_json_whole_if(!counts, job->run.readout_from), "thinning",
        counts ? mst_json_text(mst_thinning_name((int)job->run.thinning)) : json_null(), "metric",
        mst_search_metrics[job->metric], "budget_percent", mst_json_real_if(job->save <= 0, 100 * job->budget), "seed",
        mst_json_whole(job->run.seed), "samples", mst_json_whole(r->fit), "held_out", mst_json_whole(r->held),
        "labelled", mst_json_whole(r->labelled), "networks", mst_json_whole(r->runs));
    mst_json_set(&root, "groups", json_groups(c));
    mst_json_set(&root, "alone_samples", mst_json_whole(r->quick));
    mst_json_set(&root, "loss_percent_per_nat", mst_json_real(100 * r->per_nat));
    mst_json_set(&root, "save_percent", mst_json_real_if(job->save > 0, 100 * job->save));
    mst_json_set(&root, "draws", mst_json_whole(r->draws));
    mst_json_set(&root, "fit", json_trial(r->found != NULL ? &r->found->fit : &r->pool.states[0]->fit));
    mst_json_set(&root, "tried", json_steps(c));
    mst_json_set(&root, "rivals", json_rivals(c));
    return mst_json_write("mstcalib", root, path, err);
}
