/* Elementwise evaluation of constants: unary, binary, comparisons, casts. Floats
 * are computed in float64 and rounded once (for + - * / and sqrt of narrower
 * types that is the correctly rounded result); integers in int64 with every
 * overflow an error.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* ---- unary ---- */

static double f_neg(double x) { return -x; }
static double f_sign(double x) { return x > 0 ? 1 : x < 0 ? -1
                                                          : x; }
static double f_reciprocal(double x) { return 1 / x; }
static double f_sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double f_relu(double x) { return x < 0 ? 0 : x; }
static double f_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static double f_gelu(double x) { return 0.5 * x * (1 + erf(x * 0.70710678118654752440)); }

static double f_gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

typedef double f_unary(double x);
static const struct {
    const char *name;
    f_unary *f;
} unary[] = {
    {"Abs", fabs},
    {"Ceil", ceil},
    {"Erf", erf},
    {"Exp", exp},
    {"Floor", floor},
    {"Gelu", f_gelu},
    {"Log", log},
    {"Neg", f_neg},
    {"Reciprocal", f_reciprocal},
    {"Relu", f_relu},
    {"Round", rint},
    {"Sigmoid", f_sigmoid},
    {"Sign", f_sign},
    {"Softplus", f_softplus},
    {"Sqrt", sqrt},
    {"Tanh", tanh},
};

static f_unary *find_unary(const ox_node *n)
{
    if (strcmp(n->op, "Gelu") == 0 && strcmp(ox_attr_string(n, "approximate", "none"), "tanh") == 0)
        return f_gelu_tanh;
    for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++)
        if (strcmp(unary[i].name, n->op) == 0)
            return unary[i].f;
    return NULL; /* LeakyRelu, which has a parameter */
}

static mst_status out_of_range(const ox_ctx *c, size_t i)
{
    return ox_fail(c, MST_EINVAL, "element %zu overflows %s, or divides by zero", i,
                   ox_dtype_name(ox_out(c, 0)->dtype));
}

/* Abs, Neg, Sign, Relu of integers. */
static mst_status unary_int(ox_ctx *c, const ox_value *x, uint8_t *y)
{
    char op = c->n->op[0];
    bool sign = strcmp(c->n->op, "Sign") == 0;
    for (size_t i = 0, n = ox_elements(x); i < n; i++) {
        int64_t v = ox_get_int(x, i);
        if (sign)
            v = (v > 0) - (v < 0);
        else if (op == 'R')
            v = v > 0 ? v : 0;
        else if (op == 'N' || v < 0) {
            if (v == INT64_MIN)
                return out_of_range(c, i);
            v = -v;
        }
        if (!ox_put_int(y, x->dtype, i, v))
            return out_of_range(c, i);
    }
    return MST_OK;
}

mst_status ox_eval_unary(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    if (!ox_is_float(x->dtype))
        return ox_is_int(x->dtype) ? unary_int(c, x, y)
                                   : ox_fail(c, MST_EINVAL, "input has type %s", ox_dtype_name(x->dtype));
    f_unary *f = find_unary(c->n);
    double alpha = (double)ox_attr_float(c->n, "alpha", 0.01f);
    for (size_t i = 0, n = ox_elements(x); i < n; i++) {
        double v = ox_get_double(x, i);
        ox_put_double(y, x->dtype, i, f != NULL ? f(v) : v < 0 ? alpha * v
                                                               : v);
    }
    return MST_OK;
}

mst_status ox_eval_not(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    for (size_t i = 0, n = y != NULL ? ox_elements(x) : 0; i < n; i++)
        y[i] = ox_get_int(x, i) == 0;
    return MST_OK;
}

/* ---- binary ---- */

typedef bool i_binary(int64_t a, int64_t b, int64_t *y); /* false: overflow, division by zero */
typedef double f_binary(double a, double b);

static bool i_add(int64_t a, int64_t b, int64_t *y) { return !__builtin_add_overflow(a, b, y); }
static bool i_sub(int64_t a, int64_t b, int64_t *y) { return !__builtin_sub_overflow(a, b, y); }
static bool i_mul(int64_t a, int64_t b, int64_t *y) { return !__builtin_mul_overflow(a, b, y); }
static bool i_and(int64_t a, int64_t b, int64_t *y)
{
    *y = a != 0 && b != 0;
    return true;
}
static bool i_or(int64_t a, int64_t b, int64_t *y)
{
    *y = a != 0 || b != 0;
    return true;
}
static bool i_xor(int64_t a, int64_t b, int64_t *y)
{
    *y = (a != 0) != (b != 0);
    return true;
}
static bool i_max(int64_t a, int64_t b, int64_t *y)
{
    *y = a > b ? a : b;
    return true;
}
static bool i_min(int64_t a, int64_t b, int64_t *y)
{
    *y = a < b ? a : b;
    return true;
}

