/* See run_exit.h. */
#include "tools/run_exit.h"

#include <inttypes.h>

#include "tools/run_predictions.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_ranks.h"

typedef struct exit_totals {
    mst_exit_sums *sums;
    size_t last;                  /* stage */
    mst_predictions *predictions; /* NULL: none */
} exit_totals;

mst_status mst_exit_check(const char *said, double *margin, mst_err *err)
{
    static const char *const beside[] = {
        "exit", "timesteps", "mode", "levels", "bits", "thinning", "at", "readout-from", "schedule", "energy-set",
        "energy-ac", "energy-mac", "predictions", "limit", "first", "samples", "range", "every", "shuffle", "per-class",
        "threads", "seed", "mask", "no-mask", "resize", "interpolation", "crop", "mean", "std", "frames", "split",
        "present", "isa", "json", "html", "html-layer", "force", "color", "map", "quiet", NULL};
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

static mst_status take(void *ctx, uint32_t sample, int label, const mst_exit_seen *seen, size_t stop,
                       const float *logits, mst_err *err)
{
    exit_totals *t = ctx;
    mst_exit_add(t->sums, seen, stop, t->last, label);
    const mst_row row = {sample, label, &seen[stop].said, logits};
    return t->predictions != NULL ? mst_predictions_add(t->predictions, &row, err) : MST_OK;
}

static mst_status print(const mst_run_exit *r, const mst_exit_result *x, FILE *f, mst_err *err)
{
    fprintf(f,
            "%s on %s: %" PRIu64 " samples, %s mode, stopped where the largest probability is %g above the second\n\n",
            r->model, r->data, x->early.samples, mst_run_mode_name((int)r->run->mode), r->margin);
    return mst_exit_print(x, "On the same samples", f, err);
}

static mst_status write_json(const mst_run_exit *r, const mst_exit_result *x, mst_err *err)
{
    const mst_run_opts *o = r->run;
    bool counts = x->facts.counts;
    json_t *thinning = counts ? mst_json_text(mst_thinning_name((int)o->thinning)) : json_null();
    json_t *root = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "model", mst_json_text(r->model),
                             "data", mst_json_text(r->data), "mode", mst_run_mode_name((int)o->mode), "T",
                             mst_json_whole_if(!counts, x->facts.stage[x->facts.n - 1].at), "readout_from",
                             mst_json_whole_if(!counts, o->readout_from), "thinning", thinning, "seed",
                             mst_json_whole(o->seed), "samples", mst_json_whole(x->early.samples), "labelled",
                             mst_json_whole(x->early.labelled), "margin", mst_json_real(r->margin));
    mst_json_add(&root, mst_exit_figures_json(&x->early));
    mst_exit_compare_json(&root, x);
    return mst_json_write("mstrun", root, r->json, err);
}

mst_status mst_run_exit_run(const mst_run_exit *r, mst_exit_result *result, mst_err *err)
{
    static const mst_opt_uints once = {1, {1}};
    const mst_opt_uints *at = mst_mode_counts(r->run->mode) ? r->levels : r->opts->at;
    const char *predictions = r->opts->files[MST_SIM_PREDICTIONS];
    exit_totals t = {.sums = &result->sums, .last = at->n - 1};
    mst_exit_job job = {.graph = r->graph,
                        .run = *r->run,
                        .at = at,
                        .margin = r->margin,
                        .data = r->opts->data,
                        .samples = r->opts->pick->at,
                        .n = r->opts->pick->n,
                        .threads = r->opts->threads,
                        .quiet = r->opts->quiet,
                        .ctx = &t,
                        .take = take};
    result->margin = r->margin;
    if (predictions != NULL)
        MST_TRY(mst_predictions_open(predictions, &once, false, mst_graph_classes(r->graph), &t.predictions, err));
    mst_status st = mst_exit_run(&job, &result->facts, err);
    if (st == MST_OK && t.predictions != NULL)
        st = mst_predictions_end(t.predictions, err);
    mst_predictions_close(t.predictions);
    if (st != MST_OK)
        return st;
    mst_exit_figure(result, r->energy);
    if (!r->opts->quiet)
        MST_TRY(print(r, result, r->aside ? stderr : stdout, err));
    return r->json != NULL ? write_json(r, result, err) : MST_OK;
}
