/* mstrun: run a spiking network on a data set. Options, calls, printing. */
#include <stdio.h>
#include <string.h>

#include "runtime/data/data_want.h"
#include "tools/policy_yaml.h"
#include "tools/run_lists.h"
#include "tools/run_report.h"
#include "tools/run_show.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"

static mst_common_opts c;
static struct {
    bool info, show, latency;
    mst_mode_opts mode;
    mst_opt_uint steps;
    mst_opt_uints at;
    mst_opt_real alpha, ac, mac;
    const char *schedule, *trace, *output;
} o;

static const mst_opt options[] = {
    {"timesteps", 'T', MST_OPT_UINT, &o.steps, "N", "time steps (default: what the model file says); in count mode the levels", 1,
     MST_MAX_TIMESTEPS},
    MST_MODE_OPTIONS(o.mode),
    {"at", 0, MST_OPT_UINTS, &o.at, "A,B,..", "steps at which accuracy is read (default: 1,2,4,.. and T)", 1,
     MST_MAX_TIMESTEPS},
    {"schedule", 0, MST_OPT_STRING, &o.schedule, "NAME",
     "block (layer by layer over blocks of steps, the default) or step; same results", 0, 0},
    {"latency", 0, MST_OPT_FLAG, &o.latency, NULL, "threads share each sample instead of taking one each", 0,
     0},
    {"alpha", 0, MST_OPT_REAL, &o.alpha, "J",
     "joules per spike in Eq. 10 (default 1e-12; it only scales power)", 0, 0},
    {"energy-ac", 0, MST_OPT_REAL, &o.ac, "PJ", "energy of one accumulate (default 0.9 pJ)", 0, 0},
    {"energy-mac", 0, MST_OPT_REAL, &o.mac, "PJ", "energy of one multiply-accumulate (default 4.6 pJ)", 0, 0},
    {"trace", 0, MST_OPT_STRING, &o.trace, "FILE", "write spikes of every sample, step and layer as CSV", 0,
     0},
    {"info", 0, MST_OPT_FLAG, &o.info, NULL, "describe MODEL.bin and exit (no DATA)", 0, 0},
    {"show", 0, MST_OPT_FLAG, &o.show, NULL, 
     "write sample INDEX of DATA as the network sees it to -o, and exit", 0, 0},
    {NULL, 'o', MST_OPT_STRING, &o.output, "OUT.png", "of --show; - is stdout", 0, 0},
    MST_COMMON_OPTIONS(c),
};

static const mst_list *const lists[] = {&mst_list_formats, &mst_list_isa, &mst_list_sites, &mst_list_modes, &mst_list_thinnings, MST_PREPARE_LISTS, NULL};

static const mst_tool tool = {
    "mstrun",
    "MODEL.bin DATA [options]\n       mstrun --info MODEL.bin [--json [FILE|-]]\n"
    "       mstrun [MODEL.bin] --show DATA INDEX -o OUT.png",
    "Runs the spiking network in MODEL.bin on DATA, which is FORMAT:PATH[,LABELS] or a path that is\n"
    "recognized, as in idx:IMAGES,LABELS or image:DIR; --list formats says what PATH and LABELS are of\n"
    "{formats}.",
    options, sizeof options / sizeof options[0],
    "Spikes are counted as they leave a layer, after its mask; \"masked\" are those that the mask\n"
    "removed, so a layer fired spikes + masked. Figures are per inference (T steps, one sample)\n"
    "unless they say otherwise; layers in the JSON give sums over all samples. rate is\n"
    "spikes / (neurons * T); input rate is operations / (dense operations * T). A theta with * is\n"
    "the mean over channels. Without MODEL.bin, --show keeps the size that the sample has\n"
    "(event recordings: --frames, 10 by default).",
    lists,
};

