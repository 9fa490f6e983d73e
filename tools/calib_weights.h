/* The ANN with the weights that a model file stores. */
#ifndef MST_CALIB_WEIGHTS_H
#define MST_CALIB_WEIGHTS_H

#include "mst/graph.h"

/* Are any weights of g stored in fewer bits than float32? */
bool mst_weights_narrow(const mst_graph *g);

/* Let each LINEAR and CONV of ann use the weights of snn's node of that name; snn must outlive ann.
 * EINVAL names the node that has no partner, or one of another shape; ENOMEM, ELIMIT. */
mst_status mst_weights_take(mst_graph *ann, const mst_graph *snn, mst_err *err);

#endif
