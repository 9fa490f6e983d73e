/* Elementwise and rowwise operators on analog values. Functions of the C library
 * are taken in float64 and rounded once, so that their last bit hardly depends
 * on the library. */
#include <math.h>

#include "runtime/exec/channels.h"

/* ---- AFFINE, BINARY, CLIP ----------------------------------------------- */

static void run_affine(mst_session *s, const exec_step *st)
{
    const exec_affine *q = &st->u.affine;
    const mst_kernels *k = &s->p->k;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            k->affine_each_f32(q->g, q->h, x + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t c = 0; c < q->ch.channels; c++, at += q->ch.inner)
            k->affine_same_f32(q->g + c, q->h + c, x + at, y + at, q->ch.inner);
    }
}

mst_status exec_prepare_AFFINE(exec_compiler *c, exec_step *st)
{
    const float *values[2];
    st->run = run_affine;
    MST_TRY(exec_channels_of(c, c->node->ip[MST_AFFINE_AXIS], 1, 2, &st->u.affine.ch, values));
    st->u.affine.g = values[0];
    st->u.affine.h = values[1];
    return MST_OK;
}

static void run_binary(mst_session *s, const exec_step *st)
{
    const exec_nd *nd = &st->u.binary.nd;
    const float *a = exec_in(s, st, 0), *b = exec_in(s, st, 1);
    float *y = exec_out(s, st);
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0}, stride[2] = {(size_t)nd->stride[0][last], (size_t)nd->stride[1][last]};
    ptrdiff_t at[EXEC_ND_OPERANDS] = {0};
    do {
        s->p->k.binary_f32(st->u.binary.fn, a + at[0], b + at[1], stride, y + at[2], nd->dims[last]);
    } while (exec_nd_next(nd, pos, at));
}

mst_status exec_prepare_BINARY(exec_compiler *c, exec_step *st)
{
    const mst_tensor *y = exec_out_tensor(c);
    exec_nd *nd = &st->u.binary.nd;
    st->run = run_binary;
    st->u.binary.fn = c->node->ip[MST_BINARY_FN];
    nd->rank = y->rank;
    for (uint32_t d = 0; d < y->rank; d++)
        nd->dims[d] = y->dims[d];
    exec_nd_broadcast(exec_in_tensor(c, 0), nd->rank, nd->dims, nd->stride[0]);
    exec_nd_broadcast(exec_in_tensor(c, 1), nd->rank, nd->dims, nd->stride[1]);
    exec_nd_strides(y, nd->stride[2]);
    exec_nd_collapse(nd);
    return MST_OK;
}

static void run_clip(mst_session *s, const exec_step *st)
{
    s->p->k.clip_f32(st->u.scalars.lo, st->u.scalars.hi, exec_in(s, st, 0), exec_out(s, st), st->n);
}

mst_status exec_prepare_CLIP(exec_compiler *c, exec_step *st)
{
    st->run = run_clip;
    st->u.scalars.lo = c->node->fp[MST_CLIP_LO];
    st->u.scalars.hi = c->node->fp[MST_CLIP_HI];
    return MST_OK;
}

/* ---- UNARY --------------------------------------------------------------- */

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
    case MST_UN_SIGN: return x > 0 ? 1.0 : x < 0 ? -1.0 : x; /* keeps zeros and NaN */
    case MST_UN_COUNT: break;
    }
    return x;
}

static void run_unary(mst_session *s, const exec_step *st)
{
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    for (size_t i = 0; i < st->n; i++)
        y[i] = (float)unary((mst_unary_fn)st->u.scalars.fn, (double)x[i]);
}

mst_status exec_prepare_UNARY(exec_compiler *c, exec_step *st)
{
    st->run = run_unary;
    st->u.scalars.fn = c->node->ip[MST_UNARY_FN];
    return MST_OK;
}

/* ---- SOFTMAX, LAYERNORM --------------------------------------------------- */

/* A row that does not lie in one piece is gathered in scratch memory. */
static void run_softmax(mst_session *s, const exec_step *st)
{
    const exec_rows *q = &st->u.rows;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st), *row = (float *)(void *)(s->mem + st->scratch);
    for (size_t o = 0; o < q->outer; o++, x += q->n * q->inner, y += q->n * q->inner) {
        if (q->inner == 1) {
            s->p->k.softmax_f32(x, y, q->n);
            continue;
        }
        for (size_t i = 0; i < q->inner; i++) {
            for (size_t k = 0; k < q->n; k++)
                row[k] = x[k * q->inner + i];
            s->p->k.softmax_f32(row, row, q->n);
            for (size_t k = 0; k < q->n; k++)
                y[k * q->inner + i] = row[k];
        }
    }
}

static void rows_along(const mst_tensor *x, uint32_t axis, exec_rows *q)
{
    q->outer = q->inner = 1;
    q->n = x->dims[axis];
    for (uint32_t d = 0; d < axis; d++)
        q->outer *= x->dims[d];
    for (uint32_t d = axis + 1; d < x->rank; d++)
        q->inner *= x->dims[d];
}

mst_status exec_prepare_SOFTMAX(exec_compiler *c, exec_step *st)
{
    st->run = run_softmax;
    rows_along(exec_in_tensor(c, 0), (uint32_t)c->node->ip[MST_SOFTMAX_AXIS], &st->u.rows);
    st->scratch_bytes = st->u.rows.inner == 1 ? 0 : st->u.rows.n * sizeof(float);
    return MST_OK;
}

static void run_layernorm(mst_session *s, const exec_step *st)
{
    const exec_rows *q = &st->u.rows;
    const float *x = exec_in(s, st, 0);
    const mstk_norm norm = {exec_in(s, st, 1), exec_in(s, st, 2), q->eps};
    float *y = exec_out(s, st);
    for (size_t o = 0; o < q->outer; o++)
        s->p->k.layernorm_f32(&norm, x + o * q->n, y + o * q->n, q->n);
}

mst_status exec_prepare_LAYERNORM(exec_compiler *c, exec_step *st)
{
    const mst_tensor *x = exec_in_tensor(c, 0);
    st->run = run_layernorm;
    rows_along(x, x->rank - 1, &st->u.rows);
    st->u.rows.eps = (double)c->node->fp[MST_LAYERNORM_EPS];
    return MST_OK;
}
