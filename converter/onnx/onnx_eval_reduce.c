/* Evaluation of constants along axes: reductions, Softmax, CumSum, MatMul, Gemm.
 * Floats are summed in float64, integers in int64 with every overflow an error.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

typedef enum red_kind { RED_SUM,
                        RED_MEAN,
                        RED_PROD,
                        RED_MAX,
                        RED_MIN } red_kind;

static red_kind kind_of(const char *op)
{
    static const char *const names[] = {"ReduceSum", "ReduceMean", "ReduceProd", "ReduceMax", "ReduceMin"};
    int k = 0;
    while (k < RED_MIN && strcmp(names[k], op) != 0)
        k++;
    return (red_kind)k;
}

/* Elements of x that one output reduces: a view over the reduced dimensions, and its count. */
typedef struct red_plan {
    ox_bcast outer, inner;
    size_t n_outer, n_inner;
} red_plan;

static void plan_add(ox_bcast *b, size_t *n, int64_t dim, ptrdiff_t stride)
{
    b->dims[b->rank] = dim;
    b->stride[0][b->rank++] = stride;
    *n *= (size_t)dim;
}

static void plan_make(red_plan *p, const ox_value *x, const bool reduced[MST_MAX_RANK])
{
    ptrdiff_t stride[MST_MAX_RANK];
    ox_strides(x, 1, stride);
    memset(p, 0, sizeof *p);
    p->outer.n = p->inner.n = 1;
    p->n_outer = p->n_inner = 1;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (reduced[d])
            plan_add(&p->inner, &p->n_inner, x->dims[d], stride[d]);
        else
            plan_add(&p->outer, &p->n_outer, x->dims[d], stride[d]);
    }
}

static double fold_float(const ox_value *x, red_plan *p, red_kind kind)
{
    double acc = kind == RED_PROD ? 1 : kind == RED_MAX ? -HUGE_VAL
                                    : kind == RED_MIN   ? HUGE_VAL
                                                        : 0;
    for (size_t j = 0; j < p->n_inner; j++, ox_bcast_next(&p->inner)) {
        double v = ox_get_double(x, p->outer.at[0] + p->inner.at[0]);
        if (kind == RED_PROD)
            acc *= v;
        else if (kind == RED_MAX)
            acc = v > acc || isnan(v) ? v : acc;
        else if (kind == RED_MIN)
            acc = v < acc || isnan(v) ? v : acc;
        else
            acc += v;
    }
    return kind == RED_MEAN ? acc / (double)p->n_inner : acc;
}

/* The least or greatest value of an integer type or bool: what an empty maximum or minimum gives. */
static int64_t type_limit(int dtype, bool greatest)
{
    switch (dtype) {
    case OX_BOOL: return greatest;
    case OX_UINT8: return greatest ? UINT8_MAX : 0;
    case OX_UINT16: return greatest ? UINT16_MAX : 0;
    case OX_UINT32: return greatest ? UINT32_MAX : 0;
    case OX_INT8: return greatest ? INT8_MAX : INT8_MIN;
    case OX_INT16: return greatest ? INT16_MAX : INT16_MIN;
    case OX_INT32: return greatest ? INT32_MAX : INT32_MIN;
    case OX_UINT64: return greatest ? INT64_MAX : 0;
    default: return greatest ? INT64_MAX : INT64_MIN;
    }
}

static bool fold_int(const ox_value *x, red_plan *p, red_kind kind, int64_t *out)
{
    int64_t acc = kind == RED_PROD                     ? 1
                  : kind == RED_MAX || kind == RED_MIN ? type_limit(x->dtype, kind == RED_MIN)
                                                       : 0;
    bool ok = p->n_inner != 0 || kind != RED_MEAN;
    for (size_t j = 0; j < p->n_inner; j++, ox_bcast_next(&p->inner)) {
        int64_t v = ox_get_int(x, p->outer.at[0] + p->inner.at[0]);
        if (kind == RED_PROD)
            ok &= !__builtin_mul_overflow(acc, v, &acc);
        else if (kind == RED_MAX)
            acc = v > acc ? v : acc;
        else if (kind == RED_MIN)
            acc = v < acc ? v : acc;
        else
            ok &= !__builtin_add_overflow(acc, v, &acc);
    }
    *out = kind == RED_MEAN && p->n_inner != 0 ? acc / (int64_t)p->n_inner : acc;
    return ok;
}

