/* See calib_attrib.h. */
#include "tools/calib_attrib.h"

#include "runtime/core/philox.h"
#include "tools/tool_main.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"

mst_status mst_attrib_check(const mst_attrib_said *a, const char *other, mst_err *err)
{
    if (a->layers.set && !a->on)
        return mst_fail(err, MST_EINVAL, "--attribute-layers: expected --attribute with it");
    if (a->on && other != NULL)
        return mst_fail(err, MST_EINVAL, "--attribute: not with %s", other);
    return MST_OK;
}

typedef struct attrib_run {
    const mst_attrib_job *job;
    mst_attrib *attrib;
    mst_attrib_worker **workers; /* [threads] */
    mst_progress progress;
    const uint32_t *at; /* samples of this pass */
    size_t done;
} attrib_run;

static mst_status get_sample(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    const attrib_run *r = ctx;
    return mst_data_get(r->job->data, i, x, label, err);
}

static mst_status measure(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    attrib_run *r = ctx;
    return mst_attrib_measure(r->workers[worker], r->at[i], err);
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    (void)err;
    attrib_run *r = ctx;
    mst_attrib_commit(r->workers[worker]);
    r->done = i + 1;
    mst_progress_at(&r->progress, r->done);
    return MST_OK;
}

static void drop_workers(attrib_run *r)
{
    for (unsigned i = 0; r->workers != NULL && i < r->job->threads; i++) {
        mst_attrib_worker_destroy(r->workers[i]);
        r->workers[i] = NULL;
    }
}

static mst_status run_samples(attrib_run *r, const char *what, const uint32_t *at, size_t n, mst_err *err)
{
    const mst_attrib_job *job = r->job;
    mst_status st = MST_OK;
    r->at = at;
    r->done = 0;
    for (unsigned i = 0; st == MST_OK && i < job->threads; i++)
        st = mst_attrib_worker_create(r->attrib, &r->workers[i], err);
    mst_parallel work = {.n = n,
                         .threads = job->threads,
                         .stop = &mst_stop_asked,
                         .ctx = r,
                         .work = measure,
                         .commit = commit};
    mst_progress_begin(&r->progress, what, n, job->quiet);
    mst_stop_arm(true);
    if (st == MST_OK)
        st = mst_parallel_run(&work, err);
    mst_stop_arm(false);
    mst_progress_end(&r->progress);
    drop_workers(r);
    return st == MST_OK && r->done < n ? mst_fail(err, MST_EIO, "attribution: stopped after %zu of %zu samples",
                                                  r->done, n)
                                       : st;
}

/* One of each of n even parts, any of it: data may be sorted by class, or have classes in turn. */
static void spread(const mst_pick *from, uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t begin = i * from->n / n, end = (i + 1) * from->n / n;
        const uint32_t counter[4] = {(uint32_t)i, 0, 0, 0};
        uint32_t word[4];
        mst_philox(counter, 0, word);
        at[i] = from->at[begin + word[0] % (end - begin)];
    }
}

mst_status mst_attrib_run(const mst_attrib_job *job, mst_attrib_report *out, mst_err *err)
{
    attrib_run r = {.job = job};
    mst_attrib_opts opts = {.size = sizeof opts,
                            .steps = job->steps,
                            .readout_from = job->readout_from,
                            .layers = job->layers,
                            .get = get_sample,
                            .ctx = &r};
    size_t n = job->pick->n, few = n < MST_ATTRIB_CHOICE ? n : MST_ATTRIB_CHOICE;
    uint32_t chosen[MST_ATTRIB_CHOICE];
    *out = (mst_attrib_report){0};
    spread(job->pick, chosen, few);
    mst_status st = mst_attrib_create(job->ann, job->snn, &opts, &r.attrib, err);
    r.workers = mst_alloc_array(NULL, job->threads, sizeof *r.workers);
    if (st == MST_OK && r.workers == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory for %u threads", job->threads);
    if (st == MST_OK)
        st = run_samples(&r, "choosing layers", chosen, few, err);
    if (st == MST_OK)
        st = mst_attrib_choose(r.attrib, err);
    if (st == MST_OK) {
        st = run_samples(&r, "what-if runs", job->pick->at, n, err);
        mst_err other; /* the first failure is the one to tell */
        if (r.done != 0 && mst_attrib_report_make(r.attrib, out, st == MST_OK ? err : &other) != MST_OK && st == MST_OK)
            st = err->code;
    }
    mst_free_array(NULL, r.workers, job->threads, sizeof *r.workers);
    mst_attrib_destroy(r.attrib);
    return st;
}
