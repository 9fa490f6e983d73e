/* mst_graph_check_values: constants that are numbers. */
#include "mst/graph.h"

#include <math.h>

#include "runtime/core/half.h"

#define EXPONENT 0x7f800000u /* all ones: infinite, or not a number */
#define HALF_EXPONENT 0x7c00u

/* Without a way out, so that the loop becomes vectors: nearly always all are. */
static bool all_finite(const mst_tensor *t)
{
    size_t n = mst_tensor_elements(t), bad = 0;
    if (t->dtype == MST_F32)
        for (size_t i = 0; i < n; i++)
            bad |= (mst_float_bits(((const float *)t->data)[i]) & EXPONENT) == EXPONENT;
    if (t->dtype == MST_F16)
        for (size_t i = 0; i < n; i++)
            bad |= (((const uint16_t *)t->data)[i] & HALF_EXPONENT) == HALF_EXPONENT;
    return bad == 0;
}

/* May input k of n be that infinite value? */
static bool allowed(const mst_node *n, uint32_t k, float v)
{
    if (n->op != MST_OP_BINARY || isnan(v))
        return false;
    int fn = n->ip[MST_BINARY_FN];
    return fn == MST_BIN_ADD || (fn == MST_BIN_SUB && k == 0) ? v < 0 : fn == MST_BIN_SUB && v > 0;
}

static mst_status check_constant(const mst_node *n, uint32_t k, const mst_tensor *t, mst_err *err)
{
    if (all_finite(t))
        return MST_OK;
    for (size_t i = 0, count = mst_tensor_elements(t); i < count; i++) {
        float v = t->dtype == MST_F16 ? mst_half_to_float(((const uint16_t *)t->data)[i]) : ((const float *)t->data)[i];
        if (!isfinite(v) && !allowed(n, k, v))
            return mst_fail(err, MST_EINVAL, "node '%s' (%s): element %zu of a weight, bias or threshold is %g",
                            n->name, mst_op_get(n->op)->name, i, (double)v);
    }
    return MST_OK;
}

mst_status mst_graph_check_values(const mst_graph *g, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            uint32_t id = g->nodes[i].in[k];
            if (id != MST_NONE && g->tensors[id].data != NULL)
                MST_TRY(check_constant(&g->nodes[i], k, &g->tensors[id], err));
        }
    return MST_OK;
}
