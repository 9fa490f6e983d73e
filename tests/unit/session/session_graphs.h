/* Shared by the tests of operators, sessions and back ends: random numbers and small random graphs. */
#ifndef TEST_SESSION_GRAPHS_H
#define TEST_SESSION_GRAPHS_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "converter/passes/passes.h"
#include "mst/isa.h"
#include "mst/session.h"

typedef struct rng {
    uint64_t s;
} rng;

static inline uint32_t rng_u32(rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 16);
}

static inline uint32_t rng_below(rng *r, uint32_t n)
{
    return rng_u32(r) % n;
}

static inline uint32_t rng_in(rng *r, uint32_t lo, uint32_t hi)
{
    return lo + rng_below(r, hi - lo + 1);
}

static inline float rng_f(rng *r, float lo, float hi)
{
    return lo + (hi - lo) * (float)rng_below(r, 1u << 24) / (float)(1u << 24);
}

/* A size at the edges of vectors and blocks, or any other. */
static inline uint32_t rng_size(rng *r)
{
    static const uint32_t edges[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128,
                                     129, 193, 260};
    return edges[rng_below(r, sizeof edges / sizeof edges[0])];
}

/* Fill with values of which about density are not zero. */
static inline void rng_fill(rng *r, float *x, size_t n, float density, float lo, float hi)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rng_f(r, 0, 1) < density ? rng_f(r, lo, hi) : 0.0f;
}

#define OK(expr) \
    do { \
        mst_err err_ = {0}; \
        mst_status st_ = expr; \
        ck_assert_msg(st_ == MST_OK, "%s: status %d: %s", #expr, (int)st_, err_.text); \
    } while (0)

/* a count and a list, as two arguments */
#define LIST(...) \
    (uint32_t)(sizeof(uint32_t[]){__VA_ARGS__} / 4), (const uint32_t[]) { __VA_ARGS__ }
#define DIMS LIST
#define INPUTS LIST

/* ---- indices -------------------------------------------------------------- */

static inline void unravel(const mst_tensor *t, size_t e, uint32_t *pos)
{
    for (uint32_t d = t->rank; d-- > 0; e /= t->dims[d])
        pos[d] = (uint32_t)(e % t->dims[d]);
}

static inline size_t ravel(const mst_tensor *t, const uint32_t *pos)
{
    size_t e = 0;
    for (uint32_t d = 0; d < t->rank; d++)
        e = e * t->dims[d] + pos[d];
    return e;
}

/* The element of t that numpy broadcasting puts at pos of a tensor of this rank. */
static inline size_t ravel_broadcast(const mst_tensor *t, const uint32_t *pos, uint32_t rank)
{
    size_t e = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t p = pos[d + rank - t->rank];
        e = e * t->dims[d] + (t->dims[d] == 1 ? 0 : p);
    }
    return e;
}

/* ---- weights -------------------------------------------------------------- */

/* The value of a half, by its definition. */
static inline float value_of_half(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    float x = e == 31 ? (m != 0 ? NAN : INFINITY)
                      : ldexpf((float)(e != 0 ? 1024 + m : m), (e != 0 ? e : 1) - 25);
    return (h & 0x8000) != 0 ? -x : x;
}

/* Element `at` of the weight of a LINEAR or CONV. */
static inline float weight_value(const mst_graph *g, const mst_node *n, size_t at)
{
    const mst_tensor *w = &g->tensors[n->in[1]];
    if (w->dtype == MST_F16)
        return value_of_half(((const uint16_t *)w->data)[at]);
    if (w->dtype == MST_I8)
        return ((const float *)g->tensors[n->in[3]].data)[at % w->dims[w->rank - 1]] *
               (float)((const int8_t *)w->data)[at];
    return ((const float *)w->data)[at];
}

/* Store the graph's weights in a type. */
static inline void narrow_weights(mst_graph *g, mst_dtype type)
{
    mst_report report = {0};
    OK(pass_weights(g, type, &report, &err_));
    mst_report_free(&report);
    OK(mst_graph_validate(g, &err_));
}

static inline mst_dtype rng_weights(rng *r)
{
    static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8, MST_I8};
    return types[rng_below(r, 4)];
}

/* ---- graphs --------------------------------------------------------------- */

/* A graph whose only tensor is its input. */
static inline mst_graph *graph_with_input(uint32_t rank, const uint32_t *dims)
{
    mst_graph *g = NULL;
    OK(mst_graph_create(NULL, &g, &err_));
    OK(mst_graph_add_tensor(g, "x", MST_F32, rank, dims, NULL, &g->input, &err_));
    g->output = g->input;
    return g;
}

