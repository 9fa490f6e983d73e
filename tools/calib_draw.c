/* See calib_draw.h. */
#include "tools/calib_draw.h"

#include <math.h>

#include "runtime/core/philox.h"
#include "tools/tool_range.h"

mst_status mst_calib_data_open(mst_calib_data *d, const char *const *args, size_t n_args, const mst_graph *g,
                               const mst_pick_opts *pick, mst_err *err)
{
    mst_pick_opts whole = *pick;
    whole.limit.set = false; /* N are drawn of all others */
    *d = (mst_calib_data){0};
    MST_TRY(mst_data_open_for(args[2], g, &d->data, err));
    MST_TRY(mst_pick_make(&whole, d->data, &d->from, err));
    mst_range_warn("mstcalib", g, d->data, &d->from);
    if (n_args < 4)
        return MST_OK;
    MST_TRY(mst_data_open_for(args[3], g, &d->judge, err));
    return mst_pick_make(&whole, d->judge, &d->judge_from, err);
}

void mst_calib_data_close(mst_calib_data *d)
{
    mst_pick_free(&d->judge_from);
    mst_pick_free(&d->from);
    mst_data_close(d->judge);
    mst_data_close(d->data);
}

/* What is drawn: samples of data, of a second data set, and those of the first that are held out. */
enum { DRAW_DATA,
       DRAW_JUDGE,
       DRAW_HELD,
       DRAW_ORDER };

static uint64_t word_of(uint64_t seed, int what, size_t i)
{
    const uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), (uint32_t)what, 0};
    uint32_t word[4];
    mst_philox(counter, seed, word);
    return (uint64_t)word[0] << 32 | word[1];
}

/* Is `i` of count among n that are drawn, of which `taken` were before it? Each set of n is as likely. */
static bool draws(uint64_t seed, int what, size_t i, size_t count, size_t n, size_t taken)
{
    return word_of(seed, what, i) % (count - i) < n - taken;
}

/* n of those picked, in their order. */
static void draw(uint64_t seed, int what, const mst_pick *from, size_t n, uint32_t *out)
{
    for (size_t i = 0, taken = 0; taken < n; i++)
        if (draws(seed, what, i, from->n, n, taken))
            out[taken++] = from->at[i];
}

/* Of the n drawn to fit, those held out go elsewhere. */
static void split(uint64_t seed, mst_drawn *d, size_t n)
{
    size_t fit = 0, held = 0;
    for (size_t i = 0; i < n; i++)
        if (draws(seed, DRAW_HELD, i, n, d->n_held, held))
            d->held[held++] = d->fit[i];
        else
            d->fit[fit++] = d->fit[i];
}

/* Data may be sorted by class: in an order of its own, what is first of them stands for all. */
static void shuffle(uint64_t seed, uint32_t *at, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(word_of(seed, DRAW_ORDER, i) % i);
        uint32_t other = at[j];
        at[j] = at[i - 1];
        at[i - 1] = other;
    }
}

mst_status mst_draw_samples(const mst_draw_job *job, mst_drawn *out, mst_err *err)
{
    size_t n = job->n < job->from->n ? job->n : job->from->n;
    *out = (mst_drawn){0};
    if (job->judge == NULL)
        out->n_held = (size_t)lround(job->holdout * (double)n);
    else
        out->n_held = job->n_judge < job->judge->n ? job->n_judge : job->judge->n;
    out->n_fit = job->judge != NULL ? n : n - out->n_held;
    if (out->n_fit < 1 || out->n_held < 2)
        return mst_fail(err, MST_EINVAL, "%s: expected samples to fit and at least 2 held out, found %zu and %zu",
                        job->what, out->n_fit, out->n_held);
    out->fit = mst_arena_array(&out->arena, n, sizeof *out->fit);
    out->held = mst_arena_array(&out->arena, out->n_held, sizeof *out->held);
    if (out->fit == NULL || out->held == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu samples", n + out->n_held);
    draw(job->seed, DRAW_DATA, job->from, n, out->fit);
    if (job->judge == NULL)
        split(job->seed, out, n);
    else
        draw(job->seed, DRAW_JUDGE, job->judge, out->n_held, out->held);
    shuffle(job->seed, out->fit, out->n_fit);
    return MST_OK;
}

void mst_drawn_free(mst_drawn *d)
{
    mst_arena_release(&d->arena);
    *d = (mst_drawn){0};
}
