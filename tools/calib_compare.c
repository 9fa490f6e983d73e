/* See calib_compare.h. */
#include "tools/calib_compare.h"

#include <string.h>

#include "tools/calib_counts.h"
#include "tools/calib_merge.h"
#include "tools/calib_report.h"
#include "tools/report/report_page.h"
#include "tools/run_journal.h"
#include "tools/tool_assumed.h"
#include "tools/tool_hash.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"
#include "tools/tool_range.h"
#include "tools/tool_ranks.h"

/* ---- telling ---- */

/* Which ANN the network is compared with. */
static const char *ann_text(const mst_calib_about *a)
{
    if (a->lacks_masks)
        return "that of the ONNX file, without masks, though the spiking network has some";
    if (strcmp(a->ann_masks, "trained") == 0)
        return "that of the ONNX file, with the masks that the weights were trained with, by their mean (none drawn)";
    return strcmp(a->ann_masks, "mean") == 0
               ? "that of the ONNX file, with the masks of the model file by their mean (none drawn)"
               : "that of the ONNX file";
}

/* What a page shows beyond the figures is run anew: of a run that went to its end here. */
typedef struct page_job {
    const mst_compare_call *call;
    const mst_calib_job *of;
} page_job;

static mst_status run_for_page(const mst_calib_facts *f, const page_job *j, mst_look *look, mst_modes *modes,
                               mst_err *err)
{
    const mst_calib_job *of = j->of;
    const mst_calib_report *r = &f->report;
    MST_TRY(mst_look_make(&(mst_look_job){.ann = of->ann,
                                          .snn = of->snn,
                                          .data = of->data,
                                          .pick = of->pick,
                                          .versus = &f->versus,
                                          .steps = r->points[r->n_points - 1].t,
                                          .named = j->call->out.html_layer,
                                          .otherwise = mst_page_worst(r),
                                          .outcome = &f->run.sums.outcome},
                          look, err));
    if (r->mode != MST_RUN_SPIKING)
        return MST_OK;
    return mst_modes_run(&(mst_modes_job){.graph = j->call->networks->snn_graph,
                                          .run = j->call->run,
                                          .data = of->data,
                                          .pick = of->pick,
                                          .energy = j->call->energy,
                                          .threads = of->threads,
                                          .skip_bad = of->skip_bad,
                                          .quiet = of->quiet},
                         modes, err);
}

/* j NULL: of parts that ran elsewhere. */
static mst_status write_page(const mst_calib_facts *f, const mst_compare_out *out, const page_job *j, mst_err *err)
{
    mst_look look = {0};
    mst_modes modes = {0};
    bool again = j != NULL && !mst_outcome_partial(&f->run.sums.outcome); /* one that was stopped is to end */
    mst_status st = again ? run_for_page(f, j, &look, &modes, err) : MST_OK;
    mst_page page = {.tool = "mstcalib",
                     .run = &f->run,
                     .outcome = &f->run.sums.outcome,
                     .calib = &f->report,
                     .attrib = f->attrib,
                     .words = f->words,
                     .versus = &f->versus,
                     .ann = ann_text(&f->about),
                     .look = again ? &look : NULL,
                     .modes = &modes,
                     .layer_named = out->html_layer != NULL};
    if (st == MST_OK)
        st = mst_page_write(&page, out->html, err);
    mst_modes_free(&modes);
    mst_look_free(&look);
    return st;
}

static mst_status tell(const mst_calib_facts *f, const mst_compare_out *out, const page_job *j, mst_err *err)
{
    if (mst_rank() != 0)
        return MST_OK;
    if (!out->quiet)
        MST_TRY(mst_calib_print(f, mst_is_stdout(out->json) || mst_is_stdout(out->html) ? stderr : stdout, err));
    if (out->json != NULL)
        MST_TRY(mst_calib_json(f, out->json, err));
    return out->html != NULL ? write_page(f, out, j, err) : MST_OK;
}

