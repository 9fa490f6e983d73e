/* mstrun: run a spiking network on a data set. Options, calls, printing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/policy_yaml.h"
#include "tools/report/report_page.h"
#include "tools/run_cut.h"
#include "tools/run_exit.h"
#include "tools/run_join.h"
#include "tools/run_journal.h"
#include "tools/run_lists.h"
#include "tools/run_merge.h"
#include "tools/run_report.h"
#include "tools/run_show.h"
#include "tools/tool_hash.h"
#include "tools/tool_main.h"
#include "tools/tool_mistake.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_range.h"
#include "tools/tool_ranks.h"
#include "tools/tool_term.h"

static mst_common_opts c;
static struct {
    bool info, show, merge, latency;
    mst_runs_opts mode;
    mst_opt_uints steps, at;
    mst_opt_real alpha, ac, mac;
    const char *set, *schedule, *trace, *predictions, *raster, *output, *readout, *resume, *html, *html_layer, *exit;
    mst_opt_list layers;
} o;

static mst_energy energy;
static double margin; /* of --exit */
static mst_cut cut;
static const char *kept[MST_SIM_FILES]; /* where --resume keeps what goes into files of single samples */

static const mst_opt options[] = {
    {"timesteps", 'T', MST_OPT_UINTS, &o.steps, "N",
     "time steps (default: what the model file says); in count mode the levels, N,..: a run each", 1,
     MST_MAX_TIMESTEPS},
    MST_RUNS_OPTIONS(o.mode),
    {"at", 0, MST_OPT_UINTS, &o.at, "A,B,..", "steps at which accuracy is read (default: 1,2,4,.. and T)", 1,
     MST_MAX_TIMESTEPS},
    MST_READOUT_OPTION(o.readout),
    MST_EXIT_OPTION(o.exit),
    {"schedule", 0, MST_OPT_STRING, &o.schedule, "NAME",
     "block (layer by layer over blocks of steps, the default) or step; same results", 0, 0},
    {"latency", 0, MST_OPT_FLAG, &o.latency, NULL, "threads share each sample instead of taking one each", 0, 0},
    {"alpha", 0, MST_OPT_REAL, &o.alpha, "J", "joules per spike in Eq. 10 (default 1e-12; it only scales power)", 0, 0},
    MST_ENERGY_OPTION(o.set),
    {"energy-ac", 0, MST_OPT_REAL, &o.ac, "PJ", "energy of one accumulate (default: the set's)", 0, 0},
    {"energy-mac", 0, MST_OPT_REAL, &o.mac, "PJ", "energy of one multiply-accumulate (default: the set's)", 0, 0},
    {"trace", 0, MST_OPT_OUTPUT, &o.trace, "FILE",
     "write spikes of every sample, step and layer as CSV; a window of count or radix is step 1", MST_PATH_TRACE, 0},
    {"predictions", 0, MST_OPT_OUTPUT, &o.predictions, "FILE",
     "write label, class and logits of every sample at every step asked for: .npz, or CSV", MST_PATH_PREDICTIONS,
     0},
    {"raster", 0, MST_OPT_LIST, &o.layers, "LAYER",
     "write the spikes of a layer (a name, a number, a site, all; may be repeated) to --raster-to", 0, 0},
    {"raster-to", 0, MST_OPT_OUTPUT, &o.raster, "F.npz", "of --raster: spikes of each neuron and step, and counts",
     MST_PATH_ARRAYS, 0},
    MST_RESUME_OPTION(o.resume),
    MST_SHARD_OPTION(c.pick),
    MST_MERGE_OPTION(o.merge),
    {"info", 0, MST_OPT_FLAG, &o.info, NULL, "describe MODEL.bin and exit (no DATA)", 0, 0},
    {"show", 0, MST_OPT_FLAG, &o.show, NULL, "write sample INDEX of DATA as the network sees it to -o, and exit", 0, 0},
    {NULL, 'o', MST_OPT_OUTPUT, &o.output, "OUT.png", "of --show; - is stdout", MST_PATH_PICTURE, 0},
    {"html", 0, MST_OPT_OUTPUT, &o.html, "F.html",
     "write a page for people: accuracy against the ANN (which then runs, too), energy, rates, classes, samples "
     "whose class flips (docs/REPORT.md)",
     MST_PATH_PAGE, 0},
    MST_HTML_LAYER_OPTION(o.html_layer),
    MST_COMMON_OPTIONS(c),
};

