/* A calibration's figures as tables and as JSON. Knows nothing of how they were measured. */
#ifndef MST_CALIB_REPORT_H
#define MST_CALIB_REPORT_H

#include <stdio.h>

#include "tools/calib_about.h"
#include "tools/calib_attrib_words.h"
#include "tools/report/report_versus.h"
#include "tools/run_figures.h"

/* Zero-initialised; report: of no samples. */
typedef struct mst_calib_facts {
    mst_calib_about about;
    mst_run_facts run; /* of the spiking network; what became of all samples is its outcome */
    mst_calib_report report;
    mst_versus versus;
    json_t *sums;                    /* of a part; JSON null of a whole run */
    json_t *parts;                   /* where it comes from, of a run that was put together; NULL: it ran here */
    const mst_attrib_report *attrib; /* --attribute, and what it says; NULL: not asked for, or stopped before */
    const mst_words *words;
    const mst_words_brief *brief; /* the same with short names */
} mst_calib_facts;

void mst_calib_facts_free(mst_calib_facts *c);

mst_status mst_calib_print(const mst_calib_facts *c, FILE *f, mst_err *err);
mst_status mst_calib_json(const mst_calib_facts *c, const char *path, mst_err *err);

#endif
