/* LINEAR and CONV: what their input is, and what it weighs. */
#include "runtime/lower/lowering.h"

/* One image, all weights constant. */
static bool fits(const mst_graph *g, const mst_node *n, const op_node *pre)
{
    bool constant = g->tensors[n->in[1]].data != NULL &&
                    (n->n_in < 3 || n->in[2] == MST_NONE || g->tensors[n->in[2]].data != NULL);
    return constant && (n->op != MST_OP_CONV || pre->u.conv.batch == 1);
}

/* Sums of spikes are made row by row, everything else is in a buffer. */
static mst_status analog_input(lowering *lo, const mst_node *n, rt_synapse *syn)
{
    rt_expr *e = NULL;
    if (n->op == MST_OP_LINEAR && !lo->values[n->in[0]].has_buf)
        MST_TRY(low_as_expr(lo, n->in[0], false, &e));
    if (e != NULL && e->syn == NULL && e->prod == NULL && e->terms[0].kind == RT_TERM_BITS) {
        syn->from = e;
        return MST_OK;
    }
    return low_as_float(lo, n->in[0], &syn->buf);
}

static mst_status plan(lowering *lo, const mst_node *n, rt_synapse *syn, bool *ok)
{
    *ok = false;
    MST_TRY(low_as_bits(lo, n->in[0], &syn->bits, &syn->has_bits));
    /* Where int8 weights meet spikes that are not bits, the operator sums integers: float weights would not
     * give its bits. */
    if ((syn->node->weights->c != NULL || syn->node->weights->unit_c != NULL) && !syn->has_bits)
        return MST_OK;
    if (!lo->target->fuses(syn->has_bits ? syn->bits.form : MST_FORM_FLOAT, RT_STORE))
        return MST_OK;
    MST_TRY(lo->target->plan_synapse(lo, syn, ok));
    if (*ok) { /* from here on it owns memory */
        syn->next = lo->p->synapses;
        lo->p->synapses = syn;
    }
    return MST_OK;
}

mst_status low_make_synapse(lowering *lo, uint32_t node, rt_expr **expr)
{
    const mst_node *n = &lo->g->nodes[node];
    const op_node *pre = &lo->p->nodes[node];
    const mst_tensor *y = &lo->g->tensors[n->out];
    bool conv = n->op == MST_OP_CONV, ok;
    *expr = NULL;
    if (lo->values[n->in[0]].kind == LOW_STATIC || !fits(lo->g, n, pre))
        return MST_OK;
    rt_synapse *syn = mst_arena_alloc(&lo->p->arena, sizeof *syn);
    rt_expr *e = mst_arena_alloc(&lo->p->arena, sizeof *e);
    if (syn == NULL || e == NULL)
        return low_no_memory(lo);
    *syn = (rt_synapse){.node = pre, .is_conv = conv, .out = rt_last_dim(y)};
    syn->group_in = conv ? pre->u.conv.channels / pre->u.conv.groups : pre->weights->k;
    syn->group_out = conv ? syn->out / pre->u.conv.groups : syn->out;
    MST_TRY(plan(lo, n, syn, &ok));
    if (ok && !syn->has_bits)
        MST_TRY(analog_input(lo, n, syn));
    if (ok)
        MST_TRY(lo->target->pack_synapse(lo, syn, &ok));
    if (!ok)
        return MST_OK;
    e->syn = syn;
    e->cols = (uint32_t)syn->out;
    e->rows = mst_tensor_elements(y) / syn->out;
    *expr = e;
    return MST_OK;
}
