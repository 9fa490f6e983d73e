/* See exit_sums.h. */
#include "tools/exit_sums.h"

#include <math.h>

#include "tools/tool_table.h"

/* ---- sums ---- */

bool mst_exit_right(const mst_exit_seen *seen, size_t stage, size_t last, int label)
{
    return seen[stage].said == (label >= 0 ? (uint32_t)label : seen[last].said);
}

void mst_exit_compare(mst_exit_change *c, const mst_exit_seen *seen, size_t stop, size_t last, int label)
{
    bool now = mst_exit_right(seen, stop, last, label), then = mst_exit_right(seen, last, last, label);
    c->samples++;
    c->better += now && !then;
    c->worse += then && !now;
    c->other += seen[stop].said != seen[last].said;
}

double mst_exit_won(const mst_exit_change *c)
{
    return ((double)c->better - (double)c->worse) / (double)c->samples;
}

double mst_exit_won_se(const mst_exit_change *c)
{
    double n = (double)c->samples, won = mst_exit_won(c), moved = (double)c->better + (double)c->worse;
    return n > 1 ? sqrt(fmax(moved - n * won * won, 0) / (n * (n - 1))) : (double)NAN;
}

void mst_exit_add(mst_exit_sums *s, const mst_exit_seen *seen, size_t stop, size_t last, int label)
{
    mst_exit_at *at = &s->at[stop];
    at->samples++;
    at->labelled += label >= 0;
    at->right += label >= 0 && seen[stop].said == (uint32_t)label;
    mst_counters_add(&s->counts, &seen[stop].counts);
    for (size_t k = 0; k <= last; k++) {
        s->at[k].all_right += label >= 0 && seen[k].said == (uint32_t)label;
        mst_counters_add(&s->at[k].counts, &seen[k].counts);
    }
    mst_exit_compare(&s->change, seen, stop, last, label);
}

/* ---- figures ---- */

static double ratio(double mine, double theirs) { return theirs > 0 ? mine / theirs : (double)NAN; }

static double whole(const mst_cost *c) { return c->operations + c->memory + c->updates; }

/* Of counts and steps of all samples; updates: of neurons, of all samples. */
static void fill(mst_exit_figures *x, const mst_exit_facts *f, const mst_counters *counts, double latency,
                 double updates, const mst_energy_set *e)
{
    double n = (double)x->samples;
    x->latency = latency / n;
    x->spikes = (double)counts->spikes / n;
    x->fired = (double)counts->spikes_before / n;
    x->sops = (double)counts->sops / n;
    x->macs = (double)counts->macs / n;
    const mst_work work = {.sops = x->sops,
                           .macs = x->macs,
                           .spikes = x->spikes,
                           .fired = x->fired,
                           .neurons = f->neurons,
                           .updates = updates / n,
                           .dense_ops = f->dense_ops,
                           .dense_static = f->dense_static};
    mst_cost mine = mst_energy_of_run(e, &work), theirs = mst_energy_of_ann(e, &work);
    x->energy = counts->spikes != 0 ? ratio(mine.operations, theirs.operations) : (double)NAN;
    x->energy_all = counts->spikes != 0 ? ratio(whole(&mine), whole(&theirs)) : (double)NAN;
}

static void fill_early(mst_exit_result *r, const mst_energy_set *e)
{
    const mst_exit_facts *f = &r->facts;
    mst_exit_figures *x = &r->early;
    double latency = 0, updates = 0;
    *x = (mst_exit_figures){0};
    for (size_t k = 0; k < f->n; k++) {
        const mst_exit_at *at = &r->sums.at[k];
        x->samples += at->samples;
        x->labelled += at->labelled;
        x->right += at->right;
        latency += (double)at->samples * f->stage[k].latency;
        updates += (double)at->samples * f->stage[k].updates;
    }
    fill(x, f, &r->sums.counts, latency, updates, e);
}

/* A run of its own is without those before it; so many steps are not. */
static void fill_alone(mst_exit_result *r, size_t k, const mst_energy_set *e)
{
    const mst_exit_facts *f = &r->facts;
    mst_exit_stage stage = f->stage[k];
    mst_counters counts = r->sums.at[k].counts;
    mst_exit_figures *x = &r->alone[k];
    if (f->counts && k != 0) {
        const mst_counters *before = &r->sums.at[k - 1].counts;
        stage.latency -= f->stage[k - 1].latency;
        stage.updates -= f->stage[k - 1].updates;
        counts.spikes -= before->spikes;
        counts.spikes_before -= before->spikes_before;
        counts.sops -= before->sops;
        counts.macs -= before->macs;
    }
    *x = (mst_exit_figures){r->early.samples, r->early.labelled, r->sums.at[k].all_right, 0, 0, 0, 0, 0, 0, 0};
    fill(x, f, &counts, (double)x->samples * stage.latency, (double)x->samples * stage.updates, e);
}

void mst_exit_figure(mst_exit_result *r, const mst_energy_set *e)
{
    fill_early(r, e);
    for (size_t k = 0; k < r->facts.n; k++)
        fill_alone(r, k, e);
    r->saved = 1 - ratio(r->early.energy, r->alone[r->facts.n - 1].energy);
}

/* ---- as text ---- */

