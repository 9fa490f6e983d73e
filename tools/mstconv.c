/* mstconv: convert an ONNX model to a spiking network. Options, calls, printing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mst/convert.h"
#include "tools/conv_lists.h"
#include "tools/conv_meta.h"
#include "tools/conv_metadata.h"
#include "tools/conv_pairs.h"
#include "tools/conv_policy.h"
#include "tools/conv_report.h"
#include "tools/conv_thresholds_report.h"
#include "tools/policy_yaml.h"
#include "tools/tool_main.h"
#include "tools/tool_mistake.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_opts.h"
#include "tools/tool_output.h"
#include "tools/tool_prepare.h"
#include "tools/tool_term.h"

static struct {
    bool dry_run, show_policy, require_spiking, allow_analog, quiet;
    const char *output, *policy, *report, *dump_dir, *stop_after, *shape, *layout, *classes, *weights, *qdq, *max_pool;
    mst_opt_uint timesteps, seed;
    mst_prepare_opts prepare;
    mst_mode_opts mode;
    mst_threshold_opts thresholds;
} o;

static const mst_opt options[] = {
    {NULL, 'o', MST_OPT_OUTPUT, &o.output, "OUT.bin", "the file to write; - is stdout", MST_PATH_MODEL, 0},
    {"policy", 0, MST_OPT_INPUT, &o.policy, "P.yaml", "masks and the way of running, a policy (examples/policies)", 0,
     0},
    {"timesteps", 0, MST_OPT_UINT, &o.timesteps, "T", "time steps that mstrun takes by default", 1, MST_MAX_TIMESTEPS},
    {"seed", 0, MST_OPT_UINT, &o.seed, "S", "seed of the masks (default: the policy's)", 0, UINT64_MAX},
    {"mode", 0, MST_OPT_STRING, &o.mode.mode, "NAME",
     "how mstrun runs the network by default: {modes} (default: the policy's, else the first)", 0, 0},
    {"levels", 0, MST_OPT_UINT, &o.mode.levels, "N",
     "levels of all layers in count and radix mode (default: the policy's, else each layer's L)", 1, 255},
    {"bits", 0, MST_OPT_UINT, &o.mode.bits, "K", "the same as --levels 2^K - 1", 1, 8},
    {"thinning", 0, MST_OPT_STRING, &o.mode.thinning, "NAME",
     "how masks thin counts by default: {thinnings} (systematic is not the paper's)", 0, 0},
    MST_PREPARE_OPTIONS(o.prepare),
    MST_THRESHOLD_OPTIONS(o.thresholds),
    {"classes", 0, MST_OPT_INPUT, &o.classes, "FILE|A,B", "class names: a file with one a line, or a list", 0, 0},
    {"weights", 0, MST_OPT_STRING, &o.weights, "TYPE",
     "how weights are stored: {weights} (default: the first; int8 is scaled)", 0, 0},
    {"qdq", 0, MST_OPT_STRING, &o.qdq, "RULE",
     "pairs of a quantized model that cannot be neurons: {qdq} (default: the first)", 0, 0},
    {"input-shape", 0, MST_OPT_STRING, &o.shape, "CxHxW",
     "binds symbolic input dimensions, in the model's order", 0, 0},
    {"max-pool", 0, MST_OPT_STRING, &o.max_pool, "NAME",
     "of what max pools of spikes take the largest in step mode: {max-pools} (default rates, as the ANN does; "
     "steps: of each step, as code that runs step by step does)",
     0, 0},
    {"input-layout", 0, MST_OPT_STRING, &o.layout, "NAME",
     "axes of the model's input: {layouts} (default: what its nodes say, else its shape)", 0, 0},
    {"require-spiking", 0, MST_OPT_FLAG, &o.require_spiking, NULL, "fail if any node does not spike", 0, 0},
    {"allow-analog", 0, MST_OPT_FLAG, &o.allow_analog, NULL,
     "convert a network in which nothing spikes, or one input stage only; other staircases than QCFS stay analog", 0,
     0},
    {"report", 0, MST_OPT_OUTPUT, &o.report, "FILE|-", "write the table as JSON; - is stdout, text then goes to stderr",
     MST_PATH_JSON, 0},
    MST_OUTPUT_OPTIONS,
    {"show-policy", 0, MST_OPT_FLAG, &o.show_policy, NULL,
     "write what --policy says as JSON to stdout, and exit (no MODEL)",
     0, 0},
    {"dry-run", 0, MST_OPT_FLAG, &o.dry_run, NULL, "convert and report, write no OUT.bin", 0, 0},
    {"dump-dir", 0, MST_OPT_STRING, &o.dump_dir, "DIR", "the graph after each pass, as text and Graphviz", 0, 0},
    {"stop-after", 0, MST_OPT_STRING, &o.stop_after, "PASS",
     "leave out the passes behind it (for bisection; --list passes)", 0, 0},
    {"quiet", 'q', MST_OPT_FLAG, &o.quiet, NULL, "no table; errors and --report stay", 0, 0},
};

static const mst_list *const lists[] = {&mst_list_ops, &mst_list_passes, &mst_list_sites, &mst_list_weights,
                                        &mst_list_qdq, &mst_list_layouts, &mst_list_max_pools,
                                        &mst_list_modes, &mst_list_thinnings, MST_PREPARE_LISTS, NULL};

static const mst_tool tool = {
    "mstconv",
    "convert a network of ONNX to spikes",
    "MODEL.onnx -o OUT.bin [options]",
    "Converts an ONNX model with QCFS activations to a spiking network: each activation becomes an\n"
    "integrate-and-fire neuron, BatchNorm is folded, masks and levels are set as the policy says.",
    options,
    sizeof options / sizeof options[0],
    "--list ops: folded: evaluated where the inputs are constant; runs: on live data.",
    lists,
};

/* -1 to go on. */
static int check_names(void)
{
    const struct {
        const mst_list *list;
        const char *option, *text;
    } names[] = {{&mst_list_weights, "--weights", o.weights},
                 {&mst_list_qdq, "--qdq", o.qdq},
                 {&mst_list_layouts, "--input-layout", o.layout},
                 {&mst_list_max_pools, "--max-pool", o.max_pool},
                 {&mst_list_passes, "--stop-after", o.stop_after},
                 {&mst_list_modes, "--mode", o.mode.mode},
                 {&mst_list_thinnings, "--thinning", o.mode.thinning}};
    mst_err err;
    size_t k;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mst_list_take(names[i].list, names[i].option, names[i].text, &k, &err) != MST_OK)
            return mst_opts_refused(&tool, &err);
    return -1;
}

