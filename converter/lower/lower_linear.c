/* ONNX Conv, Gemm, MatMul, BatchNormalization, LayerNormalization. Weights are
 * stored input-major, so that kernels run over outputs. */
#include <math.h>
#include <string.h>

#include "converter/lower/lower_ops.h"

/* NCHW <-> NHWC */
static const int32_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2};

/* Kernel, stride, dilation and padding of Conv and the pools, for images. Signals
 * of one axis are treated as images of height 1. */
typedef struct window {
    uint32_t kernel[2], stride[2], dilation[2], pad[2], pad_end[2];
} window;

/* The window of the node at hand; a signal's one axis is the second. */
static mst_status read_window(lower_ctx *c, window *w)
{
    ox_window from;
    MST_TRY(ox_window_params(&c->o, &from));
    *w = (window){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    for (uint32_t i = 0; i < from.n; i++) {
        uint32_t at = 2 - from.n + i;
        const int64_t v[5] = {from.kernel[i], from.stride[i], from.dilation[i], from.pad_begin[i], from.pad_end[i]};
        uint32_t *const to[5] = {&w->kernel[at], &w->stride[at], &w->dilation[at], &w->pad[at], &w->pad_end[at]};
        for (int k = 0; k < 5; k++) {
            if (v[k] > 65535)
                return lower_refuse(c, "a kernel, stride, dilation or padding is out of range",
                                    "use values of at most 65535");
            *to[k] = (uint32_t)v[k];
        }
    }
    return MST_OK;
}

/* An NC(H)W live input as [N,H,W,C] in *x, and the output's shape in the same layout. */
static mst_status enter_channel_last(lower_ctx *c, uint32_t *x, uint32_t out_dims[4])
{
    uint32_t rank, dims[MST_MAX_RANK], y = MST_NONE;
    MST_TRY(lower_tensor(c, 0, x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    if ((rank != 4 && rank != 3) || c->g->tensors[*x].rank != rank)
        return lower_refuse(c, "only 1-d and 2-d images are supported", "reshape to [N,C,H,W]");
    if (rank == 3) {
        const mst_tensor t = c->g->tensors[*x];
        uint32_t as_image[4] = {t.dims[0], t.dims[1], 1, t.dims[2]};
        MST_TRY(lower_emit_reshape(c, *x, 4, as_image, &y));
        *x = y;
    }
    MST_TRY(lower_emit_transpose(c, *x, to_last, &y));
    *x = y;
    out_dims[0] = dims[0];
    out_dims[1] = rank == 4 ? dims[2] : 1;
    out_dims[2] = dims[rank - 1];
    out_dims[3] = dims[1];
    return MST_OK;
}

static mst_status leave_channel_last(lower_ctx *c, uint32_t y)
{
    uint32_t z, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(lower_emit_transpose(c, y, to_first, &z));
    if (rank == 3) {
        y = z;
        MST_TRY(lower_emit_reshape(c, y, rank, dims, &z));
    }
    lower_bind(c, 0, z);
    return MST_OK;
}

static void store_window(const window *w, int32_t *stride, int32_t *pad, int32_t *dilation)
{
    for (int i = 0; i < 2; i++) {
        stride[i] = (int32_t)w->stride[i];
        pad[i] = (int32_t)w->pad[i];
        dilation[i] = (int32_t)w->dilation[i];
    }
}

/* ONNX weights are [out][in/group][kh][kw]; ours [kh][kw][in/group][out]. */
static mst_status conv_weight(lower_ctx *c, const window *w, uint32_t *id)
{
    const ox_value *v = ox_in(&c->o, 1);
    if (v == NULL || v->data == NULL || v->rank != ox_in(&c->o, 0)->rank)
        return lower_refuse(c, "the weight is not a constant [out,in,kh,kw]", "export the model with its weights");
    for (uint32_t d = 0; d < v->rank; d++)
        if (v->dims[d] < 1 || v->dims[d] > 65535)
            return lower_refuse(c, "a weight dimension is out of range", "use 1 to 65535");
    uint32_t out = (uint32_t)v->dims[0], in = (uint32_t)v->dims[1];
    uint32_t taps = w->kernel[0] * w->kernel[1];
    uint32_t dims[4] = {w->kernel[0], w->kernel[1], in, out};
    float *data;
    MST_TRY(lower_new_f32(c, 4, dims, &data, id));
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < taps; k++)
                data[(k * in + i) * out + o] = (float)ox_get_double(v, (o * in + i) * taps + k);
    return MST_OK;
}

/* Padding so wide that a window would lie in it wholly becomes a PAD of its own: a
 * window of the graph always touches its input. */
static mst_status pad_wide(lower_ctx *c, window *w, const uint32_t out_dims[4], uint32_t *x)
{
    const mst_tensor t = c->g->tensors[*x];
    uint32_t dims[4] = {t.dims[0], t.dims[1], t.dims[2], t.dims[3]}, y;
    bool wide = false;
    for (int i = 0; i < 2; i++) {
        uint64_t reach = (uint64_t)(w->kernel[i] - 1) * w->dilation[i];
        uint64_t last = (uint64_t)(out_dims[1 + i] - 1) * w->stride[i]; /* where the last window starts, padded */
        wide = wide || w->pad[i] > reach || last >= (uint64_t)w->pad[i] + t.dims[1 + i];
        uint64_t padded = last + reach + 1, least = (uint64_t)w->pad[i] + t.dims[1 + i];
        padded = padded > least ? padded : least;
        if (padded > MST_MAX_ELEMENTS)
            return lower_refuse(c, "padding is out of range", "use padding below the kernel's size");
        dims[1 + i] = (uint32_t)padded;
    }
    if (!wide)
        return MST_OK;
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_PAD, 1, x, 4, dims, &y, &node));
    for (int i = 0; i < 2; i++) {
        node->ip[MST_PAD_BEFORE + 1 + i] = (int32_t)w->pad[i];
        w->pad[i] = 0;
    }
    *x = y;
    return MST_OK;
}

