/* A calibration's figures as tables and as JSON. Knows nothing of how they were measured. */
#ifndef MST_CALIB_REPORT_H
#define MST_CALIB_REPORT_H

#include <stdio.h>

#include "mst/calibrate.h"
#include "tools/calib_attrib_words.h"
#include "tools/report/report_versus.h"
#include "tools/run_figures.h"

typedef struct mst_calib_facts {
    const char *onnx, *model, *data; /* paths as given */
    const mst_calib_report *report;
    const mst_outcome *outcome;
    mst_thinning thinning;    /* count and radix mode */
    const char *ann_masks;    /* "none": but its own; "mean": those of the spiking network by their mean */
    bool lacks_masks;         /* it has none, but the spiking network has */
    uint32_t readout_from;    /* step mode: logits of this step on are averaged */
    const mst_run_facts *run; /* of the spiking network */
    const mst_versus *versus;
    const mst_attrib_report *attrib; /* --attribute, and what it says; NULL: not asked for, or stopped before */
    const mst_words *words;
    const char *isa;
    unsigned threads;
} mst_calib_facts;

mst_status mst_calib_print(const mst_calib_facts *c, FILE *f, mst_err *err);
mst_status mst_calib_json(const mst_calib_facts *c, const char *path, mst_err *err);

#endif
