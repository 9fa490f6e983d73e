/* Every operator that folding knows, by name. docs/ONNX.md has the same list. */
#include <string.h>

#include "converter/onnx/onnx_eval.h"

#define ANY 65536u

static const ox_op ops[] = {
    {"Abs", 1, 1, 0, ox_infer_same, ox_eval_unary},
    {"Add", 2, 2, 0, ox_infer_binary, ox_eval_binary},
    {"And", 2, 2, 0, ox_infer_logic, ox_eval_binary},
    {"AveragePool", 1, 1, 0, ox_infer_pool, NULL},
    {"BatchNormalization", 5, 5, 0, ox_infer_batch_norm, NULL},
    {"Bernoulli", 1, 1, OX_F_NEVER, ox_infer_random_like, NULL},
    {"Cast", 1, 1, 0, ox_infer_cast, ox_eval_cast},
    {"CastLike", 2, 2, 0, ox_infer_cast_like, ox_eval_cast},
    {"Ceil", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Clip", 1, 3, 0, ox_infer_clip, ox_eval_clip},
    {"Concat", 1, ANY, 0, ox_infer_concat, ox_eval_concat},
    {"Constant", 0, 0, 0, ox_infer_constant, ox_eval_constant},
    {"ConstantOfShape", 1, 1, 0, ox_infer_constant_of_shape, ox_eval_constant_of_shape},
    {"Conv", 2, 3, 0, ox_infer_conv, NULL},
    {"CumSum", 2, 2, 0, ox_infer_cumsum, ox_eval_cumsum},
    {"DepthToSpace", 1, 1, 0, ox_infer_depth_to_space, ox_eval_depth_to_space},
    {"Div", 2, 2, 0, ox_infer_binary, ox_eval_binary},
    {"Dropout", 1, 3, 0, ox_infer_dropout, ox_eval_dropout},
    {"Equal", 2, 2, 0, ox_infer_compare, ox_eval_compare},
    {"Erf", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Exp", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Expand", 2, 2, 0, ox_infer_expand, ox_eval_expand},
    {"EyeLike", 1, 1, OX_F_SHAPE, ox_infer_eye_like, ox_eval_eye_like},
    {"Flatten", 1, 1, 0, ox_infer_flatten, ox_eval_share},
    {"Floor", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Gather", 2, 2, 0, ox_infer_gather, ox_eval_gather},
    {"GatherElements", 2, 2, 0, ox_infer_gather_elements, ox_eval_gather_elements},
    {"GatherND", 2, 2, 0, ox_infer_gather_nd, ox_eval_gather_nd},
    {"Gelu", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Gemm", 2, 3, 0, ox_infer_gemm, ox_eval_gemm},
    {"GlobalAveragePool", 1, 1, 0, ox_infer_global_pool, NULL},
    {"GlobalMaxPool", 1, 1, 0, ox_infer_global_pool, NULL},
    {"Greater", 2, 2, 0, ox_infer_compare, ox_eval_compare},
    {"GreaterOrEqual", 2, 2, 0, ox_infer_compare, ox_eval_compare},
    {"Identity", 1, 1, 0, ox_infer_same, ox_eval_share},
    {"LayerNormalization", 2, 3, 0, ox_infer_layer_norm, NULL},
    {"LeakyRelu", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Less", 2, 2, 0, ox_infer_compare, ox_eval_compare},
    {"LessOrEqual", 2, 2, 0, ox_infer_compare, ox_eval_compare},
    {"Log", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"MatMul", 2, 2, 0, ox_infer_matmul, ox_eval_matmul},
    {"Max", 1, ANY, 0, ox_infer_variadic, ox_eval_variadic},
    {"MaxPool", 1, 1, 0, ox_infer_pool, NULL},
    {"Mean", 1, ANY, 0, ox_infer_variadic, ox_eval_variadic},
    {"Min", 1, ANY, 0, ox_infer_variadic, ox_eval_variadic},
    {"Mod", 2, 2, 0, ox_infer_binary, ox_eval_mod},
    {"Mul", 2, 2, 0, ox_infer_binary, ox_eval_binary},
    {"Neg", 1, 1, 0, ox_infer_same, ox_eval_unary},
    {"NonZero", 1, 1, 0, ox_infer_non_zero, ox_eval_non_zero},
    {"Not", 1, 1, 0, ox_infer_bool, ox_eval_not},
    {"OneHot", 3, 3, 0, ox_infer_one_hot, ox_eval_one_hot},
    {"Or", 2, 2, 0, ox_infer_logic, ox_eval_binary},
    {"Pad", 1, 4, 0, ox_infer_pad, ox_eval_pad},
    {"Pow", 2, 2, 0, ox_infer_pow, ox_eval_pow},
    {"RandomNormal", 0, 0, OX_F_NEVER, ox_infer_random, NULL},
    {"RandomNormalLike", 1, 1, OX_F_NEVER, ox_infer_random_like, NULL},
    {"RandomUniform", 0, 0, OX_F_NEVER, ox_infer_random, NULL},
    {"RandomUniformLike", 1, 1, OX_F_NEVER, ox_infer_random_like, NULL},
    {"Range", 3, 3, 0, ox_infer_range, ox_eval_range},
    {"Reciprocal", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"ReduceMax", 1, 2, 0, ox_infer_reduce, ox_eval_reduce},
    {"ReduceMean", 1, 2, 0, ox_infer_reduce, ox_eval_reduce},
    {"ReduceMin", 1, 2, 0, ox_infer_reduce, ox_eval_reduce},
    {"ReduceProd", 1, 2, 0, ox_infer_reduce, ox_eval_reduce},
    {"ReduceSum", 1, 2, 0, ox_infer_reduce, ox_eval_reduce},
    {"Relu", 1, 1, 0, ox_infer_same, ox_eval_unary},
    {"Reshape", 2, 2, 0, ox_infer_reshape, ox_eval_share},
    {"Round", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Scatter", 3, 3, 0, ox_infer_scatter, ox_eval_scatter},
    {"ScatterElements", 3, 3, 0, ox_infer_scatter, ox_eval_scatter},
    {"ScatterND", 3, 3, 0, ox_infer_scatter_nd, ox_eval_scatter_nd},
    {"Shape", 1, 1, OX_F_SHAPE, ox_infer_shape, ox_eval_shape},
    {"Sigmoid", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Sign", 1, 1, 0, ox_infer_same, ox_eval_unary},
    {"Size", 1, 1, OX_F_SHAPE, ox_infer_size, ox_eval_size},
    {"Slice", 1, 5, 0, ox_infer_slice, ox_eval_slice},
    {"Softmax", 1, 1, 0, ox_infer_softmax, ox_eval_softmax},
    {"Softplus", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"SpaceToDepth", 1, 1, 0, ox_infer_space_to_depth, ox_eval_space_to_depth},
    {"Split", 1, 2, 0, ox_infer_split, ox_eval_split},
    {"Sqrt", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Squeeze", 1, 2, 0, ox_infer_squeeze, ox_eval_share},
    {"Sub", 2, 2, 0, ox_infer_binary, ox_eval_binary},
    {"Sum", 1, ANY, 0, ox_infer_variadic, ox_eval_variadic},
    {"Tanh", 1, 1, 0, ox_infer_float, ox_eval_unary},
    {"Tile", 2, 2, 0, ox_infer_tile, ox_eval_tile},
    {"Transpose", 1, 1, 0, ox_infer_transpose, ox_eval_transpose},
    {"Trilu", 1, 2, 0, ox_infer_trilu, ox_eval_trilu},
    {"Unsqueeze", 1, 2, 0, ox_infer_unsqueeze, ox_eval_share},
    {"Where", 3, 3, 0, ox_infer_where, ox_eval_where},
    {"Xor", 2, 2, 0, ox_infer_logic, ox_eval_binary},
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
