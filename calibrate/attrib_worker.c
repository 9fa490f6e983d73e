/* One thread's part of an attribution: runs the spiking network on a sample, then all what-if runs, and holds what they
 * gave until it is committed.
 */
#include <math.h>
#include <string.h>

#include "calibrate/attrib.h"

/* What a pass through a graph in float mode does with its layers. */
typedef enum worker_job { JOB_PLAIN,   /* nothing */
                          JOB_CURRENT, /* notes their currents, and gives them the spiking network's values */
                          JOB_WHAT_IF  /* what the causes of the pass ask for */
} worker_job;

/* One of the two graphs in float mode. */
typedef struct worker_side {
    mst_attrib_worker *w;
    mst_session *s;
    const attrib_wiring *wires;
    bool ann;
    worker_job job;
    const attrib_pass *pass;
} worker_side;

struct mst_attrib_worker {
    mst_arena arena;
    mst_attrib *a;
    worker_side ann, even;
    mst_session *snn;
    float *x, *standard;        /* [input] */
    attrib_values *values;      /* [layers + 1] of the sample */
    float **current;            /* [layers][neurons] of the pass; behind the NEURON: what its mask leaves */
    uint32_t **count, **kept;   /* [layers][neurons] spikes, before and behind masks; step mode */
    float *row;                 /* [most neurons] */
    double *sums;               /* [classes] */
    float *logits, *ann_logits; /* [classes] */
    int label;
    bool *right; /* [passes] */
    double *error_sq, ann_sq;
    attrib_own *own; /* [layers + 1] */
    double *x_sum, *x_sq;
    size_t n_passes;
};

/* ---- what taps see ---------------------------------------------------------------------------- */

static void on_snn(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    mst_attrib_worker *w = ctx;
    const attrib_wiring *wires = &w->a->snn_wires;
    uint32_t k = wires->layer_of[t->node], m = wires->mask_of[t->node];
    if (w->a->counts && k != MST_NONE)
        mst_tap_values(t, 0, w->values[k].fired);
    else if (k != MST_NONE)
        mst_tap_count(t, w->count[k]);
    if (w->a->counts && m != MST_NONE)
        mst_tap_values(t, 0, w->values[m].left);
    else if (m != MST_NONE)
        mst_tap_count(t, w->kept[m]);
}

/* The current of layer k is known, the NEURON has run: what comes of it. */
static void give_neuron(worker_side *side, const mst_tap *t, uint32_t k)
{
    mst_attrib_worker *w = side->w;
    const mst_attrib *a = w->a;
    const attrib_layer *l = &a->layers[k];
    const attrib_values *v = &w->values[k];
    bool masked = side->wires->masked[k];
    if (side->job == JOB_CURRENT) {
        mst_attrib_current(side->ann ? &l->ann : &l->snn, l->neurons, w->current[k], side->ann ? v->ann : v->even);
        mst_tap_put(t, 0, masked ? v->fired : v->left);
    } else if ((mst_attrib_on(a, side->pass, k) & l->causes) != 0) {
        mst_attrib_fire(l, a->counts, mst_attrib_on(a, side->pass, k), v, w->current[k], w->row);
        mst_tap_put(t, 0, masked ? w->row : w->current[k]);
    }
}

static void give_mask(worker_side *side, const mst_tap *t, uint32_t k)
{
    mst_attrib_worker *w = side->w;
    if (side->job == JOB_CURRENT)
        mst_tap_put(t, 0, w->values[k].left);
    else if ((mst_attrib_on(w->a, side->pass, k) & w->a->layers[k].causes) != 0)
        mst_tap_put(t, 0, w->current[k]);
}

