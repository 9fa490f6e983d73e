/* A second look at a few samples, once it is known which are worth it: how activations and potentials of a layer are
 * distributed, and where a layer is active in samples whose class flips. Runs the networks anew on these samples.
 */
#ifndef MST_REPORT_LOOK_H
#define MST_REPORT_LOOK_H

#include "mst/data.h"
#include "mst/session.h"
#include "runtime/data/image.h"
#include "tools/report/report_versus.h"
#include "tools/tool_outcome.h"

#define MST_LOOK_SAMPLES 16 /* distributions are of so many, or of all if they are fewer */
#define MST_LOOK_PICTURES 12
#define MST_LOOK_BINS 33 /* at most */

typedef struct mst_look_job {
    const mst_program *ann, *snn; /* layers pair by name and order */
    const mst_data *data;
    const mst_pick *pick;
    const mst_versus *versus;
    uint32_t steps;             /* T; 1 in count and radix mode */
    const char *named;          /* of --html-layer: a name or a number; NULL: none was */
    size_t otherwise;           /* the layer then */
    const mst_outcome *outcome; /* which samples could not be used */
} mst_look_job;

/* Bins about lo .. hi, equally far apart; what is beyond the ends is in the first and the last. */
typedef struct mst_histogram {
    double lo, hi;
    size_t bins; /* 0: none */
    uint64_t count[MST_LOOK_BINS], n;
} mst_histogram;

typedef struct mst_look_picture {
    mst_flip flip;
    mst_image image;  /* zero where samples are no pictures */
    float *ann, *snn; /* [height*width] of the look: mean over channels, over theta; NULL: no map */
} mst_look_picture;

typedef struct mst_look {
    mst_arena arena;
    size_t layer;
    size_t samples;          /* of the distributions */
    mst_histogram ann, snn;  /* activations over theta; spikes over how many there could be, before the mask */
    mst_histogram potential; /* v(T) over theta; none in count and radix mode */
    size_t map_layer;
    uint32_t height, width; /* of maps; 0: no layer has places */
    size_t n_pictures;
    mst_look_picture pictures[MST_LOOK_PICTURES];
} mst_look;

#define MST_HTML_LAYER_OPTION(said) \
    { \
        "html-layer", 0, MST_OPT_STRING, &(said), "LAYER", \
            "of --html: the layer whose values and maps are shown, a name or a number (default: mstcalib the " \
            "one that adds most error, mstrun the last)", \
            0, 0 \
    }

/* The layer that name is, or its number. EINVAL where there is none. */
mst_status mst_look_find(const mst_program *p, const char *name, size_t *layer, mst_err *err);

/* What reading gives; EINVAL as mst_look_find, ENOMEM. Release in any case. */
mst_status mst_look_make(const mst_look_job *job, mst_look *look, mst_err *err);
void mst_look_free(mst_look *look);

#endif
