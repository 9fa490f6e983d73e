/* Rounds the float64 constants of the converter to float32, once, at the end, and refuses
 * those that no layer can compute with. */
#include <math.h>

#include "converter/passes/passes.h"

/* Not a number anywhere; infinite only as an operand that a softmax may turn into 0. */
static mst_status check_constant(const mst_node *n, const mst_tensor *t, mst_err *err)
{
    bool allows_inf = n->op == MST_OP_BINARY;
    if (t->data == NULL || t->dtype != MST_F32)
        return MST_OK;
    const float *v = t->data;
    for (size_t k = 0, count = mst_tensor_elements(t); k < count; k++)
        if (isnan(v[k]) || (isinf(v[k]) && !allows_inf))
            return mst_fail(err, MST_EUNSUPPORTED,
                            "node '%s' (%s): element %zu of a weight, bias or threshold is %g; check the model that "
                            "was exported",
                            n->name, mst_op_get(n->op)->name, k, (double)v[k]);
    return MST_OK;
}

mst_status pass_narrow(mst_graph *g, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        mst_tensor *t = &g->tensors[i];
        if (t->data == NULL || t->dtype != MST_F64)
            continue;
        size_t n = mst_tensor_elements(t);
        float *out = mst_arena_array(&g->arena, n, sizeof *out);
        if (out == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory: storing constants");
        for (size_t k = 0; k < n; k++)
            out[k] = (float)((const double *)t->data)[k];
        t->data = out;
        t->dtype = MST_F32;
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t s = 0; s < g->nodes[i].n_in; s++)
            if (g->nodes[i].in[s] != MST_NONE)
                MST_TRY(check_constant(&g->nodes[i], &g->tensors[g->nodes[i].in[s]], err));
    return MST_OK;
}
