/* See calib_counts.h. */
#include "tools/calib_counts.h"

#include "tools/report/report_versus.h"
#include "tools/tool_mode.h"

static void take_sums(const mst_calib_report *r, mst_run_sums *s)
{
    s->samples = r->samples;
    s->labelled = r->labelled;
    s->all = r->points[r->n_points - 1].counts;
    for (uint32_t i = 0; i < r->n_points; i++)
        s->at[i].counts = r->points[i].counts;
    for (size_t k = 0; k < r->n_layers; k++) {
        const mst_calib_layer *l = &r->layers[k];
        s->layers[k] = (mst_run_layer_sums){.fired = l->fired, .spikes = l->spikes, .ops = l->ops};
    }
}

mst_status mst_calib_counts(const mst_calib_job *job, const mst_calib_report *r, const mst_run_opts *run,
                            mst_run_facts *out, mst_err *err)
{
    static const mst_opt_uints once = {1, {1}};
    bool counts = mst_mode_counts(r->mode);
    mst_sim_opts o = {.program = job->snn,
                      .data = job->data,
                      .pick = job->pick,
                      .skip_bad = job->skip_bad,
                      .mode = r->mode,
                      .levels = run->levels,
                      .thinning = run->thinning,
                      .steps = counts ? 1 : r->points[r->n_points - 1].t,
                      .readout_from = (uint32_t)run->readout_from,
                      .at = counts ? &once : job->at};
    *out = (mst_run_facts){.isa = mst_program_isa(job->snn), .threads = job->threads};
    MST_TRY(mst_run_about_make(&out->about, &o, run->seed, err));
    MST_TRY(mst_run_sums_make(&out->sums, r->n_points, r->n_layers, err));
    take_sums(r, &out->sums);
    for (uint32_t i = 0; i < r->n_points; i++)
        out->sums.at[i].right = job->versus->at[i].right;
    out->sums.confusion = job->versus->snn;
    job->versus->snn = (mst_confusion){0};
    return MST_OK;
}
