/* See calib_search_tool.h. */
#include "tools/calib_search_tool.h"

#include <math.h>
#include <string.h>

#include "mst/convert.h"
#include "tools/calib_search_policy.h"
#include "tools/calib_search_report.h"
#include "tools/tool_mode.h"

#define SAMPLES 2000
#define MAX_LADDER 16 /* columns of a table */
#define ANY_RATIO 0.5 /* puts a mask behind each neuron that may have one */

static const double ratios[] = {0.02, 0.05, 0.1, 0.2, 0.4, 0.75, 0.98};
static const double counts[] = {12, 8, 6, 4, 3, 2};
static const double digits[] = {63, 31, 15, 7, 3}; /* a spike less at most, each */

static bool is_all(const mst_search_said *s) { return s->sites == NULL || strcmp(s->sites, "all") == 0; }

mst_status mst_search_check(const mst_search_said *s, mst_err *err)
{
    bool ladder = s->ladder.n != 0;
    if (mst_search_out(s) == NULL && (s->budget.set || s->save.set || s->metric != NULL || ladder || s->sites != NULL))
        return mst_fail(err, MST_EINVAL, "--%s: expected --search-masks or --search-levels with it",
                        s->budget.set       ? "budget"
                        : s->save.set       ? "save"
                        : s->metric != NULL ? "metric"
                        : ladder            ? "ladder"
                                            : "search-sites");
    if (s->masks != NULL && s->levels != NULL)
        return mst_fail(err, MST_EINVAL, "--search-masks and --search-levels: expected one of them");
    if (s->ladder.n > MAX_LADDER)
        return mst_fail(err, MST_EINVAL, "--ladder: expected at most %d values, found %zu", MAX_LADDER, s->ladder.n);
    if (s->budget.set && s->budget.value > 100)
        return mst_fail(err, MST_EINVAL, "--budget: expected points of top-1, 0 to 100, found %g", s->budget.value);
    if (s->save.set && s->budget.set)
        return mst_fail(err, MST_EINVAL, "--budget and --save: expected one of them");
    if (s->save.set && !(s->save.value > 0 && s->save.value < 100))
        return mst_fail(err, MST_EINVAL, "--save: expected percent above 0 and below 100, found %g", s->save.value);
    if (s->sites != NULL && (s->masks == NULL || (!is_all(s) && strcmp(s->sites, "paper") != 0)))
        return s->masks == NULL
                   ? mst_fail(err, MST_EINVAL, "--search-sites: expected --search-masks with it")
                   : mst_fail(err, MST_EINVAL, "--search-sites: expected all or paper, found '%s'", s->sites);
    for (int k = 0; s->metric != NULL; k++) {
        if (mst_search_metrics[k] == NULL)
            return mst_fail(err, MST_EINVAL, "--metric: expected spikes or energy, found '%s'", s->metric);
        if (strcmp(mst_search_metrics[k], s->metric) == 0)
            break;
    }
    return MST_OK;
}

mst_status mst_search_check_mode(const mst_search_said *s, const mst_run_opts *run, mst_err *err)
{
    return s->levels == NULL || mst_mode_counts(run->mode)
               ? MST_OK
               : mst_fail(err, MST_EINVAL, "--search-levels: expected --mode count or radix with it, found %s",
                          mst_run_mode_name((int)run->mode));
}

/* No policy can say what was tuned: what is found would be another network than the one that was measured. */
static mst_status check_tuning(const mst_search_call *call, mst_err *err)
{
    return call->run->mode != MST_RUN_SPIKING || mst_graph_tuned_timesteps(call->graph) == 0
               ? MST_OK
               : mst_fail(err, MST_EINVAL,
                          "%s: v(0) is tuned, which a policy cannot say: expected the network as mstconv "
                          "wrote it; then --tune what is found",
                          call->args[1]);
}

/* A mask behind each neuron that may have one, those that are new with a ratio of 0. What was tuned names nodes by
 * their numbers: it goes, count and radix mode have no v(0). */
