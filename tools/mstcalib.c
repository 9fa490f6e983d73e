/* mstcalib: conversion error of a spiking network against its ANN. Options, calls, printing. */
#include <stdio.h>
#include <string.h>

#include "mst/convert.h"
#include "tools/calib_attrib.h"
#include "tools/calib_attrib_words.h"
#include "tools/calib_counts.h"
#include "tools/calib_exit.h"
#include "tools/calib_masks.h"
#include "tools/calib_relus.h"
#include "tools/calib_report.h"
#include "tools/calib_run.h"
#include "tools/calib_search_tool.h"
#include "tools/calib_tune_report.h"
#include "tools/calib_tune_run.h"
#include "tools/calib_weights.h"
#include "tools/conv_pairs.h"
#include "tools/policy_yaml.h"
#include "tools/report/report_page.h"
#include "tools/run_lists.h"
#include "tools/tool_main.h"
#include "tools/tool_mistake.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_range.h"

#define TUNE_SAMPLES 1000
#define HOLDOUT 0.2

static mst_common_opts c;
static mst_opt_uints steps;
static mst_mode_opts mode;
static const char *readout;
static const char *ann_masks;
static const char *qdq;
static const char *tuned; /* file to write */
static mst_opt_real holdout;
static mst_attrib_said attribute;
static const char *html, *html_layer, *energy_set;
static mst_search_said search;
static mst_exit_said early;
static mst_energy energy;

static const mst_opt options[] = {
    {"timesteps", 'T', MST_OPT_UINTS, &steps, "A,B,..",
     "time steps (default: 1,2,4,.. to the model file's T); in count mode the levels, one number", 1,
     MST_MAX_TIMESTEPS},
    MST_MODE_OPTIONS(mode),
    MST_READOUT_OPTION(readout),
    {"ann-masks", 0, MST_OPT_STRING, &ann_masks, "NAME",
     "masks of the ANN: none but its own (the default), or mean: those of MODEL.bin, each as its mean", 0, 0},
    {"qdq", 0, MST_OPT_STRING, &qdq, "RULE",
     "pairs of a quantized ANN that cannot be neurons: {qdq}, as for mstconv (default: the first)", 0, 0},
    {"tune", 0, MST_OPT_OUTPUT, &tuned, "OUT.bin",
     "step mode: find v(0) of each channel on samples of DATA (-n, default 1000, drawn by --seed) and write MODEL.bin "
     "with them, if that is better on samples held out",
     MST_PATH_MODEL, 0},
    {"holdout", 0, MST_OPT_REAL, &holdout, "F",
     "share of the N that is held out (--tune .2, --search .5; with a second DATA, those are all of it)", 0, 0},
    MST_SEARCH_OPTIONS(search),
    MST_ATTRIB_OPTIONS(attribute),
    MST_EXIT_BUDGET_OPTIONS(early),
    MST_ENERGY_OPTION(energy_set),
    {"html", 0, MST_OPT_OUTPUT, &html, "F.html",
     "write a page for people: accuracy, energy, errors by cause, as charts and tables (docs/REPORT.md)", MST_PATH_PAGE,
     0},
    MST_HTML_LAYER_OPTION(html_layer),
    MST_COMMON_OPTIONS(c),
};

static const mst_list *const lists[] = {&mst_list_formats, &mst_list_isa, &mst_list_sites, &mst_list_modes,
                                        &mst_list_thinnings, &mst_list_energy_sets, &mst_list_qdq,
                                        MST_PREPARE_LISTS, NULL};

