/* CONV: the weights of the inputs that are not zero are added, in ascending input order (kernel row,
 * kernel column, channel). Whether an input is a spike matters to counting only. */
#include "runtime/ops/dense.h"
#include "runtime/ops/weights.h"

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* ---- lists ---------------------------------------------------------------------- */

/* Lists of the active channels of every pixel and group; start[p*groups + g]. */
static void scan_pixels(op_call *c, const float *x)
{
    const op_conv *q = &c->node->u.conv;
    uint32_t *start = op_scratch(c, q->start), *idx = op_scratch(c, q->idx);
    float *val = op_scratch(c, q->val);
    size_t lists = (size_t)q->h.size * (size_t)q->w.size * q->groups, per = q->channels / q->groups, at = 0;
    for (size_t i = 0; i < lists; i++) {
        start[i] = (uint32_t)at;
        at += c->k->scan_f32(x + i * per, per, idx + at, val + at);
    }
    start[lists] = (uint32_t)at;
}

/* The list of one output pixel: those of its taps, one behind the other. */
static size_t window_list(op_call *c, size_t pixel, size_t group, uint32_t *idx,
                          float *val)
{
    const op_conv *q = &c->node->u.conv;
    const uint32_t *start = op_scratch(c, q->start), *from = op_scratch(c, q->idx);
    const float *from_val = op_scratch(c, q->val);
    int64_t oh = (int64_t)pixel / q->w.out, ow = (int64_t)pixel % q->w.out, h_lo, h_hi, w_lo, w_hi;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
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

static size_t window_size(const op_conv *q)
{
    return (size_t)q->h.kernel * (size_t)q->w.kernel * (q->channels / q->groups);
}

/* One image, one group of channels; returns the list entries used. */
static uint64_t conv_group(op_call *c, size_t group, float *y)
{
    const op_conv *q = &c->node->u.conv;
    uint32_t *idx = op_scratch(c, q->row_idx);
    float *val = op_scratch(c, q->row_val);
    size_t pixels = (size_t)q->h.out * (size_t)q->w.out, ld = window_size(q), per = q->out / q->groups;
    size_t first = group * per; /* output channel */
    uint64_t active = 0;
    for (size_t p0 = 0; p0 < pixels; p0 += OP_ROWS) {
        op_row rows[OP_ROWS];
        size_t n = min_size(pixels - p0, OP_ROWS);
        for (size_t r = 0; r < n; r++) {
            rows[r].in = (mstk_list){idx + r * ld, val + r * ld, 0};
            rows[r].in.n = window_list(c, p0 + r, group, idx + r * ld, val + r * ld);
            rows[r].y = y + (p0 + r) * q->out + first;
            active += rows[r].in.n;
        }
        op_weighted(c, rows, n, first, per);
    }
    return active;
}

static uint64_t conv_lists(op_call *c, const float *x, float *y)
{
    uint64_t active = 0;
    scan_pixels(c, x);
    for (size_t g = 0; g < c->node->u.conv.groups; g++)
        active += conv_group(c, g, y);
    return active;
}

/* ---- all taps -------------------------------------------------------------------- */

/* Terms in which inputs that are not zero take part. */
static uint64_t active_taps(const op_conv *q, const float *x)
{
    size_t height = (size_t)q->h.size, width = (size_t)q->w.size;
    uint64_t active = 0;
    for (size_t r = 0; r < height; r++)
        for (size_t j = 0; j < width; j++, x += q->channels)
            active += (uint64_t)q->reach_h[r] * q->reach_w[j] * op_nonzeros(x, q->channels);
    return active;
}

static void conv_dense(op_call *c, const float *x, float *y)
{
    const op_conv *q = &c->node->u.conv;
    const op_taps *t = q->taps;
    float *image = op_scratch(c, q->image);
    size_t per = q->out / q->groups;
    mstk_rows rows = {.ld = q->channels, .index = t->index, .taps = t->taps, .n_taps = t->n_taps, .k = t->k};
    if (t->bordered)
        op_make_border(q, t, x, image, sizeof *image);
    for (size_t g = 0; g < q->groups; g++) {
        rows.x = (t->bordered ? image : x) + g * (q->channels / q->groups);
        op_dense(c, &rows, (size_t)q->h.out * (size_t)q->w.out, g * per, per, y + g * per, q->out);
    }
}

static uint64_t conv_image(op_call *c, const float *x, float *y)
{
    const op_conv *q = &c->node->u.conv;
    uint64_t active = c->node->weights->dense ? active_taps(q, x) : 0;
    if (!c->node->weights->dense || !op_is_dense(active, win_count(&q->h) * win_count(&q->w) * q->channels))
        return conv_lists(c, x, y);
    conv_dense(c, x, y);
    return active;
}

static void run_conv(op_call *c)
{
    const op_conv *q = &c->node->u.conv;
    const float *x = op_listed(c);
    uint64_t active = 0;
    for (size_t n = 0; n < q->batch; n++)
        active += conv_image(c, x + n * ((size_t)q->h.size * (size_t)q->w.size * q->channels),
                             c->out + n * ((size_t)q->h.out * (size_t)q->w.out * q->out));
    c->ops += active * (q->out / q->groups);
}

/* ---- preparing -------------------------------------------------------------------- */

static const uint32_t *reach_along(op_prep *c, const win_axis *a)
{
    uint32_t *n = mst_arena_array(c->arena, (size_t)a->size, sizeof *n);
    for (int64_t i = 0; n != NULL && i < a->size; i++)
        n[i] = (uint32_t)win_reached(a, i);
    return n;
}

static mst_status prepare_taps(op_prep *c, op_node *op, size_t *scratch)
{
    op_conv *q = &op->u.conv;
    op_taps *t = mst_arena_alloc(c->arena, sizeof *t);
    q->taps = t;
    q->reach_h = reach_along(c, &q->h);
    q->reach_w = reach_along(c, &q->w);
    if (t == NULL || q->reach_h == NULL || q->reach_w == NULL)
        return op_no_memory(c->err);
    MST_TRY(op_make_taps(c->arena, q, t, &op->weights->dense, c->err));
    if (!op->weights->dense || !t->bordered)
        return MST_OK;
    return op_add_bytes(c->err, op_border_values(q, t), sizeof(float), &q->image, scratch);
}

mst_status op_prepare_CONV(op_prep *c, op_node *op)
{
    const mst_tensor *x = op_in_tensor(c, 0), *w = op_in_tensor(c, 1), *y = op_out_tensor(c);
    const int32_t *stride = &c->node->ip[MST_CONV_STRIDE], *pad = &c->node->ip[MST_CONV_PAD],
                  *dilation = &c->node->ip[MST_CONV_DILATION];
    op_conv *q = &op->u.conv;
    op->run = run_conv;
    op->counts_sops = rt_is_spike(op_in_fact(c, 0));
    q->h = win_axis_of(x->dims[1], y->dims[1], w->dims[0], stride[0], pad[0], dilation[0]);
    q->w = win_axis_of(x->dims[2], y->dims[2], w->dims[1], stride[1], pad[1], dilation[1]);
    q->batch = x->dims[0];
    q->channels = x->dims[3];
    q->groups = (size_t)c->node->ip[MST_CONV_GROUP];
    q->out = w->dims[3];
    op->dense = win_count(&q->h);
    MST_TRY(op_mul_ops(c, win_count(&q->w), &op->dense));
    MST_TRY(op_mul_ops(c, q->out, &op->dense));
    MST_TRY(op_mul_ops(c, q->channels / q->groups, &op->dense));
    MST_TRY(op_mul_ops(c, q->batch, &op->dense));
    MST_TRY(op_prepare_weights(c, op, window_size(q), q->out / q->groups));

    size_t lists = (size_t)q->h.size * (size_t)q->w.size * q->groups;
    size_t entries = (size_t)q->h.size * (size_t)q->w.size * q->channels + MSTK_SLACK;
    size_t rows = min_size((size_t)q->h.out * (size_t)q->w.out, OP_ROWS) * window_size(q), dense = op->scratch_bytes;
    MST_TRY(op_prepare_dense(c, op, q->out / q->groups, &dense));
    if (op->weights->dense)
        MST_TRY(prepare_taps(c, op, &dense));
    MST_TRY(op_add_bytes(c->err, lists + 1, sizeof(uint32_t), &q->start, &op->scratch_bytes));
    MST_TRY(op_add_bytes(c->err, entries, sizeof(uint32_t), &q->idx, &op->scratch_bytes));
    MST_TRY(op_add_bytes(c->err, entries, sizeof(float), &q->val, &op->scratch_bytes));
    MST_TRY(op_add_bytes(c->err, rows, sizeof(uint32_t), &q->row_idx, &op->scratch_bytes));
    MST_TRY(op_add_bytes(c->err, rows, sizeof(float), &q->row_val, &op->scratch_bytes));
    op->scratch_bytes = max_size(op->scratch_bytes, dense); /* one or the other */
    return MST_OK;
}
