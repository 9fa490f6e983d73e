/* One thread's part of a calibration: runs both networks on a sample and
 * holds its figures until they are committed.
 */
#include <math.h>
#include <string.h>

#include "calibrate/calib.h"

struct mst_calib_worker {
    mst_arena arena;
    mst_calib *c;
    mst_session *ann, *snn, *stored, *drawn;
    float *x;                                       /* [input] */
    float **activation;                             /* [layers][neurons] of the ANN */
    float **with_stored;                            /* the same with the stored weights, or activation */
    uint32_t **count;                               /* [layers][neurons] spikes; NULL in count and radix: */
    float **input, **fired, **left, **kept;         /* [layers][neurons] (calib_counts) */
    size_t seen;                                    /* inputs of layers that have been seen since the sample began */
    double *logits;                                 /* [classes] of the ANN */
    float *mean;                                    /* [classes] */
    calib_sample *layers;                           /* [n_at][layers] */
    int label, ann_class, stored_class, *snn_class; /* [n_at] */
    int drawn_class[MST_CALIB_DRAWS];
    mst_counters *counts;                            /* [n_at] */
    double ann_logit_sq, stored_logit_sq, *logit_sq; /* [n_at] */
};

/* pair_of: [nodes], to: [layers][neurons] */
static void keep(const uint32_t *pair_of, const mst_tap *t, float **to)
{
    uint32_t k = pair_of[t->node];
    if (k != MST_NONE)
        mst_tap_values(t, 0, to[k]);
}

static void on_ann(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    keep(w->c->ann_of_node, t, w->activation);
    if (w->c->counts)
        keep(w->c->ann_mask_of, t, w->kept);
}

static void on_stored(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    keep(w->c->ann_of_node, t, w->with_stored);
}

static void on_snn(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    uint32_t k = w->c->snn_of_node[t->node];
    if (k != MST_NONE)
        mst_tap_count(t, w->count[k]);
}

static void on_window(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_calib_worker *w = ctx;
    const mst_calib *c = w->c;
    keep(c->snn_of_node, t, w->fired);
    keep(c->snn_mask_of, t, w->left);
    for (uint32_t k = c->reader_of[t->node]; k != MST_NONE; k = c->pairs[k].next, w->seen++)
        mst_tap_values(t, 0, w->input[k]);
}

/* [layers][neurons]; where own is given, rows of layers that are not in it are those of `others`. */
static float **allocate_rows(mst_calib_worker *w, const bool *own, float **others)
{
    const mst_calib *c = w->c;
    float **rows = mst_arena_array(&w->arena, c->n_layers != 0 ? c->n_layers : 1, sizeof *rows);
    for (size_t k = 0; rows != NULL && k < c->n_layers; k++) {
        bool mine = own == NULL || own[k];
        rows[k] = mine ? mst_arena_array(&w->arena, c->pairs[k].neurons, sizeof **rows) : others[k];
        if (rows[k] == NULL)
            return NULL;
    }
    return rows;
}

static bool allocate_counts(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    w->input = allocate_rows(w, NULL, NULL);
    w->fired = allocate_rows(w, NULL, NULL);
    w->left = w->fired != NULL ? allocate_rows(w, c->snn_masked, w->fired) : NULL;
    w->kept = allocate_rows(w, c->ann_masked, w->activation);
    return w->input != NULL && w->left != NULL && w->kept != NULL;
}

static bool allocate_steps(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    w->count = mst_arena_array(&w->arena, c->n_layers != 0 ? c->n_layers : 1, sizeof *w->count);
    for (size_t k = 0; w->count != NULL && k < c->n_layers; k++)
        if ((w->count[k] = mst_arena_array(&w->arena, c->pairs[k].neurons, sizeof **w->count)) == NULL)
            return false;
    return w->count != NULL;
}

