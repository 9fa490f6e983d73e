/* Fuzz target: any bytes as an ONNX model, through folding, lowering, every pass and
 * the report. What converts must run in each mode and schedule, if it is small. */
#include <stdlib.h>

#include "converter/pipeline.h"
#include "tests/fuzz/run_both.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static void convert(mst_graph *g, mst_dtype weights)
{
    mst_policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL)
        return;
    policy->file = "policy";
    policy->n_rules = 1;
    policy->rules[0] = (mst_rule){.site = -1, .stage = -1, .block_lo = -1, .block_hi = -1, .node = "*", .ratio = 0.5};
    const mst_convert_opts opts = {.policy = policy, .weights = weights};
    mst_report report = {0};
    mst_err err = {MST_OK, ""};
    mst_status st = mst_convert(g, &opts, &report, &err);
    check(st == MST_OK || err.text[0] != '\0');
    if (st == MST_OK) {
        mst_counters counts;
        fuzz_run(g, &(mst_run_opts){.mode = MST_RUN_FLOAT}, &counts);
        fuzz_run_both(g);
        mst_report_free(&report);
    }
    free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};
    const mst_import_opts opts = {0};
    ox_graph ox;
    mst_graph *g = NULL;
    mst_err err = {MST_OK, ""};
    mst_status st = ox_load_mem(data, size, NULL, NULL, &ox, &err);
    if (st == MST_OK)
        st = mst_pipeline_run(&ox, "model.onnx", &opts, &g, &err);
    else
        ox_graph_free(&ox);
    check(st == MST_OK || err.text[0] != '\0');
    if (st == MST_OK)
        convert(g, types[size % 3]);
    mst_graph_destroy(st == MST_OK ? g : NULL);
    return 0;
}
