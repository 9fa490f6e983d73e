/* The call of an operator's function, which all back ends fall back to. */
#include "runtime/backend/backend.h"

uint64_t rt_call_node(mst_session *s, const op_node *n, const uint32_t *in_buf, float *out, uint32_t t, char *scratch)
{
    const mst_program *p = s->p;
    const mst_node *node = &p->g->nodes[n->index];
    const void *in[RT_MAX_SOURCES];
    op_call c = {.node = n,
                 .k = &p->k,
                 .in = in,
                 .out = out,
                 .scratch = scratch,
                 .state = s->mem + n->state,
                 .seed = p->seed,
                 .sample = s->sample,
                 .time = s->time + t + 1};
    for (uint32_t k = 0; k < n->n_in; k++) {
        bool moves = in_buf != NULL && in_buf[k] != MST_NONE;
        in[k] = moves ? (float *)rt_buf_at(s, in_buf[k]) + t * mst_tensor_elements(&p->g->tensors[node->in[k]])
                      : rt_at(s, n->in[k]);
    }
    n->run(&c);
    if (n->layer != MST_NONE && node->op == MST_OP_NEURON)
        rt_count_fired(s, n->layer, t, c.active);
    else if (n->layer != MST_NONE)
        rt_count_spikes(s, n->layer, t, c.active);
    return c.ops;
}
