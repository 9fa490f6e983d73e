/* How operators are written with others: one function for each. An operator that has a row in onnx_ops.def, too, is
 * written otherwise only where that row cannot do it; its function says so by making nothing. */
#ifndef MST_ONNX_EXPAND_H
#define MST_ONNX_EXPAND_H

#include "converter/onnx/onnx_write.h"

/* onnx_expand_unary.c */
ox_expand_fn ox_expand_leaky_relu, ox_expand_prelu, ox_expand_elu, ox_expand_selu, ox_expand_celu, ox_expand_mish,
    ox_expand_hard_sigmoid, ox_expand_hard_swish, ox_expand_softsign, ox_expand_swish, ox_expand_log_softmax;
/* onnx_expand_norm.c */
ox_expand_fn ox_expand_instance_norm, ox_expand_group_norm, ox_expand_rms_norm, ox_expand_lp_norm;
/* x / sqrt(mean(x * x) + epsilon) * scale, over the axes from one on */
uint32_t ox_rms_norm(ox_build *b, uint32_t x, uint32_t scale, int64_t axis, double epsilon);
/* onnx_expand_reduce.c */
ox_expand_fn ox_expand_reduce_l1, ox_expand_reduce_l2, ox_expand_reduce_log_sum, ox_expand_reduce_log_sum_exp,
    ox_expand_reduce_sum_square, ox_expand_reduce_min, ox_expand_reduce_prod, ox_expand_cumsum;
/* onnx_expand_move.c */
ox_expand_fn ox_expand_depth_to_space, ox_expand_space_to_depth, ox_expand_tile, ox_expand_pad, ox_expand_gathers,
    ox_expand_scatters, ox_expand_trilu;
/* onnx_expand_conv.c */
ox_expand_fn ox_expand_conv_transpose, ox_expand_conv3d, ox_expand_pool3d;
/* onnx_expand_resize.c */
ox_expand_fn ox_expand_resize;
/* onnx_expand_einsum.c */
ox_expand_fn ox_expand_einsum;
/* onnx_expand_attention.c */
ox_expand_fn ox_expand_attention;
/* onnx_expand_recurrent.c */
ox_expand_fn ox_expand_rnn, ox_expand_gru, ox_expand_lstm;
/* onnx_expand_mask.c */
ox_expand_fn ox_expand_infinite;
/* onnx_expand_ort.c */
ox_expand_fn ox_expand_ort_gelu, ox_expand_bias_gelu, ox_expand_fast_gelu, ox_expand_quick_gelu,
    ox_expand_fused_conv, ox_expand_fused_gemm, ox_expand_fused_matmul, ox_expand_skip_layer_norm,
    ox_expand_skip_rms_norm, ox_expand_ort_quant;

#endif
