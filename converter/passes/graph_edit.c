/* See graph_edit.h. Of operators it knows what a TRANSPOSE of a TRANSPOSE is. */
#include "converter/passes/graph_edit.h"

#include <string.h>

#include "runtime/core/grow.h"

mst_status edit_no_memory(mst_edit *e)
{
    return mst_fail(e->err, MST_ENOMEM, "out of memory: rewriting the graph");
}

static mst_status track_tensors(mst_edit *e)
{
    uint32_t n = e->g->n_tensors, old = e->cap_tensors;
    if (n <= old)
        return MST_OK;
    uint32_t cap = n + n / 2 + 64;
    e->producer = mst_arena_grow(&e->arena, e->producer, old, cap, sizeof *e->producer);
    e->head = mst_arena_grow(&e->arena, e->head, old, cap, sizeof *e->head);
    e->uses = mst_arena_grow(&e->arena, e->uses, old, cap, sizeof *e->uses);
    if (e->producer == NULL || e->head == NULL || e->uses == NULL)
        return edit_no_memory(e);
    for (uint32_t t = old; t < cap; t++)
        e->producer[t] = e->head[t] = MST_NONE;
    e->cap_tensors = cap;
    return MST_OK;
}

static void link_edge(mst_edit *e, uint32_t edge, uint32_t tensor)
{
    e->edge[edge].prev = MST_NONE;
    e->edge[edge].next = e->head[tensor];
    if (e->head[tensor] != MST_NONE)
        e->edge[e->head[tensor]].prev = edge;
    e->head[tensor] = edge;
    e->uses[tensor]++;
}

static void unlink_edge(mst_edit *e, uint32_t edge, uint32_t tensor)
{
    edit_edge *x = &e->edge[edge];
    if (x->prev != MST_NONE)
        e->edge[x->prev].next = x->next;
    else
        e->head[tensor] = x->next;
    if (x->next != MST_NONE)
        e->edge[x->next].prev = x->prev;
    e->uses[tensor]--;
}

/* Edges for the inputs of node i. */
static mst_status link_inputs(mst_edit *e, uint32_t i)
{
    const mst_node *n = &e->g->nodes[i];
    if (e->n_edges + n->n_in > e->cap_edges) {
        uint32_t cap = 2 * e->cap_edges + n->n_in + 256;
        e->edge = mst_arena_grow(&e->arena, e->edge, e->n_edges, cap, sizeof *e->edge);
        if (e->edge == NULL)
            return edit_no_memory(e);
        e->cap_edges = cap;
    }
    e->edges[i] = mst_arena_array(&e->arena, n->n_in, sizeof *e->edges[i]);
    if (e->edges[i] == NULL)
        return edit_no_memory(e);
    for (uint32_t s = 0; s < n->n_in; s++) {
        uint32_t edge = e->n_edges++;
        e->edges[i][s] = edge;
        e->edge[edge] = (edit_edge){.node = i, .slot = s, .prev = MST_NONE, .next = MST_NONE};
        if (n->in[s] != MST_NONE)
            link_edge(e, edge, n->in[s]);
    }
    return MST_OK;
}

static mst_status track_node(mst_edit *e, uint32_t i)
{
    if (i >= e->cap_nodes) {
        uint32_t cap = i + i / 2 + 64;
        e->edges = mst_arena_grow(&e->arena, e->edges, e->cap_nodes, cap, sizeof *e->edges);
        e->dead = mst_arena_grow(&e->arena, e->dead, e->cap_nodes, cap, sizeof *e->dead);
        if (e->edges == NULL || e->dead == NULL)
            return edit_no_memory(e);
        e->cap_nodes = cap;
    }
    MST_TRY(track_tensors(e));
    e->producer[e->g->nodes[i].out] = i;
    return link_inputs(e, i);
}

mst_status edit_begin(mst_edit *e, mst_graph *g, mst_err *err)
{
    memset(e, 0, sizeof *e);
    e->g = g;
    e->err = err;
    e->arena.alloc = g->arena.alloc;
    MST_TRY(track_tensors(e));
    for (uint32_t i = 0; i < g->n_nodes; i++)
        MST_TRY(track_node(e, i));
    e->uses[g->output]++;
    return MST_OK;
}

mst_node *edit_node(const mst_edit *e, uint32_t node) { return &e->g->nodes[node]; }
mst_tensor *edit_tensor(const mst_edit *e, uint32_t tensor) { return &e->g->tensors[tensor]; }