/* Files in each other's place, or of another kind. -1 to go on. */
static int check_files(const char *const *args, size_t n)
{
    static const mst_file_kind kinds[] = {MST_FILE_ONNX};
    mst_err err;
    return mst_mistake_check("mstconv MODEL.onnx", args, kinds, n, &err) == MST_OK
               ? -1
               : mst_opts_refused(&tool, &err);
}

static int check_usage(size_t n_args, mst_import_opts *iopts)
{
    if (o.show_policy && o.policy == NULL)
        return mst_opts_wrong(&tool, "--show-policy: expected --policy P.yaml with it, found nothing");
    if (o.show_policy)
        return n_args == 0 ? -1 : mst_opts_wrong(&tool, "--show-policy: expected no MODEL.onnx with it, found one");
    if (n_args == 0)
        return mst_opts_wrong(&tool, "expected MODEL.onnx, found nothing");
    if (o.output == NULL && !o.dry_run && o.stop_after == NULL)
        return mst_opts_wrong(&tool, "expected -o OUT.bin, found nothing");
    mst_err err;
    if (mst_prepare_check(&o.prepare, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (o.shape != NULL && !mst_shape_parse(o.shape, iopts->input_dims, &iopts->input_rank))
        return mst_opts_wrong(&tool, "--input-shape: expected CxHxW as in 3x32x32, found '%s'", o.shape);
    if (mst_thresholds_check(&o.thresholds, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    int code = check_names();
    if (code < 0 && o.mode.levels.set && o.mode.bits.set)
        code = mst_opts_wrong(&tool, "--levels and --bits: expected one of them");
    return code;
}

/* Which of the names text is; it is one. */
static int number_of(const char *(*name)(int), const char *text)
{
    int k = 0;
    while (name(k) != NULL && strcmp(name(k), text) != 0)
        k++;
    return k;
}

/* What the command line says of count and radix runs, over what the policy says. */
static void set_run(mst_policy *p)
{
    if (o.mode.mode != NULL) {
        p->has_run = true;
        p->run = (mst_run_rule)number_of(mst_run_rule_name, o.mode.mode);
    }
    if (o.mode.thinning != NULL) {
        p->has_thinning = true;
        p->thinning = (mst_thinning)number_of(mst_thinning_name, o.mode.thinning);
    }
    if (o.mode.levels.set || o.mode.bits.set) {
        p->levels = o.mode.levels.set ? (int)o.mode.levels.value : (1 << o.mode.bits.value) - 1;
        p->n_level_rules = 0; /* of all layers */
    }
}

static mst_status write_output(mst_graph *g, uint64_t *bytes, mst_err *err)
{
    *bytes = 0;
    return o.dry_run || o.output == NULL ? MST_OK : mst_model_write(g, o.output, bytes, err);
}

/* Options that describe the model rather than change it. */
static mst_status set_meta(mst_metadata *said, mst_graph *g, mst_err *err)
{
    if (o.timesteps.set)
        g->meta.timesteps = (uint32_t)o.timesteps.value;
    if (o.seed.set)
        g->meta.seed = o.seed.value;
    MST_TRY(mst_prepare_apply(&o.prepare, g, err));
    mst_metadata_warn_norm(said, "mstconv", g);
    char misfit[160];
    mst_prepare_misfit(g, misfit, sizeof misfit);
    if (misfit[0] != '\0')
        mst_term_warn("mstconv", "--frames: %s\n", misfit);
    if (o.classes != NULL)
        MST_TRY(mst_meta_set_classes(g, o.classes, err));
    MST_TRY(mst_metadata_classes(said, g, err));
    return mst_graph_validate(g, err); /* a mode may not go with frames, written or not */
}

/* What comes with a graph and is no graph. */
typedef struct aside {
    mst_policy policy;
    mst_metadata said; /* by the model itself */
    mst_thresholds thresholds;
    mst_pairs pairs;
} aside;

static mst_status report(mst_graph *g, const mst_report *r, uint64_t bytes, const aside *a, mst_err *err)
{
    char metadata[128]; /* all keys */
    mst_metadata_text(&a->said, metadata, sizeof metadata);
    mst_conv_facts facts = {.graph = g,
                            .report = r,
                            .output = o.output,
                            .bytes = bytes,
                            .thresholds = a->thresholds.n != 0 ? &a->thresholds : NULL,
                            .pairs = &a->pairs,
                            .metadata = metadata};
    bool text_aside = mst_is_stdout(o.report) || mst_is_stdout(o.output);
    if (!o.quiet)
        MST_TRY(mst_conv_print(&facts, text_aside ? stderr : stdout, err));
    return o.report != NULL ? mst_conv_json(&facts, o.report, err) : MST_OK;
}

/* Levels of the ReLUs that become neurons: those of all layers. */
static int relu_levels(const mst_policy *p) { return p->levels != 0 ? p->levels : 16; }

/* --calibrate, first half: g as imported. */
static mst_status calibrate(const mst_import_opts *iopts, const mst_policy *p, mst_graph *g, mst_thresholds *t,
                            mst_err *err)
{
    if (!mst_thresholds_asked(&o.thresholds))
        return MST_OK;
    MST_TRY(mst_prepare_apply(&o.prepare, g, err));
    return mst_thresholds_set(&o.thresholds, relu_levels(p), iopts, g, o.quiet, t, err);
}

/* Second half: g as it will be written. */
static mst_status try_calibrated(const char *model, const mst_import_opts *iopts, const mst_graph *g, mst_thresholds *t,
                                 mst_err *err)
{
    mst_graph *ann = NULL;
    mst_import_opts plain = *iopts;
    if (!mst_thresholds_asked(&o.thresholds))
        return MST_OK;
    plain.dump_dir = NULL; /* written when g was imported, as warnings were */
    plain.warn = NULL;
    plain.pair = NULL;
    plain.metadata = NULL;
    mst_status st = mst_onnx_import(model, &plain, &ann, err);
    if (st == MST_OK)
        st = mst_thresholds_try(&o.thresholds, ann, g, o.quiet, t, err);
    mst_graph_destroy(ann);
    if (st == MST_OK)
        mst_thresholds_warn(t);
    return st;
}

static mst_status convert(const char *model, const mst_import_opts *iopts, mst_graph *g, aside *a, mst_err *err)
{
    mst_report r = {0};
    uint64_t bytes;
    mst_convert_opts copts = {.size = sizeof copts,
                              .policy = &a->policy,
                              .max_pool = o.max_pool != NULL ? (size_t)number_of(mst_max_pool_name, o.max_pool) : 0,
                              .require_spiking = o.require_spiking,
                              .allow_analog = o.allow_analog,
                              .dump_dir = o.dump_dir,
                              .stop_after = o.stop_after,
                              .weights = mst_weight_type(o.weights)};
    MST_TRY(calibrate(iopts, &a->policy, g, &a->thresholds, err));
    MST_TRY(mst_convert(g, &copts, &r, err));
    if (!mst_thresholds_asked(&o.thresholds)) /* which gives neurons other levels */
        mst_metadata_warn_levels(&a->said, g);
    mst_status st = set_meta(&a->said, g, err);
    if (st == MST_OK)
        st = try_calibrated(model, iopts, g, &a->thresholds, err);
    if (st == MST_OK)
        st = write_output(g, &bytes, err);
    if (st == MST_OK)
        st = report(g, &r, bytes, a, err);
    if (st == MST_OK)
        mst_pairs_warn(&a->pairs, g);
    mst_report_free(&r);
    return st;
}

/* What the passes write is no one else's. */
static mst_status claim_dumps(mst_err *err)
{
    static char names[64][4200];
    size_t n = 0;
    for (size_t k = 0; o.dump_dir != NULL && mst_pass_at(k, NULL) != NULL; k++)
        for (int dot = 0; dot < 2 && n < sizeof names / sizeof names[0]; dot++, n++) {
            snprintf(names[n], sizeof names[n], "%s/%02zu-%s.%s", o.dump_dir, k, mst_pass_at(k, NULL),
                     dot ? "dot" : "txt");
            MST_TRY(mst_paths_claim("--dump-dir", names[n], err));
        }
    return MST_OK;
}

static mst_status make_dump_dir(mst_err *err)
{
    if (o.dump_dir != NULL && mkdir(o.dump_dir, 0777) != 0 && errno != EEXIST)
        return mst_fail(err, MST_EIO, "--dump-dir %s: %s", o.dump_dir, strerror(errno));
    return claim_dumps(err);
}

static int show_policy(void)
{
    mst_policy policy;
    mst_err err = {0};
    mst_status st = mst_policy_load(o.policy, &policy, &err);
    if (st == MST_OK)
        st = mst_policy_json(&policy, "-", &err);
    mst_policy_free(&policy);
    return st == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

static void warn(void *ctx, const char *text)
{
    (void)ctx;
    mst_term_warn("mstconv", "%s\n", text);
}

static int work(int argc, char **argv)
{
    const char *args[1] = {NULL};
    size_t n_args;
    mst_import_opts iopts = {.size = sizeof iopts};
    mst_graph *graph = NULL;
    aside a = {.policy = {.file = ""}};
    mst_err err = {0};
    int code = mst_opts_parse(&tool, argc, argv, args, 1, &n_args);
    if (code < 0)
        code = check_usage(n_args, &iopts);
    if (code < 0)
        code = o.show_policy ? -1 : check_files(args, n_args);
    if (code < 0 && make_dump_dir(&err) != MST_OK)
        return mst_opts_failed(&tool, &err);
    if (code < 0)
        code = mst_opts_open(&tool);
    if (code < 0 && o.show_policy)
        code = show_policy();
    if (code >= 0)
        return code;
    iopts.dump_dir = o.dump_dir;
    iopts.stop_after = o.stop_after;
    iopts.layout = o.layout != NULL ? (mst_layout)number_of(mst_layout_name, o.layout) : MST_LAYOUT_FOUND;
    iopts.also_read = mst_paths_also;
    iopts.allow_analog = o.allow_analog;
    iopts.warn = warn;
    iopts.pair = mst_pairs_add;
    iopts.pair_ctx = &a.pairs;
    iopts.drop_analog_pairs = mst_qdq_drops(o.qdq);
    iopts.metadata = mst_metadata_note;
    iopts.metadata_ctx = &a.said;
    iopts.layout_said = &a.said.layout;
    a.said.file = args[0];
    mst_status st = MST_OK;
    if (o.policy != NULL)
        st = mst_policy_load(o.policy, &a.policy, &err);
    if (st == MST_OK)
        st = mst_onnx_import(args[0], &iopts, &graph, &err);
    a.said.taken[MST_META_LAYOUT] = a.said.layout != MST_LAYOUT_FOUND && o.layout == NULL;
    if (st == MST_OK)
        st = mst_metadata_check(&a.said, &err);
    if (st == MST_OK)
        st = mst_metadata_prepare(&a.said, &o.prepare, &err);
    if (st == MST_OK)
        st = mst_metadata_policy(&a.said, o.policy != NULL, &a.policy, &err);
    set_run(&a.policy);
    if (st == MST_OK)
        st = convert(args[0], &iopts, graph, &a, &err);
    mst_thresholds_free(&a.thresholds);
    mst_pairs_free(&a.pairs);
    mst_policy_free(&a.policy);
    mst_metadata_free(&a.said);
    mst_graph_destroy(graph);
    return st == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

int main(int argc, char **argv)
{
    return mst_tool_main(tool.name, work, argc, argv);
}