static mst_status add_masks(mst_graph *g, bool all, mst_err *err)
{
    static mst_policy everywhere = {.file = ""};
    everywhere.rules[0] = (mst_rule){.site = -1, .stage = -1, .block_lo = -1, .block_hi = -1, .ratio = ANY_RATIO};
    everywhere.rules[0].node = all ? "*" : NULL;
    everywhere.n_rules = 1;
    const mst_convert_opts opts = {.size = sizeof opts,
                                   .policy = &everywhere,
                                   .allow_analog = true,
                                   .max_pool = MST_MAX_OF_STEPS}; /* those that the file has stay what they are */
    mst_report report = {0};
    mst_arena tmp = {0};
    uint32_t n = 0;
    float *ratio = mst_arena_array(&tmp, g->n_tensors, sizeof *ratio); /* by what a mask reads */
    mst_status st = ratio != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for masks");
    for (uint32_t i = 0; st == MST_OK && i < g->n_nodes; i++)
        n += g->nodes[i].op == MST_OP_NEURON && (all || mst_is_mask_site(g->nodes[i].ip[MST_NEURON_SITE]));
    for (uint32_t i = 0; st == MST_OK && i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK)
            ratio[g->nodes[i].in[0]] = g->nodes[i].fp[MST_MASK_RATIO];
    uint32_t tensors = g->n_tensors;
    g->tuning = (mst_tuning){0};
    if (st == MST_OK && n != 0) /* a rule that speaks of no neuron is an error */
        st = mst_convert(g, &opts, &report, err);
    for (uint32_t i = 0; st == MST_OK && i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK)
            g->nodes[i].fp[MST_MASK_RATIO] = g->nodes[i].in[0] < tensors ? ratio[g->nodes[i].in[0]] : 0;
    mst_report_free(&report);
    mst_arena_release(&tmp);
    return st;
}

/* --levels of all layers, as levels that each layer has. */
static void spread_levels(mst_graph *g, mst_run_opts *run)
{
    for (uint32_t i = 0; run->levels != 0 && i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON)
            g->nodes[i].ip[MST_NEURON_TOP] = (int32_t)run->levels;
    run->levels = 0;
}

static mst_status write_policy(const mst_search_facts *facts, mst_err *err)
{
    const mst_search_job *job = facts->job;
    mst_arena tmp = {0};
    FILE *f = NULL;
    const char *about = mst_search_about(facts, &tmp);
    mst_status st = about != NULL ? mst_paths_stream(facts->out, &f, err)
                                  : mst_fail(err, MST_ENOMEM, "out of memory for the policy");
    mst_search_take(job, facts->result);
    if (st == MST_OK)
        st = mst_policy_write(job->graph, &job->run, job->steps, about, f, err);
    if (st == MST_OK && ferror(f))
        st = mst_cannot_write(facts->out, err);
    mst_arena_release(&tmp);
    return st;
}

/* On the samples held out of what was tried there, otherwise on those to fit: share of the cost. */
static double most_saved(const mst_search_job *job, const mst_search_result *r)
{
    double was = mst_search_cost(job, &r->rival[MST_RIVAL_AS_IS]), least = r->n_steps != 0 ? was : INFINITY;
    for (size_t i = 0; i < r->n_steps; i++)
        least = fmin(least, mst_search_cost(job, &r->step[i].held));
    for (size_t i = 0; r->n_steps == 0 && i < r->pool.n; i++)
        least = fmin(least, r->pool.states[i]->cost);
    was = r->n_steps != 0 ? was : r->pool.states[0]->cost;
    return was > 0 ? 1 - least / was : 0;
}

/* Nothing is found. The least that was tried says why. */
static mst_status refuse(const mst_search_facts *facts, mst_err *err)
{
    const mst_search_result *r = facts->result;
    const mst_search_job *job = facts->job;
    const char *metric = mst_search_metrics[job->metric];
    mst_paths_keep(); /* the figures */
    if (job->save > 0)
        return mst_fail(err, MST_EINVAL,
                        "nothing that was tried saves %g %% of the %s, %.1f %% at most: expected a smaller --save, or "
                        "values in --ladder that save more: %s is not written",
                        100 * job->save, metric, 100 * most_saved(job, r), facts->out);
    if (r->least == NULL)
        return mst_fail(err, MST_EINVAL,
                        "nothing that was tried saves %s: expected other values in --ladder: %s is not written", metric,
                        facts->out);
    if (r->n_steps == 0)
        return mst_fail(err, MST_EINVAL,
                        "nothing saves %s within %g points of top-1: of the networks measured on the %zu samples to "
                        "fit, the one that loses the least loses %.2f: expected a larger --budget, "
                        "or values in --ladder that change less: %s is not written",
                        metric, 100 * job->budget, r->fit, 100 * r->least_loss, facts->out);
    const mst_trial *t = &r->step[0].held;
    return mst_fail(err, MST_EINVAL,
                    "nothing saves %s within %g points of top-1: the least that was tried loses %.2f +- %.2f on the "
                    "%zu samples held out, at most %.2f at a confidence of 97.5 %%: expected more of them, or a larger "
                    "--budget: %s is not written",
                    metric, 100 * job->budget, 100 * t->loss, 100 * t->loss_se, r->held, 100 * t->loss_bound,
                    facts->out);
}