static bool allocate(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    mst_arena *a = &w->arena;
    size_t n = c->n_layers != 0 ? c->n_layers : 1;
    w->x = mst_arena_array(a, c->input_size, sizeof *w->x);
    w->activation = allocate_rows(w, NULL, NULL);
    w->with_stored = c->stored != NULL ? allocate_rows(w, NULL, NULL) : w->activation;
    w->layers = mst_arena_array(a, n * c->opts.n_at, sizeof *w->layers);
    w->logits = mst_arena_array(a, c->classes, sizeof *w->logits);
    w->mean = mst_arena_array(a, c->classes, sizeof *w->mean);
    w->snn_class = mst_arena_array(a, c->opts.n_at, sizeof *w->snn_class);
    w->counts = mst_arena_array(a, c->opts.n_at, sizeof *w->counts);
    w->logit_sq = mst_arena_array(a, c->opts.n_at, sizeof *w->logit_sq);
    if (w->x == NULL || w->activation == NULL || w->with_stored == NULL || w->layers == NULL || w->logits == NULL ||
        w->mean == NULL || w->snn_class == NULL || w->counts == NULL || w->logit_sq == NULL)
        return false;
    return c->counts ? allocate_counts(w) : allocate_steps(w);
}

mst_status mst_calib_worker_create(mst_calib *c, mst_calib_worker **out, mst_err *err)
{
    *out = NULL;
    mst_calib_worker *w = mst_alloc(NULL, sizeof *w);
    if (w == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    w->c = c;
    mst_status st = allocate(w) ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a calibration worker");
    if (st == MST_OK)
        st = mst_session_create(c->ann, &w->ann, err);
    if (st == MST_OK)
        st = mst_session_create(c->snn, &w->snn, err);
    if (st == MST_OK && c->stored != NULL)
        st = mst_session_create(c->stored, &w->stored, err);
    if (st == MST_OK && c->drawn != NULL)
        st = mst_session_create(c->drawn, &w->drawn, err);
    if (st != MST_OK) {
        mst_calib_worker_destroy(w);
        return st;
    }
    mst_session_tap(w->ann, on_ann, w);
    mst_session_tap(w->snn, c->counts ? on_window : on_snn, w);
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
    mst_session_destroy(w->drawn);
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

static void run_drawn(mst_calib_worker *w, uint32_t sample)
{
    for (unsigned k = 0; k < MST_CALIB_DRAWS; k++) {
        mst_session_reseed(w->drawn, w->c->opts.seed + k);
        mst_session_begin(w->drawn, w->x, sample);
        mst_session_step(w->drawn);
        mst_session_mean_logits(w->drawn, MST_LAST, w->mean);
        w->drawn_class[k] = (int)mst_argmax(w->mean, w->c->classes);
    }
}

/* What layer k says at point `at`, where the spiking network stands. */
static void reduce(mst_calib_worker *w, uint32_t at, size_t k)
{
    const mst_calib *c = w->c;
    const calib_pair *p = &c->pairs[k];
    calib_sample *out = &w->layers[at * c->n_layers + k];
    if (c->counts) {
        calib_counts x = {w->input[k], w->fired[k], w->left[k], w->activation[k], w->with_stored[k], w->kept[k]};
        mst_calib_reduce_counts(p, &x, out);
    } else {
        calib_values x = {w->count[k], w->activation[k], w->with_stored[k],
                          mst_session_potential(w->snn, p->snn_layer)};
        mst_calib_reduce(p, c->opts.at[at], &x, out);
    }
    out->fired = mst_session_layer_fired(w->snn, MST_LAST, p->snn_layer);
    out->spikes = mst_session_layer_spikes(w->snn, MST_LAST, p->snn_layer);
    out->ops = mst_session_layer_ops(w->snn, p->snn_layer);
}

static void read_out(mst_calib_worker *w, uint32_t at)
{
    mst_session_mean_logits(w->snn, MST_LAST, w->mean);
    w->snn_class[at] = (int)mst_argmax(w->mean, w->c->classes);
    w->logit_sq[at] = distance(w);
    w->counts[at] = mst_session_counters(w->snn);
    for (size_t k = 0; !w->c->counts && k < w->c->n_layers; k++)
        reduce(w, at, k);
}

static void run_snn(mst_calib_worker *w, uint32_t sample)
{
    const mst_calib *c = w->c;
    w->seen = 0;
    for (size_t k = 0; !c->counts && k < c->n_layers; k++)
        memset(w->count[k], 0, c->pairs[k].neurons * sizeof **w->count);
    mst_session_begin(w->snn, w->x, sample);
    uint32_t at = 0;
    for (uint32_t t = 0, n; t < c->steps; t += n) {
        n = mst_session_run(w->snn, c->opts.at[at] - t);
        if (t + n == c->opts.at[at])
            read_out(w, at++);
    }
}

/* Inputs that no node makes: the sample, or constants. */
static void give_inputs(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    const mst_graph *g = mst_program_graph(c->snn);
    for (size_t i = 0; i < c->n_given; i++) {
        const calib_pair *p = &c->pairs[c->given[i]];
        if (p->source == g->input)
            mst_calib_mean_frame(w->x, c->input_size, p->neurons, w->input[c->given[i]]);
        else
            memcpy(w->input[c->given[i]], g->tensors[p->source].data, p->neurons * sizeof **w->input);
    }
}

/* One that is not makes the sum of squares so, and would every mean of the report. */
static mst_status check_logits(const mst_calib_worker *w, size_t i, mst_err *err)
{
    bool ann = isfinite(w->ann_logit_sq) && (w->stored == NULL || isfinite(w->stored_logit_sq)), snn = true;
    for (uint32_t k = 0; k < w->c->opts.n_at; k++)
        snn = snn && isfinite(w->logit_sq[k]);
    return ann && snn ? MST_OK
                      : mst_fail(err, MST_EINVAL, "sample %zu: logits of the %s are not finite", i,
                                 ann ? "spiking network" : "ANN");
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
    if (w->drawn != NULL && w->label >= 0)
        run_drawn(w, (uint32_t)i);
    run_snn(w, (uint32_t)i);
    MST_TRY(check_logits(w, i, err));
    if (c->counts) {
        give_inputs(w);
        if (w->seen + c->n_given != c->n_layers)
            return mst_fail(err, MST_EINVAL,
                            "calibration: expected the currents of %zu layers, saw %zu: count and radix "
                            "mode need the step schedule",
                            c->n_layers, w->seen + c->n_given);
    }
    for (size_t k = 0; c->counts && k < c->n_layers; k++)
        reduce(w, 0, k);
    return MST_OK;
}

static void add_layer(calib_total *t, const calib_sample *s)
{
    t->fired += s->fired;
    t->spikes += s->spikes;
    t->ops += s->ops;
    t->max = s->max > t->max ? s->max : t->max;
    mst_exact_add(&t->mae, s->mae);
    mst_exact_add_square(&t->mae_sq, s->mae);
    mst_exact_add(&t->bias, s->bias);
    mst_exact_add(&t->within, s->within);
    mst_exact_add(&t->residual, s->residual);
    mst_exact_add(&t->error_sq, s->error_sq);
    mst_exact_add(&t->ann_sq, s->ann_sq);
    for (int p = 0; p < MST_PART_COUNT; p++) {
        mst_exact_add(&t->part_abs[p], s->part_abs[p]);
        mst_exact_add(&t->part_mean[p], s->part_mean[p]);
    }
}

void mst_calib_commit(mst_calib_worker *w)
{
    const mst_calib *c = w->c;
    mst_calib_sums *s = c->sums;
    for (size_t k = 0; k < c->n_layers * c->opts.n_at; k++)
        add_layer(&s->totals[k], &w->layers[k]);
    s->samples++;
    s->labelled += w->label >= 0;
    s->ann_right += w->label >= 0 && w->ann_class == w->label;
    mst_exact_add(&s->ann_logit_sq, w->ann_logit_sq);
    if (c->stored != NULL) {
        s->stored_right += w->label >= 0 && w->stored_class == w->label;
        mst_exact_add(&s->stored_logit_sq, w->stored_logit_sq);
    }
    for (unsigned k = 0; k < MST_CALIB_DRAWS && c->drawn != NULL; k++)
        s->drawn_right[k] += w->label >= 0 && w->drawn_class[k] == w->label;
    for (uint32_t i = 0; i < c->opts.n_at; i++) {
        s->points[i].right += w->label >= 0 && w->snn_class[i] == w->label;
        s->points[i].agree += w->snn_class[i] == w->ann_class;
        mst_exact_add(&s->points[i].logit_sq, w->logit_sq[i]);
        mst_counters_add(&s->points[i].counts, &w->counts[i]);
    }
}

void mst_calib_said(const mst_calib_worker *w, int *label, uint32_t *ann, uint32_t *said)
{
    *label = w->label;
    *ann = (uint32_t)w->ann_class;
    for (uint32_t i = 0; i < w->c->opts.n_at; i++)
        said[i] = (uint32_t)w->snn_class[i];
}
