/* Building graphs: arrays that grow, everything else in the graph's arena. */
#include "mst/graph.h"

#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/grow.h"
#include "runtime/core/half.h"
#include "runtime/core/platform.h"

mst_status mst_graph_create(const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    mst_graph *g = mst_alloc(alloc, sizeof *g);
    if (g == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a graph");
    g->arena.alloc = alloc;
    g->input = g->output = MST_NONE;
    g->meta.timesteps = 64;
    g->meta.source_name = g->meta.producer = "";
    *out = g;
    return MST_OK;
}

void mst_graph_destroy(mst_graph *g)
{
    if (g == NULL)
        return;
    const mst_allocator *alloc = g->arena.alloc;
    mst_free_array(alloc, g->tensors, g->cap_tensors, sizeof *g->tensors);
    mst_free_array(alloc, g->nodes, g->cap_nodes, sizeof *g->nodes);
    mst_arena_release(&g->arena);
    if (g->backing != NULL)
        sys_unmap(g->backing, g->backing_size, g->backing_is_file);
    mst_free(alloc, g, sizeof *g);
}

/* Room for one more element of *array; doubles. */
static mst_status reserve(const mst_allocator *alloc, void **array, uint32_t n, uint32_t *cap, size_t size,
                          uint32_t limit, const char *what, mst_err *err)
{
    if (n < *cap)
        return MST_OK;
    if (n >= limit)
        return mst_fail(err, MST_ELIMIT, "more than %u %s in one graph", (unsigned)limit, what);
    size_t room = *cap;
    void *grown = mst_grow(alloc, *array, n, &room, 64, size);
    if (grown == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for more than %u %s", (unsigned)n, what);
    *array = grown;
    *cap = (uint32_t)room;
    return MST_OK;
}

mst_status mst_graph_add_tensor(mst_graph *g, const char *name, mst_dtype dtype, uint32_t rank,
                                const uint32_t *dims, const void *data, uint32_t *id, mst_err *err)
{
    if (rank > MST_MAX_RANK)
        return mst_fail(err, MST_ELIMIT, "tensor '%s': rank %u, at most %d is supported", name, (unsigned)rank,
                        MST_MAX_RANK);
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        if (!mst_mul_size(n, dims[d], &n) || n > MST_MAX_ELEMENTS)
            return mst_fail(err, MST_ELIMIT, "tensor '%s': more than %u elements", name,
                            (unsigned)MST_MAX_ELEMENTS);
    void *array = g->tensors;
    MST_TRY(reserve(g->arena.alloc, &array, g->n_tensors, &g->cap_tensors, sizeof *g->tensors, MST_MAX_TENSORS,
                    "tensors", err));
    g->tensors = array;
    mst_tensor *t = &g->tensors[g->n_tensors];
    memset(t, 0, sizeof *t);
    t->name = mst_arena_strdup(&g->arena, name);
    if (t->name == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: tensor '%s'", name);
    t->dtype = dtype;
    t->rank = rank;
    for (uint32_t d = 0; d < rank; d++)
        t->dims[d] = dims[d];
    t->data = data;
    *id = g->n_tensors++;
    return MST_OK;
}

mst_status mst_graph_add_node(mst_graph *g, mst_op op, const char *name, uint32_t n_in, const uint32_t *in,
                              uint32_t out, mst_node **node, mst_err *err)
{
    void *array = g->nodes;
    MST_TRY(reserve(g->arena.alloc, &array, g->n_nodes, &g->cap_nodes, sizeof *g->nodes, MST_MAX_NODES, "nodes",
                    err));
    g->nodes = array;
    mst_node fresh = {.op = op, .n_in = n_in, .out = out};
    fresh.name = mst_arena_strdup(&g->arena, name);
    fresh.in = mst_arena_array(&g->arena, n_in, sizeof *fresh.in);
    if (fresh.name == NULL || fresh.in == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: node '%s'", name);
    if (n_in != 0)
        memcpy(fresh.in, in, n_in * sizeof *in);
    mst_node *last = &g->nodes[g->n_nodes++];
    *last = fresh;
    if (node != NULL)
        *node = last;
    return MST_OK;
}

size_t mst_tensor_elements(const mst_tensor *t)
{
    size_t n = 1;
    for (uint32_t d = 0; d < t->rank; d++)
        n *= t->dims[d];
    return n;
}

bool mst_same_shape(const mst_tensor *a, const mst_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

bool mst_is_const(const mst_graph *g, uint32_t tensor)
{
    return tensor < g->n_tensors && g->tensors[tensor].data != NULL;
}

double mst_const_at(const mst_tensor *t, size_t i)
{
    switch (t->dtype) {
    case MST_F32: return (double)((const float *)t->data)[i];
    case MST_I32: return (double)((const int32_t *)t->data)[i];
    case MST_F64: return ((const double *)t->data)[i];
    case MST_F16: return (double)mst_half_to_float(((const uint16_t *)t->data)[i]);
    case MST_I8: return (double)((const int8_t *)t->data)[i];
    case MST_DTYPE_COUNT: break;
    }
    return 0;
}

uint32_t *mst_graph_producers(const mst_graph *g, mst_arena *arena)
{
    uint32_t *producer = mst_arena_array(arena, g->n_tensors, sizeof *producer);
    for (uint32_t i = 0; i < g->n_tensors && producer != NULL; i++)
        producer[i] = MST_NONE;
    for (uint32_t i = 0; i < g->n_nodes && producer != NULL; i++)
        producer[g->nodes[i].out] = i;
    return producer;
}
