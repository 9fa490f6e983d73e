/* Strided loops over up to eight dimensions and three operands. */
#ifndef MST_PLAN_ND_H
#define MST_PLAN_ND_H

#include <stdbool.h>
#include <stddef.h>

#include "mst/graph.h"

#define ND_OPERANDS 3

typedef struct nd_loop {
    uint32_t rank; /* >= 1 after nd_collapse */
    size_t dims[MST_MAX_RANK];
    ptrdiff_t stride[ND_OPERANDS][MST_MAX_RANK]; /* in elements; unused operands: 0 */
} nd_loop;

/* Row-major strides of a tensor's own dims. */
void nd_strides(const mst_tensor *t, ptrdiff_t *stride);

/* Strides with which t broadcasts, as numpy does, to rank and dims. */
void nd_broadcast(const mst_tensor *t, uint32_t rank, const size_t *dims, ptrdiff_t *stride);

/* Drop dimensions of one element and join neighbours that all operands walk as
 * one. The order of visits stays. */
void nd_collapse(nd_loop *nd);

/* Odometer over all dimensions but the last: pos starts as zeros, at as the
 * operands' first elements; false after the last row. */
bool nd_next(const nd_loop *nd, size_t *pos, ptrdiff_t *at);

#endif
