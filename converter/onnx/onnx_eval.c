/* What every evaluation stands on: memory and work within the budget, strided copies,
 * broadcasting. Must not know any operator.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

/* ---- the budget ---- */

mst_status ox_spend(ox_ctx *c, uint64_t work)
{
    if (work > c->work_left)
        return ox_fail(c, MST_ELIMIT, "evaluating the model's constants takes more than %llu operations",
                       (unsigned long long)OX_FOLD_WORK);
    c->work_left -= work;
    return MST_OK;
}

mst_status ox_out_alloc(ox_ctx *c, uint32_t k, uint8_t **data)
{
    ox_value *v = ox_out(c, k);
    *data = NULL;
    if (v == NULL)
        return MST_OK;
    size_t bytes = ox_elements(v) * ox_dtype_size(v->dtype); /* at most 2^30 * 8 */
    if (bytes > c->bytes_left)
        return ox_fail(c, MST_ELIMIT, "folded constants take more memory than the limit allows (output %u "
                                      "needs %zu bytes)",
                       k, bytes);
    size_t limit = c->g->arena.limit, used = c->g->arena.used;
    *data = mst_arena_alloc(&c->g->arena, bytes);
    if (*data == NULL && limit != 0 && (used > limit || bytes > limit - used))
        return ox_fail(c, MST_ELIMIT, "output %u needs %zu bytes, more than the import's limit leaves", k,
                       bytes);
    if (*data == NULL)
        return ox_fail(c, MST_ENOMEM, "no memory for output %u (%zu bytes)", k, bytes);
    c->bytes_left -= bytes;
    v->data = *data;
    return MST_OK;
}

void ox_out_share(ox_ctx *c, uint32_t k, const ox_value *v)
{
    if (ox_out(c, k) != NULL)
        ox_out(c, k)->data = v->data;
}

/* ---- copies and broadcasting ---- */

void ox_strides(const ox_value *v, size_t unit, ptrdiff_t stride[MST_MAX_RANK])
{
    ptrdiff_t s = (ptrdiff_t)unit;
    for (uint32_t d = v->rank; d-- > 0;) {
        stride[d] = s;
        s *= (ptrdiff_t)v->dims[d];
    }
}

/* One run along the innermost dimension. */
static void copy_run(uint8_t *dst, const uint8_t *src, size_t n, ptrdiff_t stride, size_t size)
{
    if (stride == (ptrdiff_t)size) {
        memcpy(dst, src, n * size);
        return;
    }
    for (size_t i = 0; i < n; i++, dst += size, src += stride) {
        switch (size) {
        case 1: *dst = *src; break;
        case 2: memcpy(dst, src, 2); break;
        case 4: memcpy(dst, src, 4); break;
        default: memcpy(dst, src, 8); break;
        }
    }
}

void ox_view_copy(uint8_t *dst, const uint8_t *src, const ox_view *v, size_t size)
{
    size_t index[OX_VIEW_RANK] = {0};
    for (uint32_t d = 0; d < v->rank; d++)
        if (v->dims[d] == 0)
            return;
    if (v->rank == 0) {
        memcpy(dst, src, size);
        return;
    }
    uint32_t last = v->rank - 1;
    ptrdiff_t at = 0; /* an offset, so that no pointer ever leaves the block */
    for (;;) {
        copy_run(dst, src + at, v->dims[last], v->stride[last], size);
        dst += v->dims[last] * size;
        uint32_t d = last;
        for (;;) {
            if (d-- == 0)
                return;
            at += v->stride[d];
            if (++index[d] < v->dims[d])
                break;
            at -= v->stride[d] * (ptrdiff_t)v->dims[d];
            index[d] = 0;
        }
    }
}

void ox_bcast_start(ox_bcast *b, uint32_t rank, const int64_t *dims, uint32_t n, const ox_value *const *v)
{
    memset(b, 0, sizeof *b);
    b->n = n;
    b->rank = rank;
    memcpy(b->dims, dims, rank * sizeof *dims);
    for (uint32_t j = 0; j < n; j++) {
        ptrdiff_t own[MST_MAX_RANK];
        ox_strides(v[j], 1, own);
        for (uint32_t d = 0; d < v[j]->rank; d++)
            if (v[j]->dims[d] != 1)
                b->stride[j][rank - v[j]->rank + d] = own[d];
    }
}

void ox_bcast_next(ox_bcast *b)
{
    for (uint32_t d = b->rank; d-- > 0;) {
        bool wrap = ++b->index[d] == b->dims[d];
        for (uint32_t j = 0; j < b->n; j++)
            b->at[j] += (size_t)(wrap ? b->stride[j][d] * (ptrdiff_t)(1 - b->dims[d]) : b->stride[j][d]);
        if (!wrap)
            return;
        b->index[d] = 0;
    }
}