static const mst_list *const lists[] = {&mst_list_formats, &mst_list_isa, &mst_list_sites, &mst_list_run_modes,
                                        &mst_list_thinnings, &mst_list_energy_sets, MST_PREPARE_LISTS, NULL};

static const mst_tool tool = {
    "mstrun",
    "run a spiking network on a data set: accuracy over time steps, spikes, energy",
    "MODEL.bin DATA [options]\n       mstrun --info MODEL.bin [--json [FILE|-]]\n"
    "       mstrun [MODEL.bin] --show DATA INDEX -o OUT.png\n"
    "       mstrun --merge A.json B.json .. [--json [FILE|-]]",
    "Runs the spiking network in MODEL.bin on DATA, which is FORMAT:PATH[,LABELS] or a path that is\n"
    "recognized, as in idx:IMAGES,LABELS or image:DIR; --list formats says what PATH and LABELS are of\n"
    "{formats}.",
    options,
    sizeof options / sizeof options[0],
    "Spikes are counted as they leave a layer, after its mask; \"fired\" are those before it. In radix\n"
    "mode a mask may leave more (16 becomes 15, one digit four). Figures are per inference (one\n"
    "sample) unless they say otherwise; \"sums\" in the JSON are those over all samples. rate is\n"
    "spikes / (neurons * T), levels in count mode and their digits in radix in place of T; input rate\n"
    "is operations / (dense operations * T), events/synapse operations / dense operations. A theta\n"
    "with * is the mean over channels. Without MODEL.bin, --show keeps the size that the sample has\n"
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

/* Files in each other's place, or of another kind. -1 to go on. */
static int check_files(const char *const *args, size_t n)
{
    static const mst_file_kind kinds[] = {MST_FILE_MODEL, MST_FILE_DATA};
    mst_err err;
    return mst_mistake_check("mstrun MODEL.bin DATA", args, kinds, n, &err) == MST_OK
               ? -1
               : mst_opts_refused(&tool, &err);
}

static int check_usage(size_t n_args, const char *const *args)
{
    mst_err err;
    if (mst_common_check(&c, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    cut = (mst_cut){.resume = o.resume,
                    .files = {[MST_SIM_TRACE] = o.trace,
                              [MST_SIM_PREDICTIONS] = o.predictions,
                              [MST_SIM_RASTER] = o.raster},
                    .html = o.html,
                    .info = o.info};
    if (o.merge)
        return mst_cut_check_merge(&cut, &err) == MST_OK ? mst_opts_merge(&tool, n_args, "predictions")
                                                         : mst_opts_refused(&tool, &err);
    if (o.show)
        return check_show(n_args, args);
    if (o.output != NULL)
        return mst_opts_wrong(&tool, "-o: expected --show with it, found '%s' alone", o.output);
    if (n_args > 2)
        return mst_opts_wrong(&tool, "expected 2 arguments, found '%s' beyond them", args[2]);
    if (n_args == 0)
        return mst_opts_wrong(&tool, "expected MODEL.bin%s, found nothing", o.info ? "" : " and DATA");
    if (o.info ? n_args != 1 : n_args != 2)
        return o.info ? mst_opts_wrong(&tool, "--info: expected MODEL.bin alone, found DATA")
                      : mst_opts_wrong(&tool, "expected DATA behind MODEL.bin, found nothing");
    if (o.schedule != NULL && strcmp(o.schedule, "step") != 0 && strcmp(o.schedule, "block") != 0)
        return mst_opts_wrong(&tool, "--schedule: expected step or block, found '%s'", o.schedule);
    if (mst_cut_check(&cut, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (o.html_layer != NULL && o.html == NULL)
        return mst_opts_wrong(&tool, "--html-layer: expected --html with it");
    if (o.exit != NULL && mst_exit_check(o.exit, &margin, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if ((o.layers.n != 0) != (o.raster != NULL))
        return mst_opts_wrong(&tool, "--raster and --raster-to: expected both");
    if (o.resume != NULL && c.map)
        return mst_opts_wrong(&tool, "--resume and --map: sums of a network that may change cannot be kept");
    if (o.latency && by_step())
        return mst_opts_wrong(&tool, "--latency: expected --schedule block with it, found step");
    if (mst_energy_find(o.set, &energy, &err) != MST_OK || mst_cut_claim(&cut, kept, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return -1;
}

/* T and --at against each other, once the file's T is known. -1 to go on. */
static int settle_steps(const mst_graph *g, const mst_run_opts *r, uint32_t *steps)
{
    if (r->mode != MST_RUN_SPIKING) {
        if (o.at.n != 0)
            return mst_opts_wrong(&tool, "--at: expected --mode step with it: in %s mode a sample is one pass",
                                  mst_run_mode_name(r->mode));
        o.at = (mst_opt_uints){1, {1}};
        *steps = 1;
        return -1;
    }
    *steps = o.steps.n != 0 ? o.steps.values[0] : g->meta.timesteps;
    if (o.at.n == 0 && o.exit == NULL)
        mst_steps_default(&o.at, *steps);
    mst_steps_sort(&o.at);
    if (o.exit != NULL)
        mst_exit_steps(&o.at, *steps);
    if (o.at.values[o.at.n - 1] > *steps)
        return mst_opts_wrong(&tool, "--at: expected steps up to T = %u, found %u", *steps,
                              o.at.values[o.at.n - 1]);
    return -1;
}

/* How to run, by the model file and the command line. -1 to go on. */
static int settle_mode(const mst_graph *g, mst_run_opts *r, mst_opt_uints *levels, uint32_t *steps)
{
    mst_err err;
    if (mst_runs_take(&o.mode, g, &o.steps, r, levels, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    if (o.exit != NULL && mst_exit_check_mode(r->mode, levels, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    const char *one = mst_cut_of_one_run(&cut);
    if (levels->n > 1 && one != NULL && o.exit == NULL)
        return mst_opts_wrong(&tool, "%s: expected one run with it, found %zu numbers of levels", one, levels->n);
    if (r->mode == MST_RUN_ANN && o.raster != NULL)
        return mst_opts_wrong(&tool, "--raster: expected a spiking mode with it, found ann");
    if (o.info)
        return -1;
    int code = settle_steps(g, r, steps);
    if (code < 0 && mst_readout_take(o.readout, g, *steps, r, &err) != MST_OK)
        return mst_opts_refused(&tool, &err);
    return code;
}

/* What may not be what the user wants, though it runs. */
static void warn(const mst_graph *g, const mst_run_opts *ropts, uint32_t steps)
{
    char text[600];
    if (mst_masks_differ(g, text, sizeof text))
        mst_term_warn("mstrun", "masks differ from those the weights were trained with: %s\n", text);
    if (mst_masks_misfit(g, ropts->mode, text, sizeof text))
        fprintf(stderr, "mstrun: note: %s\n", text);
    if (mst_tuning_differs(g, ropts, steps, text, sizeof text))
        fprintf(stderr, "mstrun: note: %s\n", text);
}

/* A network whose neurons are silent costs nothing and says nothing. */
static void warn_of_silence(const mst_run_facts *r)
{
    if (r->about.mode == MST_RUN_ANN || r->sums.all.spikes != 0 || r->sums.n_layers == 0)
        return;
    mst_term_warn("mstrun", "no neuron %s in %" PRIu64 " samples: what the network says does not depend on its input, "
                            "and its energy is not compared\n",
                  r->sums.all.spikes_before != 0 ? "fired past its mask" : "ever fired", r->sums.samples);
}

static mst_run_facts runs[MST_OPT_MAX_LIST];
static mst_versus versus; /* --html: the first of them against its ANN */
static mst_exit_result early;

/* What is run: a model as it is run, data, files to go on from. */
typedef struct run_job {
    const mst_graph *graph;
    const char *const *args; /* MODEL.bin DATA */
    mst_run_opts ropts;
    mst_sim_opts opts;
    mst_opt_uints levels; /* a run for each; 0: each layer's own */
    const char *network;
} run_job;

/* j NULL: of parts that ran elsewhere. */
static mst_status write_page(const run_job *j, mst_err *err)
{
    const mst_sim_opts *job = j != NULL ? &j->opts : NULL;
    const mst_run_facts *r = &runs[0];
    size_t last = r->about.n_layers != 0 ? r->about.n_layers - 1 : 0;
    bool again = job != NULL && job->ann != NULL && !mst_outcome_partial(&r->sums.outcome);
    mst_look look = {0};
    mst_modes modes = {0};
    mst_status st = MST_OK;
    if (again)
        st = mst_look_make(&(mst_look_job){.ann = job->ann,
                                           .snn = job->program,
                                           .data = job->data,
                                           .pick = job->pick,
                                           .versus = &versus,
                                           .steps = job->steps,
                                           .named = o.html_layer,
                                           .otherwise = last,
                                           .outcome = &r->sums.outcome},
                           &look, err);
    if (st == MST_OK && again && j->ropts.mode == MST_RUN_SPIKING && mst_ranks() == 1)
        st = mst_modes_run(&(mst_modes_job){.graph = j->graph,
                                            .run = &j->ropts,
                                            .data = job->data,
                                            .pick = job->pick,
                                            .energy = &energy,
                                            .threads = job->threads,
                                            .skip_bad = job->skip_bad,
                                            .quiet = job->quiet},
                           &modes, err);
    mst_page page = {.tool = tool.name,
                     .run = r,
                     .outcome = &r->sums.outcome,
                     .versus = r->versus != NULL && versus.samples != 0 ? &versus : NULL,
                     .ann = "this network without spikes: weights as the model file stores them, masks by their mean",
                     .look = again ? &look : NULL,
                     .modes = &modes,
                     .early = o.exit != NULL ? &early : NULL,
                     .layer_named = o.html_layer != NULL};
    if (st == MST_OK)
        st = mst_page_write(&page, o.html, err);
    mst_modes_free(&modes);
    mst_look_free(&look);
    return st;
}

static bool text_aside(void)
{
    return mst_is_stdout(c.json) || mst_is_stdout(o.html) || mst_is_stdout(o.trace) || mst_is_stdout(o.predictions) ||
           mst_is_stdout(o.raster);
}

static mst_status report(size_t n, json_t *parts, const run_job *job, mst_err *err)
{
    bool told = o.exit != NULL; /* but for the page */
    if (mst_rank() != 0)
        return MST_OK;
    if (!c.quiet && !told)
        MST_TRY(mst_run_print(runs, n, text_aside() ? stderr : stdout, err));
    if (c.json != NULL && !told)
        MST_TRY(mst_run_json(runs, n, json_incref(parts), c.json, err));
    return o.html != NULL ? write_page(job, err) : MST_OK;
}

/* Is all of what a run is to be found out? Ranks compare it. */
static bool for_json(void) { return c.json != NULL || mst_ranks() > 1; }

/* Run k. Where it ended early, what it did until then is in runs[k] all the same. */
static mst_status run_one(run_job *j, size_t k, mst_program **program, mst_err *err)
{
    mst_run_facts *r = &runs[k];
    j->ropts.levels = j->opts.levels = j->levels.values[k];
    j->opts.predicted = &r->predicted;
    MST_TRY(mst_program_create(j->graph, &j->ropts, program, err));
    j->opts.program = *program;
    MST_TRY(mst_run_about_make(&r->about, &j->opts, j->ropts.seed, err));
    r->about.model = j->args[0];
    r->about.data = j->args[1];
    r->about.energy = energy;
    if (for_json())
        mst_run_about_model(&r->about, j->graph, j->network);
    r->versus = j->opts.versus;
    r->isa = mst_program_isa(*program);
    r->predictions = o.predictions;
    r->threads = j->opts.threads > j->ropts.threads ? j->opts.threads : j->ropts.threads;
    if (mst_ranks() > 1) {
        MST_TRY(mst_run_about_hash(&r->about, &j->opts.identity, err));
        j->opts.identity ^= o.predictions != NULL; /* all of them send predictions, or none */
    }
    mst_status st = mst_sim_run(&j->opts, &r->sums, err);
    if (r->sums.samples != 0)
        warn_of_silence(r);
    if (st != MST_OK || r->sums.samples != 0 || mst_rank() != 0)
        return st;
    if (r->about.shards == 0)
        return mst_outcome_usable(&r->sums.outcome, err);
    mst_outcome_warn_of_part("mstrun", &r->sums.outcome);
    return MST_OK;
}

/* A run for each of the levels, until one fails. *n: those that did anything. */
static mst_status run_all(run_job *j, mst_program **programs, size_t *n, mst_err *err)
{
    mst_status st = MST_OK;
    for (*n = 0; st == MST_OK && *n < j->levels.n; (*n)++) {
        st = run_one(j, *n, &programs[*n], err);
        if (st != MST_OK && runs[*n].sums.samples == 0)
            break;
    }
    return st;
}

static void set_energy(void)
{
    if (o.alpha.set)
        energy.alpha = mst_json_rounded(o.alpha.value);
    if (o.ac.set)
        energy.set.ac = mst_json_rounded(o.ac.value);
    if (o.mac.set)
        energy.set.mac = mst_json_rounded(o.mac.value);
}

/* The network as its ANN, to be compared with. */
static mst_status prepare_page(run_job *j, mst_program **ann, mst_err *err)
{
    mst_run_opts opts = {.mode = MST_RUN_FLOAT, .isa = j->ropts.isa, .frames = j->ropts.frames};
    size_t layer;
    if (j->ropts.mode == MST_RUN_ANN)
        return MST_OK;
    MST_TRY(mst_program_create(j->graph, &opts, ann, err));
    j->opts.ann = *ann;
    j->opts.versus = &versus;
    return o.html_layer != NULL ? mst_look_find(*ann, o.html_layer, &layer, err) : MST_OK;
}

static mst_status run_picked(run_job *j, mst_err *err)
{
    static mst_program *programs[MST_OPT_MAX_LIST];
    mst_journal *journal = NULL;
    size_t n = 0;
    if (o.resume != NULL && mst_rank() == 0)
        MST_TRY(mst_run_journal_open(o.resume, j->graph, j->args[1], j->ropts.seed, &j->opts, &journal, err));
    j->opts.journal = journal;
    mst_program *ann = NULL;
    mst_status st = o.html != NULL ? prepare_page(j, &ann, err) : MST_OK;
    if (st == MST_OK)
        st = run_all(j, programs, &n, err);
    mst_status same = mst_model_unchanged(st == MST_OK ? err : NULL);
    if (st == MST_OK)
        same = mst_ranks_agree(same, 0, err);
    if (same != MST_OK) {
        n = 0; /* of no network that there ever was */
        st = st == MST_OK ? same : st;
    }
    if (st == MST_OK)
        st = report(n, NULL, j, err);
    else if (n != 0 && report(n, NULL, j, NULL) == MST_OK)
        mst_paths_keep(); /* of the samples before it failed */
    for (size_t k = 0; k < j->levels.n; k++) {
        mst_run_facts_free(&runs[k]);
        mst_program_destroy(programs[k]);
    }
    mst_versus_free(&versus);
    mst_program_destroy(ann);
    mst_journal_close(journal);
    return st;
}

/* Samples stop where they are sure. The page is of the run to the last stage, and says what stopping early changes. */
static mst_status run_exit(run_job *j, mst_err *err)
{
    const mst_run_exit r = {.model = j->args[0],
                            .data = j->args[1],
                            .graph = j->graph,
                            .run = &j->ropts,
                            .opts = &j->opts,
                            .levels = &j->levels,
                            .margin = margin,
                            .energy = &energy.set,
                            .json = c.json,
                            .aside = text_aside()};
    MST_TRY(mst_run_exit_run(&r, &early, err));
    if (o.html == NULL)
        return mst_model_unchanged(err);
    j->levels = (mst_opt_uints){1, {j->levels.values[j->levels.n - 1]}};
    j->opts.files[MST_SIM_PREDICTIONS] = NULL;
    return run_picked(j, err);
}

static mst_status run(run_job *j, mst_err *err)
{
    mst_data *data = NULL;
    mst_pick pick = {0};
    char network[MST_HASH_DIGITS] = "";
    uint64_t hash;
    set_energy();
    if (for_json()) {
        MST_TRY(mst_model_hash(j->graph, &hash, err));
        j->network = mst_hash_digits(hash, network);
    }
    MST_TRY(mst_data_open_for(j->args[1], j->graph, &data, err));
    mst_status st = mst_pick_make(&c.pick, data, &pick, err);
    j->opts.data = data;
    j->opts.pick = &pick;
    j->opts.threads = o.latency ? 1 : mst_thread_count(pick.n, &c.threads);
    if (st == MST_OK) {
        mst_range_warn("mstrun", j->graph, data, &pick);
        st = o.exit != NULL ? run_exit(j, err) : run_picked(j, err);
    }
    mst_pick_free(&pick);
    mst_data_close(data);
    return st;
}

static int merge(const char *const *args, size_t n_args)
{
    json_t *parts = NULL;
    mst_err err = {0};
    size_t n;
    mst_status st = mst_merge(args, n_args, runs, &n, &parts, &err);
    const char *one = mst_cut_of_one_run(&cut);
    if (st == MST_OK && n != 1 && one != NULL)
        st = mst_fail(&err, MST_EINVAL, "%s: expected one run in the results, found %zu", one, n);
    if (st == MST_OK && o.predictions != NULL)
        st = mst_predictions_join(&runs[0], parts, o.predictions, &err);
    if (st == MST_OK)
        st = report(n, parts, NULL, &err);
    for (size_t k = 0; k < MST_OPT_MAX_LIST; k++)
        mst_run_facts_free(&runs[k]);
    json_decref(parts);
    return st == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

static mst_status info(const mst_graph *g, const char *model, const mst_run_opts *ropts, mst_err *err)
{
    mst_program *p = NULL;
    MST_TRY(mst_program_create(g, ropts, &p, err));
    mst_status st = c.json != NULL ? mst_info_json(p, model, c.json, err) : mst_info_print(p, model, stdout, err);
    mst_program_destroy(p);
    return st;
}

static int show(const char *const *args, size_t n_args)
{
    mst_graph *graph = NULL;
    mst_err err = {0};
    mst_status st = n_args == 3 ? mst_model_load(args[0], &c, &graph, &err) : MST_OK;
    if (st == MST_OK)
        st = mst_show_sample(graph, args[n_args - 2], args[n_args - 1], &c.prepare, o.output, c.quiet, &err);
    mst_graph_destroy(graph);
    return st == MST_OK ? MST_EXIT_DONE : mst_opts_failed(&tool, &err);
}

static int run_or_info(const char *const *args)
{
    mst_graph *graph = NULL;
    mst_err err = {0};
    run_job j = {.args = args, .ropts = {.size = sizeof j.ropts, .mode = MST_RUN_SPIKING}};
    uint32_t steps = 0;
    int code = -1;
    mst_status st = mst_model_load(args[0], &c, &graph, &err);
    if (st == MST_OK)
        code = settle_mode(graph, &j.ropts, &j.levels, &steps);
    if (st == MST_OK && code < 0) {
        mst_model_warn_analog("mstrun", graph);
        if (!o.info)
            warn(graph, &j.ropts, steps);
        j.graph = graph;
        j.ropts.isa = c.isa;
        j.ropts.seed = c.seed.set ? c.seed.value : graph->meta.seed;
        j.ropts.frames = mst_graph_frames(graph);
        j.ropts.schedule = by_step() || o.info ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK;
        j.ropts.threads = o.latency ? mst_thread_count(SIZE_MAX, &c.threads) : 1;
        j.opts = (mst_sim_opts){.skip_bad = c.skip_bad,
                                .mode = j.ropts.mode,
                                .thinning = j.ropts.thinning,
                                .steps = steps,
                                .readout_from = (uint32_t)j.ropts.readout_from,
                                .at = &o.at,
                                .files = {cut.files[0], cut.files[1], cut.files[2]},
                                .kept = {kept[0], kept[1], kept[2]},
                                .raster_layers = &o.layers,
                                .quiet = c.quiet};
        st = o.info ? info(graph, args[0], &j.ropts, &err) : run(&j, &err);
    }
    mst_graph_destroy(graph);
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
    if (code < 0 && !o.show && !o.merge)
        code = check_files(args, n_args);
    if (code < 0)
        code = mst_opts_open(&tool);
    if (code >= 0)
        return code;
    if (o.merge)
        return merge(args, n_args);
    return o.show ? show(args, n_args) : run_or_info(args);
}

int main(int argc, char **argv)
{
    return mst_tool_main_ranks(tool.name, work, argc, argv);
}
