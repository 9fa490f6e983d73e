/* The lowering functions, one per ONNX operator or family. */
#ifndef MST_LOWER_OPS_H
#define MST_LOWER_OPS_H

#include "converter/lower/lower.h"

/* lower_move.c */
mst_status lower_alias(lower_ctx *c);
mst_status lower_reshape(lower_ctx *c);
mst_status lower_transpose(lower_ctx *c);
mst_status lower_slice(lower_ctx *c);
mst_status lower_split(lower_ctx *c);
mst_status lower_concat(lower_ctx *c);
mst_status lower_gather(lower_ctx *c);
mst_status lower_pad(lower_ctx *c);
mst_status lower_expand(lower_ctx *c);

/* lower_linear.c */
mst_status lower_conv(lower_ctx *c);
mst_status lower_max_pool(lower_ctx *c);
mst_status lower_average_pool(lower_ctx *c);
mst_status lower_gemm(lower_ctx *c);
mst_status lower_matmul(lower_ctx *c);
mst_status lower_batch_norm(lower_ctx *c);
mst_status lower_layer_norm(lower_ctx *c);

/* lower_arithmetic.c */
mst_status lower_add(lower_ctx *c);
mst_status lower_sub(lower_ctx *c);
mst_status lower_mul(lower_ctx *c);
mst_status lower_div(lower_ctx *c);
mst_status lower_mean(lower_ctx *c);
mst_status lower_min(lower_ctx *c);
mst_status lower_max(lower_ctx *c);
mst_status lower_pow(lower_ctx *c);
mst_status lower_relu(lower_ctx *c);
mst_status lower_clip(lower_ctx *c);
/* lower_quant.c: the node bounds whole numbers of a pair to lo..hi */
mst_status lower_bounded_levels(lower_ctx *c, double lo, double hi);
/* Of any function; Min and Max of several inputs, one after another. */
mst_status lower_binary(lower_ctx *c, mst_binary_fn fn);

/* lower_elementwise.c */
mst_status lower_unary(lower_ctx *c);
mst_status lower_neg(lower_ctx *c);
mst_status lower_softmax(lower_ctx *c);
mst_status lower_reduce_mean(lower_ctx *c);
mst_status lower_reduce_sum(lower_ctx *c);
mst_status lower_reduce_max(lower_ctx *c);
mst_status lower_global_average_pool(lower_ctx *c);
mst_status lower_global_max_pool(lower_ctx *c);
mst_status lower_where(lower_ctx *c);

/* lower_quant.c */
mst_status lower_quantize(lower_ctx *c);
mst_status lower_dequantize(lower_ctx *c);

/* lower_live.c */
mst_status lower_compare(lower_ctx *c);
mst_status lower_equal(lower_ctx *c);
mst_status lower_and(lower_ctx *c);
mst_status lower_or(lower_ctx *c);
mst_status lower_xor(lower_ctx *c);
mst_status lower_not(lower_ctx *c);
mst_status lower_cast(lower_ctx *c);
mst_status lower_where_live(lower_ctx *c);

/* lower_random.c */
mst_status lower_random_uniform(lower_ctx *c);
mst_status lower_bernoulli(lower_ctx *c);

/* lower_mask.c */
mst_status lower_dropout(lower_ctx *c);
/* The node is input k_data times lo or hi, as the random numbers r, of two values, say. */
mst_status lower_mask(lower_ctx *c, const lower_random *r, uint32_t k_data, double lo, double hi);

#endif
