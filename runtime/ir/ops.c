/* The operator table, expanded from ops.def, and the names of the enums. */
#include "mst/graph.h"

/* ops.def expanded into one table; field names are written by slot number */
static const mst_op_info op_table[MST_OP_COUNT] = {
#define MST_OP_BEGIN(id, text, min, max, fl) \
    [MST_OP_##id] = {.name = text, \
                     .min_in = min, \
                     .max_in = max, \
                     .flags = fl, \
                     .n_ip = MST_##id##_IP_COUNT, \
                     .n_fp = MST_##id##_FP_COUNT,
#define MST_IP(id, field, n) .ip_names[MST_##id##_##field] = #field,
#define MST_FP(id, field) .fp_names[MST_##id##_##field] = #field,
#define MST_OP_END(id) \
    } \
    ,
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END
};

#define MST_OP_BEGIN(id, text, min, max, fl) \
    _Static_assert(MST_##id##_IP_COUNT <= MST_MAX_IP && MST_##id##_FP_COUNT <= MST_MAX_FP, text); \
    _Static_assert(((fl)&MST_F_PURE) == 0 || ((fl)&MST_F_STATE) == 0, text ": pure, yet it keeps state");
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

const mst_op_info *mst_op_get(mst_op op)
{
    return (unsigned)op < MST_OP_COUNT ? &op_table[op] : NULL;
}

static const char *const binary_names[MST_BIN_COUNT] = {"add", "sub", "mul", "div", "min", "max", "pow"};
static const char *const reduce_names[MST_RED_COUNT] = {"mean", "sum", "max"};
static const char *const unary_names[MST_UN_COUNT] = {"floor", "ceil", "round", "abs", "neg", "sqrt",
                                                      "reciprocal", "exp", "log", "tanh", "sigmoid", "erf",
                                                      "gelu", "gelu_tanh", "silu", "softplus", "sign"};
static const struct {
    const char *name;
    bool masked; /* Section 3.4 of the MST paper masks it */
} sites[MST_SITE_COUNT] = {
    [MST_SITE_OTHER] = {"other", false},
    [MST_SITE_Q] = {"q", true},
    [MST_SITE_K] = {"k", true},
    [MST_SITE_V] = {"v", false},
    [MST_SITE_ATTN] = {"attn", true},
    [MST_SITE_AV] = {"av", false},
    [MST_SITE_PROJ] = {"proj", false},
    [MST_SITE_MLP_FC1] = {"mlp_fc1", true},
    [MST_SITE_MLP_FC2] = {"mlp_fc2", false},
    [MST_SITE_CONV] = {"conv", true},
};
static const char *const interpolation_names[MST_INTERPOLATION_COUNT] = {"bicubic", "bilinear", "nearest"};
static const char *const split_names[MST_SPLIT_COUNT] = {"number", "time"};
static const char *const dtype_names[MST_DTYPE_COUNT] = {"f32", "i32", "f64", "f16", "int8"};
static const char *const present_names[MST_PRESENT_COUNT] = {"channels", "steps"};
static const char *const run_rule_names[MST_N_RULES] = {"step", "count", "radix"};
static const char *const thinning_names[MST_N_THINNINGS] = {"binomial", "systematic"};
static const char *const trained_on_names[MST_N_TRAINED_ON] = {"unknown", "activations", "levels", "steps"};

#define NAME_OF(table, i) ((unsigned)(i) < sizeof(table) / sizeof(table)[0] ? (table)[i] : NULL)

const char *mst_binary_name(int fn)
{
    return NAME_OF(binary_names, fn);
}
const char *mst_reduce_name(int fn) { return NAME_OF(reduce_names, fn); }
const char *mst_unary_name(int fn) { return NAME_OF(unary_names, fn); }
const char *mst_site_name(int site) { return (unsigned)site < MST_SITE_COUNT ? sites[site].name : NULL; }
bool mst_is_mask_site(int site) { return (unsigned)site < MST_SITE_COUNT && sites[site].masked; }
const char *mst_interpolation_name(int how) { return NAME_OF(interpolation_names, how); }
const char *mst_split_name(int how) { return NAME_OF(split_names, how); }
const char *mst_present_name(int how) { return NAME_OF(present_names, how); }
const char *mst_run_rule_name(int rule) { return NAME_OF(run_rule_names, rule); }
const char *mst_thinning_name(int rule) { return NAME_OF(thinning_names, rule); }
const char *mst_trained_on_name(int what) { return NAME_OF(trained_on_names, what); }
const char *mst_dtype_name(mst_dtype t) { return NAME_OF(dtype_names, t); }

size_t mst_dtype_size(mst_dtype t)
{
    switch (t) {
    case MST_F32: return 4;
    case MST_I32: return 4;
    case MST_F64: return 8;
    case MST_F16: return 2;
    case MST_I8: return 1;
    case MST_DTYPE_COUNT: break;
    }
    return 0;
}
