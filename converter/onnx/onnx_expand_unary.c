/* Activations in terms of others. */
#include "converter/onnx/onnx_expand.h"

static double number(const ox_build *b, const char *name, double fallback)
{
    return (double)ox_attr_float(b->n, name, (float)fallback);
}

/* max(x, 0) - slope * max(-x, 0): one of the two is 0, so the other is exact */
static uint32_t two_slopes(ox_build *b, uint32_t x, uint32_t slope)
{
    uint32_t above = ob_1(b, "Relu", x);
    uint32_t below = ob_1(b, "Relu", ob_1(b, "Neg", x));
    return ob_2(b, "Sub", above, ob_2(b, "Mul", below, slope));
}

void ox_expand_leaky_relu(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    if (!ob_is_const(b, x))
        ob_return(b, 0, two_slopes(b, x, ob_number(b, x, number(b, "alpha", 0.01))));
}

void ox_expand_prelu(ox_build *b)
{
    uint32_t x = ob_in(b, 0), slope = ob_in(b, 1);
    if (!ob_is_const(b, slope)) {
        ob_fail(b, MST_EUNSUPPORTED, "its slope is not a constant, which is not supported");
        return;
    }
    ob_return(b, 0, two_slopes(b, x, slope));
}

/* scale * (max(x, 0) + alpha * (exp(min(x, 0) / width) - 1)) */
static void exponential(ox_build *b, double scale, double alpha, double width)
{
    uint32_t x = ob_in(b, 0);
    uint32_t above = ob_1(b, "Relu", x);
    uint32_t below = ob_1(b, "Neg", ob_1(b, "Relu", ob_1(b, "Neg", x)));
    below = ob_shift(b, ob_1(b, "Exp", ob_scale(b, below, 1 / width)), -1);
    ob_return(b, 0, ob_scale(b, ob_2(b, "Add", above, ob_scale(b, below, alpha)), scale));
}

void ox_expand_elu(ox_build *b)
{
    exponential(b, 1, number(b, "alpha", 1), 1);
}

void ox_expand_selu(ox_build *b)
{
    exponential(b, number(b, "gamma", 1.05070102214813232421875), number(b, "alpha", 1.67326319217681884765625), 1);
}

void ox_expand_celu(ox_build *b)
{
    double alpha = number(b, "alpha", 1);
    if (alpha == 0)
        ob_fail(b, MST_EINVAL, "alpha is 0");
    exponential(b, 1, alpha, alpha);
}

void ox_expand_mish(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    ob_return(b, 0, ob_2(b, "Mul", x, ob_1(b, "Tanh", ob_1(b, "Softplus", x))));
}

static uint32_t hard_sigmoid(ox_build *b, uint32_t x, double alpha, double beta)
{
    return ob_clip(b, ob_shift(b, ob_scale(b, x, alpha), beta), 0, 1);
}

void ox_expand_hard_sigmoid(ox_build *b)
{
    ob_return(b, 0, hard_sigmoid(b, ob_in(b, 0), number(b, "alpha", 0.2), number(b, "beta", 0.5)));
}

void ox_expand_hard_swish(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    ob_return(b, 0, ob_2(b, "Mul", x, hard_sigmoid(b, x, 1.0 / 6, 0.5)));
}

void ox_expand_softsign(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    ob_return(b, 0, ob_2(b, "Div", x, ob_shift(b, ob_1(b, "Abs", x), 1)));
}

void ox_expand_swish(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    ob_return(b, 0, ob_2(b, "Mul", x, ob_1(b, "Sigmoid", ob_scale(b, x, number(b, "alpha", 1)))));
}

/* x - max - log(sum(exp(x - max))), over the axes of Softmax in the model's opset */
void ox_expand_log_softmax(ox_build *b)
{
    uint32_t x = ob_in(b, 0), first, last, axes = 0;
    mst_status st = ox_softmax_axes(b->c, &first, &last);
    if (st != MST_OK) {
        b->st = st;
        return;
    }
    for (uint32_t d = first; d < last; d++)
        axes |= 1u << d;
    x = ob_2(b, "Sub", x, ob_reduce(b, "ReduceMax", x, axes, true));
    uint32_t sum = ob_reduce(b, "ReduceSum", ob_1(b, "Exp", x), axes, true);
    ob_return(b, 0, ob_2(b, "Sub", x, ob_1(b, "Log", sum)));
}