/* [MODEL.bin] DATA INDEX */
static int check_show(size_t n_args, const char *const *args)
{
    uint64_t index;
    if (n_args < 2)
        return mst_opts_wrong(&tool, "--show: expected DATA INDEX, found %s",
                              n_args == 0 ? "nothing" : "no INDEX");
    if (!mst_parse_uint(args[n_args - 1], &index) || index > SIZE_MAX)
        return mst_opts_wrong(&tool, "--show: INDEX: expected a whole number, found '%s'", args[n_args - 1]);
    if (o.output == NULL)
        return mst_opts_wrong(&tool, "--show: expected -o OUT.png, found nothing");
    if (n_args == 2 && mst_prepare_needs_model(&c.prepare))
        return mst_opts_wrong(&tool,
                              "--show: expected MODEL.bin before DATA with options that fit samples "
                              "to a model");
    return -1;
}

static bool by_step(void)
{
    return o.schedule != NULL && strcmp(o.schedule, "step") == 0;
}

static int check_usage(size_t n_args, const char *const *args)
{
    mst_err err;
    if (mst_common_check(&c, &err) != MST_OK)
        return mst_opts_wrong(&tool, "%s", err.text);
    if (o.show)
        return check_show(n_args, args);
    if (o.output != NULL)
        return mst_opts_wrong(&tool, "-o: expected --show with it, found '%s' alone", o.output);
    if (n_args == 3)
        return mst_opts_wrong(&tool, "expected 2 arguments, found '%s' beyond them", args[2]);
    if (n_args == 0)
        return mst_opts_wrong(&tool, "expected MODEL.bin%s, found nothing", o.info ? "" : " and DATA");
    if (o.info ? n_args != 1 : n_args != 2)
        return o.info ? mst_opts_wrong(&tool, "--info: expected MODEL.bin alone, found DATA")
                      : mst_opts_wrong(&tool, "expected DATA behind MODEL.bin, found nothing");
    if (o.schedule != NULL && strcmp(o.schedule, "step") != 0 && strcmp(o.schedule, "block") != 0)
        return mst_opts_wrong(&tool, "--schedule: expected step or block, found '%s'", o.schedule);
    if (o.latency && by_step())
        return mst_opts_wrong(&tool, "--latency: expected --schedule block with it, found step");
    if (c.json != NULL && o.trace != NULL && strcmp(c.json, o.trace) == 0)
        return mst_opts_wrong(&tool, "--json and --trace: expected two files, found '%s' twice", c.json);
    return -1;
}

/* T and --at against each other, once the file's T is known. -1 to go on. */
static int settle_steps(const mst_graph *g, const mst_run_opts *r, uint32_t *steps)
{
    if (mst_mode_counts(r->mode)) {
        if (o.at.n != 0)
            return mst_opts_wrong(&tool, "--%s: expected --mode step with it: in %s mode a sample is one window a layer",
                                  "at", mst_mode_name(r->mode));
        o.at = (mst_opt_uints){1, {1}};
        *steps = 1;
        return -1;
    }
    *steps = o.steps.set ? (uint32_t)o.steps.value : g->meta.timesteps;
    if (o.at.n == 0)
        mst_steps_default(&o.at, *steps);
    mst_steps_sort(&o.at);
    if (o.at.values[o.at.n - 1] > *steps)
        return mst_opts_wrong(&tool, "--at: expected steps up to T = %u, found %u", *steps,
                              o.at.values[o.at.n - 1]);
    return -1;
}

static mst_status run(const mst_program *p, const char *model, const char *spec, uint32_t steps,
                      uint64_t seed, mst_err *err)
{
    mst_data *data = NULL;
    mst_sim_result result;
    MST_TRY(mst_data_open_for(spec, mst_program_graph(p), &data, err));
    mst_sim_opts opts = {.program = p, .data = data, .n = mst_data_count(data), .steps = steps, .at = &o.at,
                         .trace = o.trace, .quiet = c.quiet};
    opts.n = mst_sample_limit(opts.n, &c.limit);
    opts.threads = o.latency ? 1 : mst_thread_count(opts.n, &c.threads);
    mst_status st = mst_sim_run(&opts, &result, err);
    if (st == MST_OK) {
        mst_run_facts facts = {model, spec, &opts, &result,
                               {o.alpha.set ? o.alpha.value : MST_DEFAULT_ALPHA,
                                o.ac.set ? o.ac.value : MST_DEFAULT_ENERGY_AC,
                                o.mac.set ? o.mac.value : MST_DEFAULT_ENERGY_MAC},
                               seed};
        bool text_aside = mst_is_stdout(c.json) || mst_is_stdout(o.trace);
        if (!c.quiet)
            st = mst_run_print(&facts, text_aside ? stderr : stdout, err);
        if (st == MST_OK && c.json != NULL)
            st = mst_run_json(&facts, c.json, err);
        mst_sim_free(&result);
    }
    mst_data_close(data);
    return st;
}

