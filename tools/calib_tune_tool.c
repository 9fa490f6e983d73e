/* See calib_tune_tool.h. */
#include "tools/calib_tune_tool.h"

#include "tools/calib_draw.h"
#include "tools/calib_tune_report.h"
#include "tools/calib_tune_run.h"

#define SAMPLES 1000 /* unless told otherwise */

/* MODEL.bin as it is, with v(0): what options changed in the graph that ran is not written. */
static mst_status save(const mst_tune_call *call, const mst_tune *t, mst_err *err)
{
    mst_graph *g = NULL;
    uint64_t bytes;
    MST_TRY(mst_graph_load(call->args[1], NULL, &g, err));
    mst_status st = mst_tune_take(t, g, err);
    if (st == MST_OK)
        st = mst_model_write(g, call->out, &bytes, err);
    mst_graph_destroy(g);
    return st;
}

static mst_status report(const mst_tune_call *call, const mst_tune *t, const mst_tune_job *job, mst_err *err)
{
    const mst_common_opts *c = call->said->common;
    mst_tune_report r;
    mst_tune_report_make(t, &r);
    mst_tune_facts facts = {.onnx = call->args[0],
                            .model = call->args[1],
                            .data = call->args[2],
                            .judge = call->n_args > 3 ? call->args[3] : NULL,
                            .out = call->out,
                            .report = &r,
                            .tuning = &job->graph->tuning,
                            .seed = job->seed,
                            .ann_masks = call->networks->ann_masks};
    if (r.better)
        MST_TRY(save(call, t, err));
    if (!c->quiet)
        MST_TRY(mst_tune_print(&facts, mst_is_stdout(c->json) ? stderr : stdout, err));
    if (c->json != NULL)
        MST_TRY(mst_tune_json(&facts, c->json, err));
    if (r.better)
        return MST_OK;
    mst_paths_keep(); /* the figures */
    char top1[40] = "";
    if (r.labelled != 0)
        snprintf(top1, sizeof top1, ", top-1 %+.2f %%", 100 * r.change.top1);
    return mst_fail(err, MST_EINVAL,
                    "--tune: no better on the samples held out (logit error %+.4f%s): %s is not written",
                    r.change.logit_rel_l2, top1, call->out);
}

mst_status mst_tune_tool(const mst_tune_call *call, mst_err *err)
{
    mst_calib_data d;
    mst_tune *t = NULL;
    const mst_common_opts *c = call->said->common;
    mst_status st = mst_calib_data_open(&d, call->args, call->n_args, call->networks->snn_graph, &c->pick, err);
    mst_tune_job job = {.ann = call->networks->ann,
                        .graph = call->networks->snn_graph,
                        .run = call->run,
                        .data = d.data,
                        .judge = d.judge,
                        .from = &d.from,
                        .judge_from = &d.judge_from,
                        .n = c->pick.limit.set ? c->pick.limit.value : SAMPLES,
                        .holdout = call->holdout,
                        .seed = call->run->seed,
                        .timesteps = call->steps,
                        .threads = mst_thread_count(SIZE_MAX, &c->threads),
                        .quiet = c->quiet};
    if (st == MST_OK)
        st = mst_tune_run(&job, &t, err);
    if (st == MST_OK)
        st = report(call, t, &job, err);
    mst_tune_destroy(t);
    mst_calib_data_close(&d);
    return st;
}
