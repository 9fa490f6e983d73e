/* One thread's part of a calibration: runs both networks on a sample and
 * holds its figures until they are committed.
 */
#include <string.h>

#include "calibrate/calib.h"

struct mst_calib_worker {
    mst_arena arena;
    mst_calib *c;
    mst_session *ann, *snn, *stored;
    float *x;              /* [input] */
    float **activation;    /* [layers][neurons] of the ANN */
    float **with_stored;   /* the same with the stored weights, or activation */
    uint32_t **count;      /* [layers][neurons] spikes */
    double *logits;        /* [classes] of the ANN */
    float *mean;           /* [classes] */
    calib_sample *layers;  /* [layers] */
    int label, ann_class, stored_class, *snn_class; /* [n_at] */
    double ann_logit_sq, stored_logit_sq, *logit_sq; /* [n_at] */
};

/* to: [layers][neurons] */
static void keep(const mst_calib_worker *w, const mst_tap *t, float **to)
{
    uint32_t k = w->c->ann_of_node[t->node];
    if (k != MST_NONE)
        mst_tap_values(t, 0, to[k]);
}

static void on_ann(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    keep(w, t, w->activation);
}

static void on_stored(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    keep(w, t, w->with_stored);
}

static void on_snn(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    uint32_t k = w->c->snn_of_node[t->node];
    if (k != MST_NONE)
        mst_tap_count(t, w->count[k]);
}

static bool allocate(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    mst_arena *a = &w->arena;
    size_t n = c->n_layers != 0 ? c->n_layers : 1;
    w->x = mst_arena_array(a, c->input_size, sizeof *w->x);
    w->activation = mst_arena_array(a, n, sizeof *w->activation);
    w->with_stored = c->stored != NULL ? mst_arena_array(a, n, sizeof *w->with_stored) : w->activation;
    w->count = mst_arena_array(a, n, sizeof *w->count);
    w->layers = mst_arena_array(a, n, sizeof *w->layers);
    w->logits = mst_arena_array(a, c->classes, sizeof *w->logits);
    w->mean = mst_arena_array(a, c->classes, sizeof *w->mean);
    w->snn_class = mst_arena_array(a, c->opts.n_at, sizeof *w->snn_class);
    w->logit_sq = mst_arena_array(a, c->opts.n_at, sizeof *w->logit_sq);
    if (w->x == NULL || w->activation == NULL || w->with_stored == NULL || w->count == NULL || w->layers == NULL ||
        w->logits == NULL || w->mean == NULL ||
        w->snn_class == NULL || w->logit_sq == NULL)
        return false;
    for (size_t k = 0; k < c->n_layers; k++) {
        w->activation[k] = mst_arena_array(a, c->pairs[k].neurons, sizeof **w->activation);
        w->count[k] = mst_arena_array(a, c->pairs[k].neurons, sizeof **w->count);
        if (c->stored != NULL)
            w->with_stored[k] = mst_arena_array(a, c->pairs[k].neurons, sizeof **w->with_stored);
        if (w->activation[k] == NULL || w->count[k] == NULL || w->with_stored[k] == NULL)
            return false;
    }
    return true;
}

