/* POOL: mean or maximum over windows of an image, each output in ascending order of its taps. */
#include <string.h>

#include "runtime/ops/accumulate.h"
#include "runtime/ops/pool.h"

/* A window with no tap inside the image gives zeros. */
static void pool_pixel(const op_call *c, const op_pool *q, const float *x, int64_t oh, int64_t ow, float *y)
{
    int64_t h_lo, h_hi, w_lo, w_hi;
    size_t taps = 0;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++)
        for (int64_t j = w_lo; j < w_hi; j++, taps++) {
            int64_t row = oh * q->h.stride - q->h.pad + i * q->h.dilation;
            int64_t col = ow * q->w.stride - q->w.pad + j * q->w.dilation;
            op_accumulate(c->k, taps == 0, q->max, x + (size_t)(row * q->w.size + col) * q->channels, y,
                          q->channels);
        }
    if (taps == 0) {
        memset(y, 0, q->channels * sizeof *y);
        return;
    }
    double n = q->count_pad ? (double)q->h.kernel * (double)q->w.kernel : (double)taps;
    if (!q->max)
        c->k->scale_f32((float)(1.0 / n), y, q->channels);
}

void op_run_pool(op_call *c)
{
    const op_pool *q = &c->node->u.pool;
    const float *x = op_in(c, 0);
    float *y = c->out;
    for (size_t n = 0; n < q->batch; n++, x += (size_t)q->h.size * (size_t)q->w.size * q->channels)
        for (int64_t oh = 0; oh < q->h.out; oh++)
            for (int64_t ow = 0; ow < q->w.out; ow++, y += q->channels)
                pool_pixel(c, q, x, oh, ow, y);
}

void op_pool_windows(const op_prep *c, op_node *n, const int32_t *window)
{
    const mst_tensor *x = op_in_tensor(c, 0), *y = op_out_tensor(c);
    op_pool *q = &n->u.pool;
    win_axis *axis[2] = {&q->h, &q->w};
    for (int i = 0; i < 2; i++)
        *axis[i] = win_axis_of(x->dims[1 + i], y->dims[1 + i], (uint32_t)window[i], window[2 + i], window[4 + i],
                               window[6 + i]);
    q->batch = x->dims[0];
    q->channels = x->dims[3];
}

mst_status op_prepare_POOL(op_prep *c, op_node *op)
{
    const int32_t *ip = c->node->ip;
    op->run = op_run_pool;
    op_pool_windows(c, op, &ip[MST_POOL_KERNEL]);
    op->u.pool.max = ip[MST_POOL_FN] == MST_RED_MAX;
    op->u.pool.count_pad = ip[MST_POOL_COUNT_PAD] != 0;
    return MST_OK;
}
