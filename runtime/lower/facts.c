/* What is known of tensors before anything runs: the form of their values, who makes them, whose memory
 * they share. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* The data inputs of a node that moves values. */
static uint32_t moved_inputs(const mst_node *n) { return n->op == MST_OP_CONCAT ? n->n_in : 1; }

/* Do all inputs that are moved hold spikes? *scale: what they are worth, 0 where that differs. */
static bool all_spikes(const lowering *lo, const mst_node *n, float *scale)
{
    *scale = lo->p->facts[n->in[0]].value.scale;
    for (uint32_t k = 0; k < moved_inputs(n); k++) {
        const rt_value *v = &lo->p->facts[n->in[k]].value;
        if (v->form != MST_FORM_BITS)
            return false;
        if (memcmp(&v->scale, scale, sizeof *scale) != 0)
            *scale = 0;
    }
    return true;
}

/* A node whose inputs and constants are the same at every step gives the same at every step. */
static bool stays(const lowering *lo, const mst_node *n)
{
    bool same = (mst_op_get(n->op)->flags & MST_F_PURE) != 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        same = same && (n->in[k] == MST_NONE || rt_is_static(&lo->p->facts[n->in[k]]));
    return same;
}

/* Float mode has no spikes: its values are not theta*s. */
static rt_value value_of(const lowering *lo, const mst_node *n)
{
    bool moves = (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 &&
                 (n->op != MST_OP_PAD || n->fp[MST_PAD_VALUE] == 0.0f);
    float scale;
    if (stays(lo, n))
        return (rt_value){.form = MST_FORM_STATIC};
    if (lo->p->mode != MST_RUN_SPIKING)
        return (rt_value){.form = MST_FORM_FLOAT};
    if (n->op == MST_OP_NEURON) {
        const mst_tensor *theta = &lo->g->tensors[n->in[1]];
        scale = mst_tensor_elements(theta) == 1 ? *(const float *)theta->data : 0.0f;
        return (rt_value){.form = MST_FORM_BITS, .scale = scale};
    }
    if ((moves || n->op == MST_OP_MASK) && all_spikes(lo, n, &scale))
        return (rt_value){.form = MST_FORM_BITS, .scale = scale};
    return (rt_value){.form = MST_FORM_FLOAT};
}

static void note_node(lowering *lo, uint32_t i)
{
    const mst_node *n = &lo->g->nodes[i];
    rt_fact *out = &lo->p->facts[n->out];
    out->value = value_of(lo, n);
    out->producer = i;
    if (n->op == MST_OP_RESHAPE)
        out->root = lo->p->facts[n->in[0]].root;
    if (n->op == MST_OP_NEURON)
        out->layer = (uint32_t)lo->p->n_layers++;
}

mst_status low_note_facts(lowering *lo)
{
    mst_program *p = lo->p;
    const mst_graph *g = lo->g;
    p->facts = mst_arena_array(&p->arena, g->n_tensors, sizeof *p->facts);
    if (p->facts == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < g->n_tensors; i++)
        p->facts[i] = (rt_fact){.root = i, .layer = MST_NONE, .producer = MST_NONE}; /* static: constants */
    if (rt_has_frames(p))
        p->facts[g->input].value.form = MST_FORM_FLOAT;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        note_node(lo, i);
    if (g->tensors[g->output].dtype != MST_F32)
        return mst_fail(lo->err, MST_EUNSUPPORTED, "the graph's output '%s' is not float32", g->tensors[g->output].name);
    return MST_OK;
}

mst_status low_prepare_nodes(lowering *lo)
{
    mst_program *p = lo->p;
    op_prep c = {.g = lo->g, .mode = p->mode, .facts = p->facts, .arena = &p->arena, .err = lo->err};
    p->nodes = mst_arena_array(&p->arena, lo->g->n_nodes, sizeof *p->nodes);
    p->layers = c.layers = mst_arena_array(&p->arena, p->n_layers, sizeof *p->layers);
    p->static_nodes = mst_arena_array(&p->arena, lo->g->n_nodes, sizeof *p->static_nodes);
    if (p->nodes == NULL || p->layers == NULL || p->static_nodes == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < lo->g->n_nodes; i++) {
        op_node *n = &p->nodes[i];
        c.node = &lo->g->nodes[i];
        MST_TRY(op_prepare_node(&c, i, n));
        if (__builtin_add_overflow(p->dense, n->dense, &p->dense) || p->dense > (uint64_t)1 << 62)
            return mst_fail(lo->err, MST_ELIMIT, "the graph has more than 2^62 multiply-adds");
        p->dense_static += n->is_static ? n->dense : 0;
        if (n->is_static)
            p->static_nodes[p->n_static++] = i;
    }
    return MST_OK;
}
