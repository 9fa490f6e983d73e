/* LINEAR and CONV: the weights of the inputs that are not zero are added, in
 * ascending input order. Whether an input is a spike matters to counting only. */
#include "runtime/exec/synapse.h"
#include "runtime/exec/window.h"

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void run_linear(mst_session *s, const exec_step *st)
{
    const exec_linear *q = &st->u.linear;
    const mst_kernels *k = &s->p->k;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint32_t *idx = exec_scratch(s, st, q->idx);
    float *val = exec_scratch(s, st, q->val);
    size_t ld = q->in + MSTK_SLACK;
    uint64_t active = 0;
    for (size_t r0 = 0; r0 < q->rows; r0 += EXEC_ROWS) {
        exec_row rows[EXEC_ROWS];
        size_t n = min_size(q->rows - r0, EXEC_ROWS);
        for (size_t r = 0; r < n; r++) {
            rows[r].in = (mstk_list){idx + r * ld, val + r * ld, 0};
            rows[r].in.n = k->scan_f32(x + (r0 + r) * q->in, q->in, idx + r * ld, val + r * ld);
            rows[r].y = y + (r0 + r) * q->out;
            active += rows[r].in.n;
        }
        exec_weighted(s, st, rows, n, 0, q->out);
    }
    exec_count(s, st, active * q->out);
}

mst_status exec_prepare_LINEAR(exec_compiler *c, exec_step *st)
{
    const mst_tensor *w = exec_in_tensor(c, 1);
    exec_linear *q = &st->u.linear;
    st->run = run_linear;
    st->counts_sops = exec_in_attr(c, 0)->is_spike;
    q->in = w->dims[0];
    q->out = w->dims[1];
    q->rows = st->n / q->out;
    st->dense = st->n;
    MST_TRY(exec_mul_ops(c, q->in, &st->dense));
    MST_TRY(exec_prepare_weights(c, st, q->in, q->out));
    size_t entries = min_size(q->rows, EXEC_ROWS) * (q->in + MSTK_SLACK);
    MST_TRY(exec_add_bytes(c, entries, sizeof(uint32_t), &q->idx, &st->scratch_bytes));
    return exec_add_bytes(c, entries, sizeof(float), &q->val, &st->scratch_bytes);
}

/* ---- convolution ------------------------------------------------------- */

/* Lists of the active channels of every pixel and group; start[p*groups + g]. */
static void scan_pixels(mst_session *s, const exec_step *st, const float *x)
{
    const exec_conv *q = &st->u.conv;
    uint32_t *start = exec_scratch(s, st, q->start), *idx = exec_scratch(s, st, q->idx);
    float *val = exec_scratch(s, st, q->val);
    size_t lists = (size_t)q->h.size * (size_t)q->w.size * q->groups, per = q->channels / q->groups, at = 0;
    for (size_t i = 0; i < lists; i++) {
        start[i] = (uint32_t)at;
        at += s->p->k.scan_f32(x + i * per, per, idx + at, val + at);
    }
    start[lists] = (uint32_t)at;
}

/* The list of one output pixel: those of its taps, one behind the other. */
static size_t window_list(mst_session *s, const exec_step *st, size_t pixel, size_t group, uint32_t *idx,
                          float *val)
{
    const exec_conv *q = &st->u.conv;
    const uint32_t *start = exec_scratch(s, st, q->start), *from = exec_scratch(s, st, q->idx);
    const float *from_val = exec_scratch(s, st, q->val);
    int64_t oh = (int64_t)pixel / q->w.out, ow = (int64_t)pixel % q->w.out, h_lo, h_hi, w_lo, w_hi;
    exec_axis_taps(&q->h, oh, &h_lo, &h_hi);
    exec_axis_taps(&q->w, ow, &w_lo, &w_hi);
    size_t k = 0;
    for (int64_t i = h_lo; i < h_hi; i++) {
        int64_t row = (oh * q->h.stride - q->h.pad + i * q->h.dilation) * q->w.size;
        for (int64_t j = w_lo; j < w_hi; j++) {
            size_t p = (size_t)(row + ow * q->w.stride - q->w.pad + j * q->w.dilation) * q->groups + group;
            uint32_t base = (uint32_t)((size_t)(i * q->w.kernel + j) * (q->channels / q->groups));
            for (uint32_t e = start[p]; e < start[p + 1]; e++, k++) {
                idx[k] = base + from[e];
                val[k] = from_val[e];
            }
        }
    }
    return k;
}