mst_status ox_eval_reduce(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0), *out = ox_out(c, 0);
    bool reduced[MST_MAX_RANK], keep;
    red_kind kind = kind_of(c->n->op);
    red_plan p;
    uint8_t *y;
    MST_TRY(ox_reduce_params(c, reduced, &keep));
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    plan_make(&p, x, reduced);
    for (size_t i = 0; i < p.n_outer; i++, ox_bcast_next(&p.outer)) {
        int64_t v;
        if (ox_is_float(x->dtype))
            ox_put_double(y, out->dtype, i, fold_float(x, &p, kind));
        else if (!fold_int(x, &p, kind, &v) || !ox_put_int(y, out->dtype, i, v))
            return ox_fail(c, MST_EINVAL, "element %zu overflows %s, or is the mean of nothing", i,
                           ox_dtype_name(out->dtype));
    }
    return MST_OK;
}

/* Softmax over all axes in [first, last): one axis, or the coerced rest below opset 13. */
mst_status ox_eval_softmax(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    uint32_t first, last;
    bool reduced[MST_MAX_RANK] = {false};
    red_plan p;
    uint8_t *y;
    MST_TRY(ox_softmax_axes(c, &first, &last));
    MST_TRY(ox_out_alloc(c, 0, &y));
    for (uint32_t d = first; d < last; d++)
        reduced[d] = true;
    plan_make(&p, x, reduced);
    for (size_t i = 0; y != NULL && i < p.n_outer; i++, ox_bcast_next(&p.outer)) {
        double max = fold_float(x, &p, RED_MAX), sum = 0;
        for (size_t j = 0; j < p.n_inner; j++, ox_bcast_next(&p.inner))
            sum += exp(ox_get_double(x, p.outer.at[0] + p.inner.at[0]) - max);
        for (size_t j = 0; j < p.n_inner; j++, ox_bcast_next(&p.inner)) {
            size_t at = p.outer.at[0] + p.inner.at[0];
            ox_put_double(y, x->dtype, at, exp(ox_get_double(x, at) - max) / sum);
        }
    }
    return MST_OK;
}

/* One line of n elements with a stride, from at on. */
static bool cumsum_line(const ox_value *x, uint8_t *y, size_t at, ptrdiff_t stride, size_t n, bool exclusive)
{
    double f = 0;
    int64_t sum = 0;
    bool is_float = ox_is_float(x->dtype), ok = true;
    for (size_t i = 0; i < n && ok; i++, at += (size_t)stride) {
        double before_f = f;
        int64_t before = sum;
        if (is_float) {
            f += ox_get_double(x, at);
            ox_put_double(y, x->dtype, at, exclusive ? before_f : f);
        } else {
            ok = !__builtin_add_overflow(sum, ox_get_int(x, at), &sum) &&
                 ox_put_int(y, x->dtype, at, exclusive ? before : sum);
        }
    }
    return ok;
}

mst_status ox_eval_cumsum(ox_ctx *c)
{
    const ox_value *x = ox_in(c, 0);
    int64_t raw;
    size_t n;
    uint32_t axis;
    bool reduced[MST_MAX_RANK] = {false}, reverse = ox_attr_int(c->n, "reverse", 0) != 0;
    bool exclusive = ox_attr_int(c->n, "exclusive", 0) != 0;
    red_plan p;
    uint8_t *y;
    MST_TRY(ox_const_ints(c, 1, "the axis", &raw, 1, &n));
    MST_TRY(ox_axis_of(c, raw, x->rank, &axis));
    MST_TRY(ox_out_alloc(c, 0, &y));
    reduced[axis] = true;
    plan_make(&p, x, reduced);
    ptrdiff_t stride = p.inner.stride[0][0];
    for (size_t i = 0; y != NULL && i < p.n_outer; i++, ox_bcast_next(&p.outer)) {
        size_t at = p.outer.at[0] + (reverse && p.n_inner != 0 ? (p.n_inner - 1) * (size_t)stride : 0);
        if (!cumsum_line(x, y, at, reverse ? -stride : stride, p.n_inner, exclusive))
            return ox_fail(c, MST_EINVAL, "a sum overflows %s", ox_dtype_name(x->dtype));
    }
    return MST_OK;
}

/* ---- products ---- */

