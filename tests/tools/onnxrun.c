/* onnxrun MODEL.onnx INPUT OUTPUT: import a model, run it once in float mode on the
 * raw float32 values of the file INPUT, write the raw logits to OUTPUT. For
 * tests/python/test_onnx_nodes.py. Exits 0, or 1 with the error on stderr.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mst/convert.h"
#include "mst/session.h"

static int fail(const char *what, const mst_err *err)
{
    fprintf(stderr, "%s: %s: %s\n", what, mst_status_text(err->code), err->text);
    return 1;
}

/* n float32 values of a file; NULL if it has not exactly those. */
static float *read_input(const char *path, size_t n)
{
    FILE *f = fopen(path, "rb");
    float *x = calloc(n + 1, sizeof *x);
    if (f == NULL || x == NULL || fread(x, sizeof *x, n + 1, f) != n) {
        free(x);
        x = NULL;
    }
    if (f != NULL)
        fclose(f);
    return x;
}

static int run(const mst_program *p, const char *input, const char *output)
{
    const mst_graph *g = mst_program_graph(p);
    mst_session *s;
    mst_err err = {0};
    if (mst_session_create(p, &s, &err) != MST_OK)
        return fail("session", &err);
    float *x = read_input(input, mst_tensor_elements(&g->tensors[g->input]));
    FILE *f = x != NULL ? fopen(output, "wb") : NULL;
    int rc = f == NULL;
    if (f != NULL) {
        mst_session_begin(s, x, 0);
        mst_session_step(s);
        size_t n = mst_session_classes(s);
        rc = fwrite(mst_session_logits(s, MST_LAST), sizeof(float), n, f) != n;
        rc |= fclose(f) != 0;
    }
    if (rc != 0)
        fprintf(stderr, "input or output: wrong size, or cannot be read or written\n");
    free(x);
    mst_session_destroy(s);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: onnxrun MODEL.onnx INPUT OUTPUT\n");
        return 2;
    }
    const mst_import_opts iopts = {.size = sizeof iopts, .allow_analog = true, .layout = MST_LAYOUT_NCHW};
    const mst_run_opts ropts = {.mode = MST_RUN_FLOAT};
    mst_graph *g = NULL;
    mst_program *p = NULL;
    mst_err err = {0};
    int rc;
    if (mst_onnx_import(argv[1], &iopts, &g, &err) != MST_OK)
        return fail("import", &err);
    if (mst_program_create(g, &ropts, &p, &err) != MST_OK)
        rc = fail("program", &err);
    else
        rc = run(p, argv[2], argv[3]);
    mst_program_destroy(p);
    mst_graph_destroy(g);
    return rc;
}