mst_status lower_conv(lower_ctx *c)
{
    uint32_t in[3], out_dims[4], y, n_in = 2;
    window w;
    MST_TRY(enter_channel_last(c, &in[0], out_dims));
    MST_TRY(read_window(c, &w));
    MST_TRY(conv_weight(c, &w, &in[1]));
    MST_TRY(pad_wide(c, &w, out_dims, &in[0]));
    if (ox_in(&c->o, 2) != NULL) {
        if (!lower_is_const(c, 2))
            return lower_refuse(c, "the bias is not constant", "export the model with its weights");
        MST_TRY(lower_tensor(c, 2, &in[2]));
        n_in = 3;
    }
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_CONV, n_in, in, 4, out_dims, &y, &node));
    store_window(&w, &node->ip[MST_CONV_STRIDE], &node->ip[MST_CONV_PAD], &node->ip[MST_CONV_DILATION]);
    int64_t group = ox_attr_int(c->o.n, "group", 1);
    node->ip[MST_CONV_GROUP] = group > 0 && group < 65536 ? (int32_t)group : 0;
    return leave_channel_last(c, y);
}

/* count_include_pad: padding counts as zeros, but what ceil_mode lets a window hang over
 * does not. POOL counts whole windows or what lies in the image, so where windows do hang
 * over the zeros become part of the image. *whole: POOL is to count whole windows. */
static mst_status count_padding(lower_ctx *c, window *w, const uint32_t *out_dims, uint32_t *x, bool *whole)
{
    const mst_tensor t = c->g->tensors[*x];
    uint32_t dims[4], y;
    bool pads = false, hangs = false;
    memcpy(dims, t.dims, sizeof dims);
    for (int i = 0; i < 2; i++) {
        pads = pads || w->pad[i] != 0 || w->pad_end[i] != 0;
        dims[1 + i] += w->pad[i] + w->pad_end[i];
        hangs =
            hangs || (uint64_t)(out_dims[1 + i] - 1) * w->stride[i] + (uint64_t)(w->kernel[i] - 1) * w->dilation[i] >=
                         dims[1 + i];
    }
    *whole = pads && !hangs;
    if (!pads || !hangs)
        return MST_OK;
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_PAD, 1, x, 4, dims, &y, &node));
    for (int i = 0; i < 2; i++) {
        node->ip[MST_PAD_BEFORE + 1 + i] = (int32_t)w->pad[i];
        w->pad[i] = w->pad_end[i] = 0;
    }
    *x = y;
    return MST_OK;
}

static mst_status lower_pool(lower_ctx *c, mst_reduce_fn fn)
{
    uint32_t x, out_dims[4], y;
    window w;
    bool whole = false;
    MST_TRY(enter_channel_last(c, &x, out_dims));
    MST_TRY(read_window(c, &w));
    if (fn == MST_RED_MEAN && ox_attr_int(c->o.n, "count_include_pad", 0) != 0)
        MST_TRY(count_padding(c, &w, out_dims, &x, &whole));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_POOL, 1, &x, 4, out_dims, &y, &node));
    store_window(&w, &node->ip[MST_POOL_STRIDE], &node->ip[MST_POOL_PAD], &node->ip[MST_POOL_DILATION]);
    node->ip[MST_POOL_FN] = (int32_t)fn;
    node->ip[MST_POOL_KERNEL] = (int32_t)w.kernel[0];
    node->ip[MST_POOL_KERNEL + 1] = (int32_t)w.kernel[1];
    node->ip[MST_POOL_COUNT_PAD] = whole;
    return leave_channel_last(c, y);
}

