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
#include "converter/verdict.h"
#include "runtime/core/options.h"

#ifndef MST_VERSION
#define MST_VERSION "unknown"
#endif

typedef struct pass {
    const char *name;
    mst_status (*run)(mst_graph *g, mst_err *err); /* NULL: takes more than the graph */
    bool always;                                   /* --stop-after does not leave it out */
    const char *about;
} pass;

/* In this order: lower makes the graph, mst_relus_convert runs relu, mst_convert rates to weights. */
static const pass passes[] = {
    {"lower", NULL, true, "ONNX nodes to nodes of the graph, one by one"},
    {"qdq", NULL, true, "pairs of QuantizeLinear and DequantizeLinear: neurons, roundings, or nothing"},
    {"clean", pass_clean, false, "movement that moves nothing, and chains of it"},
    {"layernorm", pass_layernorm, false, "LayerNorm and RMSNorm written out in elementary operators"},
    {"sink", pass_sink, false, "transposes and reshapes inside of activations to behind them"},
    {"stair", pass_stair, false, "lines, bounds and staircases in other spellings: to affine, bound and floor"},
    {"qcfs", pass_qcfs, false, "QCFS activations to neurons"},
    {"fits", pass_fits, false, "is a staircase left that is no QCFS? An error, but with --allow-analog"},
    {"bound", pass_bound, false, "bounds from 0 in several nodes: to a clip, and a minimum where channels differ"},
    {"layout", pass_layout, false, "transposes down until they cancel, masks up to their neurons"},
    {"affine", pass_affine, false, "BatchNorm and scales into their neighbours"},
    {"matmul", pass_matmul, false, "transposed second factors, read in place"},
    {"tidy", pass_clean, false, "clean again"},
    {"sites", pass_sites, false, "where each neuron sits: site, stage, block"},
    {"narrow", pass_narrow, true, "float64 constants to float32: without it nothing could be stored or run"},
    {"relu", NULL, false, "ReLUs with thresholds from data to neurons; then layout to narrow again"},
    {"rates", NULL, false, "max pools of spikes: to those of rates"},
    {"mask", NULL, false, "Random Spike Masking as the policy says"},
    {"levels", NULL, false, "mode, thinning and levels of count and radix runs as the policy says"},
    {"weights", NULL, false, "weights of Linear and Conv to the type asked for"},
};
#define N_PASSES (sizeof passes / sizeof passes[0])

const char *mst_pass_at(size_t k, const char **about)
{
    if (k >= N_PASSES)
        return NULL;
    if (about != NULL)
        *about = passes[k].about;
    return passes[k].name;
}

static size_t number_of(const char *name)
{
    size_t k = 0;
    while (k < N_PASSES && strcmp(passes[k].name, name) != 0)
        k++;
    return k;
}

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
static mst_status after_pass(const mst_graph *g, const char *dump_dir, size_t number, mst_err *err)
{
    const char *name = passes[number].name;
    mst_status st = mst_graph_validate(g, err);
    if (st != MST_OK)
        return mst_fail_in(err, st, "after pass %s: ", name);
    if (dump_dir == NULL)
        return MST_OK;
    MST_TRY(dump_one(g, dump_dir, number, name, "txt", mst_graph_print, err));
    return dump_one(g, dump_dir, number, name, "dot", mst_graph_print_dot, err);
}

/* Is a pass beyond the one to stop after? */
static bool stopped(const char *stop_after, size_t number)
{
    return stop_after != NULL && !passes[number].always && number_of(stop_after) < number;
}

