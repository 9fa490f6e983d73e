/* What nodes compute of the rows of a value: run on a few, is it a LayerNorm or an RMSNorm? For pass_layernorm.c. */
#ifndef MST_NORM_FN_H
#define MST_NORM_FN_H

#include "converter/passes/graph_edit.h"

#define NORM_NODES 24
#define NORM_TOLERANCE 1e-7 /* of the constants' own rounding nothing is left: both sides have the same ones */

/* Nodes that compute tensor `out` from the rows of tensor `root`, last first. */
typedef struct region {
    mst_edit *e;
    uint32_t *place; /* [nodes] in the order of execution; those made here have the place of what they replace */
    uint32_t root, out, n, channels;
    uint32_t node[NORM_NODES];
    uint32_t open[2 * NORM_NODES + 2], n_open; /* what the nodes read; all the same, it is a root */
    bool reduces;
    uint64_t *work; /* values that trials may still compute */
} region;

/* g*(x - mean(x)) / sqrt(var(x) + eps) + h; or without the mean. */
typedef struct norm {
    bool centered; /* LayerNorm; else RMSNorm */
    double eps, *g, *h;
} norm;

/* Find f, its vectors in the arena; *found is false where there is none, or no work left. */
mst_status norm_solve(const region *r, mst_arena *arena, norm *f, bool *found);

#endif
