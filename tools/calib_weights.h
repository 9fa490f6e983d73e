/* The ANN with the weights that a model file stores. */
#ifndef MST_CALIB_WEIGHTS_H
#define MST_CALIB_WEIGHTS_H

#include "mst/graph.h"

/* The node of g with that name and operator. Both graphs keep the order of the model: the search goes on behind the
 * last find, *from, 0 at first, so that nodes of one name pair in order. NULL: there is none. */
const mst_node *mst_partner_of(const mst_graph *g, const mst_node *node, uint32_t *from);

/* Let each LINEAR and CONV of ann use the weights of snn's node of that name; snn must outlive ann.
 * EINVAL names the node that has no partner, or one of another shape; ENOMEM, ELIMIT. */
mst_status mst_weights_take(mst_graph *ann, const mst_graph *snn, mst_err *err);

#endif
