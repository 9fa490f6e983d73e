/* An attribution over a data set and threads. Knows nothing of printing. */
#ifndef MST_CALIB_ATTRIB_H
#define MST_CALIB_ATTRIB_H

#include "mst/attribute.h"
#include "mst/data.h"
#include "tools/tool_pick.h"

#define MST_ATTRIB_SAMPLES 200 /* unless told otherwise */
#define MST_ATTRIB_LAYERS 8

typedef struct mst_attrib_said {
    bool on;
    mst_opt_uint layers;
} mst_attrib_said;

#define MST_ATTRIB_OPTIONS(a) \
    {"attribute", 0, MST_OPT_FLAG, &(a).on, NULL, \
     "say by what-if runs which causes and layers the accuracy is lost to, and what to do (docs/ACCURACY.md); on 200 " \
     "samples unless -n says otherwise", \
     0, 0}, \
    { \
        "attribute-layers", 0, MST_OPT_UINT, &(a).layers, "N", \
            "--attribute: the N most harmful layers, and as many blocks (default 8; 0: none)", 0, UINT16_MAX \
    }

/* other: an option that it does not go with; NULL: none. EINVAL. */
mst_status mst_attrib_check(const mst_attrib_said *a, const char *other, mst_err *err);

typedef struct mst_attrib_job {
    const mst_program *ann, *snn;
    const mst_data *data;
    const mst_pick *pick; /* of data */
    unsigned threads;
    uint32_t steps, readout_from; /* step mode */
    size_t layers;                /* to try, at most */
    bool quiet;                   /* no progress bar */
} mst_attrib_job;

/* As mst_calib_run: EIO where it was stopped, and out is of the samples before that, if there were any (samples 0:
 * none). Release out in any case. */
mst_status mst_attrib_run(const mst_attrib_job *job, mst_attrib_report *out, mst_err *err);

#endif
