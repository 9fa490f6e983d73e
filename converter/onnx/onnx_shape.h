/* One node seen with its inputs: what shape inference, constant evaluation and
 * the lowering share. Everything here reads attributes and constant inputs in
 * the form that the model's opset gives them. Knows nothing of protobuf or of
 * the SNN graph.
 */
#ifndef MST_ONNX_SHAPE_H
#define MST_ONNX_SHAPE_H

#include "converter/onnx/onnx_graph.h"

#define OX_MAX_SPATIAL (MST_MAX_RANK - 2)

/* The node at hand. The lowering sets g, n and err and leaves the rest zero. */
typedef struct ox_ctx {
    ox_graph *g;
    const ox_node *n;
    mst_err *err;
    const uint32_t *uses; /* per value: readers, graph outputs included; NULL: not known */
    size_t bytes_left;    /* that evaluation may still allocate */
    uint64_t work_left;   /* elements that evaluation may still touch */
} ox_ctx;

/* Fail with "node 'name' (Op): " in front of the text. */
mst_status ox_fail(const ox_ctx *c, mst_status code, const char *fmt, ...) MST_PRINTF(3, 4);

const ox_value *ox_in(const ox_ctx *c, uint32_t k); /* NULL: absent */
ox_value *ox_out(const ox_ctx *c, uint32_t k);      /* NULL: not wanted */
size_t ox_elements(const ox_value *v);              /* product of dims */
bool ox_is_float(int dtype);
bool ox_is_int(int dtype); /* signed or not; bool is none */

/* Constant input k as int64 (int32 or int64 in the model); *n values, at most
 * cap. EUNSUPPORTED if it is computed from the model's input. what: "the axes". */
mst_status ox_const_ints(const ox_ctx *c, uint32_t k, const char *what, int64_t *out, size_t cap, size_t *n);

/* Attribute name (default fallback) as an axis of rank: negative counts from the end. */
mst_status ox_axis(const ox_ctx *c, const char *name, int64_t fallback, uint32_t rank, uint32_t *out);
/* axis + rank where negative; EINVAL outside. */
mst_status ox_axis_of(const ox_ctx *c, int64_t axis, uint32_t rank, uint32_t *out);

/* Axes from attribute "axes" below opset since, from input k from it on; *n = 0
 * where there are none. Repeated or outside rank: EINVAL. */
mst_status ox_axes(const ox_ctx *c, uint32_t k, int since, uint32_t rank, uint32_t *out, size_t *n);

/* ReduceX: reduced[d], keepdims; none reduced is possible (noop_with_empty_axes). */
mst_status ox_reduce_params(const ox_ctx *c, bool reduced[MST_MAX_RANK], bool *keep);

/* Slice: out[i] = in[start + i*step], count elements, per dimension. */
typedef struct ox_slice {
    int64_t start[MST_MAX_RANK], step[MST_MAX_RANK], count[MST_MAX_RANK];
} ox_slice;
mst_status ox_slice_params(const ox_ctx *c, ox_slice *s);

/* Split: axis and where each output starts and how long it is along it. */
mst_status ox_split_params(const ox_ctx *c, uint32_t *axis, uint32_t k, int64_t *start, int64_t *count);

mst_status ox_transpose_perm(const ox_ctx *c, uint32_t perm[MST_MAX_RANK]);

/* Pad: elements before and after (negative crops), and the value. */
mst_status ox_pad_params(const ox_ctx *c, int64_t before[MST_MAX_RANK], int64_t after[MST_MAX_RANK]);
mst_status ox_pad_value(const ox_ctx *c, double *value); /* constant input or attribute; 0 */

/* Softmax: the axes [first, last) that it normalizes over (below opset 13 all
 * from "axis" on, afterwards one). */
mst_status ox_softmax_axes(const ox_ctx *c, uint32_t *first, uint32_t *last);

/* Conv and pools, with auto_pad resolved. */
typedef struct ox_window {
    uint32_t n; /* spatial dimensions */
    int64_t kernel[OX_MAX_SPATIAL], stride[OX_MAX_SPATIAL], dilation[OX_MAX_SPATIAL];
    int64_t pad_begin[OX_MAX_SPATIAL], pad_end[OX_MAX_SPATIAL]; /* as the model gives them */
    int64_t out[OX_MAX_SPATIAL];                                /* output size (ceil_mode included) */
} ox_window;
mst_status ox_window_params(const ox_ctx *c, ox_window *w);

/* Clip: bounds from attributes (below opset 11) or constant inputs; -inf/inf where absent. */
mst_status ox_clip_bounds(const ox_ctx *c, double *lo, double *hi);

/* QuantizeLinear, DequantizeLinear: whole numbers in lo..hi of dtype, n scales and zero points along axis. */
typedef struct ox_quant {
    const ox_value *scale, *zero; /* zero NULL: 0 */
    int dtype;
    int64_t lo, hi;
    size_t n;
    uint32_t axis; /* where n is not 1 */
} ox_quant;
mst_status ox_quant_params(const ox_ctx *c, ox_quant *q);

/* Element i of a constant of a float type (or of any numeric type), as double. */
double ox_get_double(const ox_value *v, size_t i);

#endif
