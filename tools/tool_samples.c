/* See tool_samples.h. */
#include "tools/tool_samples.h"

#include "tools/tool_chunks.h"
#include "tools/tool_journal.h"
#include "tools/tool_main.h"
#include "tools/tool_ranks.h"

/* ---- the journal ---- */

static mst_status keep(mst_samples *s, bool now, mst_err *err)
{
    if (s->journal == NULL || s->torn || (!now && !mst_journal_due(s->journal)))
        return MST_OK;
    if (s->calls->sync != NULL)
        MST_TRY(s->calls->sync(s->ctx, err));
    return mst_journal_keep(s->journal, s->levels, s->calls->state(s->ctx), err);
}

static mst_status take_journal(mst_samples *s, mst_err *err)
{
    uint64_t done;
    if (s->journal == NULL)
        return MST_OK;
    const json_t *state = mst_journal_state(s->journal, s->levels);
    mst_status st = s->calls->resume(s->ctx, state, err);
    if (state == NULL)
        return st;
    if (st == MST_OK && (!mst_json_take_whole(json_object_get(state, "done"), &done) || done != s->outcome->done ||
                         done > s->outcome->planned))
        st = mst_fail(err, MST_EFORMAT, "its sums are not whole");
    if (st == MST_OK)
        return MST_OK;
    s->calls->forget(s->ctx);
    return mst_journal_wrong(s->journal, st, err);
}

/* ---- several ranks ---- */

static mst_status run_chunk(void *ctx, size_t from, size_t to, size_t *done, json_t **out, mst_err *err)
{
    const mst_samples *s = ctx;
    return s->calls->run_apart(s->ctx, from, to - from, done, out, err);
}

static mst_status add_chunk(void *ctx, const json_t *part, mst_err *err)
{
    mst_samples *s = ctx;
    mst_status st = s->calls->add(s->ctx, part, err);
    s->torn = st != MST_OK;
    return st == MST_OK ? keep(s, false, err) : st;
}

static void say_progress(void *ctx, size_t done)
{
    mst_samples *s = ctx;
    mst_progress_at(&s->progress, s->first + done);
}

static mst_status keep_all(void *ctx, mst_err *err) { return keep(ctx, true, err); }

static mst_status run_chunks(mst_samples *s, mst_err *err)
{
    const mst_chunks job = {.first = s->first,
                            .n = s->outcome->planned,
                            .threads = s->threads,
                            .stop = &mst_stop_asked,
                            .ctx = s,
                            .run = run_chunk,
                            .add = add_chunk,
                            .progress = say_progress,
                            .stopping = keep_all};
    return mst_chunks_run(&job, err);
}

/* ---- all samples ---- */

static mst_status begin(mst_samples *s, mst_err *err)
{
    MST_TRY(s->calls->begin(s->ctx, err));
    return take_journal(s, err);
}

mst_status mst_samples_run(mst_samples *s, mst_err *err)
{
    size_t n = s->outcome->planned;
    MST_TRY(mst_ranks_agree(begin(s, err), s->identity, err));
    s->first = (size_t)mst_ranks_most(s->outcome->done); /* rank 0 knows */
    if (s->first == n)
        return MST_OK;
    mst_progress_begin(&s->progress, s->doing, n, s->quiet || mst_rank() != 0);
    mst_stop_arm(true);
    mst_status st = mst_ranks() > 1 ? run_chunks(s, err) : s->calls->run(s->ctx, s->first, n - s->first, err);
    mst_stop_arm(false);
    mst_progress_end(&s->progress);
    if (mst_rank() != 0)
        return st;
    if (s->torn)
        s->calls->forget(s->ctx);
    if (st == MST_OK && mst_outcome_partial(s->outcome))
        st = mst_outcome_stopped(s->outcome, err);
    mst_err other; /* the first failure is the one to tell */
    if (keep(s, true, st == MST_OK ? err : &other) != MST_OK && st == MST_OK)
        st = err->code;
    return st;
}

mst_status mst_samples_did(mst_samples *s, size_t i, mst_err *err)
{
    mst_progress_at(&s->progress, i + 1);
    return keep(s, false, err);
}