bool edit_is(const mst_edit *e, uint32_t node, mst_op op)
{
    return node != MST_NONE && edit_node(e, node)->op == op;
}

uint32_t edit_maker(const mst_edit *e, uint32_t node, uint32_t k)
{
    const mst_node *n = &e->g->nodes[node];
    return k < n->n_in && n->in[k] != MST_NONE ? e->producer[n->in[k]] : MST_NONE;
}

uint32_t edit_only_user(const mst_edit *e, uint32_t tensor)
{
    return e->uses[tensor] == 1 && e->head[tensor] != MST_NONE ? e->edge[e->head[tensor]].node : MST_NONE;
}

void edit_set_input(mst_edit *e, uint32_t node, uint32_t slot, uint32_t tensor)
{
    mst_node *n = &e->g->nodes[node];
    uint32_t edge = e->edges[node][slot];
    if (n->in[slot] != MST_NONE)
        unlink_edge(e, edge, n->in[slot]);
    n->in[slot] = tensor;
    if (tensor != MST_NONE)
        link_edge(e, edge, tensor);
}

void edit_replace_but(mst_edit *e, uint32_t from, uint32_t to, uint32_t but)
{
    for (uint32_t edge = e->head[from], next; edge != MST_NONE; edge = next) {
        next = e->edge[edge].next;
        if (e->edge[edge].node != but)
            edit_set_input(e, e->edge[edge].node, e->edge[edge].slot, to);
    }
    if (e->g->output == from) {
        e->g->output = to;
        e->uses[from]--;
        e->uses[to]++;
    }
}

void edit_replace(mst_edit *e, uint32_t from, uint32_t to)
{
    edit_replace_but(e, from, to, MST_NONE);
}

void edit_kill(mst_edit *e, uint32_t node)
{
    mst_node *n = &e->g->nodes[node];
    for (uint32_t s = 0; s < n->n_in; s++)
        edit_set_input(e, node, s, MST_NONE);
    e->producer[n->out] = MST_NONE;
    e->dead[node] = true;
}

mst_status edit_add(mst_edit *e, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, uint32_t rank,
                    const uint32_t *dims, uint32_t *node)
{
    uint32_t out, shape[MST_MAX_RANK];
    memcpy(shape, dims, rank * sizeof *dims); /* dims may lie in the tensor array that grows */
    MST_TRY(mst_graph_add_tensor(e->g, "", MST_F32, rank, shape, NULL, &out, e->err));
    MST_TRY(mst_graph_add_node(e->g, op, name, n_in, in, out, NULL, e->err));
    *node = e->g->n_nodes - 1;
    return track_node(e, *node);
}

mst_status edit_reinput(mst_edit *e, uint32_t node, uint32_t n_in, const uint32_t *in)
{
    mst_node *n = &e->g->nodes[node];
    uint32_t *copy = mst_arena_copy(&e->g->arena, in, n_in * sizeof *in);
    if (copy == NULL)
        return edit_no_memory(e);
    for (uint32_t s = 0; s < n->n_in; s++)
        edit_set_input(e, node, s, MST_NONE);
    n->n_in = n_in;
    n->in = copy;
    return link_inputs(e, node);
}

mst_status edit_new_const(mst_edit *e, uint32_t rank, const uint32_t *dims, double **data, uint32_t *tensor)
{
    uint32_t shape[MST_MAX_RANK];
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        n *= shape[d] = dims[d]; /* dims may lie in the tensor array that grows */
    *data = mst_arena_array(&e->g->arena, n, sizeof **data);
    if (*data == NULL)
        return edit_no_memory(e);
    MST_TRY(mst_graph_add_tensor(e->g, "", MST_F64, rank, shape, *data, tensor, e->err));
    return track_tensors(e);
}

mst_status edit_const(mst_edit *e, uint32_t n, const double *values, uint32_t *tensor)
{
    double *data;
    MST_TRY(edit_new_const(e, 1, &n, &data, tensor));
    memcpy(data, values, n * sizeof *values);
    return MST_OK;
}

