/* onnxfold MODEL.onnx FOLDER: load and fold a model; one line on stdout for each
 * graph output ("output 0 int64 [2,3] constant") and for each live node ("live Conv
 * name"); constant outputs are written raw to FOLDER/0, FOLDER/1, ... For
 * tests/python/test_onnx_nodes.py. Exits 0, or 1 with the error on stderr.
 */
#include <stdio.h>

#include "converter/onnx/onnx_graph.h"

static int write_raw(const char *folder, uint32_t k, const ox_value *v)
{
    char path[4096];
    size_t n = ox_dtype_size(v->dtype);
    for (uint32_t d = 0; d < v->rank; d++)
        n *= (size_t)v->dims[d];
    snprintf(path, sizeof path, "%s/%u", folder, k);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 1;
    size_t done = fwrite(v->data, 1, n, f);
    return fclose(f) != 0 || done != n;
}

static int show(const ox_graph *g, const char *folder)
{
    int rc = 0;
    for (uint32_t k = 0; k < g->n_outputs; k++) {
        const ox_value *v = &g->values[g->outputs[k]];
        printf("output %u %s [", k, ox_dtype_name(v->dtype));
        for (uint32_t d = 0; d < v->rank; d++)
            printf(d == 0 ? "%lld" : ",%lld", (long long)v->dims[d]);
        printf("] %s\n", v->data != NULL ? "constant" : "live");
        if (v->data != NULL)
            rc |= write_raw(folder, k, v);
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead)
            printf("live %s %s\n", g->nodes[i].op, g->nodes[i].name);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: onnxfold MODEL.onnx FOLDER\n");
        return 2;
    }
    ox_graph g = {0};
    mst_err err = {0};
    if (ox_load(argv[1], NULL, &g, &err) != MST_OK) {
        fprintf(stderr, "load: %s\n", err.text);
        return 1;
    }
    int rc = 0;
    if (ox_fold(&g, NULL, 0, &err) != MST_OK) {
        fprintf(stderr, "fold: %s: %s\n", mst_status_text(err.code), err.text);
        rc = 1;
    } else {
        rc = show(&g, argv[2]);
    }
    ox_graph_free(&g);
    return rc;
}
