/* The checks of operators, one function each. Private to runtime/ir. */
#ifndef MST_IR_GRAPH_VALIDATE_H
#define MST_IR_GRAPH_VALIDATE_H

#include "mst/graph.h"

/* The graph being checked, up to node n. */
typedef struct mst_check {
    const mst_graph *g;
    const mst_node *n;
    bool *made;       /* [n_tensors] a constant, the input, or made by an earlier node */
    bool *mask_index; /* [n_nodes] MASK indices seen */
    int64_t *top;     /* [n_tensors] constants that nodes may share are read once: 0 not yet, -1 bad,
                         otherwise 1 + the largest index (GATHER) or 1 (theta, scales > 0; int8 in range) */
    mst_err *err;
} mst_check;

/* Each operator has mst_check_<ID>: shapes and parameters of c->n, whose inputs are there and which obeys the
 * flags of its operator. EINVAL. */
#define MST_OP_BEGIN(id, name, min, max, flags) mst_status mst_check_##id(const mst_check *c);
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

/* The tuning of a graph that is valid without it (graph_tuning.c). EINVAL. */
mst_status mst_check_tuning(const mst_graph *g, mst_err *err);

#endif
