/* mstcalib --tune: from networks to a model file with tuned v(0), and what is told of it. */
#ifndef MST_CALIB_TUNE_TOOL_H
#define MST_CALIB_TUNE_TOOL_H

#include "tools/calib_networks.h"

typedef struct mst_tune_call {
    const char *out;         /* file to write */
    const char *const *args; /* MODEL.onnx MODEL.bin DATA [DATA] */
    size_t n_args;
    const mst_networks *networks;
    const mst_networks_said *said;
    const mst_run_opts *run;
    uint32_t steps; /* T */
    double holdout;
} mst_tune_call;

/* EINVAL where it is no better: the file is not written then, but the figures are. */
mst_status mst_tune_tool(const mst_tune_call *call, mst_err *err);

#endif
