/* What a calibration adds up over its samples: errors of layers, what both networks say, what became of the samples. As
 * JSON, and added from it: the sums of parts are the sums of all, to the bit.
 */
#ifndef MST_CALIB_STATE_H
#define MST_CALIB_STATE_H

#include <jansson.h>

#include "mst/calibrate.h"
#include "tools/report/report_versus.h"
#include "tools/tool_outcome.h"

/* Lent. */
typedef struct mst_calib_state {
    mst_calib_sums *sums;
    mst_versus *versus;
    mst_outcome *outcome;
} mst_calib_state;

/* "sums" of a result. NULL: out of memory. */
json_t *mst_calib_sums_json(const mst_calib_state *s);
/* A state (tool_samples.h): that, and beside it what a result has anyway. NULL: out of memory. */
json_t *mst_calib_state_json(const mst_calib_state *s);
/* Add the next samples in order: what a state says, or a result that has sums. EFORMAT, ENOMEM. */
mst_status mst_calib_state_add(mst_calib_state *s, const json_t *from, mst_err *err);
/* Are the sums of so many layers and points there? Before room is made for them. EFORMAT. */
mst_status mst_calib_state_check(const json_t *from, size_t n_layers, size_t n_points, mst_err *err);

#endif
