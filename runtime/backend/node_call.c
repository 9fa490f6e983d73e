/* The call of an operator's function, which all back ends fall back to. */
#include "runtime/backend/backend.h"

/* Of step t; n a step. */
static uint32_t *events_at(const mst_session *s, uint32_t buf, uint32_t t, size_t n)
{
    return buf != MST_NONE ? (uint32_t *)rt_buf_at(s, buf) + t * n : NULL;
}

static void point(mst_session *s, const op_node *n, const rt_op *op, uint32_t t, const void **in,
                  const uint32_t **events)
{
    const mst_node *node = &s->p->g->nodes[n->index];
    for (uint32_t k = 0; k < n->n_in; k++) {
        bool moves = op != NULL && op->in_buf[k] != MST_NONE;
        size_t size = moves ? mst_tensor_elements(&s->p->g->tensors[node->in[k]]) : 0;
        in[k] = moves ? (float *)rt_buf_at(s, op->in_buf[k]) + t * size : rt_at(s, n->in[k]);
        events[k] = moves ? events_at(s, op->in_events[k], t, size) : NULL;
    }
}

uint64_t rt_call_node(mst_session *s, const op_node *n, const rt_op *op, uint32_t t, rt_share share, char *scratch)
{
    const mst_program *p = s->p;
    const void *in[RT_MAX_SOURCES];
    const uint32_t *events[RT_MAX_SOURCES];
    float *out =
        op != NULL ? (float *)rt_buf_at(s, op->out.buf) + t * op->out.step : (float *)(void *)(s->mem + n->out.at);
    op_call c = {.node = n,
                 .k = &p->k,
                 .in = in,
                 .out = out,
                 .events = events,
                 .out_events = op != NULL ? events_at(s, op->events, t, op->out.step) : NULL,
                 .scratch = scratch,
                 .state = s->mem + n->state,
                 .seed = s->seed,
                 .sample = s->sample,
                 .time = s->time + t + 1,
                 .part = share.part,
                 .parts = share.parts};
    point(s, n, op, t, in, events);
    n->run(&c);
    if (n->pass != NULL)
        n->pass(&c);
    if (n->count != NULL)
        n->count(&c);
    if (n->layer != MST_NONE && mst_node_fires(&p->g->nodes[n->index]))
        rt_count_fired(s, n->layer, t, c.active);
    else if (n->layer != MST_NONE)
        rt_count_spikes(s, n->layer, t, c.active);
    return c.ops;
}
