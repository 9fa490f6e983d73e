/* CLIP: values kept between two bounds. */
#include "runtime/ops/op.h"

static void run_clip(op_call *c)
{
    c->k->clip_f32(c->node->u.scalars.lo, c->node->u.scalars.hi, op_in(c, 0), c->out, c->node->n);
}

mst_status op_prepare_CLIP(op_prep *c, op_node *op)
{
    op->run = run_clip;
    op->u.scalars.lo = c->node->fp[MST_CLIP_LO];
    op->u.scalars.hi = c->node->fp[MST_CLIP_HI];
    return MST_OK;
}