mst_status mst_calib_worker_create(mst_calib *c, mst_calib_worker **out, mst_err *err)
{
    *out = NULL;
    mst_calib_worker *w = mst_alloc(NULL, sizeof *w);
    if (w == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    w->c = c;
    mst_status st = allocate(w) ? MST_OK : mst_fail(err, MST_ENOMEM,
                                                    "out of memory for a calibration worker");
    if (st == MST_OK)
        st = mst_session_create(c->ann, &w->ann, err);
    if (st == MST_OK)
        st = mst_session_create(c->snn, &w->snn, err);
    if (st == MST_OK && c->stored != NULL)
        st = mst_session_create(c->stored, &w->stored, err);
    if (st != MST_OK) {
        mst_calib_worker_destroy(w);
        return st;
    }
    mst_session_tap(w->ann, on_ann, w);
    mst_session_tap(w->snn, on_snn, w);
    if (w->stored != NULL)
        mst_session_tap(w->stored, on_stored, w);
    *out = w;
    return MST_OK;
}

void mst_calib_worker_destroy(mst_calib_worker *w)
{
    if (w == NULL)
        return;
    mst_session_destroy(w->ann);
    mst_session_destroy(w->snn);
    mst_session_destroy(w->stored);
    mst_arena_release(&w->arena);
    mst_free(NULL, w, sizeof *w);
}

static void run_ann(mst_calib_worker *w, uint32_t sample)
{
    size_t n = w->c->classes;
    mst_session_begin(w->ann, w->x, sample);
    mst_session_step(w->ann);
    mst_session_mean_logits(w->ann, MST_LAST, w->mean);
    w->ann_class = (int)mst_argmax(w->mean, n);
    w->ann_logit_sq = 0;
    for (size_t i = 0; i < n; i++) {
        w->logits[i] = (double)w->mean[i];
        w->ann_logit_sq += w->logits[i] * w->logits[i];
    }
}

/* Squared distance of the mean logits from the ANN's. */
static double distance(const mst_calib_worker *w)
{
    double sum = 0;
    for (size_t i = 0; i < w->c->classes; i++) {
        double d = (double)w->mean[i] - w->logits[i];
        sum += d * d;
    }
    return sum;
}

static void run_stored(mst_calib_worker *w, uint32_t sample)
{
    mst_session_begin(w->stored, w->x, sample);
    mst_session_step(w->stored);
    mst_session_mean_logits(w->stored, MST_LAST, w->mean);
    w->stored_class = (int)mst_argmax(w->mean, w->c->classes);
    w->stored_logit_sq = distance(w);
}

/* After step i of the last run. */
static void read_out(mst_calib_worker *w, uint32_t i, uint32_t at)
{
    mst_session_mean_logits(w->snn, i, w->mean);
    w->snn_class[at] = (int)mst_argmax(w->mean, w->c->classes);
    w->logit_sq[at] = distance(w);
}

static void run_snn(mst_calib_worker *w, uint32_t sample)
{
    const mst_calib *c = w->c;
    for (size_t k = 0; k < c->n_layers; k++)
        memset(w->count[k], 0, c->pairs[k].neurons * sizeof **w->count);
    mst_session_begin(w->snn, w->x, sample);
    uint32_t at = 0;
    for (uint32_t t = 0, n; t < c->steps; t += n) {
        n = mst_session_run(w->snn, c->steps - t);
        for (; at < c->opts.n_at && c->opts.at[at] <= t + n; at++)
            read_out(w, c->opts.at[at] - t - 1, at);
    }
}

mst_status mst_calib_measure(mst_calib_worker *w, size_t i, mst_err *err)
{
    const mst_calib *c = w->c;
    if (i > UINT32_MAX)
        return mst_fail(err, MST_ELIMIT, "sample %zu: the mask counters end at %u", i, UINT32_MAX);
    MST_TRY(c->opts.get(c->opts.ctx, i, w->x, &w->label, err));
    run_ann(w, (uint32_t)i);
    if (w->stored != NULL)
        run_stored(w, (uint32_t)i);
    run_snn(w, (uint32_t)i);
    for (size_t k = 0; k < c->n_layers; k++) {
        calib_values x = {w->count[k], w->activation[k], w->with_stored[k],
                          mst_session_potential(w->snn, c->pairs[k].snn_layer)};
        mst_calib_reduce(&c->pairs[k], c->steps, &x, &w->layers[k]);
        w->layers[k].spikes = mst_session_layer_spikes(w->snn, MST_LAST, c->pairs[k].snn_layer);
    }
    return MST_OK;
}

static void add_layer(calib_total *t, const calib_sample *s)
{
    gsl_rstat_add(s->mae, t->mae);
    t->max = s->max > t->max ? s->max : t->max;
    t->bias += s->bias;
    t->within += s->within;
    t->residual += s->residual;
    t->error_sq += s->error_sq;
    t->ann_sq += s->ann_sq;
    t->spikes += (double)s->spikes;
    for (int p = 0; p < MST_PART_COUNT; p++) {
        t->part_abs[p] += s->part_abs[p];
        t->part_mean[p] += s->part_mean[p];
    }
}

void mst_calib_commit(mst_calib_worker *w)
{
    mst_calib *c = w->c;
    for (size_t k = 0; k < c->n_layers; k++)
        add_layer(&c->totals[k], &w->layers[k]);
    c->samples++;
    c->labelled += w->label >= 0;
    c->ann_right += w->label >= 0 && w->ann_class == w->label;
    c->ann_logit_sq += w->ann_logit_sq;
    if (c->stored != NULL) {
        c->stored_right += w->label >= 0 && w->stored_class == w->label;
        c->stored_logit_sq += w->stored_logit_sq;
    }
    for (uint32_t i = 0; i < c->opts.n_at; i++) {
        c->right[i] += w->label >= 0 && w->snn_class[i] == w->label;
        c->agree[i] += w->snn_class[i] == w->ann_class;
        c->logit_sq[i] += w->logit_sq[i];
    }
}
