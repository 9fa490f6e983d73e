/* Strided loops over up to eight dimensions and three operands. */
#ifndef MST_EXEC_ND_H
#define MST_EXEC_ND_H

#include <stdbool.h>
#include <stddef.h>

#include "mst/graph.h"

#define EXEC_ND_OPERANDS 3

typedef struct exec_nd {
    uint32_t rank; /* >= 1 after exec_nd_collapse */
    size_t dims[MST_MAX_RANK];
    ptrdiff_t stride[EXEC_ND_OPERANDS][MST_MAX_RANK]; /* in elements; unused operands: 0 */
} exec_nd;

/* Row-major strides of a tensor's own dims. */
void exec_nd_strides(const mst_tensor *t, ptrdiff_t *stride);

/* Strides with which t broadcasts, as numpy does, to rank and dims. */
void exec_nd_broadcast(const mst_tensor *t, uint32_t rank, const size_t *dims, ptrdiff_t *stride);

/* Drop dimensions of one element and join neighbours that all operands walk as
 * one. The order of visits stays. */
void exec_nd_collapse(exec_nd *nd);

/* Odometer over all dimensions but the last: pos starts as zeros, at as the
 * operands' first elements; false after the last row. */
bool exec_nd_next(const exec_nd *nd, size_t *pos, ptrdiff_t *at);

#endif
