/* Has a node the attributes and types of inputs that ONNX defines? By onnx_schema.def. */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* What all rows begin with. */
typedef struct row_head {
    const char *op;
    int from, to; /* opsets */
} row_head;

typedef struct type_row {
    row_head head;
    const char *inputs;
} type_row;

typedef struct attr_row {
    row_head head;
    const char *name;
    ox_attr_kind kind;
    bool required;
} attr_row;

static const type_row types[] = {
#define MST_ONNX_TYPES(op, inputs, from, to) {{#op, from, to}, inputs},
#include "converter/onnx_schema.def"
};

static const attr_row attrs[] = {
#define MST_ONNX_ATTR(op, name, kind, from, to, required) {{#op, from, to}, name, OX_A_##kind, required},
#include "converter/onnx_schema.def"
};

/* Rows of the node's operator, first to last, in a table of n rows of some size that begin with a head. */
static void rows_of(const ox_ctx *c, const void *table, size_t n, size_t size, size_t *first, size_t *last)
{
    const char *at = table;
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const row_head *h = (const row_head *)(const void *)(at + mid * size);
        if (strcmp(h->op, c->n->op) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *first = *last = lo;
    while (*last < n && strcmp(((const row_head *)(const void *)(at + *last * size))->op, c->n->op) == 0)
        ++*last;
}

static bool holds(const ox_ctx *c, const row_head *h) { return c->g->opset >= h->from && c->g->opset <= h->to; }

/* ---- types ---- */

static bool is_allowed(char what, int dtype)
{
    switch (what) {
    case 'f': return ox_is_float(dtype);
    case 's': return dtype == OX_FLOAT;
    case 'i': return dtype == OX_INT64;
    case 'x': return dtype == OX_INT64 || dtype == OX_INT32;
    case 'b': return dtype == OX_BOOL;
    default: return true;
    }
}

static const char *allowed_name(char what)
{
    switch (what) {
    case 'f': return "a float type";
    case 's': return "float32";
    case 'i': return "int64";
    case 'x': return "int64 or int32";
    default: return "bool";
    }
}

static mst_status check_types(const ox_ctx *c, const char *inputs)
{
    const ox_value *first[26] = {NULL}; /* of each letter */
    const char *at = inputs;
    for (uint32_t k = 0; k < c->n->n_in; k++) {
        const ox_value *v = ox_in(c, k);
        if (v != NULL && v->dtype != OX_UNDEFINED) {
            if (!is_allowed(at[1], v->dtype))
                return ox_fail(c, MST_EINVAL, "input %u ('%.100s') has type %s, expected %s", k, v->name,
                               ox_dtype_name(v->dtype), allowed_name(at[1]));
            const ox_value **group = &first[at[0] - 'A'];
            if (*group != NULL && (*group)->dtype != v->dtype)
                return ox_fail(c, MST_EINVAL, "inputs have different types: %s and %s", ox_dtype_name((*group)->dtype),
                               ox_dtype_name(v->dtype));
            *group = v;
        }
        if (at[2] == ',')
            at += 3;
        else if (at[2] != '+')
            return MST_OK; /* of more inputs than there may be others tell */
    }
    return MST_OK;
}

/* ---- attributes ---- */

static const char *const kinds[] = {
    [OX_A_INT] = "an int",
    [OX_A_FLOAT] = "a float",
    [OX_A_STRING] = "a string",
    [OX_A_INTS] = "a list of ints",
    [OX_A_FLOATS] = "a list of floats",
    [OX_A_STRINGS] = "a list of strings",
    [OX_A_TENSOR] = "a tensor",
    [OX_A_OTHER] = "of another type",
};

static mst_status check_attr(const ox_ctx *c, size_t first, size_t last, const ox_attr *a)
{
    for (size_t i = first; i < last; i++) {
        if (strcmp(attrs[i].name, a->name) != 0 || !holds(c, &attrs[i].head))
            continue;
        if (attrs[i].kind == a->kind)
            return MST_OK;
        return ox_fail(c, MST_EINVAL, "attribute '%.100s' is %s, expected %s", a->name, kinds[a->kind],
                       kinds[attrs[i].kind]);
    }
    return ox_fail(c, MST_EINVAL, "attribute '%.100s' is not one that it has in opset %lld", a->name,
                   (long long)c->g->opset);
}

mst_status ox_check_schema(const ox_ctx *c)
{
    size_t first, last;
    rows_of(c, attrs, sizeof attrs / sizeof attrs[0], sizeof attrs[0], &first, &last);
    for (uint32_t k = 0; k < c->n->n_attr; k++)
        MST_TRY(check_attr(c, first, last, &c->n->attrs[k]));
    for (size_t i = first; i < last; i++)
        if (attrs[i].required && holds(c, &attrs[i].head) && ox_attr_find(c->n, attrs[i].name) == NULL)
            return ox_fail(c, MST_EINVAL, "its attribute '%s' is missing", attrs[i].name);
    rows_of(c, types, sizeof types / sizeof types[0], sizeof types[0], &first, &last);
    for (size_t i = first; i < last; i++)
        if (holds(c, &types[i].head))
            return check_types(c, types[i].inputs);
    return MST_OK;
}
