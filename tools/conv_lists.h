/* What mstconv lists: ONNX operators, passes, types of weights, layouts of an input, max pools. */
#ifndef MST_CONV_LISTS_H
#define MST_CONV_LISTS_H

#include "mst/convert.h"
#include "tools/tool_list.h"

extern const mst_list mst_list_ops, mst_list_passes, mst_list_weights, mst_list_layouts,
    mst_list_max_pools;

/* The type of that name, float32 for NULL and for what is not in the list. */
mst_dtype mst_weight_type(const char *name);

#endif