int32_t edit_reshape_axis(const mst_tensor *from, const mst_tensor *to, int32_t axis)
{
    uint64_t after = 1, after_to = 1;
    for (uint32_t d = (uint32_t)axis + 1; d < from->rank; d++)
        after *= from->dims[d];
    for (uint32_t d = to->rank; d-- > 0; after_to *= to->dims[d])
        if (after_to == after && to->dims[d] == from->dims[axis])
            return (int32_t)d;
    return -1;
}

void edit_join_transposes(mst_edit *e, uint32_t second, uint32_t first)
{
    int32_t perm[MST_MAX_RANK], *mine = &edit_node(e, second)->ip[MST_TRANSPOSE_PERM];
    uint32_t rank = edit_tensor(e, edit_node(e, second)->out)->rank;
    for (uint32_t d = 0; d < rank; d++)
        perm[d] = edit_node(e, first)->ip[MST_TRANSPOSE_PERM + mine[d]];
    memcpy(mine, perm, rank * sizeof perm[0]);
    edit_set_input(e, second, 0, edit_node(e, first)->in[0]);
}

/* Mark the nodes that the output needs and write their indices in an order in
 * which they can run; depth first, in the order of the array, without recursion. */
static mst_status sort_live(mst_edit *e, uint32_t *order, uint32_t *n_order)
{
    mst_graph *g = e->g;
    uint32_t *next_slot = mst_arena_array(&e->arena, g->n_nodes, sizeof *next_slot);
    uint8_t *state = mst_arena_array(&e->arena, g->n_nodes, 1); /* 1: wanted, 2: on the stack, 3: written */
    uint32_t *stack = mst_arena_array(&e->arena, g->n_nodes, sizeof *stack);
    if (next_slot == NULL || state == NULL || stack == NULL)
        return edit_no_memory(e);
    uint32_t depth = 0, n = 0, first = e->producer[g->output];
    if (first != MST_NONE) {
        stack[depth++] = first;
        state[first] = 2;
    }
    while (depth != 0) {
        uint32_t i = stack[depth - 1];
        if (next_slot[i] == g->nodes[i].n_in) {
            state[i] = 3;
            order[n++] = i;
            depth--;
            continue;
        }
        uint32_t p = edit_maker(e, i, next_slot[i]++);
        if (p == MST_NONE || state[p] == 3)
            continue;
        if (state[p] == 2)
            return mst_fail(e->err, MST_EINVAL, "node '%s' depends on itself", g->nodes[p].name);
        state[p] = 2;
        stack[depth++] = p;
    }
    *n_order = n;
    return MST_OK;
}

/* Keep only tensors that live nodes, the input or the output name. */
static mst_status compact_tensors(mst_edit *e)
{
    mst_graph *g = e->g;
    uint32_t *to = mst_arena_array(&e->arena, g->n_tensors, sizeof *to), n = 0;
    if (to == NULL)
        return edit_no_memory(e);
    to[g->input] = to[g->output] = 1;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        to[g->nodes[i].out] = 1;
        for (uint32_t s = 0; s < g->nodes[i].n_in; s++)
            if (g->nodes[i].in[s] != MST_NONE)
                to[g->nodes[i].in[s]] = 1;
    }
    for (uint32_t t = 0; t < g->n_tensors; t++) {
        if (to[t] == 0)
            continue;
        to[t] = n;
        g->tensors[n++] = g->tensors[t];
    }
    g->n_tensors = n;
    g->input = to[g->input];
    g->output = to[g->output];
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        g->nodes[i].out = to[g->nodes[i].out];
        for (uint32_t s = 0; s < g->nodes[i].n_in; s++)
            if (g->nodes[i].in[s] != MST_NONE)
                g->nodes[i].in[s] = to[g->nodes[i].in[s]];
    }
    return MST_OK;
}

static mst_status finish(mst_edit *e)
{
    mst_graph *g = e->g;
    uint32_t n = 0, *order = mst_arena_array(&e->arena, g->n_nodes, sizeof *order);
    mst_node *old = mst_arena_copy(&e->arena, g->nodes, g->n_nodes * sizeof *g->nodes);
    if (order == NULL || old == NULL)
        return edit_no_memory(e);
    MST_TRY(sort_live(e, order, &n));
    for (uint32_t i = 0; i < n; i++)
        g->nodes[i] = old[order[i]];
    g->n_nodes = n;
    return compact_tensors(e);
}

mst_status edit_finish(mst_edit *e, mst_status st)
{
    if (st == MST_OK)
        st = finish(e);
    mst_arena_release(&e->arena);
    return st;
}