/* Element (m,n) of one product: k terms from a0 and b0 on. */
static bool dot(const ox_value *a, size_t a0, ptrdiff_t sa, const ox_value *b, size_t b0, ptrdiff_t sb,
                size_t k, double *f, int64_t *i)
{
    bool is_float = ox_is_float(a->dtype), ok = true;
    *f = 0;
    *i = 0;
    for (size_t t = 0; t < k; t++, a0 += (size_t)sa, b0 += (size_t)sb) {
        int64_t product;
        if (is_float)
            *f += ox_get_double(a, a0) * ox_get_double(b, b0);
        else
            ok &= !__builtin_mul_overflow(ox_get_int(a, a0), ox_get_int(b, b0), &product) &&
                  !__builtin_add_overflow(*i, product, i);
    }
    return ok;
}

/* How a matrix of a value is walked: batch strides come from broadcasting. */
static ox_value lead_of(const ox_value *v)
{
    ox_value lead = *v;
    lead.rank = v->rank > 2 ? v->rank - 2 : 0;
    return lead;
}

mst_status ox_eval_matmul(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1), *out = ox_out(c, 0);
    ox_value lead[2] = {lead_of(a), lead_of(b)};
    const ox_value *leads[2] = {&lead[0], &lead[1]};
    size_t m = a->rank >= 2 ? (size_t)a->dims[a->rank - 2] : 1, k = (size_t)a->dims[a->rank - 1];
    size_t n = b->rank >= 2 ? (size_t)b->dims[b->rank - 1] : 1, y_at = 0;
    uint8_t *y;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    uint64_t elements = ox_elements(out);
    MST_TRY(ox_spend(c, elements * k)); /* at most 2^30 * 2^30 */
    uint32_t lead_rank = out->rank - (a->rank >= 2) - (b->rank >= 2);
    ox_bcast at;
    ox_bcast_start(&at, lead_rank, out->dims, 2, leads);
    for (; y_at < elements; ox_bcast_next(&at))
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++, y_at++) {
                double f;
                int64_t v;
                size_t a0 = at.at[0] * m * k + i * k, b0 = at.at[1] * k * n + j;
                bool ok = dot(a, a0, 1, b, b0, (ptrdiff_t)n, k, &f, &v);
                if (ox_is_float(a->dtype))
                    ox_put_double(y, out->dtype, y_at, f);
                else if (!ok || !ox_put_int(y, out->dtype, y_at, v))
                    return ox_fail(c, MST_EINVAL, "element %zu overflows %s", y_at,
                                   ox_dtype_name(out->dtype));
            }
    return MST_OK;
}

mst_status ox_eval_gemm(ox_ctx *c)
{
    const ox_value *a = ox_in(c, 0), *b = ox_in(c, 1), *bias = ox_in(c, 2), *out = ox_out(c, 0);
    bool ta = ox_attr_int(c->n, "transA", 0) != 0, tb = ox_attr_int(c->n, "transB", 0) != 0;
    double alpha = (double)ox_attr_float(c->n, "alpha", 1.0f),
           beta = (double)ox_attr_float(c->n, "beta", 1.0f);
    uint8_t *y;
    ox_bcast at;
    MST_TRY(ox_out_alloc(c, 0, &y));
    if (y == NULL)
        return MST_OK;
    if (!ox_is_float(a->dtype))
        return ox_fail(c, MST_EUNSUPPORTED, "of %s constants", ox_dtype_name(a->dtype));
    size_t m = (size_t)out->dims[0], n = (size_t)out->dims[1], k = (size_t)a->dims[ta ? 0 : 1];
    MST_TRY(ox_spend(c, (uint64_t)m * n * k)); /* m*n <= 2^30, k <= 2^30 */
    const ox_value *added = bias != NULL ? bias : out;
    ox_bcast_start(&at, 2, out->dims, 1, &added);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++, ox_bcast_next(&at)) {
            double f;
            int64_t unused;
            dot(a, ta ? i : i * k, ta ? (ptrdiff_t)m : 1, b, tb ? j * k : j, tb ? 1 : (ptrdiff_t)n, k, &f,
                &unused);
            f *= alpha;
            if (bias != NULL)
                f += beta * ox_get_double(bias, at.at[0]);
            ox_put_double(y, out->dtype, i * n + j, f);
        }
    return MST_OK;
}