mst_status lower_max_pool(lower_ctx *c)
{
    if (ox_out(&c->o, 1) != NULL)
        return lower_refuse(c, "its index output is used", "use MaxPool without indices");
    return lower_pool(c, MST_RED_MAX);
}

mst_status lower_average_pool(lower_ctx *c)
{
    return lower_pool(c, MST_RED_MEAN);
}

/* W of Gemm or MatMul, [in][out], from a constant that is [in][out] or, transposed, [out][in], behind axes of length
 * 1. */
static mst_status linear_weight(lower_ctx *c, const ox_value *v, bool transposed, double scale, uint32_t *id)
{
    size_t rows = (size_t)v->dims[v->rank - 2], cols = (size_t)v->dims[v->rank - 1];
    uint32_t dims[2] = {(uint32_t)(transposed ? cols : rows), (uint32_t)(transposed ? rows : cols)};
    float *data;
    MST_TRY(lower_new_f32(c, 2, dims, &data, id));
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < cols; k++)
            data[transposed ? k * rows + r : r * cols + k] = (float)(scale * ox_get_double(v, r * cols + k));
    return MST_OK;
}

static mst_status emit_linear(lower_ctx *c, uint32_t x, uint32_t w, uint32_t *y)
{
    uint32_t in[2] = {x, w}, dims[MST_MAX_RANK];
    const mst_tensor t = c->g->tensors[x];
    memcpy(dims, t.dims, sizeof dims);
    dims[t.rank - 1] = c->g->tensors[w].dims[1];
    return lower_emit(c, MST_OP_LINEAR, 2, in, t.rank, dims, y, NULL);
}

static mst_status emit_swapped(lower_ctx *c, uint32_t x, uint32_t *y)
{
    int32_t perm[MST_MAX_RANK];
    uint32_t rank = c->g->tensors[x].rank;
    for (uint32_t d = 0; d < rank; d++)
        perm[d] = (int32_t)d;
    perm[rank - 1] = (int32_t)rank - 2;
    perm[rank - 2] = (int32_t)rank - 1;
    return lower_emit_transpose(c, x, perm, y);
}

/* W x, W constant: the transpose of x^T W^T. */
static mst_status emit_linear_from_left(lower_ctx *c, const ox_value *v, bool transposed, double scale, uint32_t x,
                                        uint32_t *y)
{
    uint32_t w, z;
    MST_TRY(linear_weight(c, v, !transposed, scale, &w));
    MST_TRY(emit_swapped(c, x, &z));
    MST_TRY(emit_linear(c, z, w, y));
    return emit_swapped(c, *y, y);
}

static mst_status emit_matmul(lower_ctx *c, uint32_t a, uint32_t b, bool trans_b, double alpha, uint32_t rank,
                              const uint32_t *dims, uint32_t *y)
{
    uint32_t in[2] = {a, b};
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_MATMUL, 2, in, rank, dims, y, &node));
    node->ip[MST_MATMUL_TRANS_B] = trans_b;
    node->fp[MST_MATMUL_ALPHA] = (float)alpha;
    return MST_OK;
}

/* beta*C of Gemm, C broadcast over [M,N]. */
static mst_status add_gemm_c(lower_ctx *c, double beta, uint32_t *y)
{
    uint32_t addend, out;
    if (ox_in(&c->o, 2) == NULL || beta == 0)
        return MST_OK;
    MST_TRY(lower_tensor(c, 2, &addend));
    const mst_tensor t = c->g->tensors[addend], ty = c->g->tensors[*y];
    uint32_t n = ty.dims[ty.rank - 1], one = 1, gid, hid;
    if (t.data != NULL && mst_tensor_elements(&t) == n && (t.rank == 0 || t.dims[t.rank - 1] == n)) {
        double *g, *h;
        MST_TRY(lower_new_f64(c, 1, &one, &g, &gid));
        MST_TRY(lower_new_f64(c, 1, &n, &h, &hid));
        *g = 1;
        for (uint32_t i = 0; i < n; i++)
            h[i] = beta * (double)((const float *)t.data)[i];
        MST_TRY(lower_emit_affine(c, *y, (int32_t)ty.rank - 1, gid, hid, &out));
    } else {
        if (beta != 1) {
            MST_TRY(lower_emit_scale(c, addend, beta, 0, &out));
            addend = out;
        }
        MST_TRY(lower_emit_binary(c, MST_BIN_ADD, *y, addend, &out));
    }
    *y = out;
    return MST_OK;
}

