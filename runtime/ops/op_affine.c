/* AFFINE: a gain and an offset for each channel. */
#include "runtime/ops/channels.h"

static void run_affine(op_call *c)
{
    const op_affine *q = &c->node->u.affine;
    const mst_kernels *k = c->k;
    const float *x = op_in(c, 0);
    float *y = c->out;
    for (size_t o = 0, at = 0; o < q->ch.outer; o++) {
        if (q->ch.inner == 1) {
            k->affine_each_f32(q->g, q->h, x + at, y + at, q->ch.channels);
            at += q->ch.channels;
            continue;
        }
        for (size_t i = 0; i < q->ch.channels; i++, at += q->ch.inner)
            k->affine_same_f32(q->g + i, q->h + i, x + at, y + at, q->ch.inner);
    }
}

mst_status op_prepare_AFFINE(op_prep *c, op_node *op)
{
    const float *values[2];
    op->run = run_affine;
    MST_TRY(op_channels_of(c, c->node->ip[MST_AFFINE_AXIS], 1, 2, &op->u.affine.ch, values));
    op->u.affine.g = values[0];
    op->u.affine.h = values[1];
    return MST_OK;
}
