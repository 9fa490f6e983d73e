/* A tuning's figures as a table and as JSON. Knows nothing of how they were measured. */
#ifndef MST_CALIB_TUNE_REPORT_H
#define MST_CALIB_TUNE_REPORT_H

#include <stdio.h>

#include "mst/tune.h"

typedef struct mst_tune_facts {
    const char *onnx, *model, *data, *judge; /* paths as given; judge NULL: held out of data */
    const char *out;
    const mst_tune_report *report;
    const mst_tuning *tuning;
    uint64_t seed;
    const char *ann_masks; /* as for mst_calib_facts */
} mst_tune_facts;

mst_status mst_tune_print(const mst_tune_facts *c, FILE *f, mst_err *err);
mst_status mst_tune_json(const mst_tune_facts *c, const char *path, mst_err *err);

#endif
