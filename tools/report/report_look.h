/* A second look at a few samples, once it is known which are worth it: how activations and potentials of a layer are
 * distributed, and where a layer is active in samples that flip. Runs the networks anew on these samples.
 */
#ifndef MST_REPORT_LOOK_H
#define MST_REPORT_LOOK_H

#include "mst/data.h"
#include "mst/session.h"
#include "runtime/data/image.h"
#include "tools/report/report_versus.h"
#include "tools/tool_pick.h"

#define MST_LOOK_SAMPLES 32 /* distributions are of so many, or of all if they are fewer */
#define MST_LOOK_PICTURES 12
#define MST_LOOK_BINS 33 /* at most */

typedef struct mst_look_job {
    const mst_program *ann, *snn; /* layers pair by name */
    const mst_data *data;
    const mst_pick *pick;
    const mst_versus *versus;
    uint32_t steps; /* T; 1 in count and radix mode */
    size_t layer;   /* of snn */
} mst_look_job;

typedef struct mst_histogram {
    double lo, hi; /* of the first and the last bin */
    size_t bins;
    uint64_t count[MST_LOOK_BINS];
    uint64_t n; /* in all of them */
} mst_histogram;

/* A map of a layer: mean over channels, in units of theta. */
typedef struct mst_map {
    uint32_t height, width;
    float *ann, *snn; /* [height*width] */
} mst_map;

typedef struct mst_look_picture {
    mst_flip flip;
    mst_image image; /* none where samples are no pictures */
    mst_map map;     /* height 0: the layer has no places */
} mst_look_picture;

typedef struct mst_look {
    mst_arena arena;
    size_t layer, map_layer;
    size_t samples;          /* of the distributions */
    mst_histogram ann, snn;  /* activations over theta; the network's: its rate, before its mask */
    mst_histogram potential; /* v(T) over theta; bins 0: not in this mode */
    size_t n_pictures;
    mst_look_picture pictures[MST_LOOK_PICTURES];
} mst_look;

/* The layer that --html-layer names (a name or a number), or, name NULL, `otherwise`. EINVAL names those there are. */
mst_status mst_look_layer(const mst_program *snn, const char *name, size_t otherwise, size_t *layer, mst_err *err);

/* What reading gives; ENOMEM. Release in any case. */
mst_status mst_look_make(const mst_look_job *job, mst_look *look, mst_err *err);
void mst_look_free(mst_look *look);

#endif
