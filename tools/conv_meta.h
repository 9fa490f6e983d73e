/* What mstconv's options add to a converted graph. Knows nothing of the converter. */
#ifndef MST_CONV_META_H
#define MST_CONV_META_H

#include "mst/graph.h"
#include "tools/tool_opts.h"

/* "3x32x32" into dims; false if it is no such text. */
bool mst_shape_parse(const char *text, uint32_t *dims, uint32_t *rank);

/* --mean and --std, one a channel of the graph's input. EINVAL. */
mst_status mst_meta_set_norm(mst_graph *g, const mst_opt_reals *mean, const mst_opt_reals *std, mst_err *err);

/* --classes: names with commas between, or a file with one a line; as many as the graph has. */
mst_status mst_meta_set_classes(mst_graph *g, const char *text, mst_err *err);
/* A list of them that is in a place of that name. */
mst_status mst_meta_name_classes(mst_graph *g, const char *list, const char *where, mst_err *err);

#endif
