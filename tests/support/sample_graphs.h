/* Graphs for tests, built by hand. */
#ifndef MST_TESTS_SAMPLE_GRAPHS_H
#define MST_TESTS_SAMPLE_GRAPHS_H

#include "mst/graph.h"

/* Every operator at least once, every optional input once absent; input
 * [1,2,6,6], output [1,3]. Valid and runnable. */
mst_status sample_every_op(const mst_allocator *alloc, mst_graph **out, mst_err *err);

/* The smallest useful one: linear + neuron + linear, input [1,1,2,2], output [1,2]. */
mst_status sample_tiny(const mst_allocator *alloc, mst_graph **out, mst_err *err);

/* A chain of random operators, constants, names and metadata, tuned where seed is odd: the same for a seed within one
 * build. */
mst_status sample_random(const mst_allocator *alloc, uint64_t seed, mst_graph **out, mst_err *err);

/* Tune each second neuron of g, along random axes, in place of what was tuned: for up to 8 steps. */
mst_status sample_tune(mst_graph *g, uint64_t seed, mst_err *err);

/* splitmix64: the next number of a sequence that depends on *state alone. */
uint64_t sample_next(uint64_t *state);

#endif
