/* Attributes by name, with their defaults; names and sizes of data types. */
#include <string.h>

#include "converter/onnx/onnx_graph.h"

static const struct {
    const char *name;
    size_t size; /* 0: known by name only */
} dtypes[] = {
    [OX_UNDEFINED] = {"undefined", 0},
    [OX_FLOAT] = {"float32", 4},
    [OX_UINT8] = {"uint8", 1},
    [OX_INT8] = {"int8", 1},
    [OX_UINT16] = {"uint16", 2},
    [OX_INT16] = {"int16", 2},
    [OX_INT32] = {"int32", 4},
    [OX_INT64] = {"int64", 8},
    [OX_STRING] = {"string", 0},
    [OX_BOOL] = {"bool", 1},
    [OX_FLOAT16] = {"float16", 2},
    [OX_DOUBLE] = {"float64", 8},
    [OX_UINT32] = {"uint32", 4},
    [OX_UINT64] = {"uint64", 8},
    [14] = {"complex64", 0},
    [15] = {"complex128", 0},
    [OX_BFLOAT16] = {"bfloat16", 2},
    [17] = {"float8e4m3fn", 0},
    [18] = {"float8e4m3fnuz", 0},
    [19] = {"float8e5m2", 0},
    [20] = {"float8e5m2fnuz", 0},
    [21] = {"uint4", 0},
    [22] = {"int4", 0},
    [23] = {"float4e2m1", 0},
};

static bool dtype_known(int dtype)
{
    return dtype >= 0 && (size_t)dtype < sizeof dtypes / sizeof dtypes[0];
}

size_t ox_dtype_size(int dtype)
{
    return dtype_known(dtype) ? dtypes[dtype].size : 0;
}

const char *ox_dtype_name(int dtype)
{
    return dtype_known(dtype) ? dtypes[dtype].name : "unknown";
}

const ox_attr *ox_attr_find(const ox_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_attr; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

int64_t ox_attr_int(const ox_node *n, const char *name, int64_t fallback)
{
    const ox_attr *a = ox_attr_find(n, name);
    return a != NULL && a->kind == OX_A_INT ? a->i : fallback;
}

float ox_attr_float(const ox_node *n, const char *name, float fallback)
{
    const ox_attr *a = ox_attr_find(n, name);
    if (a != NULL && a->kind == OX_A_INT)
        return (float)a->i;
    return a != NULL && a->kind == OX_A_FLOAT ? a->f : fallback;
}

const char *ox_attr_string(const ox_node *n, const char *name, const char *fallback)
{
    const ox_attr *a = ox_attr_find(n, name);
    return a != NULL && a->kind == OX_A_STRING ? a->s : fallback;
}

int ox_attr_ints(const ox_node *n, const char *name, int64_t *out, size_t cap)
{
    const ox_attr *a = ox_attr_find(n, name);
    if (a == NULL)
        return -1;
    if (a->kind != OX_A_INTS || a->n > cap)
        return -2;
    if (a->n != 0)
        memcpy(out, a->ints, a->n * sizeof *out);
    return (int)a->n;
}
