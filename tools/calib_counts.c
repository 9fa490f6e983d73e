/* See calib_counts.h. */
#include "tools/calib_counts.h"

#include "tools/tool_mode.h"

mst_sim_opts mst_calib_sim(const mst_calib_job *job, const mst_run_opts *run)
{
    static const mst_opt_uints once = {1, {1}};
    bool counts = mst_mode_counts(run->mode);
    return (mst_sim_opts){.program = job->snn,
                          .data = job->data,
                          .pick = job->pick,
                          .skip_bad = job->skip_bad,
                          .mode = run->mode,
                          .levels = run->levels,
                          .thinning = run->thinning,
                          .steps = counts ? 1 : job->at->values[job->at->n - 1],
                          .readout_from = (uint32_t)run->readout_from,
                          .at = counts ? &once : job->at};
}

void mst_calib_count(const mst_calib_report *r, mst_versus *versus, mst_run_sums *out)
{
    out->samples = r->samples;
    out->labelled = r->labelled;
    out->all = r->points[r->n_points - 1].counts;
    for (uint32_t i = 0; i < r->n_points; i++) {
        out->at[i].right = versus->at[i].right;
        out->at[i].counts = r->points[i].counts;
    }
    for (size_t k = 0; k < r->n_layers; k++) {
        const mst_calib_layer *l = &r->layers[k];
        out->layers[k] = (mst_run_layer_sums){.fired = l->fired, .spikes = l->spikes, .ops = l->ops};
    }
    out->confusion = versus->snn;
    versus->snn = (mst_confusion){0};
}