static size_t window_size(const exec_conv *q)
{
    return (size_t)q->h.kernel * (size_t)q->w.kernel * (q->channels / q->groups);
}

/* One image, one group of channels; returns the list entries used. */
static uint64_t conv_group(mst_session *s, const exec_step *st, size_t group, float *y)
{
    const exec_conv *q = &st->u.conv;
    uint32_t *idx = exec_scratch(s, st, q->row_idx);
    float *val = exec_scratch(s, st, q->row_val);
    size_t pixels = (size_t)q->h.out * (size_t)q->w.out, ld = window_size(q), per = q->out / q->groups;
    size_t first = group * per; /* output channel */
    uint64_t active = 0;
    for (size_t p0 = 0; p0 < pixels; p0 += EXEC_ROWS) {
        exec_row rows[EXEC_ROWS];
        size_t n = min_size(pixels - p0, EXEC_ROWS);
        for (size_t r = 0; r < n; r++) {
            rows[r].in = (mstk_list){idx + r * ld, val + r * ld, 0};
            rows[r].in.n = window_list(s, st, p0 + r, group, idx + r * ld, val + r * ld);
            rows[r].y = y + (p0 + r) * q->out + first;
            active += rows[r].in.n;
        }
        exec_weighted(s, st, rows, n, first, per);
    }
    return active;
}

static void run_conv(mst_session *s, const exec_step *st)
{
    const exec_conv *q = &st->u.conv;
    const float *x = exec_in(s, st, 0);
    float *y = exec_out(s, st);
    uint64_t active = 0;
    for (size_t n = 0; n < q->batch; n++) {
        scan_pixels(s, st, x + n * ((size_t)q->h.size * (size_t)q->w.size * q->channels));
        for (size_t g = 0; g < q->groups; g++)
            active += conv_group(s, st, g, y + n * ((size_t)q->h.out * (size_t)q->w.out * q->out));
    }
    exec_count(s, st, active * (q->out / q->groups));
}

mst_status exec_prepare_CONV(exec_compiler *c, exec_step *st)
{
    const mst_tensor *x = exec_in_tensor(c, 0), *w = exec_in_tensor(c, 1), *y = exec_out_tensor(c);
    const int32_t *stride = &c->node->ip[MST_CONV_STRIDE], *pad = &c->node->ip[MST_CONV_PAD],
                  *dilation = &c->node->ip[MST_CONV_DILATION];
    exec_conv *q = &st->u.conv;
    st->run = run_conv;
    st->counts_sops = exec_in_attr(c, 0)->is_spike;
    q->h = exec_axis_of(x->dims[1], y->dims[1], w->dims[0], stride[0], pad[0], dilation[0]);
    q->w = exec_axis_of(x->dims[2], y->dims[2], w->dims[1], stride[1], pad[1], dilation[1]);
    q->batch = x->dims[0];
    q->channels = x->dims[3];
    q->groups = (size_t)c->node->ip[MST_CONV_GROUP];
    q->out = w->dims[3];
    st->dense = exec_axis_count(&q->h);
    MST_TRY(exec_mul_ops(c, exec_axis_count(&q->w), &st->dense));
    MST_TRY(exec_mul_ops(c, q->out, &st->dense));
    MST_TRY(exec_mul_ops(c, q->channels / q->groups, &st->dense));
    MST_TRY(exec_mul_ops(c, q->batch, &st->dense));
    MST_TRY(exec_prepare_weights(c, st, window_size(q), q->out / q->groups));

    size_t lists = (size_t)q->h.size * (size_t)q->w.size * q->groups;
    size_t entries = (size_t)q->h.size * (size_t)q->w.size * q->channels + MSTK_SLACK;
    size_t rows = min_size((size_t)q->h.out * (size_t)q->w.out, EXEC_ROWS) * window_size(q);
    MST_TRY(exec_add_bytes(c, lists + 1, sizeof(uint32_t), &q->start, &st->scratch_bytes));
    MST_TRY(exec_add_bytes(c, entries, sizeof(uint32_t), &q->idx, &st->scratch_bytes));
    MST_TRY(exec_add_bytes(c, entries, sizeof(float), &q->val, &st->scratch_bytes));
    MST_TRY(exec_add_bytes(c, rows, sizeof(uint32_t), &q->row_idx, &st->scratch_bytes));
    return exec_add_bytes(c, rows, sizeof(float), &q->row_val, &st->scratch_bytes);
}
