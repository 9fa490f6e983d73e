/* Which ONNX operator is lowered by which function: onnx_ops.def; what is written with others: onnx_expand.def. */
#include <string.h>

#include "converter/lower/lower_ops.h"
#include "converter/onnx/onnx_write.h"
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

/* What the expansion makes of the operator, for one that has no row of its own. */
static mst_onnx_op of_expansion(const ox_expansion *x)
{
    return (mst_onnx_op){.name = x->full, .folded = x->folds, .runs = true, .written = true};
}

/* Both tables merged by name; other domains stand behind. */
bool mst_onnx_op_at(size_t k, mst_onnx_op *out)
{
    size_t row = 0, other = 0;
    for (;; k--) {
        const ox_expansion *x = ox_expansion_at(other);
        bool is_row = row < N_OPS, is_other = x != NULL;
        if (is_row && is_other) {
            int order = x->domain[0] != '\0' ? -1 : strcmp(ops[row].name, x->name);
            is_row = order <= 0;
            is_other = order >= 0;
        }
        if (!is_row && !is_other)
            return false;
        if (k == 0 && is_row)
            *out = (mst_onnx_op){.name = ops[row].name,
                                 .folded = ox_op_find(ops[row].name)->eval != NULL,
                                 .runs = ops[row].lower != NULL || is_other,
                                 .written = ops[row].lower == NULL && is_other};
        else if (k == 0)
            *out = of_expansion(x);
        if (k == 0)
            return true;
        row += is_row;
        other += is_other;
    }
}