static const mst_tool tool = {
    "mstcalib",
    "compare a spiking network with its ANN, layer by layer",
    "MODEL.onnx MODEL.bin DATA [options]\n"
    "       mstcalib MODEL.onnx MODEL.bin DATA [DATA] --tune OUT.bin [options]\n"
    "       mstcalib MODEL.onnx MODEL.bin DATA [DATA] --search-masks P.yaml [..]\n"
    "       mstcalib MODEL.onnx MODEL.bin DATA [DATA] --search-levels P.yaml [..]",
    "Runs the ANN of MODEL.onnx and the spiking network of MODEL.bin on the same samples and says,\n"
    "layer by layer, how far the spiking network is off. DATA is as for mstrun.",
    options,
    sizeof options / sizeof options[0],
    "In time steps, for a neuron: a is the ANN's activation, phi = theta/T * spikes (before masks), r = "
    "(v(T)-v(0))/T,\n"
    "m = phi + r the mean input current, e = phi - a. mae: mean |e|; bias: mean e; residual: mean |r|.\n\n"
    "e is the sum of clipping (fired more or less often than m outside [0,theta] asks for), unevenness\n"
    "(m did not arrive evenly), quantization (T steps against L levels), inherited (m differs from\n"
    "the ANN's input: earlier layers, products of spikes) and weights (the ANN with the weights as\n"
    "MODEL.bin stores them, f16 or int8, against the ANN; 0 for f32).\n\n"
    "In count and radix mode, with l levels: e = y' - a, y' the value of the spikes behind the mask, y\n"
    "before it. Parts: quantization (l levels against L, of the current that the neuron took in), clipping\n"
    "(the same beyond [0,theta]: 0 but for odd shifts), masks (y' - y), inherited and weights as above;\n"
    "residual: the current less y. Masks that the ANN has count as its own, by their mean. A network that was\n"
    "trained with masks is not itself without: compare it with --ann-masks mean.\n"
    "Exact definitions: mst/calibrate.h.",
    lists,
};

/* Files in each other's place, or of another kind. -1 to go on. */
static int check_files(const char *const *args, size_t n)
{
    static const mst_file_kind kinds[] = {MST_FILE_ONNX, MST_FILE_MODEL, MST_FILE_DATA, MST_FILE_DATA};
    mst_err err;
    return mst_mistake_check("mstcalib MODEL.onnx MODEL.bin DATA", args, kinds, n, &err) == MST_OK
               ? -1
               : mst_opts_refused(&tool, &err);
}

/* Options that make something of samples; NULL: none was given, the network is compared. */
static const char *maker(void)
{
    return tuned != NULL           ? "--tune"
           : search.masks != NULL  ? "--search-masks"
           : search.levels != NULL ? "--search-levels"
           : early.budget.set      ? "--exit-budget"
                                   : NULL;
}

