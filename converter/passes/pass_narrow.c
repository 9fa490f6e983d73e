/* Rounds the float64 constants of the converter to float32, once, at the end, and refuses
 * those that no layer can compute with. */
#include "converter/passes/passes.h"

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
    mst_status st = mst_graph_check_values(g, err);
    return st == MST_OK ? st : mst_fail_in(err, MST_EUNSUPPORTED, "check the model that was exported: ");
}
