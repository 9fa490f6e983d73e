/* Small ox_graphs by hand. Knows nothing of files. */
#include "tests/support/onnx_build.h"

#include <assert.h>
#include <string.h>

enum { MAX_VALUES = 64,
       MAX_NODES = 32,
       MAX_ATTRS = 8,
       MAX_INPUTS = 4,
       MAX_OUTPUTS = 4 };

static void *room(ox_graph *g, size_t n, size_t size)
{
    void *p = mst_arena_array(&g->arena, n, size);
    assert(p != NULL);
    return p;
}

void build_start(ox_graph *g, int64_t opset)
{
    g->opset = opset;
    g->producer = "test";
    g->values = room(g, MAX_VALUES, sizeof *g->values);
    g->cap_values = MAX_VALUES;
    g->nodes = room(g, MAX_NODES, sizeof *g->nodes);
    g->cap_nodes = MAX_NODES;
    g->inputs = room(g, MAX_VALUES, sizeof *g->inputs);
    g->outputs = room(g, MAX_VALUES, sizeof *g->outputs);
}

static uint32_t add_value(ox_graph *g, const char *name)
{
    assert(g->n_values < MAX_VALUES);
    g->values[g->n_values].name = name != NULL ? name : mst_arena_printf(&g->arena, "v%u", g->n_values);
    assert(g->values[g->n_values].name != NULL);
    return g->n_values++;
}

static void set_shape(ox_value *v, int dtype, uint32_t rank, const int64_t *dims)
{
    v->dtype = dtype;
    v->rank = rank;
    v->has_shape = true;
    for (uint32_t d = 0; d < rank; d++)
        v->dims[d] = dims[d];
}

uint32_t build_input(ox_graph *g, const char *name, int dtype, uint32_t rank, const int64_t *dims)
{
    uint32_t id = add_value(g, name);
    set_shape(&g->values[id], dtype, rank, dims);
    g->inputs[g->n_inputs++] = id;
    return id;
}

uint32_t build_constant(ox_graph *g, int dtype, uint32_t rank, const int64_t *dims, const void *data)
{
    size_t n = ox_dtype_size(dtype);
    for (uint32_t d = 0; d < rank; d++)
        n *= (size_t)dims[d];
    uint32_t id = add_value(g, NULL);
    set_shape(&g->values[id], dtype, rank, dims);
    void *copy = room(g, n, 1);
    if (n != 0)
        memcpy(copy, data, n);
    g->values[id].data = copy;
    return id;
}

uint32_t build_ints(ox_graph *g, uint32_t n, const int64_t *values)
{
    return build_constant(g, OX_INT64, 1, &(int64_t){n}, values);
}

uint32_t build_floats(ox_graph *g, uint32_t n, const float *values)
{
    return build_constant(g, OX_FLOAT, 1, &(int64_t){n}, values);
}

uint32_t build_int(ox_graph *g, int64_t value)
{
    return build_constant(g, OX_INT64, 0, NULL, &value);
}

uint32_t build_node(ox_graph *g, const char *op, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t in[MAX_INPUTS] = {a, b, c, d};
    assert(g->n_nodes < MAX_NODES);
    ox_node *n = &g->nodes[g->n_nodes];
    n->name = mst_arena_printf(&g->arena, "%s#%u", op, g->n_nodes);
    assert(n->name != NULL);
    n->op = op;
    n->domain = "";
    n->in = room(g, MAX_INPUTS, sizeof *n->in);
    n->out = room(g, MAX_OUTPUTS, sizeof *n->out);
    n->attrs = room(g, MAX_ATTRS, sizeof *n->attrs);
    memcpy(n->in, in, sizeof in);
    n->n_in = MAX_INPUTS;
    while (n->n_in != 0 && n->in[n->n_in - 1] == OX_NONE)
        n->n_in--;
    n->n_out = 1;
    n->out[0] = add_value(g, NULL);
    g->n_nodes++;
    return n->out[0];
}

static ox_attr *add_attr(ox_graph *g, const char *name, ox_attr_kind kind)
{
    ox_node *n = &g->nodes[g->n_nodes - 1];
    assert(n->n_attr < MAX_ATTRS);
    n->attrs[n->n_attr].name = name;
    n->attrs[n->n_attr].kind = kind;
    return &n->attrs[n->n_attr++];
}

void build_attr_int(ox_graph *g, const char *name, int64_t value)
{
    add_attr(g, name, OX_A_INT)->i = value;
}

void build_attr_float(ox_graph *g, const char *name, float value)
{
    add_attr(g, name, OX_A_FLOAT)->f = value;
}

void build_attr_string(ox_graph *g, const char *name, const char *value)
{
    ox_attr *a = add_attr(g, name, OX_A_STRING);
    a->s = value;
    a->n = strlen(value);
}

void build_attr_ints(ox_graph *g, const char *name, uint32_t n, const int64_t *values)
{
    ox_attr *a = add_attr(g, name, OX_A_INTS);
    int64_t *copy = room(g, n, sizeof *copy);
    if (n != 0)
        memcpy(copy, values, n * sizeof *copy);
    a->ints = copy;
    a->n = n;
}

uint32_t build_second_output(ox_graph *g)
{
    ox_node *n = &g->nodes[g->n_nodes - 1];
    assert(n->n_out < MAX_OUTPUTS);
    n->out[n->n_out] = add_value(g, NULL);
    return n->out[n->n_out++];
}

void build_output(ox_graph *g, uint32_t value)
{
    g->outputs[g->n_outputs++] = value;
}
