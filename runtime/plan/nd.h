/* Strided loops over up to eight dimensions and three operands. */
#ifndef MST_PLAN_ND_H
#define MST_PLAN_ND_H

#include <stdbool.h>
#include <stddef.h>

#include "mst/graph.h"

#define ND_OPERANDS 3

/* Elements of a tensor are at most MST_MAX_ELEMENTS, so that 32 bits hold what is taken of them. */
typedef struct nd_loop {
    uint32_t rank; /* >= 1 after nd_collapse */
    uint32_t dims[MST_MAX_RANK];
    int32_t stride[ND_OPERANDS][MST_MAX_RANK]; /* in elements; unused operands: 0 */
} nd_loop;

/* Row-major strides of a tensor's own dims. */
void nd_strides(const mst_tensor *t, int32_t *stride);

/* Strides with which t broadcasts, as numpy does, to rank and dims. */
void nd_broadcast(const mst_tensor *t, uint32_t rank, const uint32_t *dims, int32_t *stride);

/* Drop dimensions of one element and join neighbours that all operands walk as
 * one. The order of visits stays. */
void nd_collapse(nd_loop *nd);

/* Odometer over all dimensions but the last: pos starts as zeros, at as the
 * operands' first elements; false after the last row. */
bool nd_next(const nd_loop *nd, size_t *pos, ptrdiff_t *at);

#endif
