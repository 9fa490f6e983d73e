/* mstcalib without a tuning or a search: networks are compared on samples, and that is told; likewise of parts that are
 * put together.
 */
#ifndef MST_CALIB_COMPARE_H
#define MST_CALIB_COMPARE_H

#include "tools/calib_attrib.h"
#include "tools/calib_networks.h"
#include "tools/run_energy.h"

/* What is told, and where. */
typedef struct mst_compare_out {
    const char *json, *html, *html_layer;
    bool quiet;
} mst_compare_out;

typedef struct mst_compare_call {
    const char *const *args; /* MODEL.onnx MODEL.bin DATA */
    const mst_networks *networks;
    const mst_networks_said *said;
    const mst_run_opts *run;
    const mst_opt_uints *at; /* ascending; T is the last */
    const mst_energy *energy;
    const mst_attrib_said *attribute;
    const char *resume; /* NULL: no journal */
    mst_compare_out out;
} mst_compare_call;

/* What was done before an error is told all the same. */
mst_status mst_compare_tool(const mst_compare_call *call, mst_err *err);
/* --merge of n files. */
mst_status mst_compare_merge(const char *const *paths, size_t n, const mst_compare_out *out, mst_err *err);

#endif
