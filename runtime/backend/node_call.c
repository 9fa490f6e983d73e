/* The call of an operator's function, which all back ends fall back to. */
#include "runtime/backend/backend.h"

static void *events_at(const mst_session *s, uint32_t buf) { return buf != MST_NONE ? rt_buf_at(s, buf) : NULL; }

/* Only programs of one step have events (count and radix mode). */
static void point(mst_session *s, const op_node *n, const rt_op *op, uint32_t t, const void **in,
                  const uint32_t **events)
{
    const mst_node *node = &s->p->g->nodes[n->index];
    for (uint32_t k = 0; k < n->n_in; k++) {
        bool moves = op != NULL && op->in_buf[k] != MST_NONE;
        in[k] = moves ? (float *)rt_buf_at(s, op->in_buf[k]) + t * mst_tensor_elements(&s->p->g->tensors[node->in[k]])
                      : rt_at(s, n->in[k]);
        events[k] = op != NULL ? events_at(s, op->in_events[k]) : NULL;
    }
}

uint64_t rt_call_node(mst_session *s, const op_node *n, const rt_op *op, uint32_t t, char *scratch)
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
                 .out_events = op != NULL ? events_at(s, op->events) : NULL,
                 .scratch = scratch,
                 .state = s->mem + n->state,
                 .seed = p->seed,
                 .sample = s->sample,
                 .time = s->time + t + 1};
    point(s, n, op, t, in, events);
    n->run(&c);
    if (n->pass != NULL)
        n->pass(&c);
    if (n->count != NULL)
        n->count(&c);
    if (n->layer != MST_NONE && p->g->nodes[n->index].op == MST_OP_NEURON)
        rt_count_fired(s, n->layer, t, c.active);
    else if (n->layer != MST_NONE)
        rt_count_spikes(s, n->layer, t, c.active);
    return c.ops;
}
