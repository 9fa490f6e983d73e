/* What a calibration's spiking network counted, as the figures of a run: one way to spikes, rates and energy for both.
 */
#ifndef MST_CALIB_COUNTS_H
#define MST_CALIB_COUNTS_H

#include "tools/calib_run.h"
#include "tools/run_figures.h"

/* Fill out: what the network is, how it ran (run), its sums. energy, model and data are lent. The confusion matrix is
 * that of versus, which gives it away. ENOMEM. Release with mst_run_facts_free in any case. */
mst_status mst_calib_counts(const mst_calib_job *job, const mst_calib_report *r, const mst_run_opts *run,
                            mst_run_facts *out, mst_err *err);

#endif
