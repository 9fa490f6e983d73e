/* See calib_exit.h. All samples run to the end, so that every margin can be judged by the same runs. */
#include "tools/calib_exit.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/tool_mode.h"
#include "tools/tool_paths.h"

#define SAMPLES 2000
#define MARGINS 200 /* that are tried: 0 to 1 */
#define NEVER 2.0
#define DOUBTS 2.0 /* standard errors by which top-1 on the samples to fit may be beyond the budget */

mst_status mst_exit_said_check(const mst_exit_said *s, mst_err *err)
{
    if (s->levels.n != 0 && !s->budget.set)
        return mst_fail(err, MST_EINVAL, "--exit-levels: expected --exit-budget with it");
    if (s->budget.set && s->budget.value > 100)
        return mst_fail(err, MST_EINVAL, "--exit-budget: expected points of top-1, 0 to 100, found %g",
                        s->budget.value);
    return MST_OK;
}

mst_status mst_exit_stages(const mst_exit_said *s, const mst_graph *g, const char *readout, mst_run_opts *run,
                           mst_opt_uints *steps, mst_err *err)
{
    bool counts = mst_mode_counts(run->mode);
    if (counts != (s->levels.n > 1) || (counts && (steps->n != 0 || run->levels != 0)))
        return mst_fail(err, MST_EINVAL, "--exit-budget: expected several --exit-levels in count and radix mode and no "
                                         "other levels, steps of -T in step mode");
    uint32_t last = steps->n == 1 ? steps->values[0] : g->meta.timesteps;
    if (counts) {
        *steps = s->levels;
    } else if (steps->n < 2) {
        steps->n = 0;
        mst_exit_steps(steps, last);
    }
    mst_steps_sort(steps);
    return mst_readout_take(readout, g, steps->values[steps->n - 1], run, err);
}

typedef struct seen_set {
    mst_arena arena;
    mst_exit_seen *seen; /* [n][stages] */
    int *label;          /* [n] -1: none */
    size_t n, stages, taken;
} seen_set;

static mst_status keep(void *ctx, uint32_t sample, int label, const mst_exit_seen *seen, size_t stop,
                       const float *logits, mst_err *err)
{
    (void)sample;
    (void)stop;
    (void)logits;
    (void)err;
    seen_set *s = ctx;
    memcpy(s->seen + s->taken * s->stages, seen, s->stages * sizeof *seen);
    s->label[s->taken++] = label;
    return MST_OK;
}

static const mst_exit_seen *seen_of(const seen_set *s, size_t i) { return s->seen + i * s->stages; }

static size_t stop_at(const seen_set *s, size_t i, double margin)
{
    size_t k = 0;
    while (k + 1 < s->stages && (double)seen_of(s, i)[k].margin < margin)
        k++;
    return k;
}

static mst_exit_change compare(const seen_set *s, double margin)
{
    mst_exit_change c = {0};
    for (size_t i = 0; i < s->n; i++)
        mst_exit_compare(&c, seen_of(s, i), stop_at(s, i, margin), s->stages - 1, s->label[i]);
    return c;
}

/* Of the samples that any stage gives another class than the last, how many more it gets wrong than right, as a share,
 * and a standard error more. Those of a stage that is sure are rather fewer. */
static double lost_per_other(const seen_set *s)
{
    mst_exit_change c = {0};
    for (size_t i = 0, last = s->stages - 1; i < s->n; i++)
        for (size_t k = 0; k < last; k++)
            mst_exit_compare(&c, seen_of(s, i), k, last, s->label[i]);
    double lost = (double)c.worse - (double)c.better, moved = (double)c.worse + (double)c.better;
    return c.other != 0 ? fmax((lost + sqrt(moved)) / (double)c.other, 0) : 0;
}

/* The least margin from which on all are within the budget: by how many classes change, which is less noisy than how
 * many of them are for the worse, and by top-1 itself not clearly beyond it. */
