/* Folding of random nodes: any operator, types, shapes, attributes and constants,
 * valid or not. Nothing may crash, hang or read outside; what folds must be whole.
 * The seed is printed with a failure; MST_FOLD_ROUNDS sets how many graphs are tried.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"
#include "tests/support/onnx_build.h"
#include "tests/support/run_tests.h"

static const char *const ops[] = {
    "Abs",
    "Add",
    "And",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "Bernoulli",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "EyeLike",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "NonZero",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "RMSNormalization",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "SimplifiedLayerNormalization",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Upsample",
    "Where",
    "Xor",
};
static const char *const int_attrs[] = {"axis",
                                        "keepdims",
                                        "blocksize",
                                        "upper",
                                        "exclusive",
                                        "reverse",
                                        "fmod",
                                        "transA",
                                        "transB",
                                        "ceil_mode",
                                        "group",
                                        "allowzero",
                                        "batch_dims",
                                        "k",
                                        "start",
                                        "end",
                                        "to",
                                        "dtype",
                                        "noop_with_empty_axes",
                                        "num_outputs"};
static const char *const ints_attrs[] = {"axes", "perm", "split", "starts",
                                         "ends", "pads", "kernel_shape", "strides",
                                         "dilations", "shape", "value_ints"};
static const struct {
    const char *name, *value;
} string_attrs[] = {
    {"auto_pad", "SAME_LOWER"},
    {"auto_pad", "SAME_UPPER"},
    {"auto_pad", "VALID"},
    {"mode", "CRD"},
    {"mode", "constant"},
    {"reduction", "add"},
    {"approximate", "tanh"},
};
static const int dtypes[] = {OX_FLOAT, OX_INT64, OX_INT64, OX_FLOAT, OX_INT32, OX_BOOL, OX_UINT8, OX_INT8,
                             OX_DOUBLE, OX_FLOAT16, OX_BFLOAT16, OX_UINT64, OX_UINT32, OX_STRING};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static uint64_t state;

static uint32_t pick(uint32_t n) /* splitmix64 */
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

static int64_t number(void)
{
    static const int64_t special[] = {INT64_MIN, INT64_MAX, 1 << 20, -(1 << 20), 1ll << 31, 1ll << 40, 0, -1};
    return pick(12) == 0 ? special[pick(COUNT(special))] : (int64_t)pick(8) - 2;
}

static uint32_t random_value(ox_graph *g, int dtype)
{
    int64_t dims[MST_MAX_RANK];
    uint32_t rank = pick(8) == 0 ? pick(9) : pick(5);
    uint8_t data[4096];
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++) {
        dims[d] = pick(10) == 0 ? 0 : 1 + (int64_t)pick(rank > 4 ? 2 : 3);
        n *= (size_t)dims[d];
    }
    if (pick(5) == 0) {
        int64_t live[MST_MAX_RANK];
        for (uint32_t d = 0; d < rank; d++)
            live[d] = d == 0 && pick(2) == 0 ? -1 : dims[d];
        return build_input(g, "x", dtype, rank, live);
    }
    for (size_t i = 0; i < n; i++) {
        if (dtype == OX_STRING)
            data[0] = 0;
        else if (pick(30) == 0 || !ox_put_int(data, dtype, i, number()))
            ox_put_int(data, dtype, i, pick(3));
    }
    return build_constant(g, dtype, rank, dims, data);
}

static void random_attrs(ox_graph *g)
{
    for (uint32_t i = pick(4); i > 0; i--) {
        int64_t v[MST_MAX_RANK];
        uint32_t n = pick(5);
        for (uint32_t k = 0; k < n; k++)
            v[k] = number();
        switch (pick(4)) {
        case 0: build_attr_int(g, int_attrs[pick(COUNT(int_attrs))], number()); break;
        case 1: build_attr_ints(g, ints_attrs[pick(COUNT(ints_attrs))], n, v); break;
        case 2: build_attr_float(g, pick(2) ? "value" : "alpha", (float)number()); break;
        default:
            n = pick(COUNT(string_attrs));
            build_attr_string(g, string_attrs[n].name, string_attrs[n].value);
        }
    }
}

static void random_graph(ox_graph *g)
{
    static const int64_t opsets[] = {9, 10, 11, 12, 13, 14, 17, 18, 21, 23, 28};
    uint32_t ids[32], n = 0;
    build_start(g, opsets[pick(COUNT(opsets))]);
    for (uint32_t i = 1 + pick(3); i > 0; i--) {
        uint32_t in[4];
        int dtype = dtypes[pick(COUNT(dtypes))];
        for (uint32_t k = 0; k < 4; k++) {
            if (pick(3) == 0 && n != 0)
                in[k] = ids[pick(n)];
            else if (pick(4) == 0 && k != 0)
                in[k] = OX_NONE;
            else
                in[k] = random_value(g, pick(2) ? dtype : k != 0 ? OX_INT64
                                                                 : OX_FLOAT);
        }
        uint32_t arity = pick(5);
        for (uint32_t k = arity; k < 4; k++)
            in[k] = OX_NONE;
        build_output(g, ids[n++] = build_node(g, ops[pick(COUNT(ops))], in[0], in[1], in[2], in[3]));
        random_attrs(g);
        while (pick(4) == 0 && g->nodes[g->n_nodes - 1].n_out < 4)
            build_output(g, ids[n++] = build_second_output(g));
    }
}

static volatile unsigned sink;

/* Every constant has all its bytes (a sanitizer sees reads outside); live values have shapes. */
static bool whole(const ox_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_out; k++) {
            if (g->nodes[i].out[k] == OX_NONE)
                continue;
            const ox_value *v = &g->values[g->nodes[i].out[k]];
            if (!v->has_shape || v->rank > MST_MAX_RANK || ox_dtype_size(v->dtype) == 0)
                return false;
            const uint8_t *bytes = v->data;
            for (size_t j = 0, n = ox_elements(v) * ox_dtype_size(v->dtype); bytes != NULL && j < n; j++)
                sink += bytes[j];
        }
    return true;
}

START_TEST(test_random_nodes)
{
    const char *rounds = getenv("MST_FOLD_ROUNDS");
    long n = rounds != NULL ? strtol(rounds, NULL, 10) : 20000;
    long folded = 0;
    for (long seed = 1; seed <= n; seed++) {
        ox_graph g = {0};
        mst_err err = {0};
        state = (uint64_t)seed + 1000003u * (uint64_t)_i;
        random_graph(&g);
        mst_status s = ox_fold(&g, NULL, 0, &err);
        ck_assert_msg(s != MST_OK || whole(&g), "seed %ld", seed);
        ck_assert_msg(s == MST_OK || err.text[0] != '\0', "seed %ld: no text", seed);
        folded += s == MST_OK;
        ox_graph_free(&g);
    }
    ck_assert_int_gt(folded, n / 200); /* not all of it is refused at the door */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fold random");
    TCase *t = tcase_create("fold random");
    tcase_add_loop_test(t, test_random_nodes, 0, 2);
    tcase_set_timeout(t, 600);
    suite_add_tcase(s, t);
    return run_tests(s);
}