/* Options that go with one of the things that the tool does. */
static int check_maker(size_t n_args, const char *const *args)
{
    mst_err err;
    const char *what = maker();
    int makers = (tuned != NULL) + (mst_search_out(&search) != NULL) + early.budget.set;
    if (what == NULL && (n_args > 3 || holdout.set))
        return mst_opts_wrong(&tool, "expected --tune, --search-masks, --search-levels or --exit-budget with %s",
                              n_args > 3 ? args[3] : "--holdout");
    if (makers > 1)
        return mst_opts_wrong(&tool, "%s and %s: expected one of them", what,
                              early.budget.set       ? "--exit-budget"
                              : search.masks != NULL ? "--search-masks"
                                                     : "--search-levels");
    if (what != NULL && c.skip_bad)
        return mst_opts_wrong(&tool, "--skip-bad: not with %s", what);
    if (what != NULL && html != NULL)
        return mst_opts_wrong(&tool, "--html: not with %s", what);
    if (what != NULL && tuned == NULL && ann_masks != NULL)
        return mst_opts_wrong(&tool, "--ann-masks: not with %s", what);
    if (mst_exit_said_check(&early, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return mst_search_check(&search, &err) == MST_OK ? -1 : mst_opts_refused(&tool, &err);
}

static int check_usage(size_t n_args, const char *const *args)
{
    static const char *const names[] = {"MODEL.onnx", "MODEL.bin", "DATA"};
    mst_err err;
    size_t rule;
    if (n_args < 3)
        return mst_opts_wrong(&tool, "expected MODEL.onnx MODEL.bin DATA, found no %s", names[n_args]);
    int code = check_maker(n_args, args);
    if (code >= 0)
        return code;
    if (mst_attrib_check(&attribute, maker() != NULL ? maker() : c.skip_bad ? "--skip-bad"
                                                                            : NULL,
                         &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (n_args > 3 && holdout.set)
        return mst_opts_wrong(&tool, "--holdout: expected one DATA, found '%s' to hold out", args[3]);
    if (holdout.set && !(holdout.value > 0 && holdout.value < 1))
        return mst_opts_wrong(&tool, "--holdout: expected a share above 0 and below 1, found %g", holdout.value);
    if (ann_masks != NULL && strcmp(ann_masks, "none") != 0 && strcmp(ann_masks, "mean") != 0)
        return mst_opts_wrong(&tool, "--ann-masks: expected none or mean, found '%s'", ann_masks);
    if (html_layer != NULL && html == NULL)
        return mst_opts_wrong(&tool, "--html-layer: expected --html with it");
    if (mst_list_take(&mst_list_qdq, "--qdq", qdq, &rule, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (mst_energy_find(energy_set, &energy, &err) != MST_OK || mst_common_check(&c, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return -1;
}

typedef struct networks {
    mst_graph *ann_graph, *snn_graph, *stored_graph; /* stored: the ANN with the weights of the .bin */
    mst_program *ann, *snn, *stored;                 /* stored: NULL for float32 */
    bool ann_lacks_masks;                            /* which the spiking network has */
} networks;

/* First lines of all: is the .bin of this .onnx, with the masks it was trained with, and tuned for this? */
static void warn(const networks *n, const mst_run_opts *snn)
{
    char differs[600], onnx[65], bin[65];
    mst_hash_text(n->ann_graph->meta.source_sha256, onnx);
    mst_hash_text(n->snn_graph->meta.source_sha256, bin);
    if (strcmp(onnx, bin) != 0)
        fprintf(stderr,
                "mstcalib: warning: the .bin was not made from this .onnx: sha256 %.16s.. in the .bin, "
                "%.16s.. of the .onnx\n",
                bin[0] != '\0' ? bin : "not known", onnx);
    mst_model_warn_analog("mstcalib", n->snn_graph);
    if (mst_masks_differ(n->snn_graph, differs, sizeof differs))
        fprintf(stderr, "mstcalib: warning: masks differ from those the weights were trained with: %s\n",
                differs);
    if (tuned == NULL && mst_tuning_differs(n->snn_graph, snn, steps.values[steps.n - 1], differs, sizeof differs))
        fprintf(stderr, "mstcalib: note: %s\n", differs);
}

/* As it is; where that fails, with its symbolic dimensions bound to those that the .bin was made with. Its ReLUs are
 * then what the .bin made of them; *relus: how many. */
static mst_status import_ann(const char *path, const networks *n, mst_graph **out, size_t *relus, mst_err *err)
{
    const mst_tensor *x = &n->snn_graph->tensors[n->snn_graph->input];
    mst_import_opts plain = {.size = sizeof plain,
                             .also_read = mst_paths_also,
                             .allow_analog = true,
                             .drop_analog_pairs = mst_qdq_drops(qdq)};
    mst_import_opts bound = plain;
    const bool last = n->snn_graph->meta.channels_last;
    plain.layout = bound.layout = last ? MST_LAYOUT_NHWC : MST_LAYOUT_NCHW;
    bound.input_rank = x->rank - 1;
    for (uint32_t d = 1; d < x->rank; d++)
        bound.input_dims[last ? (d + 1) % 3 : d - 1] = x->dims[d];
    mst_status st = mst_onnx_import(path, &plain, out, err);
    if (st != MST_OK && x->rank > 1 && mst_onnx_import(path, &bound, out, NULL) == MST_OK)
        st = MST_OK;
    return st == MST_OK ? mst_relus_give(*out, n->snn_graph, relus, err) : st;
}

static bool give_masks(void) { return ann_masks != NULL && strcmp(ann_masks, "mean") == 0; }

static mst_status load_stored(const char *path, networks *n, const mst_run_opts *ann, mst_err *err)
{
    const char *type = mst_model_weights(n->snn_graph);
    if (strcmp(type, "f32") == 0 || strcmp(type, "none") == 0)
        return MST_OK;
    size_t relus;
    MST_TRY(import_ann(path, n, &n->stored_graph, &relus, err));
    MST_TRY(mst_weights_take(n->stored_graph, n->snn_graph, err));
    if (give_masks())
        MST_TRY(mst_masks_give(n->stored_graph, n->snn_graph, err));
    return mst_program_create(n->stored_graph, ann, &n->stored, err);
}

/* Mode, levels, thinning, readout and the steps to report: the exit status of what is wrong, or -1 to go on. */
static int settle_mode(const mst_graph *g, mst_run_opts *snn)
{
    mst_err err;
    mst_opt_uint one = {steps.n != 0, steps.values[0]};
    if (mst_mode_take(&mode, g, &one, snn, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (tuned != NULL && (snn->mode != MST_RUN_SPIKING || steps.n > 1))
        return mst_opts_wrong(&tool, "--tune: expected --mode step and one number of time steps, found %s",
                              steps.n > 1 ? "several" : mst_run_mode_name(snn->mode));
    if (mst_search_out(&search) != NULL && steps.n > 1)
        return mst_opts_wrong(&tool, "%s: expected one number of time steps, found several", maker());
    if (mst_search_check_mode(&search, snn, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (early.budget.set)
        return mst_exit_stages(&early, g, readout, snn, &steps, &err) == MST_OK
                   ? -1
                   : mst_opts_refused(&tool, &err);
    if (mst_mode_counts(snn->mode) && steps.n > 1)
        return mst_opts_wrong(&tool, "-T: count takes one number of levels, found %zu", steps.n);
    if (steps.n == 0 && maker() != NULL)
        steps = (mst_opt_uints){1, {g->meta.timesteps}};
    if (steps.n == 0)
        mst_steps_default(&steps, g->meta.timesteps);
    mst_steps_sort(&steps);
    if (mst_readout_take(readout, g, steps.values[steps.n - 1], snn, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return -1;
}

static mst_status load(const char *const *args, networks *n, mst_run_opts *snn, mst_err *err)
{
    size_t relus;
    MST_TRY(import_ann(args[0], n, &n->ann_graph, &relus, err));
    warn(n, snn);
    if (relus != 0)
        fprintf(stderr, "mstcalib: %zu ReLUs of the ANN are taken as the quantized activations that the .bin made of "
                        "them\n",
                relus);
    n->ann_lacks_masks = mst_masks_drop(n->snn_graph) && !mst_masks_drop(n->ann_graph) && !give_masks();
    if (give_masks())
        MST_TRY(mst_masks_give(n->ann_graph, n->snn_graph, err));
    uint32_t frames = mst_graph_frames(n->snn_graph);
    mst_run_opts ann = {.mode = MST_RUN_FLOAT, .isa = c.isa, .frames = frames};
    /* currents of neurons can only be seen step by step */
    snn->schedule = mst_mode_counts(snn->mode) ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK;
    snn->isa = c.isa;
    snn->frames = frames;
    snn->seed = c.seed.set ? c.seed.value : n->snn_graph->meta.seed;
    MST_TRY(mst_program_create(n->ann_graph, &ann, &n->ann, err));
    MST_TRY(load_stored(args[0], n, &ann, err));
    return mst_program_create(n->snn_graph, snn, &n->snn, err);
}

/* Which ANN the network is compared with. */
static const char *ann_text(const mst_calib_facts *f)
{
    if (f->lacks_masks)
        return "that of the ONNX file, without masks, though the spiking network has some";
    return strcmp(f->ann_masks, "mean") == 0 ? "that of the ONNX file, with the masks of the model file by their mean"
                                             : "that of the ONNX file";
}

static mst_status write_page(const mst_calib_facts *f, const mst_calib_job *job, const mst_graph *g,
                             const mst_run_opts *snn, mst_err *err)
{
    const mst_calib_report *r = f->report;
    mst_look look = {0};
    mst_look_job again = {.ann = job->ann,
                          .snn = job->snn,
                          .data = job->data,
                          .pick = job->pick,
                          .versus = f->versus,
                          .steps = r->points[r->n_points - 1].t,
                          .named = html_layer,
                          .otherwise = mst_page_worst(r),
                          .outcome = f->outcome};
    bool whole = !mst_outcome_partial(f->outcome); /* one that was stopped is to end */
    mst_modes modes = {0};
    mst_status st = whole ? mst_look_make(&again, &look, err) : MST_OK;
    if (st == MST_OK && whole && snn->mode == MST_RUN_SPIKING)
        st = mst_modes_run(&(mst_modes_job){.graph = g,
                                            .run = snn,
                                            .data = job->data,
                                            .pick = job->pick,
                                            .energy = &energy,
                                            .threads = job->threads,
                                            .skip_bad = job->skip_bad,
                                            .quiet = job->quiet},
                           &modes, err);
    mst_page page = {.tool = tool.name,
                     .run = f->run,
                     .outcome = f->outcome,
                     .calib = f->report,
                     .attrib = f->attrib,
                     .words = f->words,
                     .versus = f->versus,
                     .ann = ann_text(f),
                     .look = whole ? &look : NULL,
                     .modes = &modes,
                     .layer_named = html_layer != NULL};
    if (st == MST_OK)
        st = mst_page_write(&page, html, err);
    mst_modes_free(&modes);
    mst_look_free(&look);
    return st;
}

static mst_status report(const char *const *args, const mst_calib_report *r, const mst_attrib_report *attrib,
                         const mst_outcome *outcome, const networks *n, const mst_calib_job *job,
                         const mst_run_opts *snn, mst_err *err)
{
    mst_words words = {0};
    mst_run_facts run = {0};
    mst_calib_facts facts = {.onnx = args[0],
                             .model = args[1],
                             .data = args[2],
                             .report = r,
                             .run = &run,
                             .versus = job->versus,
                             .outcome = outcome,
                             .thinning = snn->thinning,
                             .ann_masks = give_masks() ? "mean" : "none",
                             .lacks_masks = n->ann_lacks_masks,
                             .readout_from = (uint32_t)snn->readout_from,
                             .attrib = attrib->samples != 0 ? attrib : NULL,
                             .words = &words,
                             .isa = mst_program_isa(n->snn),
                             .threads = job->threads};
    mst_status st = attrib->samples != 0 ? mst_words_make(attrib, n->snn_graph, args[0], &words, err) : MST_OK;
    if (st == MST_OK)
        st = mst_calib_counts(job, r, snn, &run, err);
    run.about.model = args[1];
    run.about.data = args[2];
    run.about.energy = energy;
    if (st == MST_OK && !c.quiet)
        st = mst_calib_print(&facts, mst_is_stdout(c.json) || mst_is_stdout(html) ? stderr : stdout, err);
    if (st == MST_OK && c.json != NULL)
        st = mst_calib_json(&facts, c.json, err);
    if (st == MST_OK && html != NULL)
        st = write_page(&facts, job, n->snn_graph, snn, err);
    mst_run_facts_free(&run);
    mst_words_free(&words);
    return st;
}

static mst_status attribute_loss(const networks *n, const mst_calib_job *job, const mst_run_opts *snn,
                                 mst_attrib_report *out, mst_err *err)
{
    mst_attrib_job of = {.ann = n->ann,
                         .snn = n->snn,
                         .data = job->data,
                         .pick = job->pick,
                         .threads = job->threads,
                         .steps = steps.values[steps.n - 1],
                         .readout_from = (uint32_t)snn->readout_from,
                         .layers = attribute.layers.set ? attribute.layers.value : MST_ATTRIB_LAYERS,
                         .quiet = c.quiet};
    return mst_attrib_run(&of, out, err);
}

static mst_status calibrate(const char *const *args, const networks *n, const mst_run_opts *snn, mst_err *err)
{
    mst_data *data = NULL;
    mst_calib_report r = {0};
    mst_attrib_report attrib = {0};
    mst_outcome outcome = {0};
    mst_pick pick = {0};
    static mst_versus versus;
    size_t layer;
    if (html_layer != NULL)
        MST_TRY(mst_look_find(n->snn, html_layer, &layer, err));
    MST_TRY(mst_data_open_for(args[2], n->snn_graph, &data, err));
    mst_calib_job job = {.ann = n->ann,
                         .snn = n->snn,
                         .stored = n->stored,
                         .data = data,
                         .pick = &pick,
                         .skip_bad = c.skip_bad,
                         .at = &steps,
                         .versus = &versus,
                         .quiet = c.quiet};
    if (attribute.on && !c.pick.limit.set && !c.pick.first.set)
        c.pick.limit = (mst_opt_uint){true, MST_ATTRIB_SAMPLES};
    mst_status st = mst_pick_make(&c.pick, data, &pick, err);
    job.threads = mst_thread_count(pick.n, &c.threads);
    if (st == MST_OK) {
        mst_range_warn("mstcalib", n->snn_graph, data, &pick);
        st = mst_calib_run(&job, &r, &outcome, err);
    }
    if (st == MST_OK && attribute.on)
        st = attribute_loss(n, &job, snn, &attrib, err);
    if (st == MST_OK)
        st = mst_model_unchanged(err);
    if (st == MST_OK)
        st = report(args, &r, &attrib, &outcome, n, &job, snn, err);
    else if (r.samples != 0 && mst_model_unchanged(NULL) == MST_OK &&
             report(args, &r, &attrib, &outcome, n, &job, snn, NULL) == MST_OK)
        mst_paths_keep(); /* of the samples before it failed */
    mst_attrib_report_free(&attrib);
    mst_versus_free(&versus);
    mst_calib_report_free(&r);
    mst_outcome_free(&outcome);
    mst_pick_free(&pick);
    mst_data_close(data);
    return st;
}

/* ---- --tune ---- */

/* MODEL.bin as it is, with v(0): what options changed in the graph that ran is not written. */
static mst_status save_tuned(const char *model, const mst_tune *t, mst_err *err)
{
    mst_graph *g = NULL;
    uint64_t bytes;
    MST_TRY(mst_graph_load(model, NULL, &g, err));
    mst_status st = mst_tune_take(t, g, err);
    if (st == MST_OK)
        st = mst_model_write(g, tuned, &bytes, err);
    mst_graph_destroy(g);
    return st;
}

static mst_status report_tuning(const char *const *args, size_t n_args, const mst_tune *t, const mst_tune_job *job,
                                mst_err *err)
{
    mst_tune_report r;
    mst_tune_report_make(t, &r);
    mst_tune_facts facts = {.onnx = args[0],
                            .model = args[1],
                            .data = args[2],
                            .judge = n_args > 3 ? args[3] : NULL,
                            .out = tuned,
                            .report = &r,
                            .tuning = &job->graph->tuning,
                            .seed = job->seed,
                            .ann_masks = give_masks() ? "mean" : "none"};
    if (r.better)
        MST_TRY(save_tuned(args[1], t, err));
    if (!c.quiet)
        MST_TRY(mst_tune_print(&facts, mst_is_stdout(c.json) ? stderr : stdout, err));
    if (c.json != NULL)
        MST_TRY(mst_tune_json(&facts, c.json, err));
    if (r.better)
        return MST_OK;
    mst_paths_keep(); /* the figures */
    return mst_fail(err, MST_EINVAL,
                    "--tune: no better on the samples held out (logit error %+.4f, top-1 %+.2f %%): %s is not "
                    "written",
                    r.change.logit_rel_l2, 100 * r.change.top1, tuned);
}

static mst_status tune(const char *const *args, size_t n_args, const networks *n, const mst_run_opts *snn, mst_err *err)
{
    mst_calib_data d;
    mst_tune *t = NULL;
    mst_status st = mst_calib_data_open(&d, args, n_args, n->snn_graph, &c.pick, err);
    mst_tune_job job = {.ann = n->ann,
                        .graph = n->snn_graph,
                        .run = snn,
                        .data = d.data,
                        .judge = d.judge,
                        .from = &d.from,
                        .judge_from = &d.judge_from,
                        .n = c.pick.limit.set ? c.pick.limit.value : TUNE_SAMPLES,
                        .holdout = holdout.set ? holdout.value : HOLDOUT,
                        .seed = snn->seed,
                        .timesteps = steps.values[0],
                        .threads = mst_thread_count(SIZE_MAX, &c.threads),
                        .quiet = c.quiet};
    if (st == MST_OK)
        st = mst_tune_run(&job, &t, err);
    if (st == MST_OK)
        st = report_tuning(args, n_args, t, &job, err);
    mst_tune_destroy(t);
    mst_calib_data_close(&d);
    return st;
}

/* ---- --search-masks, --search-levels, --exit-budget ---- */

/* Nothing is compared with the ANN: it is looked at for whether the .bin is its own. */
static mst_status run_search(const char *const *args, size_t n_args, networks *n, mst_run_opts *snn, mst_err *err)
{
    size_t relus;
    MST_TRY(import_ann(args[0], n, &n->ann_graph, &relus, err));
    warn(n, snn);
    snn->schedule = MST_SCHEDULE_BLOCK;
    snn->isa = c.isa;
    snn->frames = mst_graph_frames(n->snn_graph);
    snn->seed = c.seed.set ? c.seed.value : n->snn_graph->meta.seed;
    if (early.budget.set)
        return mst_exit_tool(&(mst_exit_call){.said = &early,
                                              .common = &c,
                                              .args = args,
                                              .n_args = n_args,
                                              .graph = n->snn_graph,
                                              .run = snn,
                                              .at = &steps,
                                              .holdout = holdout.set ? holdout.value : HOLDOUT,
                                              .energy = &energy.set},
                             err);
    return mst_search_tool(&(mst_search_call){.said = &search,
                                              .common = &c,
                                              .args = args,
                                              .n_args = n_args,
                                              .graph = n->snn_graph,
                                              .run = snn,
                                              .steps = mst_mode_counts(snn->mode) ? 1 : steps.values[0],
                                              .holdout = holdout.set ? holdout.value : MST_SEARCH_HOLDOUT,
                                              .energy = &energy.set},
                           err);
}

/* What the command line asks for, of a model that is loaded. */
static mst_status do_it(const char *const *args, size_t n_args, networks *n, mst_run_opts *snn, mst_err *err)
{
    if (maker() != NULL && tuned == NULL)
        return run_search(args, n_args, n, snn, err);
    MST_TRY(load(args, n, snn, err));
    return tuned != NULL ? tune(args, n_args, n, snn, err) : calibrate(args, n, snn, err);
}

static int work(int argc, char **argv)
{
    const char *args[4];
    size_t n_args;
    networks n = {0};
    mst_err err = {0};
    int code = mst_opts_parse(&tool, argc, argv, args, 4, &n_args);
    if (code < 0)
        code = check_usage(n_args, args);
    if (code < 0)
        code = check_files(args, n_args);
    if (code < 0)
        code = mst_opts_open(&tool);
    if (code >= 0)
        return code;
    mst_run_opts snn = {.size = sizeof snn};
    mst_status st = mst_model_load(args[1], &c, &n.snn_graph, &err);
    if (st == MST_OK)
        code = settle_mode(n.snn_graph, &snn);
    if (st == MST_OK && code < 0)
        st = do_it(args, n_args, &n, &snn, &err);
    mst_program_destroy(n.snn);
    mst_program_destroy(n.stored);
    mst_program_destroy(n.ann);
    mst_graph_destroy(n.stored_graph); /* before the one that lends it weights */
    mst_graph_destroy(n.snn_graph);
    mst_graph_destroy(n.ann_graph);
    if (st != MST_OK)
        return mst_opts_failed(&tool, &err);
    return code >= 0 ? code : MST_EXIT_DONE;
}

int main(int argc, char **argv)
{
    return mst_tool_main(tool.name, work, argc, argv);
}