static double choose(const seen_set *s, double budget)
{
    double found = 1, rate = lost_per_other(s);
    for (int k = MARGINS; k >= 0; k--) {
        mst_exit_change c = compare(s, (double)k / MARGINS);
        if (fmax(rate * mst_exit_share(c.other, c.samples), -mst_exit_won(&c) - DOUBTS * mst_exit_won_se(&c)) > budget)
            break;
        found = (double)k / MARGINS;
    }
    return found;
}

static mst_status measure(const mst_exit_call *call, const mst_data *data, const uint32_t *samples, size_t n,
                          mst_exit_facts *facts, seen_set *out, mst_err *err)
{
    *out = (seen_set){.n = n, .stages = call->at->n};
    out->seen = mst_arena_array(&out->arena, n, out->stages * sizeof *out->seen);
    out->label = mst_arena_array(&out->arena, n, sizeof *out->label);
    if (out->seen == NULL || out->label == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu samples", n);
    const mst_exit_job job = {.graph = call->graph,
                              .run = *call->run,
                              .at = call->at,
                              .margin = NEVER,
                              .data = data,
                              .samples = samples,
                              .n = n,
                              .threads = mst_thread_count(n, &call->common->threads),
                              .quiet = call->common->quiet,
                              .ctx = out,
                              .take = keep};
    return mst_exit_run(&job, facts, err);
}

/* ---- figures ---- */

typedef struct exit_result {
    size_t fit, held;
    mst_exit_change on_fit;
    mst_exit_result of; /* the samples held out */
} exit_result;

static void judge(const mst_exit_call *call, const seen_set *s, mst_exit_result *r)
{
    for (size_t i = 0; i < s->n; i++)
        mst_exit_add(&r->sums, seen_of(s, i), stop_at(s, i, r->margin), s->stages - 1, s->label[i]);
    mst_exit_figure(r, call->energy);
}

/* What runs it so: margin, mode and stages; the seed of masks where they were drawn by another one. */
static void print_command(const mst_exit_call *call, const exit_result *r, FILE *f)
{
    const mst_run_opts *o = call->run;
    const mst_exit_facts *facts = &r->of.facts;
    bool counts = facts->counts;
    fprintf(f, "mstrun %s DATA --mode %s", call->args[1], mst_run_mode_name((int)o->mode));
    if (!counts)
        fprintf(f, " -T %u", facts->stage[facts->n - 1].at);
    for (size_t k = 0; k < facts->n; k++)
        fprintf(f, "%s%u", k != 0 ? "," : counts ? " --levels "
                                                 : " --at ",
                facts->stage[k].at);
    if (counts && o->thinning != mst_graph_thinning(call->graph))
        fprintf(f, " --thinning %s", mst_thinning_name((int)o->thinning));
    if (!counts && o->readout_from > 1)
        fprintf(f, " --readout-from %u", (unsigned)o->readout_from);
    if (o->seed != mst_graph_seed(call->graph))
        fprintf(f, " --seed %" PRIu64, o->seed);
    fprintf(f, " --exit margin:%g\n\n", r->of.margin);
}

static mst_status print(const mst_exit_call *call, const exit_result *r, FILE *f, mst_err *err)
{
    uint64_t labelled = r->of.early.labelled;
    fprintf(f, "%s on %s: early exit, %g points of top-1 to lose, %s mode\n", call->args[1], call->args[2],
            call->said->budget.value, mst_run_mode_name((int)call->run->mode));
    fprintf(f, "%zu samples to fit, %zu held out%s%s (drawn by seed %" PRIu64 ")\n", r->fit, r->held,
            call->n_args > 3 ? " of " : "", call->n_args > 3 ? call->args[3] : "", call->run->seed);
    if (labelled < r->held)
        fprintf(f, "%" PRIu64 " of those held out have no label: there what the last stage says is right\n",
                r->held - labelled);
    fprintf(f, "margin %g: %+.2f +- %.2f points on the samples to fit:\n", r->of.margin,
            100 * mst_exit_won(&r->on_fit), 100 * mst_exit_won_se(&r->on_fit));
    print_command(call, r, f);
    return mst_exit_print(&r->of, "On the samples held out", f, err);
}

static mst_status write_json(const mst_exit_call *call, const exit_result *r, mst_err *err)
{
    const mst_run_opts *o = call->run;
    const mst_exit_facts *facts = &r->of.facts;
    json_t *judge_name = call->n_args > 3 ? mst_json_text(call->args[3]) : json_null();
    json_t *thinning = facts->counts ? mst_json_text(mst_thinning_name((int)o->thinning)) : json_null();
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "onnx",
        mst_json_text(call->args[0]), "model", mst_json_text(call->args[1]), "data", mst_json_text(call->args[2]),
        "held_out_data", judge_name, "mode", mst_run_mode_name((int)o->mode), "T",
        mst_json_whole_if(!facts->counts, facts->stage[facts->n - 1].at), "readout_from",
        mst_json_whole_if(!facts->counts, o->readout_from), "thinning", thinning, "seed", mst_json_whole(o->seed),
        "samples", mst_json_whole(r->fit), "held_out", mst_json_whole(r->held), "labelled",
        mst_json_whole(r->of.early.labelled), "budget_percent", mst_json_real(call->said->budget.value), "margin",
        mst_json_real(r->of.margin), "fit_change_percent", mst_json_real(100 * mst_exit_won(&r->on_fit)),
        "fit_change_se_percent", mst_json_real(100 * mst_exit_won_se(&r->on_fit)));
    mst_json_set(&root, "early", mst_exit_figures_json(&r->of.early));
    mst_exit_compare_json(&root, &r->of);
    return mst_json_write("mstcalib", root, call->common->json, err);
}

