/* Which axes of a tensor are channels: what one output of a LINEAR or CONV, one column of a product, becomes on its
 * way to neurons. Knows nothing of samples.
 */
#include "calibrate/tune_state.h"

/* Axes of `to` that hold a place of the axes in mask of n dims, as many elements. */
static uint32_t regroup(const uint32_t *dims, uint32_t n, uint32_t mask, const mst_tensor *to)
{
    uint32_t found = 0;
    uint64_t step = 1;
    for (uint32_t d = n; d-- > 0; step *= dims[d]) {
        uint64_t at = 1;
        for (uint32_t e = to->rank; e-- > 0; at *= to->dims[e])
            if ((mask >> d & 1) != 0 && at < step * dims[d] && step < at * to->dims[e])
                found |= 1u << e;
    }
    return found;
}

/* Of an input that broadcasts to y; skip: so many last axes that are no such. */
static uint32_t aligned(const mst_tensor *x, uint32_t mask, const mst_tensor *y, uint32_t skip)
{
    uint32_t found = 0;
    for (uint32_t d = skip; d < x->rank && d < y->rank; d++)
        if ((mask >> (x->rank - 1 - d) & 1) != 0 && x->dims[x->rank - 1 - d] == y->dims[y->rank - 1 - d])
            found |= 1u << (y->rank - 1 - d);
    return found;
}

static uint32_t transposed(const mst_node *n, uint32_t rank, uint32_t mask)
{
    uint32_t found = 0;
    for (uint32_t d = 0; d < rank; d++)
        found |= (mask >> n->ip[MST_TRANSPOSE_PERM + d] & 1) << d;
    return found;
}

static uint32_t gathered(const mst_node *n, uint32_t mask, uint32_t index_rank)
{
    uint32_t axis = (uint32_t)n->ip[MST_GATHER_AXIS], before = mask & ((1u << axis) - 1);
    uint32_t own = (mask >> axis & 1) != 0 ? ((1u << index_rank) - 1) << axis : 0;
    return before | own | (mask >> (axis + 1)) << (axis + index_rank);
}

static uint32_t reduced(const mst_node *n, const mst_tensor *x, uint32_t mask, const mst_tensor *y)
{
    uint32_t dims[MST_MAX_RANK], kept = 0, of = 0;
    for (uint32_t d = 0; d < x->rank; d++)
        if (((uint32_t)n->ip[MST_REDUCE_AXES] >> d & 1) == 0) {
            of |= (mask >> d & 1) << kept;
            dims[kept++] = x->dims[d];
        }
    return regroup(dims, kept, of, y);
}

static uint32_t of_node(const mst_graph *g, const mst_node *n, const uint32_t *axes)
{
    const mst_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out];
    uint32_t mask = axes[n->in[0]];
    switch (n->op) {
    case MST_OP_LINEAR:
    case MST_OP_CONV: return 1u << (y->rank - 1);
    case MST_OP_MATMUL:
        return 1u << (y->rank - 1) | aligned(x, mask, y, 2) | aligned(&g->tensors[n->in[1]], axes[n->in[1]], y, 2);
    case MST_OP_BINARY: return aligned(x, mask, y, 0) | aligned(&g->tensors[n->in[1]], axes[n->in[1]], y, 0);
    case MST_OP_EXPAND: return aligned(x, mask, y, 0);
    case MST_OP_RESHAPE: return regroup(x->dims, x->rank, mask, y);
    case MST_OP_TRANSPOSE: return transposed(n, y->rank, mask);
    case MST_OP_GATHER: return gathered(n, mask, g->tensors[n->in[1]].rank);
    case MST_OP_REDUCE: return reduced(n, x, mask, y);
    case MST_OP_CONCAT:
        for (uint32_t k = 1; k < n->n_in; k++)
            mask |= axes[n->in[k]];
        return mask;
    default: return mask;
    }
}

uint32_t *mst_tune_axes(const mst_graph *g, mst_arena *arena)
{
    uint32_t *axes = mst_arena_array(arena, g->n_tensors, sizeof *axes);
    if (axes == NULL)
        return NULL;
    axes[g->input] = g->tensors[g->input].rank == 4 ? 1u << 1 : 0; /* [1,C,H,W] */
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        const mst_tensor *y = &g->tensors[n->out];
        uint32_t mask = of_node(g, n, axes);
        if (n->op == MST_OP_NEURON && mst_tensor_elements(&g->tensors[n->in[1]]) != 1)
            mask |= 1u << n->ip[MST_NEURON_AXIS]; /* a channel has one theta */
        for (uint32_t d = 0; d < y->rank; d++)
            if (y->dims[d] == 1)
                mask &= ~(1u << d);
        axes[n->out] = mask;
    }
    return axes;
}