static bool i_div(int64_t a, int64_t b, int64_t *y)
{
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    *y = a / b;
    return true;
}

static bool i_fmod(int64_t a, int64_t b, int64_t *y) /* sign of the dividend */
{
    if (b == 0)
        return false;
    *y = b == -1 ? 0 : a % b;
    return true;
}

static bool i_mod(int64_t a, int64_t b, int64_t *y) /* sign of the divisor */
{
    if (!i_fmod(a, b, y))
        return false;
    if (*y != 0 && (*y < 0) != (b < 0))
        *y += b;
    return true;
}

static bool i_pow(int64_t a, int64_t b, int64_t *y)
{
    if (b < 0) { /* truncated towards zero */
        *y = a == 1 ? 1 : a == -1 ? (b % 2 != 0 ? -1 : 1)
                                  : 0;
        return a != 0;
    }
    int64_t r = 1;
    while (b != 0) {
        if (b % 2 != 0 && __builtin_mul_overflow(r, a, &r))
            return false;
        b /= 2;
        if (b != 0 && __builtin_mul_overflow(a, a, &a))
            return false;
    }
    *y = r;
    return true;
}

static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_max(double a, double b) { return isnan(a) ? a : isnan(b) || b > a ? b
                                                                                  : a; }
static double f_min(double a, double b) { return isnan(a) ? a : isnan(b) || b < a ? b
                                                                                  : a; }

static double f_mod(double a, double b) /* sign of the divisor; exporters use it for floats too */
{
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r == 0 ? copysign(r, b)
                                                         : r;
}

static const struct {
    const char *name;
    i_binary *i;
    f_binary *f;
} binary[] = {
    {"Add", i_add, f_add},
    {"Sub", i_sub, f_sub},
    {"Mul", i_mul, f_mul},
    {"Div", i_div, f_div},
    {"And", i_and, NULL},
    {"Or", i_or, NULL},
    {"Xor", i_xor, NULL},
    {"Max", i_max, f_max},
    {"Min", i_min, f_min},
    {"Sum", i_add, f_add},
    {"Mean", i_add, f_add},
};

static size_t find_binary(const char *op)
{
    size_t i = 0;
    while (strcmp(binary[i].name, op) != 0)
        i++;
    return i;
}

/* y = a op b, broadcast to the shape of y. */
static mst_status apply(ox_ctx *c, const ox_value *a, const ox_value *b, uint8_t *y, i_binary *fi,
                        f_binary *ff)
{
    const ox_value *out = ox_out(c, 0), *pair[2] = {a, b};
    bool is_float = ox_is_float(out->dtype);
    ox_bcast at;
    ox_bcast_start(&at, out->rank, out->dims, 2, pair);
    for (size_t i = 0, n = ox_elements(out); i < n; i++, ox_bcast_next(&at)) {
        int64_t r;
        if (is_float)
            ox_put_double(y, out->dtype, i, ff(ox_get_double(a, at.at[0]), ox_get_double(b, at.at[1])));
        else if (!fi(ox_get_int(a, at.at[0]), ox_get_int(b, at.at[1]), &r) ||
                 !ox_put_int(y, out->dtype, i, r))
            return out_of_range(c, i);
    }
    return MST_OK;
}

mst_status ox_eval_binary(ox_ctx *c)
{
    uint8_t *y;
    size_t op = find_binary(c->n->op);
    MST_TRY(ox_out_alloc(c, 0, &y));
    return y == NULL ? MST_OK : apply(c, ox_in(c, 0), ox_in(c, 1), y, binary[op].i, binary[op].f);
}

mst_status ox_eval_mod(ox_ctx *c)
{
    uint8_t *y;
    bool like_c = ox_attr_int(c->n, "fmod", 0) != 0;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    return apply(c, ox_in(c, 0), ox_in(c, 1), y, like_c ? i_fmod : i_mod, like_c ? fmod : f_mod);
}

/* The exponent may have another type than the base, which decides the result's. */
mst_status ox_eval_pow(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1), *out = ox_out(c, 0), *pair[2] = {a, b};
    uint8_t *y;
    ox_bcast at;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    if (ox_is_float(a->dtype) || !ox_is_float(b->dtype))
        return apply(c, a, b, y, i_pow, pow);
    ox_bcast_start(&at, out->rank, out->dims, 2, pair);
    for (size_t i = 0, n = ox_elements(out); i < n; i++, ox_bcast_next(&at))
        if (!ox_put_double(y, out->dtype, i, pow(ox_get_double(a, at.at[0]), ox_get_double(b, at.at[1]))))
            return out_of_range(c, i);
    return MST_OK;
}

