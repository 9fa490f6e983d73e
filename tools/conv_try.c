/* Tries a calibrated network on samples that its thresholds have not seen. */
#include <string.h>

#include "mst/data.h"
#include "tools/conv_thresholds.h"
#include "tools/tool_divergence.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

typedef struct try_worker {
    mst_session *ann, *snn;
    float *x, *a, *b; /* a, b: logits */
    bool same;
    double divergence;
    uint64_t spikes;
} try_worker;

typedef struct try_run {
    mst_data *data;
    mst_spread spread;
    mst_program *ann, *snn;
    size_t classes;
    try_worker *workers;
    unsigned threads;
    mst_progress progress;
    mst_thresholds *t;
    uint64_t spikes;
} try_run;

static void pass(mst_session *s, const float *x, size_t sample, float *logits)
{
    mst_session_begin(s, x, (uint32_t)sample);
    mst_session_step(s);
    mst_session_mean_logits(s, MST_LAST, logits);
}

static mst_status compare(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    try_run *r = ctx;
    try_worker *w = &r->workers[worker];
    int label;
    size_t sample = mst_spread_at(&r->spread, true, i);
    MST_TRY(mst_data_get(r->data, sample, w->x, &label, err));
    pass(w->ann, w->x, sample, w->a);
    pass(w->snn, w->x, sample, w->b);
    w->same = mst_argmax(w->a, r->classes) == mst_argmax(w->b, r->classes);
    w->divergence = mst_divergence(w->a, w->b, r->classes);
    w->spikes = 0;
    for (size_t k = 0; k < mst_program_layers(r->snn); k++)
        w->spikes += mst_session_layer_spikes(w->snn, MST_LAST, k);
    return MST_OK;
}

static mst_status add(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    (void)err;
    try_run *r = ctx;
    const try_worker *w = &r->workers[worker];
    r->t->agree += w->same;
    r->t->divergence += w->divergence;
    r->spikes += w->spikes;
    mst_progress_at(&r->progress, i + 1);
    return MST_OK;
}

static mst_status begin_worker(const try_run *r, try_worker *w, mst_err *err)
{
    MST_TRY(mst_session_create(r->ann, &w->ann, err));
    MST_TRY(mst_session_create(r->snn, &w->snn, err));
    w->x = mst_alloc_array(NULL, mst_program_input_size(r->snn), sizeof *w->x);
    w->a = mst_alloc_array(NULL, r->classes, sizeof *w->a);
    w->b = mst_alloc_array(NULL, r->classes, sizeof *w->b);
    return w->x != NULL && w->a != NULL && w->b != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

static void end_worker(const try_run *r, try_worker *w)
{
    mst_session_destroy(w->ann);
    mst_session_destroy(w->snn);
    mst_free_array(NULL, w->x, mst_program_input_size(r->snn), sizeof *w->x);
    mst_free_array(NULL, w->a, r->classes, sizeof *w->a);
    mst_free_array(NULL, w->b, r->classes, sizeof *w->b);
}

static mst_status run(try_run *r, bool quiet, mst_err *err)
{
    mst_status st = MST_OK;
    r->workers = mst_alloc_array(NULL, r->threads, sizeof *r->workers);
    if (r->workers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %u threads", r->threads);
    for (unsigned i = 0; i < r->threads && st == MST_OK; i++)
        st = begin_worker(r, &r->workers[i], err);
    mst_parallel work = {.n = r->spread.held, .threads = r->threads, .ctx = r, .work = compare, .commit = add};
    if (st == MST_OK) {
        mst_progress_begin(&r->progress, "trying", r->spread.held, quiet);
        st = mst_parallel_run(&work, err);
        mst_progress_end(&r->progress);
    }
    for (unsigned i = 0; i < r->threads; i++)
        end_worker(r, &r->workers[i]);
    mst_free_array(NULL, r->workers, r->threads, sizeof *r->workers);
    return st;
}

static mst_status try_it(try_run *r, const mst_threshold_opts *o, const mst_graph *ann, bool quiet, mst_err *err)
{
    mst_run_opts aopts = {.mode = MST_RUN_FLOAT, .frames = mst_graph_frames(mst_program_graph(r->snn))};
    mst_thresholds *t = r->t;
    MST_TRY(mst_program_create(ann, &aopts, &r->ann, err));
    MST_TRY(mst_data_open_for(o->data, mst_program_graph(r->snn), &r->data, err));
    r->spread = mst_spread_of(mst_data_count(r->data), t->samples);
    r->classes = mst_graph_classes(ann);
    r->threads = mst_thread_count(r->spread.held, &o->threads);
    if (r->spread.held == 0) {
        t->untried = "no other samples";
        return MST_OK;
    }
    MST_TRY(run(r, quiet, err));
    t->held = r->spread.held;
    t->divergence /= (double)t->held;
    t->spikes = (double)r->spikes / (double)t->held;
    t->depth = mst_program_depth(r->snn);
    t->window = mst_program_window(r->snn);
    return MST_OK;
}

mst_status mst_thresholds_try(const mst_threshold_opts *o, const mst_graph *ann, const mst_graph *snn, bool quiet,
                              mst_thresholds *t, mst_err *err)
{
    try_run r = {.t = t};
    mst_run_opts sopts = {.mode = MST_RUN_COUNT,
                          .frames = mst_graph_frames(snn),
                          .seed = mst_graph_seed(snn),
                          .thinning = mst_graph_thinning(snn),
                          .schedule = MST_SCHEDULE_BLOCK};
    if (o->data == NULL) {
        t->untried = "no data given";
        return MST_OK;
    }
    mst_status st = mst_program_create(snn, &sopts, &r.snn, err);
    if (st == MST_EUNSUPPORTED) {
        t->untried = "the network has no count mode (mstrun --mode count says why)";
        return MST_OK;
    }
    if (st == MST_OK)
        st = try_it(&r, o, ann, quiet, err);
    mst_data_close(r.data);
    mst_program_destroy(r.ann);
    mst_program_destroy(r.snn);
    return st;
}
