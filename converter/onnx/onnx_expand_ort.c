/* Operators that ONNX Runtime's optimizer makes of others (com.microsoft), taken apart again. */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_expand.h"

/* ---- activations ---- */

void ox_expand_ort_gelu(ox_build *b)
{
    ob_return(b, 0, ob_1(b, "Gelu", ob_in(b, 0)));
}

static uint32_t tanh_gelu(ox_build *b, uint32_t x)
{
    return ob_node(b, "Gelu", 1, &x, 1, &(ox_attr){.name = "approximate", .kind = OX_A_STRING, .s = "tanh", .n = 4});
}

static uint32_t with_bias(ox_build *b, uint32_t x, uint32_t bias)
{
    return bias != OX_NONE ? ob_2(b, "Add", x, bias) : x;
}

void ox_expand_bias_gelu(ox_build *b)
{
    ob_return(b, 0, ob_1(b, "Gelu", with_bias(b, ob_in(b, 0), ob_in(b, 1))));
}

void ox_expand_fast_gelu(ox_build *b)
{
    ob_return(b, 0, tanh_gelu(b, with_bias(b, ob_in(b, 0), ob_in(b, 1))));
}

void ox_expand_quick_gelu(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    double alpha = (double)ox_attr_float(b->n, "alpha", 1.702f);
    ob_return(b, 0, ob_2(b, "Mul", x, ob_1(b, "Sigmoid", ob_scale(b, x, alpha))));
}

/* What is named in a fused node's attribute. */
static uint32_t activation(ox_build *b, uint32_t x, const char *name, double alpha, double beta)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Abs", "Mish"};
    if (name[0] == '\0')
        return x;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(name, plain[i]) == 0)
            return ob_1(b, name, x);
    if (strcmp(name, "Clip") == 0)
        return ob_clip(b, x, alpha, beta);
    ox_attr attrs[2] = {ob_attr_float("alpha", (float)alpha), ob_attr_float("beta", (float)beta)};
    if (strcmp(name, "LeakyRelu") == 0 || strcmp(name, "Elu") == 0)
        return ob_node(b, name, 1, &x, 1, attrs);
    if (strcmp(name, "HardSigmoid") == 0)
        return ob_node(b, name, 1, &x, 2, attrs);
    ob_fail(b, MST_EUNSUPPORTED, "its activation is not supported; save the model without graph optimizations");
    return OX_NONE;
}

void ox_expand_fused_conv(ox_build *b)
{
    const ox_attr *p = ox_attr_find(b->n, "activation_params");
    bool given = p != NULL && p->kind == OX_A_FLOATS;
    double alpha = given && p->n > 0 ? (double)p->floats[0] : 0, beta = given && p->n > 1 ? (double)p->floats[1] : 0;
    uint32_t in[3] = {ob_in(b, 0), ob_in(b, 1), ob_in(b, 2)};
    uint32_t y = ob_node(b, "Conv", in[2] != OX_NONE ? 3 : 2, in, b->n->n_attr, b->n->attrs);
    if (ob_in(b, 3) != OX_NONE)
        y = ob_2(b, "Add", y, ob_in(b, 3));
    ob_return(b, 0, activation(b, y, ox_attr_string(b->n, "activation", ""), alpha, beta));
}

void ox_expand_fused_gemm(ox_build *b)
{
    uint32_t in[3] = {ob_in(b, 0), ob_in(b, 1), ob_in(b, 2)};
    uint32_t y = ob_node(b, "Gemm", in[2] != OX_NONE ? 3 : 2, in, b->n->n_attr, b->n->attrs);
    double alpha = (double)ox_attr_float(b->n, "activation_alpha", 0.01f);
    double beta = (double)ox_attr_float(b->n, "activation_beta", 0);
    ob_return(b, 0, activation(b, y, ox_attr_string(b->n, "activation", ""), alpha, beta));
}

/* ---- products ---- */

/* x with its last axis, or (batch) its first, in the place that a transposed factor has it. */
static uint32_t factor(ox_build *b, uint32_t x, bool transposed, bool batch)
{
    uint32_t perm[MST_MAX_RANK], rank = ob_value(b, x).rank;
    if (rank < 2 || !(transposed || batch))
        return x;
    for (uint32_t d = 0; d < rank; d++)
        perm[d] = d;
    if (batch) { /* [M][batch..][K] to [batch..][M][K] */
        for (uint32_t d = 0; d + 2 < rank; d++)
            perm[d] = d + 1;
        perm[rank - 2] = 0;
    }
    if (transposed) {
        uint32_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return ob_transpose(b, x, perm);
}

void ox_expand_fused_matmul(ox_build *b)
{
    uint32_t x = factor(b, ob_in(b, 0), ox_attr_int(b->n, "transA", 0) != 0, ox_attr_int(b->n, "transBatchA", 0) != 0);
    uint32_t y = factor(b, ob_in(b, 1), ox_attr_int(b->n, "transB", 0) != 0, ox_attr_int(b->n, "transBatchB", 0) != 0);
    double alpha = (double)ox_attr_float(b->n, "alpha", 1);
    if (ob_is_const(b, y))
        y = ob_scale(b, y, alpha);
    uint32_t out = ob_2(b, "MatMul", x, y);
    ob_return(b, 0, ob_is_const(b, y) ? out : ob_scale(b, out, alpha));
}

/* ---- normalizations ---- */

/* (x, skip, gamma, beta?, bias?) -> (norm, -, -, sum); without beta for the simplified one */
static void skip_norm(ox_build *b, bool simplified)
{
    uint32_t gamma = ob_in(b, 2), beta = simplified ? OX_NONE : ob_in(b, 3), in[3];
    double epsilon = (double)ox_attr_float(b->n, "epsilon", 1e-12f);
    for (uint32_t k = 1; k < 3; k++)
        if (k < b->n->n_out && b->n->out[k] != OX_NONE && b->c->uses[b->n->out[k]] != 0)
            ob_fail(b, MST_EUNSUPPORTED, "its mean or deviation output is used, which is not supported");
    uint32_t x = with_bias(b, ob_2(b, "Add", ob_in(b, 0), ob_in(b, 1)), ob_in(b, simplified ? 3 : 4));
    ob_return(b, 3, x);
    if (simplified) {
        ob_return(b, 0, ox_rms_norm(b, x, gamma, -1, epsilon));
        return;
    }
    ox_attr eps = ob_attr_float("epsilon", (float)epsilon);
    in[0] = x;
    in[1] = gamma;
    in[2] = beta;
    ob_return(b, 0, ob_node(b, "LayerNormalization", beta != OX_NONE ? 3 : 2, in, 1, &eps));
}

void ox_expand_skip_layer_norm(ox_build *b)
{
    skip_norm(b, false);
}

void ox_expand_skip_rms_norm(ox_build *b)
{
    skip_norm(b, true);
}

/* ---- quantization ---- */

/* QuantizeLinear and DequantizeLinear before ONNX had their types */
void ox_expand_ort_quant(ox_build *b)
{
    uint32_t in[3] = {ob_in(b, 0), ob_in(b, 1), ob_in(b, 2)};
    ob_return(b, 0, ob_node(b, b->n->op, in[2] != OX_NONE ? 3 : 2, in, b->n->n_attr, b->n->attrs));
}
