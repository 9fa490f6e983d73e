/* Are a graph's constants numbers? Private to the library. */
#ifndef MST_IR_GRAPH_VALUES_H
#define MST_IR_GRAPH_VALUES_H

#include "mst/graph.h"

/* Of a graph that is valid. Float constants are finite; but for what a softmax turns into 0: minus infinity that a
 * BINARY adds, or infinity that it subtracts. EINVAL names node, element and value. Reads every constant once for each
 * node that takes it. */
mst_status mst_graph_check_values(const mst_graph *g, mst_err *err);

#endif