static mst_status info(const mst_program *p, const char *model, mst_err *err)
{
    if (c.json != NULL)
        return mst_info_json(p, model, c.json, err);
    return mst_info_print(p, model, stdout, err);
}

static mst_status write_shown(const mst_graph *g, const char *spec, const char *number, mst_err *err)
{
    mst_data_want want = {.as_is = true};
    mst_data *data = NULL;
    uint64_t index = 0;
    uint32_t shape[3];
    int label;
    mst_parse_uint(number, &index);
    if (g != NULL)
        MST_TRY(mst_data_want_of(g, &want, err));
    else
        mst_prepare_merge(&c.prepare, &want.prepare);
    MST_TRY(mst_data_open(spec, &want, &data, err));
    mst_status st = mst_show_write(data, (size_t)index, &want, o.output, shape, &label, err);
    mst_data_close(data);
    if (st != MST_OK || c.quiet)
        return st;
    FILE *f = mst_is_stdout(o.output) ? stderr : stdout;
    fprintf(f, "%s, sample %s: %ux%ux%u", spec, number, shape[0], shape[1], shape[2]);
    if (label >= 0)
        fprintf(f, ", label %d", label);
    if (label >= 0 && g != NULL && (uint32_t)label < g->meta.n_classes)
        fprintf(f, " (%s)", g->meta.class_names[label]);
    fputc('\n', f);
    return MST_OK;
}

static int show(const char *const *args, size_t n_args)
{
    mst_graph *graph = NULL;
    mst_err err = {0};
    mst_status st = n_args == 3 ? mst_model_load(args[0], &c, &graph, &err) : MST_OK;
    if (st == MST_OK)
        st = write_shown(graph, args[n_args - 2], args[n_args - 1], &err);
    mst_graph_destroy(graph);
    return st == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

static int work(int argc, char **argv)
{
    const char *args[3];
    size_t n_args;
    mst_graph *graph = NULL;
    mst_program *program = NULL;
    mst_err err = {0};
    uint32_t steps = 0;
    mst_run_opts ropts = {.size = sizeof ropts, .mode = MST_RUN_SPIKING};
    int code = mst_opts_parse(&tool, argc, argv, args, 3, &n_args);
    if (code < 0)
        code = check_usage(n_args, args);
    if (code >= 0)
        return code;
    if (o.show)
        return show(args, n_args);
    mst_status st = mst_model_load(args[0], &c, &graph, &err);
    if (st == MST_OK && mst_mode_take(&o.mode, graph, &o.steps, &ropts, &err) != MST_OK)
        code = mst_opts_wrong(&tool, "%s", err.text);
    if (st == MST_OK && code < 0 && !o.info)
        code = settle_steps(graph, &ropts, &steps);
    if (st == MST_OK && code < 0) {
        char differs[600];
        if (!o.info && mst_masks_differ(graph, differs, sizeof differs))
            fprintf(stderr, "mstrun: warning: masks differ from those the weights were trained with: %s\n",
                    differs);
        ropts.isa = c.isa;
        ropts.seed = c.seed.set ? c.seed.value : graph->meta.seed;
        ropts.frames = mst_graph_frames(graph);
        ropts.schedule = by_step() || o.info ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK;
        ropts.threads = o.latency ? mst_thread_count(SIZE_MAX, &c.threads) : 1;
        st = mst_program_create(graph, &ropts, &program, &err);
        if (st == MST_OK)
            st = o.info ? info(program, args[0], &err) : run(program, args[0], args[1], steps, ropts.seed,
                                                             &err);
    }
    mst_program_destroy(program);
    mst_graph_destroy(graph);
    if (st != MST_OK)
        return mst_opts_failed(&tool, &err);
    return code >= 0 ? code : MST_EXIT_DONE;
}

int main(int argc, char **argv)
{
    return mst_tool_main(tool.name, work, argc, argv);
}
