/* Lowering: one live ONNX node becomes a few nodes of the SNN graph.
 *
 * Private to converter/lower. Each operator has one function of type
 * lower_fn, which onnx_ops.def names.
 */
#ifndef MST_LOWER_H
#define MST_LOWER_H

#include "converter/onnx/onnx_shape.h"
#include "converter/pairs.h"
#include "mst/convert.h"

/* A random value on its way to a mask: uniform numbers, or one of two numbers, drawn for each element. */
typedef struct lower_random {
    enum { LR_NOT_RANDOM,
           LR_UNIFORM,
           LR_TWO } kind;
    double lo, hi; /* uniform: lo < hi; of two: the numbers */
    double p;      /* of two: the probability of hi */
    uint32_t draw; /* ox value that was drawn: what comes of one is not independent */
    bool spread;   /* some elements have one draw in common */
} lower_random;

typedef struct lower_ctx {
    ox_ctx o; /* the ONNX graph and the node being lowered: how folding read it, so does the lowering */
    mst_graph *g;
    uint32_t *map;              /* [ox values] -> tensor id, MST_NONE: not lowered yet */
    lower_random *random;       /* [ox values] */
    uint32_t n_masks, *draw_of; /* [masks] the draw of each, by INDEX */
    uint32_t *reused;           /* [ox values] masks that a draw has made */
    qdq_pairs *pairs;
    uint32_t *pair_of; /* [ox values] the pair whose whole numbers it is; MST_NONE: none */
    uint32_t *levels;  /* [ox values] tensor of those numbers without the zero point */
} lower_ctx;

typedef mst_status (*lower_fn)(lower_ctx *c);

/* What lowers an ONNX operator; NULL: it cannot run on live data. */
lower_fn lower_find(const char *op);

/* Lower every live node of ox (folded) into g (empty); its QuantizeLinears go into pairs (empty). */
mst_status mst_lower(ox_graph *ox, mst_graph *g, mst_layout layout, const ox_notes *notes, qdq_pairs *pairs,
                     mst_err *err);

/* lower_input.c: the graph's input, [1,C,H,W] whatever the layout of the model's. */
mst_status lower_input(lower_ctx *c, mst_layout layout, const ox_notes *notes);

/* lower_random.c: a node that reads random numbers; *done: it does. */
mst_status lower_of_random(lower_ctx *c, bool *done);

/* ---- for the operators ---- */

/* "node 'x' (Conv): " + text; help says what the user can do */
mst_status lower_refuse(lower_ctx *c, const char *why, const char *help);
/* The error after running out of memory, at the node that is lowered. */
mst_status lower_no_memory(lower_ctx *c);
/* The dims of v, which must be known. */
mst_status lower_dims(lower_ctx *c, const ox_value *v, uint32_t dims[MST_MAX_RANK]);

bool lower_is_const(const lower_ctx *c, uint32_t k);

/* Tensor of input k: live, or a constant copied as float32. */
mst_status lower_tensor(lower_ctx *c, uint32_t k, uint32_t *id);
/* A constant of n float64 values, to be filled in. */
mst_status lower_new_f64(lower_ctx *c, uint32_t rank, const uint32_t *dims, double **data, uint32_t *id);
mst_status lower_new_f32(lower_ctx *c, uint32_t rank, const uint32_t *dims, float **data, uint32_t *id);

/* Emit one node with a fresh output tensor of the given shape. */
mst_status lower_emit(lower_ctx *c, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t rank,
                      const uint32_t *dims, uint32_t *out, mst_node **node);
mst_status lower_emit_reshape(lower_ctx *c, uint32_t x, uint32_t rank, const uint32_t *dims, uint32_t *out);
mst_status lower_emit_transpose(lower_ctx *c, uint32_t x, const int32_t *perm, uint32_t *out);
/* y = g*x + h with scalars */
mst_status lower_emit_scale(lower_ctx *c, uint32_t x, double g, double h, uint32_t *out);
mst_status lower_emit_affine(lower_ctx *c, uint32_t x, int32_t axis, uint32_t g, uint32_t h, uint32_t *out);
mst_status lower_emit_unary(lower_ctx *c, mst_unary_fn fn, uint32_t x, uint32_t *out);
mst_status lower_emit_clip(lower_ctx *c, uint32_t x, double lo, double hi, uint32_t *out);
mst_status lower_emit_binary(lower_ctx *c, mst_binary_fn fn, uint32_t a, uint32_t b, uint32_t *out);

/* The whole node: its output is g*x + h of its input. */
mst_status lower_scaled(lower_ctx *c, double g, double h);

/* Say that tensor id is ONNX output k of this node. */
void lower_bind(lower_ctx *c, uint32_t k, uint32_t id);
/* Shape of ONNX output k as uint32. */
mst_status lower_out_dims(lower_ctx *c, uint32_t k, uint32_t *rank, uint32_t dims[MST_MAX_RANK]);

#endif