static mst_status tell(const mst_search_facts *facts, const mst_common_opts *c, mst_err *err)
{
    const mst_search_result *r = facts->result;
    if (r->found != NULL)
        MST_TRY(write_policy(facts, err));
    if (!c->quiet)
        MST_TRY(mst_search_print(facts, mst_is_stdout(c->json) || mst_is_stdout(facts->out) ? stderr : stdout, err));
    if (c->json != NULL)
        MST_TRY(mst_search_json(facts, c->json, err));
    return r->found != NULL ? MST_OK : refuse(facts, err);
}

static mst_status search(const mst_search_call *call, mst_search_job *job, mst_err *err)
{
    mst_search_result r = {0};
    mst_arena tmp = {0};
    mst_search_facts facts = {.onnx = call->args[0],
                              .model = call->args[1],
                              .data = call->args[2],
                              .judge = call->n_args > 3 ? call->args[3] : NULL,
                              .out = mst_search_out(call->said),
                              .aim = mst_search_aim(job, &tmp),
                              .job = job,
                              .result = &r};
    mst_status st = facts.aim != NULL ? mst_search_run(job, &r, err) : mst_fail(err, MST_ENOMEM, "out of memory");
    if (st == MST_OK)
        st = mst_model_unchanged(err);
    if (st == MST_OK)
        st = tell(&facts, call->common, err);
    mst_search_result_free(&r);
    mst_arena_release(&tmp);
    return st;
}

static void take_ladder(const mst_search_call *call, mst_search_opts *o)
{
    const mst_opt_reals *said = &call->said->ladder;
    bool radix = call->run->mode == MST_RUN_RADIX;
    o->what = call->said->masks != NULL ? MST_SEARCH_RATIOS : MST_SEARCH_LEVELS;
    o->ladder = said->n != 0 ? said->values : o->what == MST_SEARCH_RATIOS ? ratios
                                          : radix                          ? digits
                                                                           : counts;
    o->n_ladder = said->n != 0 ? said->n : o->what == MST_SEARCH_RATIOS ? sizeof ratios / sizeof *ratios
                                       : radix                          ? sizeof digits / sizeof *digits
                                                                        : sizeof counts / sizeof *counts;
}

mst_status mst_search_tool(const mst_search_call *call, mst_err *err)
{
    const mst_common_opts *c = call->common;
    mst_calib_data d;
    mst_search_job job = {.graph = call->graph,
                          .opts = {.size = sizeof job.opts},
                          .run = *call->run,
                          .steps = call->steps,
                          .energy = call->energy,
                          .metric = call->said->metric != NULL && strcmp(call->said->metric, "energy") == 0
                                        ? MST_SEARCH_ENERGY
                                        : MST_SEARCH_SPIKES,
                          .budget = call->said->budget.set ? call->said->budget.value / 100 : 0.005,
                          .save = call->said->save.set ? call->said->save.value / 100 : 0,
                          .outside = call->said->masks != NULL && is_all(call->said),
                          .quiet = c->quiet};
    MST_TRY(check_tuning(call, err));
    take_ladder(call, &job.opts);
    if (call->said->masks != NULL)
        MST_TRY(add_masks(call->graph, is_all(call->said), err));
    else
        spread_levels(call->graph, &job.run);
    mst_status st = mst_calib_data_open(&d, call->args, call->n_args, call->graph, &c->pick, err);
    job.data = d.data;
    job.judge = d.judge;
    job.draw = (mst_draw_job){.from = &d.from,
                              .judge = d.judge != NULL ? &d.judge_from : NULL,
                              .n = c->pick.limit.set ? c->pick.limit.value : SAMPLES,
                              .n_judge = SIZE_MAX,
                              .holdout = call->holdout,
                              .seed = job.run.seed,
                              .what = "search"};
    job.threads = mst_thread_count(SIZE_MAX, &c->threads);
    if (st == MST_OK)
        st = search(call, &job, err);
    mst_calib_data_close(&d);
    return st;
}
