/* See conv_lists.h. */
#include "tools/conv_lists.h"

#include <string.h>

static bool op_row(size_t k, const char **cells)
{
    mst_onnx_op op;
    if (!mst_onnx_op_at(k, &op))
        return false;
    cells[0] = op.name;
    cells[1] = op.folded ? "yes" : "no";
    cells[2] = op.written ? "as others" : op.runs ? "yes"
                                                  : "no";
    cells[3] = op.spiking[0] != '\0' ? op.spiking : "-";
    cells[4] = op.analog ? "yes" : "-";
    cells[5] = op.cut ? "yes" : "-";
    return true;
}

static bool pass_row(size_t k, const char **cells)
{
    cells[0] = mst_pass_at(k, &cells[1]);
    return cells[0] != NULL;
}

/* What mst_convert can store weights in. */
static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};
#define N_TYPES (sizeof types / sizeof types[0])

static bool weight_row(size_t k, const char **cells)
{
    if (k >= N_TYPES)
        return false;
    cells[0] = mst_dtype_name(types[k]);
    return true;
}

static bool layout_row(size_t k, const char **cells)
{
    cells[0] = k < MST_LAYOUT_COUNT ? mst_layout_name((int)k) : NULL;
    return cells[0] != NULL;
}

static bool max_pool_row(size_t k, const char **cells)
{
    cells[0] = k < MST_MAX_POOLS ? mst_max_pool_name((int)k) : NULL;
    return cells[0] != NULL;
}

mst_dtype mst_weight_type(const char *name)
{
    for (size_t k = 0; k < N_TYPES && name != NULL; k++)
        if (strcmp(mst_dtype_name(types[k]), name) == 0)
            return types[k];
    return MST_F32;
}

const mst_list mst_list_ops = {"ops", 6, {"operator", "folded", "runs", "spiking", "analog", "cut"}, op_row};
const mst_list mst_list_passes = {"passes", 2, {"pass", "what it does"}, pass_row};
const mst_list mst_list_weights = {"weights", 1, {"type"}, weight_row};
const mst_list mst_list_layouts = {"layouts", 1, {"layout"}, layout_row};
const mst_list mst_list_max_pools = {"max-pools", 1, {"max pool"}, max_pool_row};
