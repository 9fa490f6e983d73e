/* REDUCE: mean, sum or maximum over axes, each output in ascending order of its inputs. */
#include "runtime/ops/accumulate.h"
#include "runtime/ops/op.h"

/* Take one reduced position into all sums; x points at it. */
static void reduce_one(const op_call *c, const op_reduce *q, bool first, const float *x, float *y)
{
    const nd_loop *nd = &q->kept;
    const bool max = q->fn == MST_RED_MAX;
    uint32_t last = nd->rank - 1;
    ptrdiff_t step = nd->stride[0][last];
    size_t pos[MST_MAX_RANK] = {0}, n = nd->dims[last];
    ptrdiff_t at[ND_OPERANDS] = {0};
    do {
        const float *from = x + at[0];
        float *to = y + at[1];
        if (step == 1) {
            op_accumulate(c->k, first, max, from, to, n);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            float v = from[(ptrdiff_t)i * step];
            to[i] = first ? v : max ? (to[i] < v ? v : to[i])
                                    : to[i] + v;
        }
    } while (nd_next(nd, pos, at));
}

static void run_reduce(op_call *c)
{
    const op_reduce *q = &c->node->u.reduce;
    const nd_loop *nd = &q->over;
    const float *x = op_in(c, 0);
    float *y = c->out;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    bool first = true;
    do {
        for (size_t i = 0; i < nd->dims[last]; i++, first = false)
            reduce_one(c, q, first, x + at[0] + (ptrdiff_t)i * nd->stride[0][last], y);
    } while (nd_next(nd, pos, at));
    if (q->fn == MST_RED_MEAN)
        c->k->scale_f32((float)(1.0 / (double)q->n), y, c->node->n);
}

mst_status op_prepare_REDUCE(op_prep *c, op_node *op)
{
    const mst_tensor *x = op_in_tensor(c, 0);
    uint32_t axes = (uint32_t)c->node->ip[MST_REDUCE_AXES];
    op_reduce *q = &op->u.reduce;
    int32_t own[MST_MAX_RANK], out = 1;
    op->run = run_reduce;
    q->fn = c->node->ip[MST_REDUCE_FN];
    nd_strides(x, own);
    for (uint32_t d = 0; d < x->rank; d++) {
        nd_loop *nd = (axes >> d & 1) != 0 ? &q->over : &q->kept;
        nd->dims[nd->rank] = x->dims[d];
        nd->stride[0][nd->rank++] = own[d];
    }
    for (uint32_t d = q->kept.rank; d-- > 0;) { /* y is row-major over the kept dims */
        q->kept.stride[1][d] = out;
        out *= (int32_t)q->kept.dims[d];
    }
    q->n = mst_tensor_elements(x) / op->n;
    nd_collapse(&q->over);
    nd_collapse(&q->kept);
    return MST_OK;
}
