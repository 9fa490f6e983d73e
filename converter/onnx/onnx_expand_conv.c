/* Convolutions of other kinds as a Conv of one or two dimensions: transposed ones, those
 * of volumes; pools of volumes. */
#include <string.h>

#include "converter/onnx/onnx_expand.h"

/* ---- transposed ----
 * An output at q = i*stride + k*dilation - pad is in phase q mod stride; each phase is a convolution of its own, so
 * all of them are one Conv with stride^n times the channels, whose outputs are then put between each other. Nothing is
 * stuffed with zeros: a spike reaches the taps that it reaches there. */

typedef struct deconv {
    uint32_t n;             /* spatial dimensions */
    int64_t group, in, out; /* channels of a group */
    int64_t kernel[OX_MAX_SPATIAL], stride[OX_MAX_SPATIAL], dilation[OX_MAX_SPATIAL];
    int64_t pad[OX_MAX_SPATIAL], size[OX_MAX_SPATIAL]; /* cut off at the begin; of the output */
    int64_t taps[OX_MAX_SPATIAL];                      /* of a phase */
} deconv;

static bool ints(ox_build *b, const char *name, uint32_t n, int64_t fallback, int64_t least, int64_t *out)
{
    int got = ox_attr_ints(b->n, name, out, n);
    if (got == -1)
        for (uint32_t i = 0; i < n; i++)
            out[i] = fallback;
    bool good = got == -1 || got == (int)n;
    for (uint32_t i = 0; i < n && good; i++)
        good = out[i] >= least && out[i] <= 65535;
    if (!good)
        ob_fail(b, MST_EINVAL, "an attribute has not the values expected");
    return good;
}

