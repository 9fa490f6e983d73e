/* What pass_qdq.c knows of the pairs of a graph, for its parts. */
#ifndef MST_QDQ_STATE_H
#define MST_QDQ_STATE_H

#include "converter/pairs.h"
#include "converter/passes/graph_edit.h"

typedef struct qdq {
    mst_edit *e;
    qdq_pairs *pairs;
    uint32_t *pair_in;  /* [nodes] the pair that starts with x/scale here; MST_NONE */
    uint32_t *pair_out; /* [tensors] the pair that ends here; MST_NONE */
    uint32_t *before;   /* [tensors] what goes into the chain of pairs that ends here; MST_NONE: not asked yet */
    uint32_t *grid;     /* [tensors] a pair on whose levels all its values are; MST_NONE: not known */
    bool *averaged;     /* [tensors] means of such values, whose ties are common */
    bool *from_0;       /* [tensors] not below 0 */
    bool *of_pairs;     /* [tensors] functions and sums of pairs' values: all that there are are known */
    bool *of_qcfs;      /* [tensors] made of results of QCFS activations by movement, scales, sums and means alone */
    bool *seen_up;      /* [tensors] by a walk from a staircase */
    bool *seen_down;
    uint32_t *stack;    /* [nodes] */
    uint32_t n_tensors; /* of the graph as it was lowered */
} qdq;

/* The tensor that a pair reads. */
static inline uint32_t qdq_source(const qdq *q, const qdq_pair *p) { return edit_node(q->e, p->scale_in)->in[0]; }

/* qdq_exact.c: sums and averages of pairs' values, which other pairs round, in the arithmetic of ONNX Runtime */
mst_status qdq_compute_exactly(qdq *q);

#endif
