/* Invariants of an imported ox_graph, for tests and the fuzz target. */
#ifndef MST_TEST_ONNX_GRAPH_CHECK_H
#define MST_TEST_ONNX_GRAPH_CHECK_H

#include "converter/onnx/onnx_graph.h"

/* NULL, or what is wrong. Reads every byte of every constant and attribute. */
const char *onnx_graph_check(const ox_graph *g);

#endif