mst_status mst_compare_merge(const char *const *paths, size_t n, const mst_compare_out *out, mst_err *err)
{
    static mst_calib_facts facts;
    mst_status st = mst_calib_merge(paths, n, &facts, err);
    if (st == MST_OK)
        st = tell(&facts, out, NULL, err);
    mst_calib_facts_free(&facts);
    return st;
}

/* ---- what is compared ---- */

/* name: of the file that it is from, for which another may stand. */
static const char *hash_of(const mst_graph *g, const char *name, mst_arena *a, mst_err *err)
{
    uint64_t hash;
    char digits[MST_HASH_DIGITS];
    mst_graph named = *g;
    named.meta.source_name = name;
    if (mst_model_hash(&named, &hash, err) != MST_OK)
        return NULL;
    const char *text = mst_arena_strdup(a, mst_hash_digits(hash, digits));
    if (text == NULL)
        mst_fail(err, MST_ENOMEM, "out of memory");
    return text;
}

static mst_status describe(const mst_compare_call *call, const mst_calib_job *job, const mst_sim_opts *sim,
                           mst_calib_facts *f, mst_err *err)
{
    const mst_networks *n = call->networks;
    mst_run_about *run = &f->run.about;
    f->about = (mst_calib_about){.onnx = call->args[0],
                                 .ann_masks = n->ann_masks,
                                 .lacks_masks = n->ann_lacks_masks,
                                 .stored = n->stored != NULL,
                                 .drawn = n->drawn != NULL};
    f->run.isa = mst_program_isa(n->snn);
    f->run.threads = job->threads;
    MST_TRY(mst_run_about_make(run, sim, call->run->seed, err));
    run->model = call->args[1];
    run->data = call->args[2];
    run->energy = *call->energy;
    if (call->out.json != NULL || call->resume != NULL || mst_ranks() > 1) { /* who else needs to know? */
        const mst_graph *snn = n->snn_graph;
        const char *network = hash_of(snn, snn->meta.source_name, &run->arena, err);
        if (network == NULL || (f->about.network = hash_of(n->ann_graph, "", &f->about.arena, err)) == NULL)
            return err->code;
        mst_run_about_model(run, snn, network);
    }
    return mst_run_sums_make(&f->run.sums, sim->at->n, run->n_layers, err);
}

/* What all ranks, and a journal, must agree on. */
static mst_status identify(const mst_compare_call *call, const mst_sim_opts *sim, const mst_calib_facts *f,
                           mst_calib_job *job, mst_err *err)
{
    if (mst_ranks() > 1) {
        json_t *id = mst_calib_identity(&f->about, &f->run.about);
        mst_status st = id != NULL ? mst_json_hash(id, &job->identity, err)
                                   : mst_fail(err, MST_ENOMEM, "out of memory");
        json_decref(id);
        MST_TRY(st);
    }
    if (call->resume == NULL || mst_rank() != 0)
        return MST_OK;
    json_t *run = mst_run_journal_of(call->networks->snn_graph, call->args[2], call->run->seed, sim, err);
    if (run == NULL)
        return err->code;
    mst_calib_about_set(&run, &f->about);
    if (run != NULL)
        json_object_del(run, "onnx"); /* wherever it lies */
    return mst_journal_open(call->resume, "mstcalib", run, &job->journal, err);
}

static mst_status attribute(const mst_compare_call *call, const mst_calib_job *job, mst_attrib_report *out,
                            mst_err *err)
{
    const mst_attrib_said *said = call->attribute;
    mst_attrib_job of = {.ann = job->ann,
                         .snn = job->snn,
                         .data = job->data,
                         .pick = job->pick,
                         .threads = job->threads,
                         .steps = call->at->values[call->at->n - 1],
                         .readout_from = (uint32_t)call->run->readout_from,
                         .layers = said->layers.set ? said->layers.value : MST_ATTRIB_LAYERS,
                         .quiet = job->quiet};
    return mst_attrib_run(&of, out, err);
}

