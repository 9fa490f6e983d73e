/* The builder: values, constants and nodes appended to the graph while it is folded.
 * Knows the forms that operators have in the model's opset, not why they are used.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_write.h"
#include "runtime/core/grow.h"

/* ---- what there is ---- */

uint32_t ob_in(const ox_build *b, uint32_t k)
{
    return k < b->n->n_in ? b->n->in[k] : OX_NONE;
}

ox_value ob_value(const ox_build *b, uint32_t id)
{
    return id != OX_NONE ? b->c->g->values[id] : (ox_value){.has_shape = true};
}

bool ob_is_const(const ox_build *b, uint32_t id)
{
    return id != OX_NONE && b->c->g->values[id].data != NULL;
}

void ob_fail(ox_build *b, mst_status code, const char *text)
{
    if (b->st == MST_OK)
        b->st = ox_fail(b->c, code, "%s", text);
}

static void *room(ox_build *b, size_t n, size_t size)
{
    void *p = mst_arena_array(&b->c->g->arena, n, size);
    if (p == NULL)
        ob_fail(b, MST_ENOMEM, "no memory for what it is written with");
    return p;
}

/* ---- values ---- */

static uint32_t new_value(ox_build *b)
{
    ox_graph *g = b->c->g;
    if (b->st != MST_OK)
        return OX_NONE;
    if (g->n_values >= OX_MAX_VALUES) {
        ob_fail(b, MST_ELIMIT, "the graph has too many values");
        return OX_NONE;
    }
    if (g->n_values == g->cap_values) {
        uint32_t cap = 2 * g->cap_values + 64;
        ox_value *values = mst_arena_grow(&g->arena, g->values, g->n_values, cap, sizeof *values);
        if (values == NULL) {
            ob_fail(b, MST_ENOMEM, "no memory for its values");
            return OX_NONE;
        }
        g->values = values;
        g->cap_values = cap;
    }
    const char *name = mst_arena_printf(&g->arena, "%s:%u", b->n->name, g->n_values);
    if (name == NULL) {
        ob_fail(b, MST_ENOMEM, "no memory for its values");
        return OX_NONE;
    }
    g->values[g->n_values] = (ox_value){.name = name};
    return g->n_values++;
}

static uint32_t new_const(ox_build *b, int dtype, uint32_t rank, const int64_t *dims, uint8_t **data)
{
    uint32_t id = new_value(b);
    *data = NULL;
    if (id == OX_NONE)
        return id;
    /* as the output of a node, so that size and memory are checked as everywhere */
    ox_node made = {.name = b->n->name, .op = b->n->op, .domain = "", .n_out = 1, .out = &id};
    b->c->n = &made;
    b->st = ox_out_set(b->c, 0, dtype, rank, dims);
    if (b->st == MST_OK)
        b->st = ox_spend(b->c, ox_elements(ox_out(b->c, 0)));
    if (b->st == MST_OK)
        b->st = ox_out_alloc(b->c, 0, data);
    b->c->n = b->n;
    return b->st == MST_OK ? id : OX_NONE;
}

uint32_t ob_zeros(ox_build *b, uint32_t like, uint32_t rank, const int64_t *dims, uint8_t **data)
{
    return new_const(b, ob_value(b, like).dtype, rank, dims, data);
}

uint32_t ob_number(ox_build *b, uint32_t like, double v)
{
    uint8_t *data;
    int dtype = ob_value(b, like).dtype;
    uint32_t id = new_const(b, dtype, 0, NULL, &data);
    if (id != OX_NONE && !(ox_is_float(dtype) ? ox_put_double(data, dtype, 0, v)
                                              : v == floor(v) && ox_put_int(data, dtype, 0, (int64_t)v)))
        ob_fail(b, MST_EUNSUPPORTED, "its type cannot hold the numbers that it is computed with");
    return id;
}

uint32_t ob_ints(ox_build *b, size_t n, const int64_t *v)
{
    uint8_t *data;
    int64_t dims[1] = {(int64_t)n};
    uint32_t id = new_const(b, OX_INT64, 1, dims, &data);
    if (id != OX_NONE && n != 0)
        memcpy(data, v, n * sizeof *v);
    return id;
}

int64_t *ob_table(ox_build *b, int64_t n)
{
    if (n < 1 || n > (int64_t)OX_MAX_ELEMENTS) {
        ob_fail(b, MST_ELIMIT, "an axis of its output is empty or too long");
        return NULL;
    }
    b->st = ox_spend(b->c, (uint64_t)n);
    int64_t *table = b->st == MST_OK ? mst_arena_array(&b->c->g->arena, (size_t)n, sizeof *table) : NULL;
    if (table == NULL)
        ob_fail(b, MST_ENOMEM, "no memory for its table");
    return table;
}

/* ---- nodes ---- */

static void append(ox_build *b, const char *op, uint32_t n_in, const uint32_t *in, uint32_t n_attr,
                   const ox_attr *attrs, uint32_t out)
{
    ox_node n = {.name = b->n->name, .op = op, .domain = "", .n_in = n_in, .n_out = 1, .n_attr = n_attr};
    n.in = room(b, n_in, sizeof *n.in);
    n.out = room(b, 1, sizeof *n.out);
    n.attrs = room(b, n_attr + 1, sizeof *n.attrs);
    if (b->st != MST_OK)
        return;
    memcpy(n.in, in, n_in * sizeof *in);
    n.out[0] = out;
    for (uint32_t i = 0; i < n_attr; i++) {
        n.attrs[i] = attrs[i];
        if (attrs[i].kind != OX_A_INTS)
            continue;
        int64_t *ints = room(b, attrs[i].n + 1, sizeof *ints);
        if (b->st != MST_OK)
            return;
        memcpy(ints, attrs[i].ints, attrs[i].n * sizeof *ints);
        n.attrs[i].ints = ints;
    }
    b->c->n = &n;
    b->st = b->fold(b->c, &n);
    b->c->n = b->n;
}

