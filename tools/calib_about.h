/* What a calibration is, apart from what came of it: which ANN a run (run_about.h) is compared with. As JSON and back,
 * so that the results of parts can be put together where there is no model.
 */
#ifndef MST_CALIB_ABOUT_H
#define MST_CALIB_ABOUT_H

#include <jansson.h>

#include "mst/calibrate.h"
#include "tools/run_about.h"

typedef struct mst_calib_about {
    mst_arena arena;
    const char *onnx;      /* path as given */
    const char *network;   /* mst_model_hash of the ANN as it is run; NULL: not asked for */
    const char *ann_masks; /* what the ANN was given: "none": but its own; "mean": those of the spiking network,
                            * "trained": those that the weights were trained with, both by their mean */
    bool lacks_masks;      /* it has none, but the spiking network has */
    bool stored;           /* it was run with the weights as the model file has them, too */
    bool drawn;            /* and with these masks drawn */
} mst_calib_about;

void mst_calib_about_free(mst_calib_about *a);

/* Into an object, beside what the run is; what must be the same in all parts. NULL: out of memory. */
void mst_calib_about_set(json_t **to, const mst_calib_about *a);
json_t *mst_calib_identity(const mst_calib_about *a, const mst_run_about *run);
/* Back from the JSON of a calibration. EFORMAT, ENOMEM. Release in any case. */
mst_status mst_calib_about_take(mst_calib_about *a, const json_t *root, mst_err *err);

/* A report of that, without figures: its layers and points. EFORMAT, ENOMEM. Release in any case; names are lent. */
mst_status mst_calib_report_of(const mst_calib_about *a, const mst_run_about *run, mst_calib_report *out, mst_err *err);

#endif
