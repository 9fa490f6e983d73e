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

static const struct {
    const char *name, *spiking;
    bool analog, cut;
} live[] = {
#define MST_ONNX_LIVE(name, spiking, analog, cut) {name, spiking, analog, cut},
#include "converter/onnx_live.def"
#undef MST_ONNX_LIVE
};

bool mst_onnx_op_at(size_t k, mst_onnx_op *out)
{
    if (k >= sizeof live / sizeof live[0])
        return false;
    const char *name = live[k].name, *dot = strrchr(name, '.');
    const ox_op *op = dot == NULL ? ox_op_find(name) : NULL;
    const ox_expansion *other = ox_expansion_named(name);
    bool own = op != NULL && lower_find(name) != NULL;
    *out = (mst_onnx_op){.name = name,
                         .folded = op != NULL ? op->eval != NULL : other != NULL && other->folds,
                         .runs = own || other != NULL,
                         .written = !own && other != NULL,
                         .spiking = live[k].spiking,
                         .analog = live[k].analog,
                         .cut = live[k].cut};
    return true;
}
