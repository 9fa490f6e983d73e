/* See run_exit.h. */
#include "tools/run_exit.h"

#include <inttypes.h>

#include "tools/exit_sums.h"
#include "tools/run_predictions.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_paths.h"
#include "tools/tool_ranks.h"

typedef struct exit_totals {
    mst_exit_sums sums;
    mst_predictions *predictions; /* NULL: none */
} exit_totals;

mst_status mst_exit_check(const char *said, double *margin, mst_err *err)
{
    static const char *const beside[] = {
        "exit", "timesteps", "mode", "levels", "bits", "thinning", "at", "readout-from", "schedule", "energy-set",
        "energy-ac", "energy-mac", "predictions", "limit", "first", "samples", "range", "every", "shuffle", "per-class",
        "threads", "seed", "mask", "no-mask", "resize", "interpolation", "crop", "mean", "std", "frames", "split",
        "present", "isa", "json", "force", "map", "quiet", NULL};
    const char *other = mst_opts_beside(beside);
    if (other == NULL && mst_ranks() > 1)
        other = "several ranks";
    if (other != NULL)
        return mst_fail(err, MST_EINVAL, "--exit: not with %s, which is of samples that all run to the end", other);
    return mst_exit_parse(said, margin, err);
}

mst_status mst_exit_check_mode(mst_run_mode mode, mst_opt_uints *levels, mst_err *err)
{
    if (mode == MST_RUN_ANN)
        return mst_fail(err, MST_EINVAL, "--exit: expected a spiking mode with it, found ann");
    mst_steps_sort(levels);
    if (mst_mode_counts(mode) && levels->n < 2)
        return mst_fail(err, MST_EINVAL, "--exit: expected several %s with it, as in %s: each is a run of its own",
                        mode == MST_RUN_RADIX ? "--bits" : "--levels", mode == MST_RUN_RADIX ? "2,3,4" : "4,8,16");
    return MST_OK;
}

static mst_status take(void *ctx, uint32_t sample, int label, const mst_exit_seen *seen, size_t last,
                       const float *logits, mst_err *err)
{
    exit_totals *t = ctx;
    mst_exit_add(&t->sums, last, &seen[last], label);
    const mst_row row = {sample, label, &seen[last].said, logits};
    return t->predictions != NULL ? mst_predictions_add(t->predictions, &row, err) : MST_OK;
}

static mst_status print(const mst_run_exit *r, const exit_totals *t, const mst_exit_facts *facts, FILE *f, mst_err *err)
{
    bool counts = mst_mode_counts(r->run->mode);
    mst_exit_figures x = mst_exit_figures_of(&t->sums, facts, r->energy);
    fprintf(f,
            "%s on %s: %" PRIu64 " samples, %s mode, stopped where the largest probability is %g above the second\n\n",
            r->model, r->data, x.samples, mst_run_mode_name((int)r->run->mode), r->margin);
    MST_TRY(mst_exit_print(&t->sums, facts, counts, f, err));
    if (x.labelled != 0)
        fprintf(f, "\ntop-1       %.2f +- %.2f %%\n", 100 * mst_exit_share(x.right, x.labelled),
                100 * mst_exit_share_se(x.right, x.labelled));
    fprintf(f, "latency     %.2f steps, %.2f without\n", x.latency, facts->stage[facts->n - 1].latency);
    fprintf(f, "spikes      %.0f per inference\n", x.spikes);
    fprintf(f, "operations  %.3f M SOPs, %.3f M MACs\n", 1e-6 * x.sops, 1e-6 * x.macs);
    fprintf(f, "energy      %.3f times the ANN's (%.3f with memory and updates)\n", x.energy, x.energy_all);
    if (r->margin < 1)
        fputs("\nSamples that stopped were not run on: --exit margin:1 runs all of them to the end, and\n"
              "mstcalib --exit-budget has both on the same samples.\n",
              f);
    return MST_OK;
}

static mst_status write_json(const mst_run_exit *r, const exit_totals *t, const mst_exit_facts *facts, mst_err *err)
{
    const mst_run_opts *o = r->run;
    bool counts = mst_mode_counts(o->mode);
    mst_exit_figures x = mst_exit_figures_of(&t->sums, facts, r->energy);
    json_t *thinning = counts ? mst_json_text(mst_thinning_name((int)o->thinning)) : json_null();
    json_t *root = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "model", mst_json_text(r->model),
                             "data", mst_json_text(r->data), "mode", mst_run_mode_name((int)o->mode), "T",
                             mst_json_whole_if(!counts, facts->stage[facts->n - 1].at), "readout_from",
                             mst_json_whole_if(!counts, o->readout_from), "thinning", thinning, "seed",
                             mst_json_whole(o->seed), "samples", mst_json_whole(x.samples), "labelled",
                             mst_json_whole(x.labelled), "margin", mst_json_real(r->margin));
    mst_json_set(&root, "stages", mst_exit_stages_json(&t->sums, facts, counts));
    mst_json_add(&root, mst_exit_figures_json(&x));
    return mst_json_write("mstrun", root, r->json, err);
}

mst_status mst_run_exit_run(const mst_run_exit *r, mst_err *err)
{
    static const mst_opt_uints once = {1, {1}};
    const char *predictions = r->opts->predictions;
    exit_totals t = {0};
    mst_exit_facts facts;
    mst_exit_job job = {.graph = r->graph,
                        .run = *r->run,
                        .at = mst_mode_counts(r->run->mode) ? r->levels : r->opts->at,
                        .margin = r->margin,
                        .data = r->opts->data,
                        .samples = r->opts->pick->at,
                        .n = r->opts->pick->n,
                        .threads = r->opts->threads,
                        .quiet = r->opts->quiet,
                        .ctx = &t,
                        .take = take};
    if (predictions != NULL)
        MST_TRY(mst_predictions_open(predictions, &once, false, mst_graph_classes(r->graph), &t.predictions, err));
    mst_status st = mst_exit_run(&job, &facts, err);
    if (st == MST_OK && t.predictions != NULL)
        st = mst_predictions_end(t.predictions, err);
    mst_predictions_close(t.predictions);
    if (st == MST_OK && !r->opts->quiet)
        st = print(r, &t, &facts, mst_is_stdout(r->json) || mst_is_stdout(predictions) ? stderr : stdout, err);
    return st == MST_OK && r->json != NULL ? write_json(r, &t, &facts, err) : st;
}