/* ---- comparing ---- */

static mst_status conclude(const mst_compare_call *call, const mst_calib_job *job, const mst_attrib_report *attrib,
                           mst_calib_facts *f, mst_err *err)
{
    mst_words words = {0};
    mst_words_brief brief = {0};
    const page_job page = {call, job};
    mst_status st = MST_OK;
    if (attrib->samples != 0) {
        f->attrib = attrib;
        f->words = &words;
        f->brief = &brief;
        const mst_words_of of = {.report = attrib,
                                 .snn = call->networks->snn_graph,
                                 .onnx = call->args[0],
                                 .arrays = mst_data_is_real(job->data),
                                 .lacks_masks = call->networks->ann_lacks_masks};
        st = mst_words_make(&of, &words, err);
        if (st == MST_OK)
            st = mst_words_brief_make(&of, &brief, err);
    }
    if (st == MST_OK && f->report.n_points != 0)
        mst_calib_count(&f->report, &f->versus, &f->run.sums);
    if (st == MST_OK)
        st = tell(f, &call->out, &page, err);
    mst_words_brief_free(&brief);
    mst_words_free(&words);
    return st;
}

static mst_status compare(const mst_compare_call *call, mst_calib_job *job, mst_calib_facts *f, mst_err *err)
{
    mst_attrib_report attrib = {0};
    const mst_sim_opts sim = mst_calib_sim(job, call->run);
    MST_TRY(describe(call, job, &sim, f, err));
    MST_TRY(identify(call, &sim, f, job, err));
    mst_status st = mst_calib_run(job, &f->report, &f->run.sums.outcome, &f->sums, err);
    if (st == MST_OK && call->attribute->on)
        st = attribute(call, job, &attrib, err);
    mst_status same = mst_model_unchanged(st == MST_OK ? err : NULL);
    if (st == MST_OK)
        st = mst_ranks_agree(same, 0, err);
    if (st == MST_OK)
        st = conclude(call, job, &attrib, f, err);
    else if (f->report.samples != 0 && same == MST_OK && conclude(call, job, &attrib, f, NULL) == MST_OK)
        mst_paths_keep(); /* of the samples before it failed */
    mst_attrib_report_free(&attrib);
    mst_journal_close(job->journal);
    return st;
}

mst_status mst_compare_tool(const mst_compare_call *call, mst_err *err)
{
    static mst_calib_facts facts;
    const mst_networks *n = call->networks;
    const mst_common_opts *c = call->said->common;
    mst_pick_opts which = c->pick;
    mst_pick pick = {0};
    mst_data *data = NULL;
    size_t layer;
    if (call->out.html_layer != NULL)
        MST_TRY(mst_look_find(n->snn, call->out.html_layer, &layer, err));
    MST_TRY(mst_data_open_for(call->args[2], n->snn_graph, &data, err));
    if (call->attribute->on && !which.limit.set && !which.first.set)
        which.limit = (mst_opt_uint){true, MST_ATTRIB_SAMPLES};
    mst_status st = mst_pick_make(&which, data, &pick, err);
    mst_calib_job job = {.ann = n->ann,
                         .snn = n->snn,
                         .stored = n->stored,
                         .drawn = n->drawn,
                         .seed = call->run->seed,
                         .data = data,
                         .pick = &pick,
                         .skip_bad = c->skip_bad,
                         .threads = mst_thread_count(pick.n, &c->threads),
                         .at = call->at,
                         .versus = &facts.versus,
                         .quiet = c->quiet};
    if (st == MST_OK) {
        mst_range_warn("mstcalib", n->snn_graph, data, &pick);
        st = compare(call, &job, &facts, err);
    }
    mst_calib_facts_free(&facts);
    mst_pick_free(&pick);
    mst_data_close(data);
    return st;
}