mst_status lower_gemm(lower_ctx *c)
{
    uint32_t a, b, y, rank, dims[MST_MAX_RANK];
    double alpha = (double)ox_attr_float(c->o.n, "alpha", 1), beta = (double)ox_attr_float(c->o.n, "beta", 1);
    bool trans_b = ox_attr_int(c->o.n, "transB", 0) != 0;
    bool trans_a = ox_attr_int(c->o.n, "transA", 0) != 0;
    const ox_value *v = ox_in(&c->o, 0), *w = ox_in(&c->o, 1);
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    if (v == NULL || v->rank != 2 || w == NULL || w->rank != 2)
        return lower_refuse(c, "its operands are not matrices", "use MatMul");
    if (v->data != NULL && w->data == NULL) {
        MST_TRY(lower_tensor(c, 1, &b));
        if (trans_b)
            MST_TRY(emit_swapped(c, b, &b));
        MST_TRY(emit_linear_from_left(c, v, trans_a, alpha, b, &y));
        MST_TRY(add_gemm_c(c, beta, &y));
        lower_bind(c, 0, y);
        return MST_OK;
    }
    MST_TRY(lower_tensor(c, 0, &a));
    if (trans_a)
        MST_TRY(emit_swapped(c, a, &a));
    if (w->data != NULL) {
        MST_TRY(linear_weight(c, w, trans_b, alpha, &b));
        MST_TRY(emit_linear(c, a, b, &y));
    } else {
        MST_TRY(lower_tensor(c, 1, &b));
        MST_TRY(emit_matmul(c, a, b, trans_b, alpha, rank, dims, &y));
    }
    MST_TRY(add_gemm_c(c, beta, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

/* A vector operand of MatMul as a matrix: a row on the left, a column on the right. */
static mst_status as_matrix(lower_ctx *c, uint32_t *id, bool left)
{
    const mst_tensor t = c->g->tensors[*id];
    if (t.rank != 1)
        return MST_OK;
    uint32_t dims[2] = {left ? 1 : t.dims[0], left ? t.dims[0] : 1}, y;
    if (t.data != NULL)
        MST_TRY(mst_graph_add_tensor(c->g, t.name, t.dtype, 2, dims, t.data, &y, c->o.err));
    else
        MST_TRY(lower_emit_reshape(c, *id, 2, dims, &y));
    *id = y;
    return MST_OK;
}

/* Is factor w a constant matrix, but for leading axes of length 1 that do not outnumber those of the other factor? */
static bool is_matrix_beside(const ox_value *w, const ox_value *other)
{
    if (w->data == NULL || w->rank < 2 || (w->rank > 2 && w->rank > other->rank))
        return false;
    for (uint32_t d = 0; d + 2 < w->rank; d++)
        if (w->dims[d] != 1)
            return false;
    return true;
}

mst_status lower_matmul(lower_ctx *c)
{
    uint32_t a, b, y, rank, dims[MST_MAX_RANK], full[MST_MAX_RANK];
    const ox_value *v = ox_in(&c->o, 0), *w = ox_in(&c->o, 1);
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    if (v == NULL || w == NULL)
        return lower_refuse(c, "an input is missing", "re-export the model");
    if (v->data == NULL && is_matrix_beside(w, v)) {
        MST_TRY(lower_tensor(c, 0, &a));
        MST_TRY(linear_weight(c, w, false, 1, &b));
        MST_TRY(emit_linear(c, a, b, &y));
        lower_bind(c, 0, y);
        return MST_OK;
    }
    if (w->data == NULL && w->rank >= 2 && is_matrix_beside(v, w)) {
        MST_TRY(lower_tensor(c, 1, &b));
        MST_TRY(emit_linear_from_left(c, v, false, 1, b, &y));
        lower_bind(c, 0, y);
        return MST_OK;
    }
    MST_TRY(lower_tensor(c, 0, &a));
    MST_TRY(lower_tensor(c, 1, &b));
    MST_TRY(as_matrix(c, &a, true));
    MST_TRY(as_matrix(c, &b, false));
    const mst_tensor ta = c->g->tensors[a], tb = c->g->tensors[b];
    uint32_t r = ta.rank > tb.rank ? ta.rank : tb.rank;
    for (uint32_t d = 2; d < r; d++) {
        uint32_t x = d < ta.rank ? ta.dims[ta.rank - 1 - d] : 1, z = d < tb.rank ? tb.dims[tb.rank - 1 - d] : 1;
        full[r - 1 - d] = x == 1 ? z : x;
    }
    full[r - 2] = ta.dims[ta.rank - 2];
    full[r - 1] = tb.dims[tb.rank - 1];
    MST_TRY(emit_matmul(c, a, b, false, 1, r, full, &y));
    if (r != rank) {
        a = y;
        MST_TRY(lower_emit_reshape(c, a, rank, dims, &y));
    }
    lower_bind(c, 0, y);
    return MST_OK;
}

/* y = g*x + h with g = gamma/sqrt(var+eps), h = beta - g*mean (running statistics) */
mst_status lower_batch_norm(lower_ctx *c)
{
    uint32_t x, gid, hid, y;
    double *g, *h, eps = (double)ox_attr_float(c->o.n, "epsilon", 1e-5f);
    MST_TRY(lower_tensor(c, 0, &x));
    const mst_tensor t = c->g->tensors[x];
    if (ox_attr_int(c->o.n, "training_mode", 0) != 0 || ox_out(&c->o, 1) != NULL)
        return lower_refuse(c, "is in training mode", "call model.eval() before the export");
    if (t.rank < 2)
        return lower_refuse(c, "its input has no channel axis", "re-export the model");
    uint32_t n = t.dims[1];
    for (uint32_t k = 1; k < 5; k++)
        if (!lower_is_const(c, k) || ox_elements(ox_in(&c->o, k)) != n)
            return lower_refuse(c, "its statistics are not constants of one value per channel",
                                "call model.eval() before the export");
    MST_TRY(lower_new_f64(c, 1, &n, &g, &gid));
    MST_TRY(lower_new_f64(c, 1, &n, &h, &hid));
    for (uint32_t i = 0; i < n; i++) {
        double var = ox_get_double(ox_in(&c->o, 4), i);
        if (!(var + eps > 0))
            return lower_refuse(c, "a variance is not positive", "check the model's running statistics");
        g[i] = ox_get_double(ox_in(&c->o, 1), i) / sqrt(var + eps);
        h[i] = ox_get_double(ox_in(&c->o, 2), i) - g[i] * ox_get_double(ox_in(&c->o, 3), i);
    }
    MST_TRY(lower_emit_affine(c, x, 1, gid, hid, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_layer_norm(lower_ctx *c)
{
    uint32_t in[3], y, z, rank, dims[MST_MAX_RANK], flat[MST_MAX_RANK], n_in = 1, n = 1;
    MST_TRY(lower_tensor(c, 0, &in[0]));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    uint32_t axis;
    MST_TRY(ox_axis(&c->o, "axis", -1, rank, &axis));
    if (ox_out(&c->o, 1) != NULL || ox_out(&c->o, 2) != NULL)
        return lower_refuse(c, "its mean or deviation output is used", "use only the first output");
    for (uint32_t d = 0; d < rank; d++) {
        if (d < axis)
            flat[d] = dims[d];
        else
            n *= dims[d];
    }
    flat[axis] = n;
    if (axis + 1 != rank) {
        MST_TRY(lower_emit_reshape(c, in[0], axis + 1, flat, &y));
        in[0] = y;
    }
    for (uint32_t k = 1; k < 3 && ox_in(&c->o, k) != NULL; k++, n_in++) {
        bool one = k == 1 && ox_in(&c->o, 2) == NULL && lower_is_const(c, 1) && ox_elements(ox_in(&c->o, 1)) == 1 &&
                   ox_get_double(ox_in(&c->o, 1), 0) == 1;
        if (one)
            break; /* as if it were not there */
        if (!lower_is_const(c, k) || ox_elements(ox_in(&c->o, k)) != n)
            return lower_refuse(c, "scale or bias is not a constant of one value per element", "re-export the model");
        MST_TRY(lower_tensor(c, k, &in[k]));
    }
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_LAYERNORM, n_in, in, axis + 1, flat, &y, &node));
    node->fp[MST_LAYERNORM_EPS] = ox_attr_float(c->o.n, "epsilon", 1e-5f);
    if (axis + 1 != rank) {
        MST_TRY(lower_emit_reshape(c, y, rank, dims, &z));
        y = z;
    }
    lower_bind(c, 0, y);
    return MST_OK;
}
