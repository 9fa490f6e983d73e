/* What a conversion did, as a table and as JSON. Knows nothing of how it was done. */
#ifndef MST_CONV_REPORT_H
#define MST_CONV_REPORT_H

#include <stdio.h>

#include "mst/convert.h"
#include "tools/conv_pairs.h"
#include "tools/conv_thresholds.h"

typedef struct mst_conv_facts {
    const mst_graph *graph;
    const mst_report *report;
    const char *output;               /* NULL: not written */
    uint64_t bytes;                   /* of output; 0: not written */
    const mst_thresholds *thresholds; /* NULL: none from data */
    const mst_pairs *pairs;
    const char *metadata; /* "mean, std": what the model itself said; "": nothing */
} mst_conv_facts;

mst_status mst_conv_print(const mst_conv_facts *c, FILE *f, mst_err *err);
mst_status mst_conv_json(const mst_conv_facts *c, const char *path, mst_err *err);

#endif