uint32_t ob_node(ox_build *b, const char *op, uint32_t n_in, const uint32_t *in, uint32_t n_attr,
                 const ox_attr *attrs)
{
    uint32_t out = new_value(b);
    if (out != OX_NONE)
        append(b, op, n_in, in, n_attr, attrs, out);
    return b->st == MST_OK ? out : OX_NONE;
}

uint32_t ob_1(ox_build *b, const char *op, uint32_t x)
{
    return ob_node(b, op, 1, &x, 0, NULL);
}

uint32_t ob_2(ox_build *b, const char *op, uint32_t x, uint32_t y)
{
    uint32_t in[2] = {x, y};
    return ob_node(b, op, 2, in, 0, NULL);
}

uint32_t ob_scale(ox_build *b, uint32_t x, double factor)
{
    return factor != 1 ? ob_2(b, "Mul", x, ob_number(b, x, factor)) : x;
}

uint32_t ob_shift(ox_build *b, uint32_t x, double addend)
{
    return addend != 0 ? ob_2(b, "Add", x, ob_number(b, x, addend)) : x;
}

uint32_t ob_cast(ox_build *b, uint32_t x, int dtype)
{
    ox_attr to = ob_attr_int("to", dtype);
    return ob_value(b, x).dtype != dtype ? ob_node(b, "Cast", 1, &x, 1, &to) : x;
}

uint32_t ob_clip(ox_build *b, uint32_t x, double lo, double hi)
{
    if (isfinite(lo))
        x = ob_2(b, "Max", x, ob_number(b, x, lo));
    return isfinite(hi) ? ob_2(b, "Min", x, ob_number(b, x, hi)) : x;
}

uint32_t ob_reshape(ox_build *b, uint32_t x, uint32_t rank, const int64_t *dims)
{
    ox_attr zero = ob_attr_int("allowzero", 1);
    uint32_t in[2] = {x, ob_ints(b, rank, dims)};
    return ob_node(b, "Reshape", 2, in, 1, &zero);
}

uint32_t ob_transpose(ox_build *b, uint32_t x, const uint32_t *perm)
{
    int64_t to[MST_MAX_RANK];
    uint32_t rank = ob_value(b, x).rank;
    bool moves = false;
    for (uint32_t d = 0; d < rank; d++) {
        to[d] = perm[d];
        moves = moves || perm[d] != d;
    }
    ox_attr a = ob_attr_ints("perm", rank, to);
    return moves ? ob_node(b, "Transpose", 1, &x, 1, &a) : x;
}

uint32_t ob_reduce(ox_build *b, const char *op, uint32_t x, uint32_t axes, bool keep)
{
    int64_t list[MST_MAX_RANK];
    size_t n = 0;
    for (uint32_t d = 0; d < MST_MAX_RANK; d++)
        if ((axes >> d & 1) != 0)
            list[n++] = d;
    if (n == 0)
        return x;
    ox_attr attrs[2] = {ob_attr_int("keepdims", keep), ob_attr_ints("axes", n, list)};
    if (b->c->g->opset < (strcmp(op, "ReduceSum") == 0 ? 13 : 18))
        return ob_node(b, op, 1, &x, 2, attrs);
    uint32_t in[2] = {x, ob_ints(b, n, list)};
    return ob_node(b, op, 2, in, 1, attrs);
}

uint32_t ob_gather(ox_build *b, uint32_t x, uint32_t axis, size_t n, const int64_t *index)
{
    bool moves = (size_t)ob_value(b, x).dims[axis] != n;
    for (size_t i = 0; i < n && !moves; i++)
        moves = index[i] != (int64_t)i;
    if (!moves)
        return x;
    ox_attr a = ob_attr_int("axis", axis);
    uint32_t in[2] = {x, ob_ints(b, n, index)};
    return ob_node(b, "Gather", 2, in, 1, &a);
}

uint32_t ob_slice(ox_build *b, uint32_t x, uint32_t axis, int64_t start, int64_t count)
{
    if (start == 0 && ob_value(b, x).dims[axis] == count)
        return x;
    int64_t end = start + count, along = axis;
    ox_attr attrs[3] = {ob_attr_ints("starts", 1, &start), ob_attr_ints("ends", 1, &end),
                        ob_attr_ints("axes", 1, &along)};
    if (b->c->g->opset < 10)
        return ob_node(b, "Slice", 1, &x, 3, attrs);
    uint32_t in[4] = {x, ob_ints(b, 1, &start), ob_ints(b, 1, &end), ob_ints(b, 1, &along)};
    return ob_node(b, "Slice", 4, in, 0, NULL);
}

uint32_t ob_along(ox_build *b, uint32_t x, uint32_t axis, uint32_t w)
{
    uint32_t swap[MST_MAX_RANK], rank = ob_value(b, x).rank;
    for (uint32_t d = 0; d < rank; d++)
        swap[d] = d == axis ? rank - 1 : d == rank - 1 ? axis
                                                       : d;
    x = ob_transpose(b, x, swap);
    x = ob_2(b, "MatMul", x, w);
    return ob_transpose(b, x, swap);
}

void ob_return(ox_build *b, uint32_t k, uint32_t x)
{
    if (b->st == MST_OK && k < b->n->n_out && b->n->out[k] != OX_NONE)
        append(b, "Identity", 1, &x, 0, NULL, b->n->out[k]);
}
