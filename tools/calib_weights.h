/* The ANN with the weights that a model file stores. */
#ifndef MST_CALIB_WEIGHTS_H
#define MST_CALIB_WEIGHTS_H

#include "mst/graph.h"

/* Let each LINEAR and CONV of ann use the weights of snn's node of that name; snn must outlive ann.
 * EINVAL names the node that has no partner, or one of another shape; ENOMEM, ELIMIT. */
mst_status mst_weights_take(mst_graph *ann, const mst_graph *snn, mst_err *err);

#endif