static void on_float(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    worker_side *side = ctx;
    const attrib_wiring *wires = side->wires;
    uint32_t k = wires->layer_of[t->node], m = wires->mask_of[t->node];
    if (side->job == JOB_PLAIN)
        return;
    if (k != MST_NONE)
        give_neuron(side, t, k);
    if (m != MST_NONE)
        give_mask(side, t, m);
    for (uint32_t r = wires->reader_of[t->node]; r != MST_NONE; r = wires->next[r])
        mst_tap_values(t, 0, side->w->current[r]);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static bool allocate_layer(mst_attrib_worker *w, size_t k)
{
    mst_arena *m = &w->arena;
    size_t n = w->a->layers[k].neurons;
    bool masked = k < w->a->n_layers && w->a->snn_wires.masked[k];
    attrib_values *v = &w->values[k];
    v->ann = mst_arena_array(m, n, sizeof(float));
    v->even = mst_arena_array(m, n, sizeof(float));
    v->mean = mst_arena_array(m, n, sizeof(float));
    v->fired = mst_arena_array(m, n, sizeof(float));
    v->left = masked || k == w->a->n_layers ? mst_arena_array(m, n, sizeof(float)) : v->fired;
    v->off = mst_arena_array(m, n, sizeof(float));
    w->current[k] = mst_arena_array(m, n, sizeof(float));
    if (!w->a->counts) {
        w->count[k] = mst_arena_array(m, n, sizeof(uint32_t));
        w->kept[k] = masked ? mst_arena_array(m, n, sizeof(uint32_t)) : w->count[k];
        if (w->count[k] == NULL || w->kept[k] == NULL)
            return false;
    }
    return v->ann != NULL && v->even != NULL && v->mean != NULL && v->fired != NULL && v->left != NULL &&
           v->off != NULL && w->current[k] != NULL;
}

static bool allocate(mst_attrib_worker *w)
{
    const mst_attrib *a = w->a;
    mst_arena *m = &w->arena;
    size_t n = a->n_layers + 1, most = a->classes;
    for (size_t k = 0; k < n; k++)
        most = a->layers[k].neurons > most ? a->layers[k].neurons : most;
    w->x = mst_arena_array(m, a->input_size, sizeof *w->x);
    w->standard = mst_arena_array(m, a->input_size, sizeof *w->standard);
    w->values = mst_arena_array(m, n, sizeof *w->values);
    w->current = mst_arena_array(m, n, sizeof *w->current);
    w->count = mst_arena_array(m, n, sizeof *w->count);
    w->kept = mst_arena_array(m, n, sizeof *w->kept);
    w->row = mst_arena_array(m, most, sizeof *w->row);
    w->sums = mst_arena_array(m, a->classes, sizeof *w->sums);
    w->logits = mst_arena_array(m, a->classes, sizeof *w->logits);
    w->ann_logits = mst_arena_array(m, a->classes, sizeof *w->ann_logits);
    w->right = mst_arena_array(m, w->n_passes, sizeof *w->right);
    w->error_sq = mst_arena_array(m, w->n_passes, sizeof *w->error_sq);
    w->own = mst_arena_array(m, n, sizeof *w->own);
    w->x_sum = mst_arena_array(m, a->channels, sizeof *w->x_sum);
    w->x_sq = mst_arena_array(m, a->channels, sizeof *w->x_sq);
    bool fine = w->x != NULL && w->standard != NULL && w->values != NULL && w->current != NULL && w->count != NULL &&
                w->kept != NULL && w->row != NULL && w->sums != NULL && w->logits != NULL && w->ann_logits != NULL &&
                w->right != NULL && w->error_sq != NULL && w->own != NULL && w->x_sum != NULL && w->x_sq != NULL;
    for (size_t k = 0; fine && k < n; k++)
        fine = allocate_layer(w, k);
    return fine;
}

static mst_status open_side(mst_attrib_worker *w, worker_side *side, const mst_program *p, bool ann, mst_err *err)
{
    *side = (worker_side){.w = w, .wires = ann ? &w->a->ann_wires : &w->a->snn_wires, .ann = ann};
    MST_TRY(mst_session_create(p, &side->s, err));
    mst_session_tap(side->s, on_float, side);
    return MST_OK;
}

mst_status mst_attrib_worker_create(mst_attrib *a, mst_attrib_worker **out, mst_err *err)
{
    *out = NULL;
    mst_attrib_worker *w = mst_alloc(NULL, sizeof *w);
    if (w == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    w->a = a;
    w->n_passes = a->n_passes;
    mst_status st = allocate(w) ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a worker of the attribution");
    if (st == MST_OK)
        st = open_side(w, &w->ann, a->ann, true, err);
    if (st == MST_OK)
        st = open_side(w, &w->even, a->even, false, err);
    if (st == MST_OK)
        st = mst_session_create(a->snn, &w->snn, err);
    if (st != MST_OK) {
        mst_attrib_worker_destroy(w);
        return st;
    }
    mst_session_tap(w->snn, on_snn, w);
    *out = w;
    return MST_OK;
}

void mst_attrib_worker_destroy(mst_attrib_worker *w)
{
    if (w == NULL)
        return;
    mst_session_destroy(w->ann.s);
    mst_session_destroy(w->even.s);
    mst_session_destroy(w->snn);
    mst_arena_release(&w->arena);
    mst_free(NULL, w, sizeof *w);
}

/* ---- the spiking network ------------------------------------------------------------------------ */

static double theta_at(const attrib_neuron *n, size_t i)
{
    return (double)n->theta[n->thetas != 1 ? i / n->inner % n->thetas : 0];
}

/* Spikes to values. */
static void take_values(const mst_attrib_worker *w, size_t k)
{
    const mst_attrib *a = w->a;
    const attrib_values *v = &w->values[k];
    for (size_t i = 0; !a->counts && i < a->layers[k].neurons; i++) {
        double theta = theta_at(&a->layers[k].snn, i);
        v->fired[i] = (float)(theta * w->count[k][i] / a->steps);
        v->left[i] = (float)(theta * w->kept[k][i] / a->steps);
    }
}

/* v(T) to residuals, where the mean current cannot be had from the graph. */
static void settle(const mst_attrib_worker *w, size_t k)
{
    const mst_attrib *a = w->a;
    const attrib_layer *l = &a->layers[k];
    const float *end = mst_session_potential(w->snn, l->snn_layer);
    for (size_t i = 0; l->steps != 0 && i < l->neurons; i++) {
        double first = (double)(l->first != NULL ? l->first[i] : l->snn.shift) * theta_at(&l->snn, i);
        w->row[i] = (float)(((double)end[i] - first) / a->steps);
    }
    mst_attrib_settle(l, a->counts, l->steps != 0 ? w->row : NULL, &w->values[k]);
}

/* Logits: the mean over all steps in fired, over those that are read in left. */
static void run_snn(mst_attrib_worker *w, uint32_t sample)
{
    const mst_attrib *a = w->a;
    const attrib_values *v = &w->values[a->n_layers];
    for (size_t k = 0; !a->counts && k < a->n_layers; k++) {
        memset(w->count[k], 0, a->layers[k].neurons * sizeof **w->count);
        memset(w->kept[k], 0, a->layers[k].neurons * sizeof **w->kept);
    }
    memset(w->sums, 0, a->classes * sizeof *w->sums);
    mst_session_begin(w->snn, w->x, sample);
    for (uint32_t t = 0, n; t < a->steps; t += n) {
        n = mst_session_run(w->snn, a->steps - t);
        for (uint32_t i = 0; i < n; i++)
            for (size_t c = 0; c < a->classes; c++)
                w->sums[c] += (double)mst_session_logits(w->snn, i)[c];
    }
    mst_session_mean_logits(w->snn, MST_LAST, v->left);
    for (size_t c = 0; c < a->classes; c++)
        v->fired[c] = a->readout_from > 1 ? (float)(w->sums[c] / a->steps) : v->left[c];
}

/* ---- passes -------------------------------------------------------------------------------------- */

/* Currents that no node makes: the sample (the mean of its frames, as the network has it), or constants. */
static void give_inputs(worker_side *side, const float *x)
{
    mst_attrib_worker *w = side->w;
    const mst_graph *g = mst_program_graph(side->ann ? w->a->ann : w->a->snn);
    for (uint32_t i = 0; i < side->wires->n_given; i++) {
        uint32_t k = side->wires->given[i];
        size_t n = w->a->layers[k].neurons;
        if (side->wires->source[k] == g->input)
            mst_calib_mean_frame(x, w->a->input_size, n, w->current[k]);
        else
            memcpy(w->current[k], g->tensors[side->wires->source[k]].data, n * sizeof(float));
    }
}

/* The logits, in out. */
static void run_side(worker_side *side, worker_job job, const float *x, uint32_t sample, float *out)
{
    side->job = job;
    give_inputs(side, x);
    mst_session_begin(side->s, x, sample);
    mst_session_step(side->s);
    mst_session_mean_logits(side->s, MST_LAST, out);
}

/* What the causes of a pass do to the logits themselves. */
static void change_logits(const mst_attrib_worker *w, uint32_t on)
{
    const attrib_layer *l = &w->a->layers[w->a->n_layers];
    const attrib_values *v = &w->values[w->a->n_layers];
    bool all = (l->causes & ~on) == 0;
    for (size_t c = 0; (on & l->causes) != 0 && c < w->a->classes; c++) {
        double y = (double)w->logits[c];
        if ((on & l->current) != 0)
            y += (double)v->even[c] - (double)v->ann[c];
        if ((on & l->steps) != 0)
            y += (double)v->mean[c] - (double)v->even[c];
        if ((on & ATTRIB_BIT(MST_CAUSE_READOUT)) != 0)
            y += (double)v->left[c] - (double)v->mean[c];
        w->logits[c] = all && w->logits[c] == v->ann[c] ? v->left[c] : (float)y;
    }
}

static void judge(mst_attrib_worker *w, size_t pass, const float *logits)
{
    size_t n = w->a->classes;
    w->right[pass] = w->label >= 0 && mst_argmax(logits, n) == (size_t)w->label;
    w->error_sq[pass] = 0;
    for (size_t c = 0; c < n; c++) {
        double d = (double)logits[c] - (double)w->ann_logits[c];
        w->error_sq[pass] += d * d;
    }
}

static void run_passes(mst_attrib_worker *w, uint32_t sample)
{
    const mst_attrib *a = w->a;
    judge(w, ATTRIB_ANN, w->ann_logits);
    judge(w, ATTRIB_SNN, w->values[a->n_layers].left);
    for (size_t p = ATTRIB_KNOWN; p < w->n_passes; p++) {
        const attrib_pass *pass = w->ann.pass = &a->passes[p];
        run_side(&w->ann, pass->standard ? JOB_PLAIN : JOB_WHAT_IF, pass->standard ? w->standard : w->x, sample,
                 w->logits);
        if (!pass->standard)
            change_logits(w, mst_attrib_on(a, pass, a->n_layers));
        judge(w, p, w->logits);
    }
}

/* ---- a sample -------------------------------------------------------------------------------------- */

static void look_at_input(mst_attrib_worker *w)
{
    const mst_attrib *a = w->a;
    size_t frame = mst_tensor_elements(&mst_program_graph(a->snn)->tensors[mst_program_graph(a->snn)->input]);
    size_t each = frame / a->channels;
    memset(w->x_sum, 0, a->channels * sizeof *w->x_sum);
    memset(w->x_sq, 0, a->channels * sizeof *w->x_sq);
    for (size_t i = 0; i < a->input_size; i++) {
        size_t c = i % frame / each;
        double x = (double)w->x[i], deviation = a->chosen && a->deviation[c] > 0 ? a->deviation[c] : 1;
        w->x_sum[c] += x;
        w->x_sq[c] += x * x;
        w->standard[i] = (float)((x - a->mean[c]) / deviation);
    }
}

/* The logits are the last layer's chain: A, B, the mean of all steps, that of those that are read. */
static void take_logits(const mst_attrib_worker *w)
{
    const attrib_layer *l = &w->a->layers[w->a->n_layers];
    const attrib_values *v = &w->values[w->a->n_layers];
    for (size_t c = 0; c < w->a->classes; c++)
        v->mean[c] = l->steps != 0 ? v->fired[c] : v->even[c];
}

static void reduce_logits(const mst_attrib_worker *w, attrib_own *sum)
{
    const attrib_layer *l = &w->a->layers[w->a->n_layers];
    const attrib_values *v = &w->values[w->a->n_layers];
    for (size_t c = 0; c < w->a->classes; c++) {
        double a = (double)v->ann[c], b = (double)v->even[c], m = (double)v->mean[c], y = (double)v->left[c];
        sum->error_sq += (y - a) * (y - a);
        sum->ann_sq += a * a;
        sum->ann_abs += fabs(a);
        sum->part_abs[l->differs ? MST_CAUSE_NETWORK : MST_CAUSE_WEIGHTS] += fabs(b - a);
        sum->part_abs[mst_attrib_step_cause(l)] += fabs(m - b);
        sum->part_abs[MST_CAUSE_READOUT] += fabs(y - m);
    }
}

static bool finite_all(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

mst_status mst_attrib_measure(mst_attrib_worker *w, size_t i, mst_err *err)
{
    const mst_attrib *a = w->a;
    const attrib_values *logits = &w->values[a->n_layers];
    if (i > UINT32_MAX)
        return mst_fail(err, MST_ELIMIT, "sample %zu: the mask counters end at %u", i, UINT32_MAX);
    MST_TRY(a->opts.get(a->opts.ctx, i, w->x, &w->label, err));
    look_at_input(w);
    run_side(&w->ann, JOB_PLAIN, w->x, (uint32_t)i, w->ann_logits);
    run_snn(w, (uint32_t)i);
    if (!finite_all(w->ann_logits, a->classes) || !finite_all(logits->left, a->classes))
        return mst_fail(err, MST_EINVAL, "sample %zu: logits of the %s are not finite", i,
                        finite_all(w->ann_logits, a->classes) ? "spiking network" : "ANN");
    w->ann_sq = 0;
    for (size_t c = 0; c < a->classes; c++)
        w->ann_sq += (double)w->ann_logits[c] * (double)w->ann_logits[c];
    memset(w->own, 0, (a->n_layers + 1) * sizeof *w->own);
    for (size_t k = 0; k < a->n_layers; k++)
        take_values(w, k);
    run_side(&w->even, JOB_CURRENT, w->x, (uint32_t)i, logits->even);
    run_side(&w->ann, JOB_CURRENT, w->x, (uint32_t)i, logits->ann);
    for (size_t k = 0; k < a->n_layers; k++) {
        settle(w, k);
        mst_attrib_reduce(&a->layers[k], a->counts, &w->values[k], &w->own[k]);
    }
    take_logits(w);
    reduce_logits(w, &w->own[a->n_layers]);
    run_passes(w, (uint32_t)i);
    return MST_OK;
}

/* ---- sums ------------------------------------------------------------------------------------------- */

static void add_own(attrib_own *to, const attrib_own *x)
{
    to->error_sq += x->error_sq;
    to->ann_sq += x->ann_sq;
    to->ann_abs += x->ann_abs;
    for (int c = 0; c < MST_CAUSE_COUNT; c++)
        to->part_abs[c] += x->part_abs[c];
}

void mst_attrib_commit(mst_attrib_worker *w)
{
    mst_attrib *a = w->a;
    a->samples++;
    a->labelled += w->label >= 0;
    a->ann_sq += w->ann_sq;
    for (size_t p = 0; p < w->n_passes; p++) {
        a->right[p] += w->right[p];
        a->error_sq[p] += w->error_sq[p];
    }
    for (size_t r = 0; r < a->n_rows; r++) {
        const attrib_row *row = &a->rows[r];
        int d = (int)w->right[row->from] - (int)w->right[row->to];
        d += row->two ? (int)w->right[row->from2] - (int)w->right[row->to2] : 0;
        a->gained[r] += d;
        a->changed[r] += (uint64_t)(d * d);
    }
    for (size_t k = 0; k <= a->n_layers; k++)
        add_own(&a->own[k], &w->own[k]);
    if (!a->chosen) {
        for (size_t c = 0; c < a->channels; c++) {
            a->x_sum[c] += w->x_sum[c];
            a->x_sq[c] += w->x_sq[c];
        }
        a->x_n += a->input_size / a->channels;
    }
}
