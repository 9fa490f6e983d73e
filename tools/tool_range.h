/* Do samples look like what the network was trained on? Knows nothing of how they are read or run. */
#ifndef MST_TOOL_RANGE_H
#define MST_TOOL_RANGE_H

#include "mst/data.h"
#include "mst/graph.h"
#include "tools/tool_pick.h"

/* A warning on stderr where the first of them have values that the normalization of g does not make of pixels, or where
 * g has none for pixels. */
void mst_range_warn(const char *tool, const mst_graph *g, const mst_data *data, const mst_pick *pick);

#endif
