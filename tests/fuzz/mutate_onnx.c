/* Mutations of ONNX models that are models again: for libFuzzer, beside its own of bytes. A node, an attribute, a
 * tensor or a shape is changed, an input comes from elsewhere, a node goes, comes twice or becomes another operator;
 * also inside the bodies of If, Loop and Scan.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define MAX_DEPTH 4

static uint64_t state;

static uint32_t draw(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32);
}

static size_t below(size_t n) { return n != 0 ? draw() % n : 0; }

/* protobuf-c frees what it did not make itself by free. */
static char *text(const char *s)
{
    char *copy = strdup(s);
    if (copy == NULL)
        abort();
    return copy;
}

static void set_text(char **to, const char *s)
{
    if (*to != NULL && *to != protobuf_c_empty_string)
        free(*to);
    *to = text(s);
}

static int64_t number(int64_t old)
{
    static const int64_t some[] = {0, 1, -1, 2, 3, 4, 7, 8, 16, 64, 255, 256,
                                   65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    switch (below(4)) {
    case 0: return (int64_t)((uint64_t)old + 1);
    case 1: return (int64_t)((uint64_t)old - 1);
    case 2: return (int64_t)((uint64_t)old * 2);
    default: return some[below(sizeof some / sizeof some[0])];
    }
}

static float real(float old)
{
    static const float some[] = {0, -0.0f, 1, -1, 0.5f, 1e-38f, 1e38f, -1e38f, 1e-45f};
    switch (below(4)) {
    case 0: return old + 1;
    case 1: return -old;
    case 2: return below(8) == 0 ? NAN : old * 2;
    default: return some[below(sizeof some / sizeof some[0])];
    }
}

/* ---- tensors and shapes ---- */

static void mutate_numbers(int64_t *v, size_t n)
{
    if (n == 0)
        return;
    size_t i = below(n), k = below(n);
    int64_t one = v[i];
    if (below(3) == 0) {
        v[i] = v[k];
        v[k] = one;
    } else {
        v[i] = number(one);
    }
}

static void mutate_tensor(Onnx__TensorProto *t)
{
    switch (below(5)) {
    case 0: mutate_numbers(t->dims, t->n_dims); break;
    case 1: t->data_type = (int32_t)below(24); break;
    case 2:
        if (t->n_float_data != 0) {
            float *v = &t->float_data[below(t->n_float_data)];
            *v = real(*v);
        }
        break;
    case 3: mutate_numbers(t->int64_data, t->n_int64_data); break;
    default:
        if (t->raw_data.len != 0)
            t->raw_data.len = LLVMFuzzerMutate(t->raw_data.data, t->raw_data.len, t->raw_data.len);
        break;
    }
}

static void mutate_value(Onnx__ValueInfoProto *v)
{
    if (v->type == NULL || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return;
    Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    if (below(4) == 0 || t->shape == NULL || t->shape->n_dim == 0) {
        t->elem_type = (int32_t)below(17);
        return;
    }
    Onnx__TensorShapeProto__Dimension *d = t->shape->dim[below(t->shape->n_dim)];
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        d->dim_value = number(d->dim_value);
}

/* ---- nodes ---- */

/* A name of a value of the graph. */
static const char *any_value(const Onnx__GraphProto *g)
{
    for (int tries = 0; tries < 8; tries++) {
        size_t i;
        switch (below(3)) {
        case 0:
            if (g->n_input != 0 && g->input[i = below(g->n_input)]->name != NULL)
                return g->input[i]->name;
            break;
        case 1:
            if (g->n_initializer != 0 && g->initializer[i = below(g->n_initializer)]->name != NULL)
                return g->initializer[i]->name;
            break;
        default:
            if (g->n_node != 0 && g->node[i = below(g->n_node)]->n_output != 0)
                return g->node[i]->output[below(g->node[i]->n_output)];
            break;
        }
    }
    return "";
}

static void mutate_attribute(Onnx__AttributeProto *a)
{
    static const char *const names[] = {
        "axis", "axes", "pads", "strides", "kernel_shape", "perm", "hidden_size", "direction",
        "group", "transB", "keepdims", "mode", "to", "dilations", "epsilon", "clip", "layout",
        "linear_before_reset"};
    switch (below(8)) {
    case 0: set_text(&a->name, names[below(sizeof names / sizeof names[0])]); break;
    case 1: a->type = (Onnx__AttributeProto__AttributeType)below(12); break;
    case 2: a->f = real(a->f); break;
    case 3:
        if (a->n_floats != 0)
            a->floats[0] = real(a->floats[0]);
        break;
    case 4:
        if (a->t != NULL)
            mutate_tensor(a->t);
        break;
    case 5: a->i = number(a->i); break;
    default: mutate_numbers(a->ints, a->n_ints); break;
    }
}

static void become_another(Onnx__NodeProto *n)
{
    static const char *const ops[] = {
        "Add", "Mul", "Sub", "Div", "Relu", "Floor", "Clip", "Conv", "MatMul", "Gemm", "Softmax",
        "Transpose", "Reshape", "Flatten", "Slice", "Concat", "Split", "Gather", "Squeeze",
        "Unsqueeze", "ReduceMean", "ReduceSum", "MaxPool", "AveragePool", "GlobalAveragePool",
        "BatchNormalization", "LayerNormalization", "InstanceNormalization", "QuantizeLinear",
        "DequantizeLinear", "RNN", "GRU", "LSTM", "Loop", "If", "Scan", "Where", "Equal", "Not",
        "Expand", "Tile", "Pad", "Cast", "Shape", "Identity", "Einsum", "Resize", "ConstantOfShape",
        "Range", "TopK", "Attention", "Gelu", "Erf", "Pow", "Sqrt", "Round", "Sign", "Dropout",
        "Trilu"};
    set_text(&n->op_type, ops[below(sizeof ops / sizeof ops[0])]);
}

static void mutate_node(const Onnx__GraphProto *g, Onnx__NodeProto *n)
{
    if (below(4) == 0)
        become_another(n);
    else if (below(2) == 0 && n->n_attribute != 0)
        mutate_attribute(n->attribute[below(n->n_attribute)]);
    else if (n->n_input != 0)
        set_text(&n->input[below(n->n_input)], below(8) == 0 ? "" : any_value(g));
}

static void drop_node(Onnx__GraphProto *g)
{
    size_t i = below(g->n_node);
    onnx__node_proto__free_unpacked(g->node[i], NULL);
    memmove(g->node + i, g->node + i + 1, (g->n_node - i - 1) * sizeof *g->node);
    g->n_node--;
}

/* A node once more, behind itself: its outputs get names of their own, which a later node reads. */
static void double_node(Onnx__GraphProto *g)
{
    size_t i = below(g->n_node), bytes = onnx__node_proto__get_packed_size(g->node[i]);
    uint8_t *packed = malloc(bytes != 0 ? bytes : 1);
    Onnx__NodeProto **nodes = realloc(g->node, (g->n_node + 1) * sizeof *nodes);
    if (packed == NULL || nodes == NULL)
        abort();
    g->node = nodes;
    onnx__node_proto__pack(nodes[i], packed);
    Onnx__NodeProto *again = onnx__node_proto__unpack(NULL, bytes, packed);
    free(packed);
    if (again == NULL)
        return;
    for (size_t k = 0; k < again->n_output; k++) {
        char name[64];
        snprintf(name, sizeof name, "%.40s_%u", again->output[k], draw() % 1000);
        set_text(&again->output[k], name);
    }
    memmove(nodes + i + 2, nodes + i + 1, (g->n_node - i - 1) * sizeof *nodes);
    nodes[i + 1] = again;
    g->n_node++;
    for (size_t j = i + 2; j < g->n_node && again->n_output != 0; j++)
        if (nodes[j]->n_input != 0 && below(2) == 0) {
            set_text(&nodes[j]->input[below(nodes[j]->n_input)], again->output[0]);
            return;
        }
}

static void mutate_graph(Onnx__GraphProto *g, int depth)
{
    const Onnx__NodeProto *n = g->n_node != 0 ? g->node[below(g->n_node)] : NULL;
    for (size_t i = 0; n != NULL && i < n->n_attribute; i++)
        if (n->attribute[i]->g != NULL && depth < MAX_DEPTH && below(2) == 0) {
            mutate_graph(n->attribute[i]->g, depth + 1);
            return;
        }
    switch (below(10)) {
    case 0:
        if (g->n_initializer != 0)
            mutate_tensor(g->initializer[below(g->n_initializer)]);
        break;
    case 1:
        if (g->n_input != 0)
            mutate_value(g->input[below(g->n_input)]);
        break;
    case 2:
        if (g->n_output != 0)
            mutate_value(g->output[below(g->n_output)]);
        break;
    case 3:
        if (g->n_node > 1)
            drop_node(g);
        break;
    case 4:
        if (g->n_node != 0)
            double_node(g);
        break;
    case 5:
        if (g->n_output != 0)
            set_text(&g->output[below(g->n_output)]->name, any_value(g));
        break;
    default:
        if (g->n_node != 0)
            mutate_node(g, g->node[below(g->n_node)]);
        break;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    state = (uint64_t)seed * 0x9e3779b97f4a7c15ull + 1;
    Onnx__ModelProto *m = below(10) != 0 ? onnx__model_proto__unpack(NULL, size, data) : NULL;
    if (m == NULL || m->graph == NULL) {
        if (m != NULL)
            onnx__model_proto__free_unpacked(m, NULL);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (size_t k = 1 + below(3); k > 0; k--)
        mutate_graph(m->graph, 0);
    if (below(20) == 0 && m->n_opset_import != 0)
        m->opset_import[below(m->n_opset_import)]->version = 7 + (int64_t)below(18);
    size_t n = onnx__model_proto__get_packed_size(m);
    bool fits = n <= max_size;
    if (fits)
        onnx__model_proto__pack(m, data);
    onnx__model_proto__free_unpacked(m, NULL);
    return fits ? n : LLVMFuzzerMutate(data, size, max_size);
}