/* Max, Min, Sum, Mean: folded in place from the left; each step rounds as a chain of nodes would. */
mst_status ox_eval_variadic(ox_ctx *c)
{
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    ox_value *out = ox_out(c, 0);
    size_t op = find_binary(c->n->op), n = ox_elements(out);
    const ox_value *first = ox_in(c, 0);
    ox_bcast at;
    ox_bcast_start(&at, out->rank, out->dims, 1, &first);
    size_t size = ox_dtype_size(out->dtype);
    for (size_t i = 0; i < n; i++, ox_bcast_next(&at))
        memcpy(y + i * size, (const uint8_t *)first->data + at.at[0] * size, size);
    for (uint32_t k = 1; k < c->n->n_in; k++) {
        MST_TRY(ox_spend(c, n));
        MST_TRY(apply(c, out, ox_in(c, k), y, binary[op].i, binary[op].f));
    }
    if (strcmp(c->n->op, "Mean") != 0)
        return MST_OK;
    if (!ox_is_float(out->dtype))
        return ox_fail(c, MST_EINVAL, "of integers");
    for (size_t i = 0; i < n; i++)
        ox_put_double(y, out->dtype, i, ox_get_double(out, i) / c->n->n_in);
    return MST_OK;
}

/* ---- comparisons, Clip, Cast ---- */

mst_status ox_eval_compare(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1), *out = ox_out(c, 0), *pair[2] = {a, b};
    uint8_t *y;
    const char *op = c->n->op;
    bool less = op[0] == 'L', greater = op[0] == 'G', equal = op[0] == 'E' || strstr(op, "OrEqual") != NULL;
    ox_bcast at;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    ox_bcast_start(&at, out->rank, out->dims, 2, pair);
    for (size_t i = 0, n = ox_elements(out); i < n; i++, ox_bcast_next(&at)) {
        if (ox_is_float(a->dtype)) {
            double p = ox_get_double(a, at.at[0]), q = ox_get_double(b, at.at[1]);
            y[i] = (less && p < q) || (greater && p > q) || (equal && p == q);
        } else {
            int64_t p = ox_get_int(a, at.at[0]), q = ox_get_int(b, at.at[1]);
            y[i] = (less && p < q) || (greater && p > q) || (equal && p == q);
        }
    }
    return MST_OK;
}

mst_status ox_eval_clip(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *lo = ox_in(c, 1), *hi = ox_in(c, 2);
    double f_lo, f_hi;
    uint8_t *y;
    MST_TRY(ox_clip_bounds(c, &f_lo, &f_hi));
    MST_TRY(ox_out_alloc(c, 0, &y));
    bool ints = !ox_is_float(x->dtype) && c->g->opset >= 11;
    int64_t i_lo = ints && lo != NULL ? ox_get_int(lo, 0) : INT64_MIN;
    int64_t i_hi = ints && hi != NULL ? ox_get_int(hi, 0) : INT64_MAX;
    for (size_t i = 0, n = y != NULL ? ox_elements(x) : 0; i < n; i++) {
        int64_t r = 0;
        if (ints) {
            i_max(ox_get_int(x, i), i_lo, &r);
            i_min(r, i_hi, &r);
            ox_put_int(y, x->dtype, i, r);
        } else if (!ox_put_double(y, x->dtype, i, f_min(f_max(ox_get_double(x, i), f_lo), f_hi))) {
            return out_of_range(c, i);
        }
    }
    return MST_OK;
}

mst_status ox_eval_cast(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    uint8_t *y;
    if (out == NULL)
        return MST_OK;
    if (out->dtype == x->dtype)
        return ox_eval_share(c);
    MST_TRY(ox_out_alloc(c, 0, &y));
    bool from_float = ox_is_float(x->dtype), to_int = ox_is_int(out->dtype);
    for (size_t i = 0, n = ox_elements(x); i < n; i++) {
        if (!from_float && to_int)
            ox_put_wrapped(y, out->dtype, i, ox_get_int(x, i));
        else if (!from_float)
            ox_put_int(y, out->dtype, i, ox_get_int(x, i));
        else if (!ox_put_double(y, out->dtype, i, ox_get_double(x, i)))
            return out_of_range(c, i);
    }
    return MST_OK;
}