static mst_status print_stops(const mst_exit_result *r, FILE *to, mst_err *err)
{
    const char *const heads[] = {r->facts.counts ? ">levels" : ">t", ">stop there %", ">top-1 of these %",
                                 ">latency, steps"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->facts.n; k++) {
        const mst_exit_at *at = &r->sums.at[k];
        mst_table_cell(&t, "%u", r->facts.stage[k].at);
        mst_table_real(&t, 100 * mst_exit_share(at->samples, r->early.samples), 2);
        mst_table_real(&t, 100 * mst_exit_share(at->right, at->labelled), 2);
        mst_table_real(&t, r->facts.stage[k].latency, 0);
    }
    return mst_table_end(&t, to, err);
}

static void print_row(mst_table *t, const mst_exit_figures *x)
{
    if (x->labelled > 1)
        mst_table_cell(t, "%.2f +- %.2f", 100 * mst_exit_share(x->right, x->labelled),
                       100 * mst_exit_share_se(x->right, x->labelled));
    else
        mst_table_real(t, 100 * mst_exit_share(x->right, x->labelled), 2);
    mst_table_real(t, x->latency, 2);
    mst_table_real(t, x->spikes, 0);
    mst_table_real(t, 1e-6 * x->sops, 3);
    mst_table_real(t, x->energy, 3);
    mst_table_real(t, x->energy_all, 3);
}

static mst_status print_figures(const mst_exit_result *r, FILE *to, mst_err *err)
{
    static const char *const heads[] = {"", ">top-1 %", ">latency", ">spikes", ">M SOPs",
                                        ">energy/ANN", ">with memory"};
    mst_table t;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < r->facts.n; k++) {
        mst_table_cell(&t, r->facts.counts ? "all with %u levels" : "all at t = %u", r->facts.stage[k].at);
        print_row(&t, &r->alone[k]);
    }
    mst_table_cell(&t, "early exit");
    print_row(&t, &r->early);
    return mst_table_end(&t, to, err);
}

mst_status mst_exit_print(const mst_exit_result *r, const char *which, FILE *to, mst_err *err)
{
    const mst_exit_change *c = &r->sums.change;
    double se = mst_exit_won_se(c);
    MST_TRY(print_stops(r, to, err));
    fputc('\n', to);
    MST_TRY(print_figures(r, to, err));
    fprintf(to, "\n%s, against the last of these:", which);
    if (r->early.labelled != 0) {
        fprintf(to, " %+.2f", 100 * mst_exit_won(c));
        if (isfinite(se))
            fprintf(to, " +- %.2f", 100 * se);
        fputs(" points of top-1 (pairs),", to);
    }
    fprintf(to, "\nanother class for %.2f %%", 100 * mst_exit_share(c->other, c->samples));
    if (isfinite(r->saved))
        fprintf(to, ", %.1f %% of its energy of operations: %.1f %% %s", 100 * (1 - r->saved), 100 * fabs(r->saved),
                r->saved < 0 ? "more" : "saved");
    fputs(".\n", to);
    return MST_OK;
}

/* ---- as JSON ---- */

static json_t *stages_json(const mst_exit_result *r)
{
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < r->facts.n; k++) {
        const mst_exit_stage *at = &r->facts.stage[k];
        const mst_exit_at *of = &r->sums.at[k];
        bool counts = r->facts.counts;
        mst_json_append(&list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "t", mst_json_whole_if(!counts, at->at),
                                         "levels", mst_json_whole_if(counts, at->at), "latency_steps",
                                         mst_json_real(at->latency), "stopped", mst_json_whole(of->samples),
                                         "labelled", mst_json_whole(of->labelled), "right",
                                         mst_json_whole(of->right)));
    }
    return list;
}

json_t *mst_exit_figures_json(const mst_exit_figures *x)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "top1_percent", mst_json_real(100 * mst_exit_share(x->right, x->labelled)),
                     "top1_se_percent", mst_json_real(100 * mst_exit_share_se(x->right, x->labelled)),
                     "latency_steps", mst_json_real(x->latency), "spikes_per_sample", mst_json_real(x->spikes),
                     "fired_per_sample", mst_json_real(x->fired), "sops_per_sample", mst_json_real(x->sops),
                     "macs_per_sample", mst_json_real(x->macs), "energy_ratio", mst_json_real(x->energy),
                     "energy_ratio_all", mst_json_real(x->energy_all));
}

void mst_exit_compare_json(json_t **to, const mst_exit_result *r)
{
    const mst_exit_change *c = &r->sums.change;
    json_t *alone = json_array();
    for (size_t k = 0; alone != NULL && k < r->facts.n; k++)
        mst_json_append(&alone, mst_exit_figures_json(&r->alone[k]));
    mst_json_set(to, "change_percent", mst_json_real(100 * mst_exit_won(c)));
    mst_json_set(to, "change_se_percent", mst_json_real(100 * mst_exit_won_se(c)));
    mst_json_set(to, "other_class_percent", mst_json_real(100 * mst_exit_share(c->other, c->samples)));
    mst_json_set(to, "energy_saved_percent", mst_json_real(100 * r->saved));
    mst_json_set(to, "stages", stages_json(r));
    mst_json_set(to, "alone", alone);
}
