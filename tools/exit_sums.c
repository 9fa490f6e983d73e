/* See exit_sums.h. */
#include "tools/exit_sums.h"

#include <math.h>

#include "tools/tool_table.h"

void mst_exit_add(mst_exit_sums *s, size_t stage, const mst_exit_seen *seen, int label)
{
    mst_exit_at *at = &s->at[stage];
    at->samples++;
    at->labelled += label >= 0;
    at->right += label >= 0 && seen->said == (uint32_t)label;
    mst_counters_add(&s->counts, &seen->counts);
}

static double ratio(double mine, double theirs) { return theirs > 0 ? mine / theirs : (double)NAN; }

static double whole(const mst_cost *c) { return c->operations + c->memory + c->updates; }

mst_exit_figures mst_exit_figures_of(const mst_exit_sums *s, const mst_exit_facts *f, const mst_energy_set *e)
{
    mst_exit_figures x = {0};
    double latency = 0, updates = 0;
    for (size_t k = 0; k < f->n; k++) {
        x.samples += s->at[k].samples;
        x.labelled += s->at[k].labelled;
        x.right += s->at[k].right;
        latency += (double)s->at[k].samples * f->stage[k].latency;
        updates += (double)s->at[k].samples * f->stage[k].updates;
    }
    double n = (double)x.samples;
    x.latency = latency / n;
    x.spikes = (double)s->counts.spikes / n;
    x.fired = (double)s->counts.spikes_before / n;
    x.sops = (double)s->counts.sops / n;
    x.macs = (double)s->counts.macs / n;
    const mst_work work = {.sops = x.sops,
                           .macs = x.macs,
                           .spikes = x.spikes,
                           .fired = x.fired,
                           .neurons = f->neurons,
                           .updates = updates / n,
                           .dense_ops = f->dense_ops,
                           .dense_static = f->dense_static};
    mst_cost mine = mst_energy_of_run(e, &work), theirs = mst_energy_of_ann(e, &work);
    x.energy = s->counts.spikes != 0 ? ratio(mine.operations, theirs.operations) : (double)NAN;
    x.energy_all = s->counts.spikes != 0 ? ratio(whole(&mine), whole(&theirs)) : (double)NAN;
    return x;
}

mst_status mst_exit_print(const mst_exit_sums *s, const mst_exit_facts *f, bool counts, FILE *to, mst_err *err)
{
    const char *const heads[] = {counts ? ">levels" : ">t", ">stop there %", ">top-1 of these %", ">latency, steps"};
    uint64_t all = 0;
    mst_table t;
    for (size_t k = 0; k < f->n; k++)
        all += s->at[k].samples;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < f->n; k++) {
        mst_table_cell(&t, "%u", f->stage[k].at);
        mst_table_real(&t, 100 * mst_exit_share(s->at[k].samples, all), 2);
        mst_table_real(&t, 100 * mst_exit_share(s->at[k].right, s->at[k].labelled), 2);
        mst_table_real(&t, f->stage[k].latency, 0);
    }
    return mst_table_end(&t, to, err);
}

json_t *mst_exit_stages_json(const mst_exit_sums *s, const mst_exit_facts *f, bool counts)
{
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < f->n; k++) {
        const mst_exit_stage *at = &f->stage[k];
        const mst_exit_at *of = &s->at[k];
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
