/* Small ox_graphs by hand, for the tests of folding and lowering. Asserts on lack of memory. */
#ifndef TEST_ONNX_BUILD_H
#define TEST_ONNX_BUILD_H

#include "converter/onnx/onnx_graph.h"

/* Room for 64 values and 32 nodes; opset as given. Release with ox_graph_free. */
void build_start(ox_graph *g, int64_t opset);
/* dims: rank numbers, -1 symbolic */
uint32_t build_input(ox_graph *g, const char *name, int dtype, uint32_t rank, const int64_t *dims);
/* data: row-major values of dtype, copied */
uint32_t build_constant(ox_graph *g, int dtype, uint32_t rank, const int64_t *dims, const void *data);
uint32_t build_ints(ox_graph *g, uint32_t n, const int64_t *values); /* int64 [n] */
uint32_t build_floats(ox_graph *g, uint32_t n, const float *values); /* float32 [n] */
uint32_t build_int(ox_graph *g, int64_t value);                      /* int64, a scalar */
/* A node with up to 4 inputs (OX_NONE: absent; trailing ones are left out); its output 0. */
uint32_t build_node(ox_graph *g, const char *op, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
/* Attributes of the node built last. */
void build_attr_int(ox_graph *g, const char *name, int64_t value);
void build_attr_float(ox_graph *g, const char *name, float value);
void build_attr_string(ox_graph *g, const char *name, const char *value);
void build_attr_ints(ox_graph *g, const char *name, uint32_t n, const int64_t *values);
/* A further output of the node built last. */
uint32_t build_second_output(ox_graph *g);
void build_output(ox_graph *g, uint32_t value);

#endif
