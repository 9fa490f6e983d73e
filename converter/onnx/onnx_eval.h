/* The operators that folding knows: one row each, with an inference and (if
 * constants can be evaluated) an evaluation. Private to onnx_fold, onnx_shape*
 * and onnx_eval*.
 */
#ifndef MST_ONNX_EVAL_H
#define MST_ONNX_EVAL_H

#include "converter/onnx/onnx_shape.h"

/* what evaluation may cost in all, so that a small hostile file cannot ask for more */
#define OX_FOLD_BYTES ((size_t)256 << 20) /* beside 4 x the bytes of the model's own constants */
#define OX_FOLD_WORK ((uint64_t)1 << 33)

enum {
    OX_F_NEVER = 1, /* not deterministic: inferred only */
    OX_F_SHAPE = 2  /* needs only the shapes of its inputs to be evaluated */
};

typedef struct ox_op {
    const char *name;
    uint32_t min_in, max_in, flags;
    mst_status (*infer)(ox_ctx *c); /* dtype and shape of every output, in c->g->values */
    mst_status (*eval)(ox_ctx *c);  /* values; the outputs' shapes are known. NULL: inferred only */
} ox_op;
/* onnx_schema.c: has the node, of a known operator of ai.onnx, attributes and types of inputs as ONNX defines them? */
mst_status ox_check_schema(const ox_ctx *c);
const ox_op *ox_op_find(const char *name); /* NULL: unknown */

/* ---- outputs ---- */
/* Set dtype and shape of output k (nothing if it is not wanted). ELIMIT. */
mst_status ox_out_set(ox_ctx *c, uint32_t k, int dtype, uint32_t rank, const int64_t *dims);
mst_status ox_out_like(ox_ctx *c, uint32_t k, int dtype, const ox_value *v);
/* Zeroed memory for the values of output k, which becomes constant; *data NULL if not wanted. */
mst_status ox_out_alloc(ox_ctx *c, uint32_t k, uint8_t **data);
/* Output k shares the values of v. */
void ox_out_share(ox_ctx *c, uint32_t k, const ox_value *v);
mst_status ox_spend(ox_ctx *c, uint64_t work); /* ELIMIT when evaluation costs too much */

/* ---- elements ---- */
int64_t ox_get_int(const ox_value *v, size_t i); /* integers and bool */
/* Store into element i; false: not in the range of dtype (or NaN into an integer). */
bool ox_put_int(uint8_t *data, int dtype, size_t i, int64_t x);
bool ox_put_double(uint8_t *data, int dtype, size_t i, double x);
void ox_put_wrapped(uint8_t *data, int dtype, size_t i, int64_t x); /* integers: high bits dropped */

/* dst (contiguous, rank dims) = src read with strides in bytes (may be 0 or < 0). */
#define OX_VIEW_RANK (2 * MST_MAX_RANK)
typedef struct ox_view {
    uint32_t rank;
    size_t dims[OX_VIEW_RANK];
    ptrdiff_t stride[OX_VIEW_RANK];
} ox_view;
void ox_view_copy(uint8_t *dst, const uint8_t *src, const ox_view *v, size_t size);
void ox_strides(const ox_value *v, size_t unit, ptrdiff_t stride[MST_MAX_RANK]); /* row-major */

/* Walk n values broadcast to dims: at[j] is the element of value j (j < 3). */
typedef struct ox_bcast {
    uint32_t n, rank;
    int64_t dims[MST_MAX_RANK], index[MST_MAX_RANK];
    ptrdiff_t stride[3][MST_MAX_RANK];
    size_t at[3];
} ox_bcast;
void ox_bcast_start(ox_bcast *b, uint32_t rank, const int64_t *dims, uint32_t n, const ox_value *const *v);
void ox_bcast_next(ox_bcast *b);
/* dims = the broadcast of dims and v; EINVAL. */
mst_status ox_bcast_dims(const ox_ctx *c, uint32_t *rank, int64_t *dims, const ox_value *v);

/* ---- shared between inference and evaluation ---- */
mst_status ox_range_count(const ox_ctx *c, int64_t *count);
mst_status ox_gather_nd_split(const ox_ctx *c, uint32_t *batch, uint32_t *depth);
bool ox_dropout_is_random(const ox_ctx *c); /* training mode with a ratio above 0 */
int64_t ox_nonzero_count(const ox_value *v);

typedef mst_status ox_fn(ox_ctx *c);
/* onnx_shape.c: elementwise, reductions, products */
ox_fn ox_infer_same, ox_infer_float, ox_infer_bool, ox_infer_binary, ox_infer_compare, ox_infer_logic,
    ox_infer_pow, ox_infer_variadic, ox_infer_where, ox_infer_clip, ox_infer_reduce, ox_infer_matmul,
    ox_infer_gemm, ox_infer_softmax, ox_infer_cast, ox_infer_cast_like, ox_infer_cumsum, ox_infer_trilu;
/* onnx_shape_move.c: data movement */
ox_fn ox_infer_reshape, ox_infer_flatten, ox_infer_squeeze, ox_infer_unsqueeze, ox_infer_transpose,
    ox_infer_slice, ox_infer_split, ox_infer_expand, ox_infer_tile, ox_infer_pad, ox_infer_concat;
/* onnx_shape_index.c: gathers, scatters and what makes new tensors */
ox_fn ox_infer_gather, ox_infer_gather_elements, ox_infer_gather_nd, ox_infer_scatter, ox_infer_scatter_nd,
    ox_infer_one_hot, ox_infer_non_zero, ox_infer_shape, ox_infer_size, ox_infer_constant,
    ox_infer_constant_of_shape, ox_infer_range, ox_infer_eye_like;
/* onnx_shape_layer.c: layers that only the runtime executes, random numbers */
ox_fn ox_infer_conv, ox_infer_pool, ox_infer_global_pool, ox_infer_batch_norm, ox_infer_layer_norm,
    ox_infer_dropout, ox_infer_random, ox_infer_random_like;
/* onnx_eval_math.c */
ox_fn ox_eval_unary, ox_eval_not, ox_eval_binary, ox_eval_compare, ox_eval_pow, ox_eval_mod,
    ox_eval_variadic, ox_eval_clip, ox_eval_cast;
/* onnx_eval_reduce.c */
ox_fn ox_eval_reduce, ox_eval_matmul, ox_eval_gemm, ox_eval_softmax, ox_eval_cumsum;
/* onnx_eval_move.c */
ox_fn ox_eval_share, ox_eval_dropout, ox_eval_transpose, ox_eval_slice, ox_eval_split, ox_eval_expand,
    ox_eval_tile, ox_eval_pad, ox_eval_concat, ox_eval_where,
    ox_eval_trilu;
/* onnx_eval_index.c */
ox_fn ox_eval_gather, ox_eval_gather_elements, ox_eval_gather_nd, ox_eval_scatter, ox_eval_scatter_nd,
    ox_eval_one_hot, ox_eval_non_zero;
/* onnx_eval_quant.c: inferred there, too */
ox_fn ox_infer_quantize, ox_infer_dequantize, ox_eval_quantize, ox_eval_dequantize;
/* onnx_eval_make.c */
ox_fn ox_eval_shape, ox_eval_size, ox_eval_constant, ox_eval_constant_of_shape, ox_eval_range,
    ox_eval_eye_like;

#endif
