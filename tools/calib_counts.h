/* What a calibration's spiking network counted, as the figures of a run: one way to spikes, rates and energy for both.
 */
#ifndef MST_CALIB_COUNTS_H
#define MST_CALIB_COUNTS_H

#include "tools/calib_run.h"
#include "tools/run_figures.h"

/* The spiking network of a job as a run (T or 1 the last of at), lent by the job; its journal and identity are not. */
mst_sim_opts mst_calib_sim(const mst_calib_job *job, const mst_run_opts *run);

/* Its sums, into those that have as many layers and steps. The confusion matrix is that of versus, which gives it away.
 */
void mst_calib_count(const mst_calib_report *r, mst_versus *versus, mst_run_sums *out);

#endif