/* ---- all of it ---- */

static mst_status run(const mst_exit_call *call, const mst_data *data, const mst_data *judges, const mst_drawn *drawn,
                      exit_result *r, mst_err *err)
{
    seen_set fit = {0}, held = {0};
    r->fit = drawn->n_fit;
    r->held = drawn->n_held;
    mst_status st = measure(call, data, drawn->fit, drawn->n_fit, &r->of.facts, &fit, err);
    if (st == MST_OK) {
        r->of.margin = choose(&fit, call->said->budget.value / 100);
        r->on_fit = compare(&fit, r->of.margin);
        st = measure(call, judges != NULL ? judges : data, drawn->held, drawn->n_held, &r->of.facts, &held, err);
    }
    if (st == MST_OK)
        judge(call, &held, &r->of);
    mst_arena_release(&fit.arena);
    mst_arena_release(&held.arena);
    return st;
}

static mst_status tell(const mst_exit_call *call, const exit_result *r, mst_err *err)
{
    const mst_common_opts *c = call->common;
    if (!c->quiet)
        MST_TRY(print(call, r, mst_is_stdout(c->json) ? stderr : stdout, err));
    return c->json != NULL ? write_json(call, r, err) : MST_OK;
}

mst_status mst_exit_tool(const mst_exit_call *call, mst_err *err)
{
    const mst_common_opts *c = call->common;
    mst_calib_data d;
    mst_drawn drawn = {0};
    static exit_result r;
    mst_status st = mst_calib_data_open(&d, call->args, call->n_args, call->graph, &c->pick, err);
    const mst_draw_job draw = {.from = &d.from,
                               .judge = d.judge != NULL ? &d.judge_from : NULL,
                               .n = c->pick.limit.set ? c->pick.limit.value : SAMPLES,
                               .n_judge = SIZE_MAX,
                               .holdout = call->holdout,
                               .seed = call->run->seed,
                               .what = "early exit"};
    if (st == MST_OK)
        st = mst_draw_samples(&draw, &drawn, err);
    if (st == MST_OK)
        st = run(call, d.data, d.judge, &drawn, &r, err);
    if (st == MST_OK)
        st = mst_model_unchanged(err);
    if (st == MST_OK)
        st = tell(call, &r, err);
    mst_drawn_free(&drawn);
    mst_calib_data_close(&d);
    return st;
}
