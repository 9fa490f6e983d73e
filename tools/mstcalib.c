/* mstcalib: conversion error of a spiking network against its ANN. Options, calls, printing. */
#include <stdio.h>
#include <string.h>

#include "tools/calib_compare.h"
#include "tools/calib_exit.h"
#include "tools/calib_search_tool.h"
#include "tools/calib_tune_tool.h"
#include "tools/conv_pairs.h"
#include "tools/policy_yaml.h"
#include "tools/report/report_look.h"
#include "tools/run_lists.h"
#include "tools/tool_main.h"
#include "tools/tool_mistake.h"
#include "tools/tool_mode.h"
#include "tools/tool_ranks.h"

#define HOLDOUT 0.2

static mst_common_opts c;
static mst_opt_uints steps;
static mst_mode_opts mode;
static const char *readout;
static const char *tuned; /* file to write */
static const char *resume;
static bool merging;
static mst_opt_real holdout;
static mst_attrib_said attribute;
static const char *html, *html_layer, *energy_set;
static mst_search_said search;
static mst_exit_said early;
static mst_energy energy;
static mst_networks_said said = {.common = &c};

static const mst_opt options[] = {
    {"timesteps", 'T', MST_OPT_UINTS, &steps, "A,B,..",
     "time steps (default: 1,2,4,.. to the model file's T); in count mode the levels, one number", 1,
     MST_MAX_TIMESTEPS},
    MST_MODE_OPTIONS(mode),
    MST_READOUT_OPTION(readout),
    {"ann-masks", 0, MST_OPT_STRING, &said.ann_masks, "trained|mean|none",
     "masks of the ANN, each as its mean: trained: those that the weights were trained with, where MODEL.bin says so "
     "(the default), mean: those of MODEL.bin, none: but its own",
     0, 0},
    {"qdq", 0, MST_OPT_STRING, &said.qdq, "RULE",
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
    MST_RESUME_OPTION(resume),
    MST_SHARD_OPTION(c.pick),
    MST_MERGE_OPTION(merging),
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
    "       mstcalib MODEL.onnx MODEL.bin DATA [DATA] --search-levels P.yaml [..]\n"
    "       mstcalib MODEL.onnx MODEL.bin DATA [DATA] --exit-budget P [options]\n"
    "       mstcalib --merge A.json B.json .. [--json [FILE|-]]",
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
    "trained with masks is not itself without: its ANN gets them, where MODEL.bin says which (--ann-masks).\n"
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
    if (what != NULL && tuned == NULL && said.ann_masks != NULL)
        return mst_opts_wrong(&tool, "--ann-masks: not with %s", what);
    if (mst_exit_said_check(&early, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return mst_search_check(&search, &err) == MST_OK ? -1 : mst_opts_refused(&tool, &err);
}

/* An option that goes with one process and all samples; NULL: none was given. */
static const char *of_one_process(void)
{
    return maker() != NULL ? maker()
           : attribute.on  ? "--attribute"
           : html != NULL  ? "--html"
                           : NULL;
}

/* Parts, journals and ranks: what can be cut into samples, and nothing else. */
static int check_parts(void)
{
    const char *one = of_one_process();
    if (one != NULL && (c.pick.shard != NULL || resume != NULL))
        return mst_opts_wrong(&tool, "%s: not with %s", c.pick.shard != NULL ? "--shard" : "--resume", one);
    if (one != NULL && mst_ranks() > 1)
        return mst_opts_wrong(&tool, "%s: expected one process with it, found %u ranks", one, mst_ranks());
    if (resume != NULL && mst_is_stdout(resume))
        return mst_opts_wrong(&tool, "--resume: expected a file, found stdout");
    if (resume != NULL && c.map)
        return mst_opts_wrong(&tool, "--resume and --map: sums of a network that may change cannot be kept");
    return -1;
}

static int check_usage(size_t n_args, const char *const *args)
{
    static const char *const names[] = {"MODEL.onnx", "MODEL.bin", "DATA"};
    mst_err err;
    size_t rule;
    if (merging)
        return mst_opts_merge(&tool, n_args, NULL);
    if (n_args < 3)
        return mst_opts_wrong(&tool, "expected MODEL.onnx MODEL.bin DATA, found no %s", names[n_args]);
    if (n_args > 4)
        return mst_opts_wrong(&tool, "expected at most 4 arguments, found '%s' beyond them", args[4]);
    int code = check_maker(n_args, args);
    if (code < 0)
        code = check_parts();
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
    if (mst_ann_masks_check(said.ann_masks, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (html_layer != NULL && html == NULL)
        return mst_opts_wrong(&tool, "--html-layer: expected --html with it");
    if (mst_list_take(&mst_list_qdq, "--qdq", said.qdq, &rule, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (mst_energy_find(energy_set, &energy, &err) != MST_OK || mst_common_check(&c, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return -1;
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

/* ---- what it does ---- */

/* Nothing is compared with the ANN: it is looked at for whether the .bin is its own. */
static mst_status run_search(const char *const *args, size_t n_args, mst_networks *n, mst_run_opts *snn, mst_err *err)
{
    MST_TRY(mst_networks_import(n, args[0], &said, snn, err));
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

static mst_compare_out told(void)
{
    return (mst_compare_out){.json = c.json, .html = html, .html_layer = html_layer, .quiet = c.quiet};
}

/* What the command line asks for, of a model that is loaded. */
static mst_status do_it(const char *const *args, size_t n_args, mst_networks *n, mst_run_opts *snn, mst_err *err)
{
    said.steps = tuned == NULL ? steps.values[steps.n - 1] : 0;
    if (maker() != NULL && tuned == NULL)
        return run_search(args, n_args, n, snn, err);
    MST_TRY(mst_networks_load(n, args[0], &said, snn, err));
    if (tuned != NULL)
        return mst_tune_tool(&(mst_tune_call){.out = tuned,
                                              .args = args,
                                              .n_args = n_args,
                                              .networks = n,
                                              .said = &said,
                                              .run = snn,
                                              .steps = steps.values[0],
                                              .holdout = holdout.set ? holdout.value : HOLDOUT},
                             err);
    return mst_compare_tool(&(mst_compare_call){.args = args,
                                                .networks = n,
                                                .said = &said,
                                                .run = snn,
                                                .at = &steps,
                                                .energy = &energy,
                                                .attribute = &attribute,
                                                .resume = resume,
                                                .out = told()},
                            err);
}

static int merge(const char *const *paths, size_t n)
{
    mst_err err = {0};
    const mst_compare_out out = told();
    return mst_compare_merge(paths, n, &out, &err) == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

static int run(const char *const *args, size_t n_args)
{
    mst_networks n = {0};
    mst_err err = {0};
    int code = -1;
    mst_run_opts snn = {.size = sizeof snn};
    mst_status st = mst_model_load(args[1], &c, &n.snn_graph, &err);
    if (st == MST_OK)
        code = settle_mode(n.snn_graph, &snn);
    if (st == MST_OK && code < 0)
        st = do_it(args, n_args, &n, &snn, &err);
    mst_networks_free(&n);
    if (st != MST_OK)
        return mst_opts_failed(&tool, &err);
    return code >= 0 ? code : MST_EXIT_DONE;
}

static int work(int argc, char **argv)
{
    static const char *args[MST_MAX_SHARDS];
    size_t n_args;
    int code = mst_opts_parse(&tool, argc, argv, args, MST_MAX_SHARDS, &n_args);
    if (code < 0)
        code = check_usage(n_args, args);
    if (code < 0 && !merging)
        code = check_files(args, n_args);
    if (code < 0)
        code = mst_opts_open(&tool);
    if (code >= 0)
        return code;
    return merging ? merge(args, n_args) : run(args, n_args);
}

int main(int argc, char **argv)
{
    return mst_tool_main_ranks(tool.name, work, argc, argv);
}
