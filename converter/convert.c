/* The pipeline: ONNX file -> guarded import -> folding -> lowering -> passes. */
#include "mst/convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "converter/lower/lower.h"
#include "converter/onnx/onnx_graph.h"
#include "converter/passes/passes.h"
#include "converter/pipeline.h"
#include "converter/report.h"

#ifndef MST_VERSION
#define MST_VERSION "unknown"
#endif

typedef struct pass {
    const char *name;
    mst_status (*run)(mst_graph *g, mst_err *err);
} pass;

/* In this order; "lower" comes before them, "mask" and "weights" (in mst_convert) after. */
static const pass passes[] = {
    {"clean", pass_clean},   {"ste", pass_ste},       {"qcfs", pass_qcfs},  {"layernorm", pass_layernorm},
    {"layout", pass_layout}, {"affine", pass_affine}, {"matmul", pass_matmul},
    {"tidy", pass_clean},    {"sites", pass_sites},   {"narrow", pass_narrow},
};
#define N_PASSES (sizeof passes / sizeof passes[0])
#define MASK_NUMBER (N_PASSES + 1)
#define WEIGHTS_NUMBER (N_PASSES + 2)

static const char *const pass_names[] = {"lower",  "clean",  "ste",  "qcfs",  "layernorm", "layout", "affine",
                                         "matmul", "tidy",   "sites", "narrow", "mask",     "weights",
                                         NULL};

const char *const *mst_pass_names(void) { return pass_names; }

typedef void (*print_fn)(const mst_graph *g, FILE *f);

static mst_status dump_one(const mst_graph *g, const char *dir, size_t number, const char *name, const char *suffix,
                           print_fn print, mst_err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%02zu-%s.%s", dir, number, name, suffix);
    if (n < 0 || (size_t)n >= sizeof path)
        return mst_fail(err, MST_EINVAL, "%s: folder name too long", dir);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "%s: cannot write: %s", path, strerror(errno));
    print(g, f);
    bool bad = ferror(f) != 0;
    bad = fclose(f) != 0 || bad;
    return bad ? mst_fail(err, MST_EIO, "%s: cannot write: %s", path, strerror(errno)) : MST_OK;
}

/* After each pass: the graph must still be valid; dump it if asked. */
static mst_status after_pass(const mst_graph *g, const char *dump_dir, size_t number, const char *name, mst_err *err)
{
    mst_status st = mst_graph_validate(g, err);
    if (st != MST_OK)
        return mst_fail_in(err, st, "after pass %s: ", name);
    if (dump_dir == NULL)
        return MST_OK;
    MST_TRY(dump_one(g, dump_dir, number, name, "txt", mst_graph_print, err));
    return dump_one(g, dump_dir, number, name, "dot", mst_graph_print_dot, err);
}

/* Is pass number (0 = lower) beyond the one to stop after? narrow always runs: without
 * it the graph could not be stored or executed. */
static bool stopped(const char *stop_after, size_t number)
{
    if (stop_after == NULL || strcmp(pass_names[number], "narrow") == 0)
        return false;
    for (size_t i = 0; i < number; i++)
        if (strcmp(pass_names[i], stop_after) == 0)
            return true;
    return false;
}

static mst_status run_passes(mst_graph *g, const mst_import_opts *o, mst_err *err)
{
    MST_TRY(after_pass(g, o->dump_dir, 0, "lower", err));
    for (size_t i = 0; i < N_PASSES; i++) {
        if (stopped(o->stop_after, i + 1))
            continue;
        MST_TRY(passes[i].run(g, err));
        MST_TRY(after_pass(g, o->dump_dir, i + 1, passes[i].name, err));
    }
    return MST_OK;
}

static mst_status describe_source(mst_graph *g, const char *path, const ox_graph *ox, mst_err *err)
{
    const char *slash = strrchr(path, '/');
    g->meta.source_name = mst_arena_strdup(&g->arena, slash != NULL ? slash + 1 : path);
    g->meta.producer = "mst " MST_VERSION;
    memcpy(g->meta.source_sha256, ox->sha256, sizeof g->meta.source_sha256);
    return g->meta.source_name != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory: %s", path);
}

mst_status mst_pipeline_run(ox_graph *ox, const char *path, const mst_import_opts *opts, mst_graph **out,
                            mst_err *err)
{
    mst_graph *g = NULL;
    mst_status st = ox_fold(ox, opts->input_dims, opts->input_rank, err);
    if (st == MST_OK)
        st = mst_graph_create(opts->alloc, &g, err);
    if (st == MST_OK)
        st = mst_lower(ox, g, err);
    if (st == MST_OK)
        st = describe_source(g, path, ox, err);
    ox_graph_free(ox);
    if (st == MST_OK)
        st = run_passes(g, opts, err);
    if (st != MST_OK) {
        mst_graph_destroy(g);
        return mst_fail_in(err, st, "%s: ", path);
    }
    *out = g;
    return MST_OK;
}

mst_status mst_onnx_import(const char *path, const mst_import_opts *opts, mst_graph **out, mst_err *err)
{
    static const mst_import_opts defaults;
    ox_graph ox;
    MST_TRY(ox_load(path, opts != NULL ? opts->alloc : NULL, &ox, err)); /* its errors name the file */
    return mst_pipeline_run(&ox, path, opts != NULL ? opts : &defaults, out, err);
}

/* A session runs one sample. */
static mst_status check_batch(const mst_graph *g, mst_err *err)
{
    const mst_tensor *x = &g->tensors[g->input];
    if (x->rank > 1 && x->dims[0] != 1)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "input '%s' has a fixed batch of %u: export the model again with a batch of 1 or a dynamic one",
                        x->name, (unsigned)x->dims[0]);
    return MST_OK;
}

mst_status mst_convert(mst_graph *g, const mst_convert_opts *opts, mst_report *report, mst_err *err)
{
    MST_TRY(check_batch(g, err));
    if (!stopped(opts->stop_after, MASK_NUMBER)) {
        MST_TRY(pass_mask(g, opts->policy, err));
        MST_TRY(after_pass(g, opts->dump_dir, MASK_NUMBER, "mask", err));
    }
    mst_status st = mst_report_fill(g, report, err);
    for (uint32_t i = 0; i < report->n_rows && st == MST_OK && opts->require_spiking; i++) {
        const mst_report_row *r = &report->rows[i];
        if (!r->spiking && !r->linear)
            st = mst_fail(err, MST_EUNSUPPORTED,
                          "node '%s' (%s) does not spike: %s; drop --require-spiking to run it as an analog island",
                          r->name, r->kind, r->reason);
    }
    bool last = !stopped(opts->stop_after, WEIGHTS_NUMBER);
    if (st == MST_OK && last)
        st = pass_weights(g, opts->weights, report, err);
    if (st == MST_OK && last)
        st = after_pass(g, opts->dump_dir, WEIGHTS_NUMBER, "weights", err);
    if (st != MST_OK)
        mst_report_free(report);
    return st;
}
