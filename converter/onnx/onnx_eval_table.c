/* Every operator that folding knows: onnx_ops.def, by name. */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

#define ANY 65536u

#define ox_eval_none NULL

static const ox_op ops[] = {
#define MST_ONNX_OP(name, min, max, flags, infer, eval, lower) \
    {#name, min, max, flags, ox_infer_##infer, ox_eval_##eval},
#include "converter/onnx_ops.def"
#undef MST_ONNX_OP
};

const ox_op *ox_op_find(const char *name)
{
    size_t lo = 0, hi = sizeof ops / sizeof ops[0];
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, ops[mid].name);
        if (order == 0)
            return &ops[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
