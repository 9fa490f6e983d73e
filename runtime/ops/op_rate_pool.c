/* RATE_POOL: the maximum of rates. The largest number of spikes in a window rises by at most one a step: when an
 * element spikes that no other is ahead of. So the output has as many spikes as the busiest element of its window, at
 * each step, where the maximum of each step would spike whenever any of them does. Its state: the spikes so far of each
 * element of the input, then of the output. */
#include <string.h>

#include "runtime/ops/pool.h"

typedef struct window_at {
    const op_pool *q;
    const float *x;
    const uint32_t *n; /* of the elements of x */
} window_at;

/* y: the first that spikes of those that lead, at the largest number m. */
static void lead_pixel(const window_at *at, int64_t oh, int64_t ow, uint32_t *m, float *y)
{
    const op_pool *q = at->q;
    int64_t h_lo, h_hi, w_lo, w_hi;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    memset(y, 0, q->channels * sizeof *y);
    for (int64_t i = h_lo; i < h_hi; i++)
        for (int64_t j = w_lo; j < w_hi; j++) {
            int64_t row = oh * q->h.stride - q->h.pad + i * q->h.dilation;
            int64_t col = ow * q->w.stride - q->w.pad + j * q->w.dilation;
            size_t from = (size_t)(row * q->w.size + col) * q->channels;
            const float *x = at->x + from;
            const uint32_t *n = at->n + from;
            for (size_t c = 0; c < q->channels; c++)
                y[c] = n[c] == m[c] && y[c] == 0 ? x[c] : y[c];
        }
    for (size_t c = 0; c < q->channels; c++)
        m[c] += y[c] != 0;
}

static void run_rates(op_call *c)
{
    const op_pool *q = &c->node->u.pool;
    const float *x = op_in(c, 0);
    const size_t image = (size_t)q->h.size * (size_t)q->w.size * q->channels, n_in = q->batch * image;
    uint32_t *n = c->state, *m = n + n_in;
    float *y = c->out;
    for (size_t b = 0; b < q->batch; b++)
        for (int64_t oh = 0; oh < q->h.out; oh++)
            for (int64_t ow = 0; ow < q->w.out; ow++, y += q->channels, m += q->channels)
                lead_pixel(&(window_at){q, x + b * image, n + b * image}, oh, ow, m, y);
    for (size_t i = 0; i < n_in; i++) /* windows may share elements: when all have been seen */
        n[i] += x[i] != 0;
}

static void reset(const op_node *op, void *state) { memset(state, 0, op->state_bytes); }

mst_status op_prepare_RATE_POOL(op_prep *c, op_node *op)
{
    op_pool_windows(c, op, &c->node->ip[MST_RATE_POOL_KERNEL]);
    op->u.pool.max = true;
    op->run = op_run_pool;
    if (c->mode != MST_RUN_SPIKING)
        return MST_OK;
    if (!rt_is_spike(&c->facts[c->node->in[0]]))
        return mst_fail(c->err, MST_EUNSUPPORTED, "its input is no tensor of spikes: only those have rates");
    op->run = run_rates;
    op->reset = reset;
    size_t at;
    MST_TRY(op_add_bytes(c->err, mst_tensor_elements(op_in_tensor(c, 0)), sizeof(uint32_t), &at, &op->state_bytes));
    return op_add_bytes(c->err, op->n, sizeof(uint32_t), &at, &op->state_bytes);
}
