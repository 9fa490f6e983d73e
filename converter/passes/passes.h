/* The passes: each takes a graph that validates and leaves one that does. */
#ifndef MST_PASSES_H
#define MST_PASSES_H

#include "converter/pairs.h"
#include "converter/passes/graph_edit.h"
#include "mst/convert.h"

/* pass_clean.c: reshapes, transposes, slices, ... that do nothing; chains of them */
mst_status pass_clean(mst_graph *g, mst_err *err);
/* pass_qdq.c: what becomes of each pair of a graph as it was lowered; and, behind all passes, what became of it */
mst_status pass_qdq(mst_graph *g, qdq_pairs *pairs, bool drop_analog, mst_err *err);
void qdq_settle(const mst_graph *g, qdq_pairs *pairs);
/* pass_layout.c: transposes and reshapes inside of activations to behind them */
mst_status pass_sink(mst_graph *g, mst_err *err);
/* pass_stair.c: lines, bounds and staircases in other spellings -> affine, bound, floor or ceil or round */
mst_status pass_stair(mst_graph *g, mst_err *err);
/* How much is followed at most, in pieces of functions: for nothing, and in all. Then the rest stays as it is. */
typedef struct stair_limits {
    uint64_t vain, all;
} stair_limits;
mst_status pass_stair_within(mst_graph *g, stair_limits limits, uint64_t *followed, mst_err *err);
/* pass_qcfs.c: floor/round with its scales and bounds -> NEURON (docs/CONVERSION.md, "QCFS") */
mst_status pass_qcfs(mst_graph *g, mst_err *err);
/* pass_qcfs.c: says of the first staircase that is left why it is no QCFS; changes nothing */
mst_status pass_fits(mst_graph *g, mst_err *err);
/* Would pass_qcfs make a neuron of node i, a floor, ceil or round? */
mst_status qcfs_is_found(mst_edit *e, uint32_t i, bool *found);
/* pass_bound.c: bounds from 0 that take several nodes -> affine, clip, and a minimum where channels differ */
mst_status pass_bound(mst_graph *g, mst_err *err);
/* pass_layernorm.c: LayerNorm written out in elementary operators -> LAYERNORM; RMSNorm -> one form of it */
mst_status pass_layernorm(mst_graph *g, mst_err *err);
/* pass_layout.c: move transposes past elementwise nodes until they cancel */
mst_status pass_layout(mst_graph *g, mst_err *err);
/* pass_affine.c: BatchNorm and scales into weights, thresholds' currents, products
 * (docs/CONVERSION.md, "BatchNorm and scales") */
mst_status pass_affine(mst_graph *g, mst_err *err);
/* pass_matmul.c: a transposed second factor -> TRANS_B */
mst_status pass_matmul(mst_graph *g, mst_err *err);
/* pass_sites.c: which neuron is Q, K, attention, MLP-fc1, ...; stage and block */
mst_status pass_sites(mst_graph *g, mst_err *err);
/* pass_narrow.c: float64 constants -> float32, rounded once */
mst_status pass_narrow(mst_graph *g, mst_err *err);

/* pass_relu.c: ReLUs with thresholds from data -> NEURON */
mst_status pass_relu(mst_graph *g, const mst_threshold *thresholds, size_t n, mst_err *err);
/* pass_rates.c: maxima of spikes -> RATE_POOL */
mst_status pass_rates(mst_graph *g, mst_err *err);
/* pass_mask.c: Random Spike Masking as the policy says (MST paper, Section 3.4) */
mst_status pass_mask(mst_graph *g, mst_policy *policy, mst_err *err);
/* pass_levels.c: mode, thinning and levels of count and radix runs as the policy says */
mst_status pass_levels(mst_graph *g, mst_policy *policy, mst_err *err);
/* pass_weights.c: weights of LINEAR and CONV -> F16, or I8 with scales (F32: nothing to do); fills the
 * report's part about weights */
mst_status pass_weights(mst_graph *g, mst_dtype type, mst_report *report, mst_err *err);

#endif
