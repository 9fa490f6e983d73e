/* One thread's part of a pass of the tuning: runs a sample and holds what it gave until it is committed. */
#include <string.h>

#include "calibrate/tune_state.h"

struct mst_tune_worker {
    mst_arena arena;
    mst_tune *t;
    mst_session *ann, *snn;
    float *x, *logits;   /* [input], [classes] */
    float *value;        /* [most neurons] of one layer */
    uint32_t *count;     /* likewise */
    double **activation; /* [layers][channels] of the sample, as are: */
    uint64_t **spikes;
    tune_held held;
    size_t sample;
    int label;
};

static void on_ann(void *ctx, const mst_session *s, const mst_tap *tap)
{
    (void)s;
    mst_tune_worker *w = ctx;
    uint32_t k = w->t->ann_layer_of[tap->node];
    if (k == MST_NONE)
        return;
    const tune_layer *l = &w->t->layers[k];
    mst_tap_values(tap, 0, w->value);
    for (size_t i = 0; i < l->neurons; i++)
        w->activation[k][l->channel[i]] += (double)w->value[i];
}

static void on_snn(void *ctx, const mst_session *s, const mst_tap *tap)
{
    (void)s;
    mst_tune_worker *w = ctx;
    uint32_t k = w->t->layer_of[tap->node];
    if (k == MST_NONE)
        return;
    const tune_layer *l = &w->t->layers[k];
    memset(w->count, 0, l->neurons * sizeof *w->count);
    mst_tap_count(tap, w->count);
    for (size_t i = 0; i < l->neurons; i++)
        w->spikes[k][l->channel[i]] += w->count[i];
}

static bool allocate(mst_tune_worker *w)
{
    const mst_tune *t = w->t;
    mst_arena *a = &w->arena;
    size_t n = t->n_layers != 0 ? t->n_layers : 1, neurons = t->most_neurons != 0 ? t->most_neurons : 1;
    w->x = mst_arena_array(a, t->input_size, sizeof *w->x);
    w->logits = mst_arena_array(a, t->classes, sizeof *w->logits);
    w->value = mst_arena_array(a, neurons, sizeof *w->value);
    w->count = mst_arena_array(a, neurons, sizeof *w->count);
    w->activation = mst_arena_array(a, n, sizeof *w->activation);
    w->spikes = mst_arena_array(a, n, sizeof *w->spikes);
    bool fine = w->x != NULL && w->logits != NULL && w->value != NULL && w->count != NULL && w->activation != NULL &&
                w->spikes != NULL;
    for (size_t k = 0; fine && k < t->n_layers; k++) {
        w->activation[k] = mst_arena_array(a, t->layers[k].channels, sizeof **w->activation);
        w->spikes[k] = mst_arena_array(a, t->layers[k].channels, sizeof **w->spikes);
        fine = w->activation[k] != NULL && w->spikes[k] != NULL;
    }
    return fine;
}

mst_status mst_tune_worker_create(mst_tune *t, mst_tune_worker **out, mst_err *err)
{
    *out = NULL;
    mst_tune_worker *w = mst_alloc(NULL, sizeof *w);
    if (w == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    w->t = t;
    mst_status st = allocate(w) ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a worker of the tuning");
    if (st == MST_OK && t->pass == 0)
        st = mst_session_create(t->ann, &w->ann, err);
    if (st == MST_OK)
        st = mst_session_create(t->snn, &w->snn, err);
    if (st != MST_OK)
        mst_tune_worker_destroy(w);
    else
        *out = w;
    return st;
}

void mst_tune_worker_destroy(mst_tune_worker *w)
{
    if (w == NULL)
        return;
    mst_session_destroy(w->ann);
    mst_session_destroy(w->snn);
    mst_arena_release(&w->arena);
    mst_free(NULL, w, sizeof *w);
}

/* The logits of the ANN, which are those of each pass, stay with the tuning. */
static void run_ann(mst_tune_worker *w, bool fits)
{
    const mst_tune *t = w->t;
    for (size_t k = 0; fits && k < t->n_layers; k++)
        memset(w->activation[k], 0, t->layers[k].channels * sizeof **w->activation);
    mst_session_tap(w->ann, fits ? on_ann : NULL, w);
    mst_session_begin(w->ann, w->x, (uint32_t)w->sample);
    mst_session_step(w->ann);
    if (!fits)
        mst_session_mean_logits(w->ann, MST_LAST, t->ann_logits + (w->sample - t->opts.fit) * t->classes);
}

static void run_snn(mst_tune_worker *w, bool fits)
{
    const mst_tune *t = w->t;
    for (size_t k = 0; fits && k < t->n_layers; k++)
        memset(w->spikes[k], 0, t->layers[k].channels * sizeof **w->spikes);
    mst_session_tap(w->snn, fits ? on_snn : NULL, w);
    mst_session_begin(w->snn, w->x, (uint32_t)w->sample);
    for (uint32_t at = 0; at < t->opts.timesteps;)
        at += mst_session_run(w->snn, t->opts.timesteps - at);
}

static void judge(mst_tune_worker *w)
{
    const mst_tune *t = w->t;
    const float *ann = t->ann_logits + (w->sample - t->opts.fit) * t->classes;
    mst_session_mean_logits(w->snn, MST_LAST, w->logits);
    w->held = (tune_held){.labelled = w->label >= 0};
    for (size_t i = 0; i < t->classes; i++) {
        double d = (double)w->logits[i] - (double)ann[i];
        w->held.error_sq += d * d;
        w->held.ann_sq += (double)ann[i] * (double)ann[i];
    }
    w->held.right = w->label >= 0 && mst_argmax(w->logits, t->classes) == (size_t)w->label;
    w->held.ann_right = w->label >= 0 && mst_argmax(ann, t->classes) == (size_t)w->label;
}

mst_status mst_tune_measure(mst_tune_worker *w, size_t i, mst_err *err)
{
    const mst_tune *t = w->t;
    bool fits = i < t->opts.fit;
    if (i > UINT32_MAX || i >= t->opts.fit + t->opts.held)
        return mst_fail(err, MST_EINVAL, "sample %zu: the tuning has %zu", i, t->opts.fit + t->opts.held);
    MST_TRY(t->opts.get(t->opts.ctx, i, w->x, &w->label, err));
    w->sample = i;
    if (w->ann != NULL)
        run_ann(w, fits);
    run_snn(w, fits);
    if (!fits)
        judge(w);
    return MST_OK;
}

void mst_tune_commit(mst_tune_worker *w)
{
    mst_tune *t = w->t;
    if (w->sample >= t->opts.fit) {
        t->held[w->sample - t->opts.fit] = w->held;
        return;
    }
    for (size_t k = 0; k < t->n_layers; k++)
        for (size_t c = 0; c < t->layers[k].channels; c++) {
            t->layers[k].activation[c] += w->ann != NULL ? w->activation[k][c] : 0;
            t->layers[k].spikes[c] += w->spikes[k][c];
        }
}
