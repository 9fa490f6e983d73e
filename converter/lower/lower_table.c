/* Which ONNX operator is lowered by which function: onnx_ops.def. */
#include <string.h>

#include "converter/lower/lower_ops.h"
#include "converter/onnx/onnx_eval.h"
#include "mst/convert.h"

#define lower_none NULL

static const struct {
    const char *name;
    lower_fn lower;
} ops[] = {
#define MST_ONNX_OP(name, min, max, flags, infer, eval, lower) {#name, lower_##lower},
#include "converter/onnx_ops.def"
#undef MST_ONNX_OP
};
#define N_OPS (sizeof ops / sizeof ops[0])

lower_fn lower_find(const char *name)
{
    for (size_t k = 0; k < N_OPS; k++)
        if (strcmp(ops[k].name, name) == 0)
            return ops[k].lower;
    return NULL;
}

bool mst_onnx_op_at(size_t k, mst_onnx_op *out)
{
    if (k >= N_OPS)
        return false;
    *out = (mst_onnx_op){ops[k].name, ox_op_find(ops[k].name)->eval != NULL, ops[k].lower != NULL};
    return true;
}
