/* POOL and REDUCE: sums and maxima, each output in ascending order of its inputs. */
#include <string.h>

#include "runtime/exec/window.h"

/* y = x for the first of a sum, y += x or y = max(y, x) for the others. */
static void accumulate(const mst_kernels *k, bool first, bool max, const float *x, float *y, size_t n)
{
    if (first)
        memcpy(y, x, n * sizeof *y);
    else if (max)
        k->max_to_f32(x, y, n);
    else
        k->add_to_f32(x, y, n);
}

/* A window with no tap inside the image gives zeros. */
static void pool_pixel(mst_session *s, const exec_pool *q, const float *x, int64_t oh, int64_t ow, float *y)
{
    int64_t h_lo, h_hi, w_lo, w_hi;
    size_t taps = 0;
    exec_axis_taps(&q->h, oh, &h_lo, &h_hi);
    exec_axis_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++)
        for (int64_t j = w_lo; j < w_hi; j++, taps++) {
            int64_t row = oh * q->h.stride - q->h.pad + i * q->h.dilation;
            int64_t col = ow * q->w.stride - q->w.pad + j * q->w.dilation;
            accumulate(&s->p->k, taps == 0, q->max, x + (size_t)(row * q->w.size + col) * q->channels, y,
                       q->channels);
        }
    if (taps == 0) {
        memset(y, 0, q->channels * sizeof *y);
        return;
    }
    double n = q->count_pad ? (double)q->h.kernel * (double)q->w.kernel : (double)taps;
    if (!q->max)
        s->p->k.scale_f32((float)(1.0 / n), y, q->channels);
}

static void run_pool(mst_session *s, const exec_step *st)
{
    const exec_pool *q = &st->u.pool;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    for (size_t n = 0; n < q->batch; n++, x += (size_t)q->h.size * (size_t)q->w.size * q->channels)
        for (int64_t oh = 0; oh < q->h.out; oh++)
            for (int64_t ow = 0; ow < q->w.out; ow++, y += q->channels)
                pool_pixel(s, q, x, oh, ow, y);
}

mst_status exec_prepare_POOL(exec_compiler *c, exec_step *st)
{
    const mst_tensor *x = exec_in_tensor(c, 0), *y = exec_out_tensor(c);
    const int32_t *ip = c->node->ip;
    exec_pool *q = &st->u.pool;
    exec_axis *axis[2] = {&q->h, &q->w};
    st->run = run_pool;
    for (int i = 0; i < 2; i++)
        *axis[i] = exec_axis_of(x->dims[1 + i], y->dims[1 + i], (uint32_t)ip[MST_POOL_KERNEL + i],
                                ip[MST_POOL_STRIDE + i], ip[MST_POOL_PAD + i], ip[MST_POOL_DILATION + i]);
    q->batch = x->dims[0];
    q->channels = x->dims[3];
    q->max = ip[MST_POOL_FN] == MST_RED_MAX;
    q->count_pad = ip[MST_POOL_COUNT_PAD] != 0;
    return MST_OK;
}

/* ---- REDUCE ---------------------------------------------------------------- */

/* Take one reduced position into all sums; x points at it. */
static void reduce_one(mst_session *s, const exec_reduce *q, bool first, const float *x, float *y)
{
    const exec_nd *nd = &q->kept;
    const bool max = q->fn == MST_RED_MAX;
    uint32_t last = nd->rank - 1;
    ptrdiff_t step = nd->stride[0][last];
    size_t pos[MST_MAX_RANK] = {0}, n = nd->dims[last];
    ptrdiff_t at[EXEC_ND_OPERANDS] = {0};
    do {
        const float *from = x + at[0];
        float *to = y + at[1];
        if (step == 1) {
            accumulate(&s->p->k, first, max, from, to, n);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            float v = from[(ptrdiff_t)i * step];
            to[i] = first ? v : max ? (to[i] < v ? v : to[i]) : to[i] + v;
        }
    } while (exec_nd_next(nd, pos, at));
}

static void run_reduce(mst_session *s, const exec_step *st)
{
    const exec_reduce *q = &st->u.reduce;
    const exec_nd *nd = &q->over;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[EXEC_ND_OPERANDS] = {0};
    bool first = true;
    do {
        for (size_t i = 0; i < nd->dims[last]; i++, first = false)
            reduce_one(s, q, first, x + at[0] + (ptrdiff_t)i * nd->stride[0][last], y);
    } while (exec_nd_next(nd, pos, at));
    if (q->fn == MST_RED_MEAN)
        s->p->k.scale_f32((float)(1.0 / (double)q->n), y, st->n);
}

mst_status exec_prepare_REDUCE(exec_compiler *c, exec_step *st)
{
    const mst_tensor *x = exec_in_tensor(c, 0);
    uint32_t axes = (uint32_t)c->node->ip[MST_REDUCE_AXES];
    exec_reduce *q = &st->u.reduce;
    ptrdiff_t own[MST_MAX_RANK], out = 1;
    st->run = run_reduce;
    q->fn = c->node->ip[MST_REDUCE_FN];
    exec_nd_strides(x, own);
    for (uint32_t d = 0; d < x->rank; d++) {
        exec_nd *nd = (axes >> d & 1) != 0 ? &q->over : &q->kept;
        nd->dims[nd->rank] = x->dims[d];
        nd->stride[0][nd->rank++] = own[d];
    }
    for (uint32_t d = q->kept.rank; d-- > 0;) { /* y is row-major over the kept dims */
        q->kept.stride[1][d] = out;
        out *= (ptrdiff_t)q->kept.dims[d];
    }
    q->n = mst_tensor_elements(x) / st->n;
    exec_nd_collapse(&q->over);
    exec_nd_collapse(&q->kept);
    return MST_OK;
}