static inline uint32_t add_tensor(mst_graph *g, uint32_t rank, const uint32_t *dims)
{
    uint32_t id = 0;
    OK(mst_graph_add_tensor(g, "t", MST_F32, rank, dims, NULL, &id, &err_));
    return id;
}

static inline uint32_t add_const(mst_graph *g, uint32_t rank, const uint32_t *dims, const float *values)
{
    uint32_t id = add_tensor(g, rank, dims);
    size_t n = mst_tensor_elements(&g->tensors[id]);
    g->tensors[id].data = mst_arena_copy(&g->arena, values, n * sizeof(float));
    return id;
}

static inline uint32_t add_random(mst_graph *g, rng *r, uint32_t rank, const uint32_t *dims, float lo,
                                  float hi)
{
    uint32_t id = add_tensor(g, rank, dims);
    size_t n = mst_tensor_elements(&g->tensors[id]);
    float *x = mst_arena_array(&g->arena, n, sizeof *x);
    rng_fill(r, x, n, 1, lo, hi);
    g->tensors[id].data = x;
    return id;
}

static inline uint32_t add_value(mst_graph *g, float value)
{
    return add_const(g, DIMS(1), &value);
}

/* Append a node; the graph's output becomes its output. */
static inline mst_node *add_node(mst_graph *g, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t rank,
                                 const uint32_t *dims)
{
    mst_node *n = NULL;
    char name[32];
    snprintf(name, sizeof name, "%s%u", mst_op_get(op)->name, (unsigned)g->n_nodes);
    g->output = add_tensor(g, rank, dims);
    OK(mst_graph_add_node(g, op, name, n_in, in, g->output, &n, &err_));
    return n;
}

static inline mst_node *add_like(mst_graph *g, mst_op op, uint32_t n_in, const uint32_t *in)
{
    mst_tensor t = g->tensors[in[0]];
    return add_node(g, op, n_in, in, t.rank, t.dims);
}

static inline uint32_t add_neuron(mst_graph *g, uint32_t x, uint32_t theta, float shift)
{
    mst_node *n = add_like(g, MST_OP_NEURON, INPUTS(x, theta));
    n->ip[MST_NEURON_LEVELS] = 4;
    n->ip[MST_NEURON_STAGE] = n->ip[MST_NEURON_BLOCK] = -1;
    n->fp[MST_NEURON_SHIFT] = shift;
    return g->output;
}

static inline uint32_t add_mask(mst_graph *g, uint32_t x, int32_t index, float ratio)
{
    mst_node *n = add_like(g, MST_OP_MASK, INPUTS(x));
    n->ip[MST_MASK_STAGE] = n->ip[MST_MASK_BLOCK] = -1;
    n->ip[MST_MASK_INDEX] = index;
    n->fp[MST_MASK_RATIO] = ratio;
    n->fp[MST_MASK_TRAINED] = -1;
    return g->output;
}

/* x itself, or spikes of it: with one theta, or with one per channel of the last axis. */
static inline uint32_t maybe_spikes(mst_graph *g, rng *r, uint32_t x)
{
    const mst_tensor t = g->tensors[x];
    switch (rng_below(r, 3)) {
    case 0:
        return x;
    case 1:
        return add_neuron(g, x, add_value(g, rng_f(r, 0.3f, 1.5f)), 0.5f);
    default: {
        uint32_t theta = add_random(g, r, DIMS(t.dims[t.rank - 1]), 0.3f, 1.5f);
        uint32_t y = add_neuron(g, x, theta, 0.5f);
        g->nodes[g->n_nodes - 1].ip[MST_NEURON_AXIS] = (int32_t)t.rank - 1;
        return y;
    }
    }
}

static inline uint32_t reshape_to(mst_graph *g, uint32_t x, uint32_t rank, const uint32_t *dims)
{
    add_node(g, MST_OP_RESHAPE, INPUTS(x), rank, dims);
    return g->output;
}

/* n elements of the graph's input (rank 1), from `from` on. */
static inline uint32_t part_of_input(mst_graph *g, uint32_t from, uint32_t n)
{
    mst_node *s = add_node(g, MST_OP_SLICE, INPUTS(g->input), DIMS(n));
    s->ip[MST_SLICE_START] = (int32_t)from;
    s->ip[MST_SLICE_STEP] = 1;
    return g->output;
}

#endif
