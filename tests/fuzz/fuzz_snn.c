/* libFuzzer target of the snn.bin reader. The checksums of an input are made
 * right first, so that mutations reach what lies behind them. What loads must
 * encode again, to bytes that load to the same bytes, and run, if it is small. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/run_both.h"
#include "tests/support/snn_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

/* g encoded, loaded, encoded: the same. */
static void check_stable(const mst_graph *g)
{
    uint8_t *first = NULL, *second = NULL;
    size_t n_first, n_second;
    mst_graph *h = NULL;
    check(snn_to_memory(g, &first, &n_first, NULL) == MST_OK);
    check(mst_graph_load_mem(first, n_first, NULL, &h, NULL) == MST_OK);
    check(snn_to_memory(h, &second, &n_second, NULL) == MST_OK);
    check(n_first == n_second && memcmp(first, second, n_first) == 0);
    mst_graph_destroy(h);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;
    if (posix_memalign((void **)&copy, SNN_ALIGN, size != 0 ? size : 1) != 0) /* exact size: ASan sees its end */
        return 0;
    memcpy(copy, data, size);
    snn_fix_checksums(copy, size);
    mst_err err;
    mst_graph *g = NULL;
    mst_status st = mst_graph_load_mem(copy, size, NULL, &g, &err);
    check(st == MST_OK || (st != MST_EINVAL && strlen(err.text) > 0));
    if (st == MST_OK) {
        check_stable(g);
        fuzz_run_both(g);
    }
    mst_graph_destroy(st == MST_OK ? g : NULL);
    free(copy);
    return 0;
}