/* The passes from one on. */
static mst_status run_passes(mst_graph *g, const mst_import_opts *o, const char *first, mst_err *err)
{
    for (size_t i = number_of(first); i < N_PASSES; i++) {
        if (passes[i].run == NULL || stopped(o->stop_after, i) || (passes[i].run == pass_fits && o->allow_analog))
            continue;
        MST_TRY(passes[i].run(g, err));
        MST_TRY(after_pass(g, o->dump_dir, i, err));
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

const char *mst_pair_fate_name(int fate)
{
    static const char *const names[MST_PAIR_FATES] = {"neuron", "rounds", "dropped", "same levels", "in QCFS"};
    return fate >= 0 && fate < MST_PAIR_FATES ? names[fate] : NULL;
}

static mst_status tell_pairs(const mst_graph *g, qdq_pairs *pairs, const mst_import_opts *opts, mst_err *err)
{
    qdq_settle(g, pairs);
    for (uint32_t k = 0; k < pairs->n && opts->pair != NULL; k++)
        MST_TRY(opts->pair(opts->pair_ctx, &pairs->at[k].told, err));
    return MST_OK;
}

/* Once metadata() was told. */
static mst_layout layout_of(const mst_import_opts *o)
{
    return o->layout == MST_LAYOUT_FOUND && o->layout_said != NULL ? *o->layout_said : (mst_layout)o->layout;
}

mst_status mst_pipeline_run(ox_graph *ox, const char *path, const mst_import_opts *opts, mst_graph **out,
                            mst_err *err)
{
    mst_graph *g = NULL;
    qdq_pairs pairs = {.arena.alloc = opts->alloc};
    const ox_notes notes = {opts->warn, opts->warn_ctx};
    for (uint32_t i = 0; i < ox->n_metadata && opts->metadata != NULL; i++)
        opts->metadata(opts->metadata_ctx, ox->metadata[i].key, ox->metadata[i].value);
    if (ox->n_renamed != 0)
        ox_note(&notes, "%u nodes have the name of another; the second '%.100s' is now called '%.100s'%s",
                ox->n_renamed, ox->renamed, ox->renamed_to, ox->n_renamed > 1 ? ", and so on" : "");
    mst_status st = ox_cut_heads(ox, &notes, err);
    if (st == MST_OK)
        st = ox_fold(ox, opts->input_dims, opts->input_rank, err);
    if (st == MST_OK)
        st = ox_cut_heads(ox, &notes, err);
    if (st == MST_OK && ox->batch > 1)
        ox_note(&notes, "the model's fixed batch of %lld is bound to 1", (long long)ox->batch);
    if (st == MST_OK)
        st = mst_graph_create(opts->alloc, &g, err);
    if (st == MST_OK)
        st = mst_lower(ox, g, layout_of(opts), &notes, &pairs, err);
    if (st == MST_OK)
        st = describe_source(g, path, ox, err);
    ox_graph_free(ox);
    if (st == MST_OK)
        st = after_pass(g, opts->dump_dir, number_of("lower"), err);
    if (st == MST_OK)
        mst_warn_dropout(g, opts);
    if (st == MST_OK)
        st = pass_qdq(g, &pairs, opts->drop_analog_pairs, err);
    if (st == MST_OK)
        st = after_pass(g, opts->dump_dir, number_of("qdq"), err);
    if (st == MST_OK)
        st = run_passes(g, opts, "clean", err);
    if (st == MST_OK)
        st = tell_pairs(g, &pairs, opts, err);
    if (st == MST_OK)
        st = mst_warn_ties(g, opts, err);
    mst_arena_release(&pairs.arena);
    if (st != MST_OK) {
        mst_graph_destroy(g);
        return mst_fail_in(err, st, "%s: ", path);
    }
    *out = g;
    return MST_OK;
}

mst_status mst_onnx_import(const char *path, const mst_import_opts *opts, mst_graph **out, mst_err *err)
{
    mst_import_opts own = {0};
    ox_graph ox;
    if (opts != NULL)
        MST_TRY(MST_TAKE_OPTS(mst_import_opts, &own, opts, stop_after, layout_said, err));
    if (own.layout >= MST_LAYOUT_COUNT)
        return mst_fail(err, MST_EINVAL, "mst_import_opts: layout is %zu, expected a mst_layout", own.layout);
    const ox_watch watch = {own.also_read, own.also_read_ctx};
    MST_TRY(ox_load_watched(path, own.alloc, watch, &ox, err)); /* its errors name the file */
    return mst_pipeline_run(&ox, path, &own, out, err);
}

mst_status mst_relus_convert(mst_graph *g, const mst_threshold *thresholds, size_t n, const mst_import_opts *opts,
                             mst_err *err)
{
    mst_import_opts own = {0};
    if (opts != NULL)
        MST_TRY(MST_TAKE_OPTS(mst_import_opts, &own, opts, stop_after, layout_said, err));
    if (stopped(own.stop_after, number_of("relu")))
        return MST_OK;
    MST_TRY(pass_relu(g, thresholds, n, err));
    MST_TRY(after_pass(g, own.dump_dir, number_of("relu"), err));
    own.stop_after = NULL; /* it stops behind them */
    return run_passes(g, &own, "layout", err);
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

/* A policy is changed in place, so its size is this library's or nothing. */
static mst_status check_policy(const mst_policy *p, mst_err *err)
{
    if (p != NULL && p->size != 0 && p->size != sizeof *p)
        return mst_fail(err, MST_EINVAL, "mst_policy: expected a size of %zu bytes or 0, found %zu", sizeof *p,
                        p->size);
    return MST_OK;
}

mst_status mst_convert(mst_graph *g, const mst_convert_opts *opts, mst_report *report, mst_err *err)
{
    const size_t rates = number_of("rates"), mask = number_of("mask"), levels = number_of("levels"),
                 weights = number_of("weights");
    mst_convert_opts o = {0};
    if (opts != NULL)
        MST_TRY(MST_TAKE_OPTS(mst_convert_opts, &o, opts, weights, max_pool, err));
    MST_TRY(check_policy(o.policy, err));
    MST_TRY(check_batch(g, err));
    if (!stopped(o.stop_after, rates) && o.max_pool == MST_MAX_OF_RATES) {
        MST_TRY(pass_rates(g, err));
        MST_TRY(after_pass(g, o.dump_dir, rates, err));
    }
    if (!stopped(o.stop_after, mask)) {
        MST_TRY(pass_mask(g, o.policy, err));
        MST_TRY(after_pass(g, o.dump_dir, mask, err));
    }
    if (!stopped(o.stop_after, levels)) {
        MST_TRY(pass_levels(g, o.policy, err));
        MST_TRY(after_pass(g, o.dump_dir, levels, err));
    }
    mst_status st = mst_report_fill(g, report, err);
    for (uint32_t i = 0; i < report->n_rows && st == MST_OK && o.require_spiking; i++) {
        const mst_report_row *r = &report->rows[i];
        if (!r->spiking && !r->linear)
            st = mst_fail(err, MST_EUNSUPPORTED,
                          "node '%s' (%s) does not spike: %s; drop --require-spiking to run it as an analog island",
                          r->name, r->kind, r->reason);
    }
    bool last = !stopped(o.stop_after, weights);
    if (st == MST_OK && last && !o.allow_analog)
        st = mst_check_spikes(g, report, err);
    if (st == MST_OK && last)
        st = pass_weights(g, o.weights, report, err);
    if (st == MST_OK && last)
        st = after_pass(g, o.dump_dir, weights, err);
    if (st != MST_OK)
        mst_report_free(report);
    return st;
}
