/* Fuzz target: any bytes as an ONNX model. What loads must satisfy the
 * invariants of an imported graph; nothing may crash, hang or grow.
 */
#include <stdlib.h>

#include "converter/onnx/onnx_graph.h"
#include "tests/support/onnx_graph_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ox_graph g;
    mst_err err;
    if (ox_load_mem(data, size, NULL, NULL, &g, &err) == MST_OK && onnx_graph_check(&g) != NULL)
        abort();
    ox_graph_free(&g);
    return 0;
}
