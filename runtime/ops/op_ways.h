/* Ways: from an element of an input to each element of the output that it goes into, by copying, adding or scaling.
 * visit(ctx, from, to) sees each once; a constant function in its place makes a loop of its own. */
#ifndef MST_OPS_OP_WAYS_H
#define MST_OPS_OP_WAYS_H

#include "runtime/ops/op.h"

typedef void (*op_visit)(void *ctx, size_t from, size_t to);

static inline void op_ways_same(size_t n, op_visit visit, void *ctx)
{
    for (size_t i = 0; i < n; i++)
        visit(ctx, i, i);
}

/* Operand a of the loop goes into operand b, from where at says on. */
static inline void op_ways_nd(const nd_loop *nd, uint32_t a, uint32_t b, const ptrdiff_t *start, op_visit visit,
                              void *ctx)
{
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {start[0], start[1], start[2]};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++)
            visit(ctx, (size_t)(at[a] + (ptrdiff_t)i * nd->stride[a][last]),
                  (size_t)(at[b] + (ptrdiff_t)i * nd->stride[b][last]));
    } while (nd_next(nd, pos, at));
}

/* Input k of a node that moves, GATHER apart. */
static inline void op_ways_move(const op_move *q, uint32_t k, op_visit visit, void *ctx)
{
    const ptrdiff_t start[ND_OPERANDS] = {q->parts[k].in_at, q->parts[k].out_at};
    op_ways_nd(&q->parts[k].nd, 0, 1, start, visit, ctx);
}

static inline void op_ways_binary(const op_binary *q, uint32_t k, op_visit visit, void *ctx)
{
    const ptrdiff_t start[ND_OPERANDS] = {0};
    op_ways_nd(&q->nd, k, 2, start, visit, ctx);
}

static inline void op_ways_gather(const op_gather *q, const int32_t *index, op_visit visit, void *ctx)
{
    size_t to = 0;
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++)
            for (size_t j = 0; j < q->inner; j++)
                visit(ctx, (o * q->axis + (size_t)index[i]) * q->inner + j, to++);
}

/* The window of output pixel (oh, ow), all channels. */
static inline void op_ways_window(const op_pool *q, int64_t oh, int64_t ow, size_t from, size_t to, op_visit visit,
                                  void *ctx)
{
    int64_t h_lo, h_hi, w_lo, w_hi;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++)
        for (int64_t j = w_lo; j < w_hi; j++) {
            int64_t row = oh * q->h.stride - q->h.pad + i * q->h.dilation;
            int64_t col = ow * q->w.stride - q->w.pad + j * q->w.dilation;
            for (size_t c = 0; c < q->channels; c++)
                visit(ctx, from + (size_t)(row * q->w.size + col) * q->channels + c, to + c);
        }
}

static inline void op_ways_pool(const op_pool *q, op_visit visit, void *ctx)
{
    size_t from = 0, to = 0;
    for (size_t n = 0; n < q->batch; n++, from += (size_t)q->h.size * (size_t)q->w.size * q->channels)
        for (int64_t oh = 0; oh < q->h.out; oh++)
            for (int64_t ow = 0; ow < q->w.out; ow++, to += q->channels)
                op_ways_window(q, oh, ow, from, to, visit, ctx);
}

static inline void op_ways_reduce(const op_reduce *q, op_visit visit, void *ctx)
{
    const nd_loop *nd = &q->over;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            const ptrdiff_t start[ND_OPERANDS] = {at[0] + (ptrdiff_t)i * nd->stride[0][last]};
            op_ways_nd(&q->kept, 0, 1, start, visit, ctx);
        }
    } while (nd_next(nd, pos, at));
}

#endif
