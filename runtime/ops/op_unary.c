/* UNARY: functions of one value. Those of the C library are taken in float64 and rounded once, so that
 * their last bit hardly depends on the library. */
#include <math.h>

#include "runtime/ops/op.h"

static double gelu_tanh(double x)
{
    return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); /* sqrt(2/pi) */
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double unary(mst_unary_fn fn, double x)
{
    switch (fn) {
    case MST_UN_FLOOR: return floor(x);
    case MST_UN_CEIL: return ceil(x);
    case MST_UN_ROUND: return rint(x); /* halves to even, as ONNX Round */
    case MST_UN_ABS: return fabs(x);
    case MST_UN_NEG: return -x;
    case MST_UN_SQRT: return sqrt(x);
    case MST_UN_RECIPROCAL: return 1.0 / x;
    case MST_UN_EXP: return exp(x);
    case MST_UN_LOG: return log(x);
    case MST_UN_TANH: return tanh(x);
    case MST_UN_SIGMOID: return 1.0 / (1.0 + exp(-x));
    case MST_UN_ERF: return erf(x);
    case MST_UN_GELU: return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); /* sqrt(1/2) */
    case MST_UN_GELU_TANH: return gelu_tanh(x);
    case MST_UN_SILU: return x / (1.0 + exp(-x));
    case MST_UN_SOFTPLUS: return softplus(x);
    case MST_UN_SIGN: return x > 0 ? 1.0 : x < 0 ? -1.0
                                                 : x; /* keeps zeros and NaN */
    case MST_UN_COUNT: break;
    }
    return x;
}

static void run_unary(op_call *c)
{
    const float *x = op_in(c, 0);
    float *y = c->out;
    for (size_t i = 0; i < c->node->n; i++)
        y[i] = (float)unary((mst_unary_fn)c->node->u.scalars.fn, (double)x[i]);
}

mst_status op_prepare_UNARY(op_prep *c, op_node *op)
{
    op->run = run_unary;
    op->u.scalars.fn = c->node->ip[MST_UNARY_FN];
    return MST_OK;
}