/* Where the output begins and how long it is: output_shape, auto_pad or pads. */
static void output_window(ox_build *b, const ox_value *x, deconv *d)
{
    int64_t pads[2 * OX_MAX_SPATIAL], extra[OX_MAX_SPATIAL], shape[OX_MAX_SPATIAL];
    const char *mode = ox_attr_string(b->n, "auto_pad", "NOTSET");
    bool same = strncmp(mode, "SAME_", 5) == 0, given = ox_attr_find(b->n, "output_shape") != NULL;
    if (!ints(b, "pads", 2 * d->n, 0, 0, pads) || !ints(b, "output_padding", d->n, 0, 0, extra) ||
        !ints(b, "output_shape", d->n, 0, 0, shape))
        return;
    for (uint32_t i = 0; i < d->n; i++) {
        int64_t full = (x->dims[2 + i] - 1) * d->stride[i] + (d->kernel[i] - 1) * d->dilation[i] + 1 + extra[i];
        if (given || same) {
            d->size[i] = given ? shape[i] : x->dims[2 + i] * d->stride[i];
            int64_t total = full > d->size[i] ? full - d->size[i] : 0;
            d->pad[i] = strcmp(mode, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
        } else {
            d->pad[i] = pads[i];
            d->size[i] = full - pads[i] - pads[d->n + i];
        }
        if (d->size[i] < 1 || d->size[i] > (int64_t)OX_MAX_ELEMENTS)
            ob_fail(b, MST_EINVAL, "a dimension of its output is empty or too long");
    }
}

static bool read_deconv(ox_build *b, deconv *d)
{
    const ox_value x = ob_value(b, ob_in(b, 0)), w = ob_value(b, ob_in(b, 1)), bias = ob_value(b, ob_in(b, 2));
    d->group = ox_attr_int(b->n, "group", 1);
    d->n = x.rank - 2;
    if (!ob_is_const(b, ob_in(b, 1)) || (ob_in(b, 2) != OX_NONE && !ob_is_const(b, ob_in(b, 2))))
        ob_fail(b, MST_EUNSUPPORTED, "its weights are not constants, which is not supported");
    else if (x.rank < 3 || w.rank != x.rank || w.dtype != x.dtype || w.dims[0] != x.dims[1] || d->group < 1 ||
             d->group > x.dims[1] || w.dims[0] % d->group != 0 || ox_elements(&w) == 0)
        ob_fail(b, MST_EINVAL, "its weights do not fit its input");
    if (b->st != MST_OK)
        return false;
    d->in = x.dims[1] / d->group;
    d->out = w.dims[1];
    if (bias.rank != 0 && (bias.rank != 1 || bias.dims[0] != d->out * d->group))
        ob_fail(b, MST_EINVAL, "its bias has not one value for each channel");
    memcpy(d->kernel, w.dims + 2, d->n * sizeof *d->kernel);
    if (!ints(b, "strides", d->n, 1, 1, d->stride) || !ints(b, "dilations", d->n, 1, 1, d->dilation))
        return false;
    output_window(b, &x, d);
    for (uint32_t i = 0; i < d->n; i++) {
        d->taps[i] = ((d->kernel[i] - 1) * d->dilation[i] + d->stride[i]) / d->stride[i];
        if (d->taps[i] > 65535)
            ob_fail(b, MST_ELIMIT, "its dilated kernel is too long");
    }
    return b->st == MST_OK;
}

/* [group*out*phases][in][taps] of [group*in][out][kernel]: tap t of a phase is kernel element t*stride + phase, the
 * last one first. */
static uint32_t phase_weights(ox_build *b, const deconv *d)
{
    const ox_value w = ob_value(b, ob_in(b, 1));
    int64_t dims[MST_MAX_RANK] = {d->group * d->out, d->in}, kernel = 1, taps = 1, phases = 1;
    uint8_t *data;
    for (uint32_t i = 0; i < d->n; i++) {
        kernel *= d->kernel[i];
        taps *= dims[2 + i] = d->taps[i];
        phases *= d->stride[i];
    }
    if (phases > 65536) {
        ob_fail(b, MST_ELIMIT, "its strides are too long");
        return OX_NONE;
    }
    dims[0] *= phases;
    uint32_t id = ob_zeros(b, ob_in(b, 1), d->n + 2, dims, &data);
    for (size_t e = 0, n = ox_elements(&w); e < n && b->st == MST_OK; e++) {
        int64_t k = (int64_t)e % kernel, o = (int64_t)e / kernel % d->out, c = (int64_t)e / kernel / d->out;
        int64_t phase = 0, tap = 0, scale = kernel;
        for (uint32_t i = 0; i < d->n; i++) {
            scale /= d->kernel[i];
            int64_t at = k / scale % d->kernel[i] * d->dilation[i];
            phase = phase * d->stride[i] + at % d->stride[i];
            tap = tap * d->taps[i] + d->taps[i] - 1 - at / d->stride[i];
        }
        int64_t row = (c / d->in * d->out + o) * phases + phase;
        ox_put_double(data, w.dtype, (size_t)((row * d->in + c % d->in) * taps + tap), ox_get_double(&w, e));
    }
    return id;
}

static uint32_t phase_bias(ox_build *b, const deconv *d)
{
    if (ob_in(b, 2) == OX_NONE)
        return OX_NONE;
    int64_t all = d->group * d->out, column[2] = {all, 1}, full[2] = {all, 1};
    for (uint32_t i = 0; i < d->n; i++)
        full[1] *= d->stride[i];
    int64_t flat = all * full[1];
    return ob_reshape(b, ob_2(b, "Expand", ob_reshape(b, ob_in(b, 2), 2, column), ob_ints(b, 2, full)), 1, &flat);
}

void ox_expand_conv_transpose(ox_build *b)
{
    deconv d;
    const ox_value x = ob_value(b, ob_in(b, 0));
    int64_t pads[2 * OX_MAX_SPATIAL], first[OX_MAX_SPATIAL], count[OX_MAX_SPATIAL], seen[MST_MAX_RANK + OX_MAX_SPATIAL];
    if (!read_deconv(b, &d))
        return;
    if (2 + 2 * d.n > MST_MAX_RANK) {
        ob_fail(b, MST_EUNSUPPORTED, "more than three dimensions are not supported");
        return;
    }
    for (uint32_t i = 0; i < d.n; i++) { /* of each phase the elements first.. of the full convolution */
        int64_t from = d.pad[i] / d.stride[i], to = (d.pad[i] + d.size[i] + d.stride[i] - 1) / d.stride[i];
        pads[i] = d.taps[i] - 1 > from ? d.taps[i] - 1 - from : 0;
        pads[d.n + i] = to > x.dims[2 + i] ? to - x.dims[2 + i] : 0;
        first[i] = d.taps[i] - 1 - pads[i];
        count[i] = pads[i] + x.dims[2 + i] + pads[d.n + i] - d.taps[i] + 1;
    }
    ox_attr attrs[2] = {ob_attr_int("group", d.group), ob_attr_ints("pads", 2 * d.n, pads)};
    uint32_t in[3] = {ob_in(b, 0), phase_weights(b, &d), phase_bias(b, &d)}, perm[MST_MAX_RANK];
    uint32_t y = ob_node(b, "Conv", in[2] != OX_NONE ? 3 : 2, in, 2, attrs);
    /* [1][channels][strides..][sizes..] to [1][channels][size][stride].. */
    seen[0] = x.dims[0];
    seen[1] = d.group * d.out;
    perm[0] = 0;
    perm[1] = 1;
    for (uint32_t i = 0; i < d.n; i++) {
        seen[2 + i] = d.stride[i];
        seen[2 + d.n + i] = count[i];
        perm[2 + 2 * i] = 2 + d.n + i;
        perm[3 + 2 * i] = 2 + i;
    }
    y = ob_transpose(b, ob_reshape(b, y, 2 + 2 * d.n, seen), perm);
    for (uint32_t i = 0; i < d.n; i++)
        seen[2 + i] = count[i] * d.stride[i];
    y = ob_reshape(b, y, 2 + d.n, seen);
    for (uint32_t i = 0; i < d.n; i++)
        y = ob_slice(b, y, 2 + i, d.pad[i] - first[i] * d.stride[i], d.size[i]);
    ob_return(b, 0, y);
}

/* ---- volumes ----
 * The slices that a window covers become channels, each window a group: one Conv of images with a group for each
 * slice of the output. */

/* x [N,C,D,H,W] with zeros around D, and of that the windows [N,out,C,kernel,H*W]. */
static uint32_t depth_windows(ox_build *b, uint32_t x, const ox_window *w)
{
    const ox_value v = ob_value(b, x);
    int64_t n = w->out[0] * w->kernel[0], pads[10] = {0};
    int64_t seen[5] = {v.dims[0], v.dims[1], w->out[0], w->kernel[0], v.dims[3] * v.dims[4]};
    static const uint32_t perm[5] = {0, 2, 1, 3, 4};
    pads[2] = w->pad_begin[0];
    pads[7] = w->pad_end[0];
    if (n > 65535) {
        ob_fail(b, MST_ELIMIT, "its output is too deep");
        return OX_NONE;
    }
    if (pads[2] != 0 || pads[7] != 0) {
        ox_attr old = ob_attr_ints("pads", 10, pads);
        x = b->c->g->opset < 11 ? ob_node(b, "Pad", 1, &x, 1, &old) : ob_2(b, "Pad", x, ob_ints(b, 10, pads));
    }
    int64_t *table = ob_table(b, n);
    for (int64_t i = 0; i < n && table != NULL; i++)
        table[i] = i / w->kernel[0] * w->stride[0] + i % w->kernel[0] * w->dilation[0];
    if (table == NULL)
        return OX_NONE;
    return ob_transpose(b, ob_reshape(b, ob_gather(b, x, 2, (size_t)n, table), 5, seen), perm);
}

/* v repeated n times along its first axis */
static uint32_t repeated(ox_build *b, uint32_t v, int64_t n)
{
    int64_t times[MST_MAX_RANK];
    for (uint32_t d = 0; d < MST_MAX_RANK; d++)
        times[d] = d == 0 ? n : 1;
    return ob_2(b, "Tile", v, ob_ints(b, ob_value(b, v).rank, times));
}

void ox_expand_conv3d(ox_build *b)
{
    ox_window w;
    uint32_t x = ob_in(b, 0), k = ob_in(b, 1), bias = ob_in(b, 2);
    const ox_value v = ob_value(b, x), kv = ob_value(b, k);
    if (v.rank != 5 || kv.rank != 5)
        return;
    b->st = ox_infer_conv(b->c); /* checks */
    if (b->st == MST_OK)
        b->st = ox_window_params(b->c, &w);
    if (b->st != MST_OK)
        return;
    if (!ob_is_const(b, k)) {
        ob_fail(b, MST_EUNSUPPORTED, "its weights are not constants, which is not supported");
        return;
    }
    int64_t slices = w.out[0], image[4] = {v.dims[0], slices * v.dims[1] * kv.dims[2], v.dims[3], v.dims[4]};
    int64_t kernel[4] = {kv.dims[0], kv.dims[1] * kv.dims[2], kv.dims[3], kv.dims[4]};
    int64_t pads[4] = {w.pad_begin[1], w.pad_begin[2], w.pad_end[1], w.pad_end[2]};
    ox_attr attrs[4] = {ob_attr_int("group", slices * ox_attr_int(b->n, "group", 1)), ob_attr_ints("pads", 4, pads),
                        ob_attr_ints("strides", 2, w.stride + 1), ob_attr_ints("dilations", 2, w.dilation + 1)};
    uint32_t in[3];
    in[0] = ob_reshape(b, depth_windows(b, x, &w), 4, image);
    in[1] = repeated(b, ob_reshape(b, k, 4, kernel), slices);
    in[2] = bias != OX_NONE ? repeated(b, bias, slices) : OX_NONE;
    uint32_t y = ob_node(b, "Conv", bias != OX_NONE ? 3 : 2, in, 4, attrs);
    static const uint32_t perm[5] = {0, 2, 1, 3, 4};
    int64_t seen[5] = {v.dims[0], slices, kv.dims[0], w.out[1], w.out[2]};
    ob_return(b, 0, ob_transpose(b, ob_reshape(b, y, 5, seen), perm));
}

/* One axis after the other: a maximum of maxima, a mean of means over as many. */
void ox_expand_pool3d(ox_build *b)
{
    ox_window w;
    const ox_value v = ob_value(b, ob_in(b, 0));
    if (v.rank != 5)
        return;
    b->st = ox_window_params(b->c, &w);
    if (b->st != MST_OK)
        return;
    if (b->n->n_out > 1 && b->n->out[1] != OX_NONE) {
        ob_fail(b, MST_EUNSUPPORTED, "the indices of a pool of volumes are not supported");
        return;
    }
    bool mean = strcmp(b->n->op, "AveragePool") == 0;
    ox_attr all[6];
    all[4] = ob_attr_int("ceil_mode", ox_attr_int(b->n, "ceil_mode", 0));
    all[5] = ob_attr_int("count_include_pad", ox_attr_int(b->n, "count_include_pad", 0));
    int64_t kernel[2] = {w.kernel[0], 1}, stride[2] = {w.stride[0], 1}, dilation[2] = {w.dilation[0], 1};
    int64_t pads[4] = {w.pad_begin[0], 0, w.pad_end[0], 0};
    int64_t plane[4] = {w.pad_begin[1], w.pad_begin[2], w.pad_end[1], w.pad_end[2]};
    int64_t images[4] = {v.dims[0], v.dims[1] * v.dims[2], v.dims[3], v.dims[4]};
    int64_t columns[4] = {v.dims[0], v.dims[1], v.dims[2], w.out[1] * w.out[2]};
    int64_t out[5] = {v.dims[0], v.dims[1], w.out[0], w.out[1], w.out[2]};
    all[0] = ob_attr_ints("kernel_shape", 2, w.kernel + 1);
    all[1] = ob_attr_ints("strides", 2, w.stride + 1);
    all[2] = ob_attr_ints("dilations", 2, w.dilation + 1);
    all[3] = ob_attr_ints("pads", 4, plane);
    uint32_t y = ob_reshape(b, ob_in(b, 0), 4, images);
    y = ob_node(b, b->n->op, 1, &y, mean ? 6 : 5, all);
    y = ob_reshape(b, y, 4, columns);
    all[0] = ob_attr_ints("kernel_shape", 2, kernel);
    all[1] = ob_attr_ints("strides", 2, stride);
    all[2] = ob_attr_ints("dilations", 2, dilation);
    all[3] = ob_attr_ints("pads", 4, pads);
    y = ob_node(b, b->n->op, 1, &y, mean ? 6 : 5, all);
    ob_return(b, 0, ob_reshape(b, y, 5, out));
}
