/* What is known of tensors before anything runs: the form of their values, who makes them, whose memory
 * they share. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* Do all inputs that are moved have values of the form? Of *out, scale and levels are what they have in common, 0
 * where they differ. */
static bool all_have(const lowering *lo, const mst_node *n, mst_form form, rt_kind *out)
{
    const rt_kind *first = &lo->p->facts[n->in[0]].value;
    *out = (rt_kind){.form = form, .scale = first->scale, .levels = first->levels};
    for (uint32_t k = 0; k < op_moved_inputs(n); k++) {
        const rt_kind *v = &lo->p->facts[n->in[k]].value;
        if (v->form != form)
            return false;
        if (memcmp(&v->scale, &first->scale, sizeof v->scale) != 0)
            out->scale = 0;
        if (v->levels != first->levels)
            out->levels = 0;
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
static rt_kind value_of(const lowering *lo, const op_prep *c, const mst_node *n)
{
    const mst_form spikes = op_counts(lo->p->mode) ? MST_FORM_COUNT : MST_FORM_BITS;
    rt_kind v;
    if (stays(lo, n))
        return (rt_kind){.form = MST_FORM_STATIC};
    if (lo->p->mode == MST_RUN_FLOAT)
        return (rt_kind){.form = MST_FORM_FLOAT};
    if (mst_node_fires(n))
        return op_worth_of(c, n, spikes);
    bool keeps = mst_node_moves_spikes(n) || mst_node_thins(n) || mst_node_leads(n) ||
                 (spikes == MST_FORM_COUNT && mst_node_picks(n));
    if (keeps && all_have(lo, n, spikes, &v))
        return v;
    return (rt_kind){.form = MST_FORM_FLOAT};
}

/* theta where it spikes, else 0: neurons' outputs, moved, and their maxima. */
static bool is_train(const lowering *lo, const mst_node *n)
{
    bool all = mst_node_picks(n) || mst_node_moves_spikes(n);
    for (uint32_t k = 0; all && k < op_moved_inputs(n); k++)
        all = lo->p->facts[n->in[k]].train;
    return all;
}

static bool is_constant(const lowering *lo, const mst_node *n)
{
    bool all = (mst_op_get(n->op)->flags & MST_F_PURE) != 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        all = all && (n->in[k] == MST_NONE || lo->p->facts[n->in[k]].constant);
    return all;
}

static uint32_t depth_of(const lowering *lo, const mst_node *n)
{
    uint32_t most = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && lo->p->facts[n->in[k]].depth > most)
            most = lo->p->facts[n->in[k]].depth;
    return most + mst_node_fires(n);
}

static void note_node(lowering *lo, op_prep *c, uint32_t i)
{
    const mst_node *n = c->node = &lo->g->nodes[i];
    rt_fact *out = &lo->p->facts[n->out];
    out->value = value_of(lo, c, n);
    out->constant = is_constant(lo, n);
    out->train = rt_is_spike(out) || rt_is_count(out) || is_train(lo, n);
    out->events = out->train || op_passes_events(c);
    out->numbers = rt_is_count(out);
    out->depth = depth_of(lo, n);
    out->producer = i;
    if (n->op == MST_OP_RESHAPE)
        out->root = lo->p->facts[n->in[0]].root;
    if (mst_node_fires(n))
        out->layer = (uint32_t)lo->p->n_layers++;
}

bool low_has_int8(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].dtype == MST_I8)
            return true;
    return false;
}

/* What operators are told of the whole run. */
static op_prep prep_of(const lowering *lo)
{
    mst_program *p = lo->p;
    return (op_prep){.g = lo->g,
                     .mode = p->mode,
                     .levels = p->levels,
                     .thinning = p->thinning,
                     .draws = p->draws,
                     .int8 = low_has_int8(lo->g),
                     .facts = p->facts,
                     .arena = &p->arena,
                     .err = lo->err};
}

/* Besides counts, numbers are needed only for what is multiplied: what else spikes reach is known before (reach.c). */
static void note_numbers(lowering *lo, op_prep *c)
{
    for (uint32_t i = lo->g->n_nodes; i-- > 0;) {
        const mst_node *n = c->node = &lo->g->nodes[i];
        const rt_fact *out = &lo->p->facts[n->out];
        if (!op_is_product_of_events(c) && (out->train || !out->numbers))
            continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            rt_fact *in = n->in[k] != MST_NONE ? &lo->p->facts[n->in[k]] : NULL;
            if (in != NULL && in->events && !in->train)
                in->numbers = true;
        }
    }
}

mst_status low_note_facts(lowering *lo)
{
    mst_program *p = lo->p;
    const mst_graph *g = lo->g;
    p->facts = mst_arena_array(&p->arena, g->n_tensors, sizeof *p->facts);
    if (p->facts == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < g->n_tensors; i++)
        p->facts[i] = (rt_fact){.root = i, /* static */
                                .layer = MST_NONE,
                                .producer = MST_NONE,
                                .constant = i != g->input};
    if (rt_has_frames(p))
        p->facts[g->input].value.form = MST_FORM_FLOAT;
    op_prep c = prep_of(lo);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        note_node(lo, &c, i);
    note_numbers(lo, &c);
    p->depth = p->facts[g->output].depth;
    if (g->tensors[g->output].dtype != MST_F32)
        return mst_fail(lo->err, MST_EUNSUPPORTED, "the graph's output '%s' is not float32",
                        g->tensors[g->output].name);
    return MST_OK;
}

mst_status low_prepare_nodes(lowering *lo)
{
    mst_program *p = lo->p;
    op_prep c = prep_of(lo);
    p->nodes = mst_arena_array(&p->arena, lo->g->n_nodes, sizeof *p->nodes);
    c.nodes = p->nodes;
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
