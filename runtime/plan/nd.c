/* Strided loops: strides, collapsing, odometer. Knows shapes, not operators. */
#include "runtime/plan/nd.h"

#include <string.h>

_Static_assert(MST_MAX_ELEMENTS <= INT32_MAX, "a stride fits into 32 bits");

void nd_strides(const mst_tensor *t, int32_t *stride)
{
    int32_t s = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        stride[d] = s;
        s *= (int32_t)t->dims[d];
    }
}

void nd_broadcast(const mst_tensor *t, uint32_t rank, const uint32_t *dims, int32_t *stride)
{
    int32_t own[MST_MAX_RANK];
    nd_strides(t, own);
    for (uint32_t d = 0; d < rank; d++) {
        stride[d] = 0;
        if (d + t->rank < rank)
            continue;
        uint32_t k = d + t->rank - rank;
        stride[d] = t->dims[k] == 1 && dims[d] != 1 ? 0 : own[k];
    }
}

static bool joins(const nd_loop *nd, uint32_t outer, uint32_t dim, uint32_t inner)
{
    for (int o = 0; o < ND_OPERANDS; o++)
        if (nd->stride[o][outer] != (ptrdiff_t)nd->stride[o][inner] * dim)
            return false;
    return true;
}

void nd_collapse(nd_loop *nd)
{
    uint32_t n = 0; /* dims kept so far, outermost first */
    for (uint32_t d = 0; d < nd->rank; d++) {
        if (nd->dims[d] == 1)
            continue;
        bool join = n != 0 && joins(nd, n - 1, nd->dims[d], d);
        if (!join)
            n++;
        nd->dims[n - 1] = join ? nd->dims[n - 1] * nd->dims[d] : nd->dims[d];
        for (int o = 0; o < ND_OPERANDS; o++)
            nd->stride[o][n - 1] = nd->stride[o][d];
    }
    if (n == 0) {
        n = 1;
        nd->dims[0] = 1;
        for (int o = 0; o < ND_OPERANDS; o++)
            nd->stride[o][0] = 1;
    }
    nd->rank = n;
}

bool nd_next(const nd_loop *nd, size_t *pos, ptrdiff_t *at)
{
    for (uint32_t d = nd->rank - 1; d-- > 0;) {
        for (int o = 0; o < ND_OPERANDS; o++)
            at[o] += nd->stride[o][d];
        if (++pos[d] < nd->dims[d])
            return true;
        for (int o = 0; o < ND_OPERANDS; o++)
            at[o] -= (ptrdiff_t)nd->stride[o][d] * nd->dims[d];
        pos[d] = 0;
    }
    return false;
}
