/* Every operator that is written with others: onnx_expand.def, by domain and name. */
#include <string.h>

#include "converter/onnx/onnx_expand.h"

#define ANY 65536u

static const ox_expansion table[] = {
#define MST_ONNX_EXPAND(domain, name, min, max, folds, fn) \
    {domain, #name, (domain "." #name) + (sizeof domain == 1), min, max, folds, ox_expand_##fn},
#include "converter/onnx_expand.def"
#undef MST_ONNX_EXPAND
};
#define N (sizeof table / sizeof table[0])

const ox_expansion *ox_expansion_named(const char *full)
{
    for (size_t k = 0; k < N; k++)
        if (strcmp(table[k].full, full) == 0)
            return &table[k];
    return NULL;
}

const ox_expansion *ox_expansion_find(const char *domain, const char *name)
{
    for (size_t k = 0; k < N; k++)
        if (strcmp(table[k].name, name) == 0 && strcmp(table[k].domain, domain) == 0)
            return &table[k];
    return NULL;
}
