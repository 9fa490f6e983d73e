/* What folding an AFFINE needs: its constants, where its channels are across movement, weights that may be written to.
 * For pass_affine.c, which says what is folded where. */
#ifndef MST_AFFINE_FOLD_H
#define MST_AFFINE_FOLD_H

#include "converter/passes/graph_edit.h"

/* The AFFINE being folded. */
typedef struct fold {
    mst_edit *e;
    uint32_t node;
    uint32_t n_g, n_h;
    const mst_tensor *g, *h; /* refreshed after the tensor array may have grown */
    bool scalar;             /* one g and one h: no channel axis */
    bool no_offset;          /* h is 0 */
} fold;

fold fold_open(mst_edit *e, uint32_t node);
/* After the tensor array may have grown. */
void fold_refresh(fold *f);
/* g and h of channel i */
double fold_g(const fold *f, size_t i);
double fold_h(const fold *f, size_t i);

/* The channel axis on the other side of movement node i (or of a mean over other axes); up: from its output to its
 * input. -1: the channels do not survive, or the node is none of these. */
int32_t fold_axis_across(const fold *f, uint32_t i, int32_t axis, bool up);
/* Channels that a reshape flattens together with other axes: *axis of its output, and how many of its indices belong to
 * one. */
bool fold_flattened(const fold *f, uint32_t reshape, int32_t *axis, uint32_t *inner);
bool fold_on_last_axis(const fold *f, const mst_tensor *t, int32_t axis);

/* Weight [rows][outs] and bias [outs] (made if there is none) of a LINEAR or CONV, as values that only it reads. */
mst_status fold_own_weights(fold *f, uint32_t target, double **w, double **b, size_t *rows, uint32_t *outs);
/* g2*(g1*x + h1) + h2, second behind first, into the node of one of them. */
mst_status fold_join(fold *first, fold *second, uint32_t target, int32_t axis);

#endif
