/* See report_look.h. */
#include "tools/report/report_look.h"

#include <math.h>
#include <string.h>

#include "mst/calibrate.h"
#include "mst/facts.h"
#include "runtime/data/data_want.h"
#include "tools/run_show.h"
#include "tools/tool_mode.h"
#include "tools/tool_names.h"

#define LEAST_SIDE 7u /* of maps, where no layer is named; or this part of the input's: */
#define SIDE_PART 8u
#define POTENTIAL_LO (-1) /* times theta */
#define POTENTIAL_HI 2
#define MAX_SIDE 256u /* pixels of a picture in the page */

/* A layer of both networks, and what it did on a sample. */
typedef struct watched {
    size_t snn, ann; /* layers; SIZE_MAX: none */
    size_t n;
    float *a;        /* [n] activations of the ANN */
    uint32_t *count; /* [n] spikes */
    float *value;    /* [n] count and radix mode: what these are worth */
} watched;

typedef struct looker {
    const mst_look_job *job;
    mst_look *out;
    mst_session *ann, *snn;
    float *x;
    bool counts;
    watched layer, map;
} looker;

mst_status mst_look_find(const mst_program *p, const char *name, size_t *layer, mst_err *err)
{
    uint64_t number;
    size_t n = mst_program_layers(p);
    *layer = mst_layer_called(p, name);
    if (*layer != SIZE_MAX)
        return MST_OK;
    if (mst_parse_uint(name, &number) && number < n) {
        *layer = (size_t)number;
        return MST_OK;
    }
    return mst_fail(err, MST_EINVAL,
                    "--html-layer: expected a layer or its number, 0 to %zu, found '%s' (see mstrun --info)",
                    n != 0 ? n - 1 : 0, name);
}

/* ---- maps ---- */

/* Where the places of a layer are in its values: [1,C,H,W], [1,H,W,C], or [1,H*W,C] with H = W. */
typedef struct places {
    uint32_t height, width, channels;
    size_t place_step, channel_step;
} places;

static bool find_places(const mst_program *p, size_t k, places *out)
{
    uint32_t d[MST_MAX_RANK];
    uint32_t rank = mst_program_layer_shape(p, k, d);
    int axis = mst_program_layer_axis(p, k);
    if (rank == 4 && d[0] == 1 && axis == 1)
        *out = (places){d[2], d[3], d[1], 1, (size_t)d[2] * d[3]};
    else if (rank == 4 && d[0] == 1 && axis == 3)
        *out = (places){d[1], d[2], d[3], d[3], 1};
    else if (rank == 3 && d[0] == 1 && axis == 2 && lround(sqrt(d[1])) * lround(sqrt(d[1])) == (long)d[1])
        *out = (places){(uint32_t)lround(sqrt(d[1])), (uint32_t)lround(sqrt(d[1])), d[2], d[2], 1};
    else
        return false;
    return out->height > 1 && out->width > 1;
}

/* The one that was named, if it has places; else the last that shows enough of them. */
static size_t choose_map(const looker *l)
{
    const mst_program *p = l->job->snn;
    const mst_graph *g = mst_program_graph(p);
    const mst_tensor *input = &g->tensors[g->input];
    uint32_t side = input->rank == 4 ? input->dims[3] / SIDE_PART : 0;
    places at;
    side = side > LEAST_SIDE ? side : LEAST_SIDE;
    if (l->job->named != NULL && find_places(p, l->layer.snn, &at))
        return l->layer.snn;
    for (size_t k = mst_program_layers(p); k-- > 0;)
        if (find_places(p, k, &at) && at.height >= side && at.width >= side)
            return k;
    for (size_t k = mst_program_layers(p); k-- > 0;)
        if (find_places(p, k, &at))
            return k;
    return SIZE_MAX;
}

/* ---- values ---- */

static mst_status watch(looker *l, size_t k, watched *w, mst_err *err)
{
    mst_arena *a = &l->out->arena;
    uint32_t ann;
    *w = (watched){.snn = SIZE_MAX, .ann = SIZE_MAX};
    if (k == SIZE_MAX || mst_calib_partner(l->job->ann, l->job->snn, k, &ann, NULL) != MST_OK)
        return MST_OK;
    w->snn = k;
    w->ann = ann;
    w->n = (size_t)mst_program_layer(l->job->snn, k)->neurons;
    w->a = mst_arena_array(a, w->n, sizeof *w->a);
    w->count = mst_arena_array(a, w->n, sizeof *w->count);
    w->value = mst_arena_array(a, w->n, sizeof *w->value);
    return w->a != NULL && w->count != NULL && w->value != NULL
               ? MST_OK
               : mst_fail(err, MST_ENOMEM, "out of memory for a report");
}

static void see_ann(void *ctx, const mst_session *s, const mst_tap *t)
{
    looker *l = ctx;
    (void)s;
    if (t->layer == MST_NONE)
        return;
    if (t->layer == l->layer.ann)
        mst_tap_values(t, 0, l->layer.a);
    if (t->layer == l->map.ann)
        mst_tap_values(t, 0, l->map.a);
}

static void see_layer(const looker *l, const mst_tap *t, watched *w)
{
    if (t->layer != w->snn)
        return;
    if (l->counts)
        mst_tap_values(t, 0, w->value);
    else
        mst_tap_count(t, w->count);
}

static void see_snn(void *ctx, const mst_session *s, const mst_tap *t)
{
    looker *l = ctx;
    (void)s;
    if (t->layer == MST_NONE)
        return;
    see_layer(l, t, &l->layer);
    see_layer(l, t, &l->map);
}

static double theta_of(const mst_program *p, size_t k, size_t i)
{
    uint32_t d[MST_MAX_RANK];
    uint32_t rank = mst_program_layer_shape(p, k, d);
    size_t n = mst_program_layer_thetas(p, k), inner = 1;
    for (uint32_t r = (uint32_t)mst_program_layer_axis(p, k) + 1; r < rank; r++)
        inner *= d[r];
    return (double)mst_program_layer_theta(p, k, n > 1 ? i / inner % n : 0);
}

/* What neuron i of the spiking network says, over the most that it can. */
static double rate_of(const looker *l, const watched *w, size_t i, double theta)
{
    return l->counts ? (double)w->value[i] / theta : (double)w->count[i] / l->job->steps;
}

static mst_status run_both(looker *l, uint32_t sample, mst_err *err)
{
    int label;
    MST_TRY(mst_data_get(l->job->data, sample, l->x, &label, err));
    if (l->layer.count != NULL)
        memset(l->layer.count, 0, l->layer.n * sizeof *l->layer.count);
    if (l->map.count != NULL)
        memset(l->map.count, 0, l->map.n * sizeof *l->map.count);
    mst_session_begin(l->ann, l->x, sample);
    mst_session_step(l->ann);
    mst_session_begin(l->snn, l->x, sample);
    for (uint32_t t = 0; t < l->job->steps;)
        t += mst_session_run(l->snn, l->job->steps - t);
    return MST_OK;
}

/* ---- distributions ---- */

static void add(mst_histogram *h, double v)
{
    double at = (v - h->lo) / (h->hi - h->lo) * (double)(h->bins - 1) + 0.5;
    size_t bin = !(at > 0) ? 0 : at >= (double)h->bins ? h->bins - 1
                                                       : (size_t)at;
    h->count[bin]++;
    h->n++;
}

static void add_sample(looker *l)
{
    const mst_program *p = l->job->snn;
    const float *v = mst_session_potential(l->snn, l->layer.snn);
    for (size_t i = 0; i < l->layer.n; i++) {
        double theta = theta_of(p, l->layer.snn, i);
        if (!(theta > 0))
            continue;
        add(&l->out->ann, (double)l->layer.a[i] / theta);
        add(&l->out->snn, rate_of(l, &l->layer, i, theta));
        if (v != NULL)
            add(&l->out->potential, (double)v[i] / theta);
    }
}

static bool was_skipped(const mst_outcome *o, uint32_t sample)
{
    size_t listed = o->n_skipped < MST_SKIPPED_LISTED ? o->n_skipped : MST_SKIPPED_LISTED;
    for (size_t i = 0; i < listed; i++)
        if (o->skipped[i].sample == sample)
            return true;
    return false;
}

/* A bin for each level that the ANN has, as far as there is room. */
static mst_status distributions(looker *l, mst_err *err)
{
    mst_look *out = l->out;
    if (l->layer.snn == SIZE_MAX)
        return MST_OK;
    int levels = mst_program_layer_levels(l->job->ann, l->layer.ann);
    size_t bins = (size_t)(levels > 0 && levels < MST_LOOK_BINS ? levels + 1 : MST_LOOK_BINS);
    out->ann = out->snn = (mst_histogram){.lo = 0, .hi = 1, .bins = bins};
    if (!l->counts)
        out->potential = (mst_histogram){.lo = POTENTIAL_LO, .hi = POTENTIAL_HI, .bins = MST_LOOK_BINS};
    for (size_t i = 0; i < l->job->pick->n && out->samples < MST_LOOK_SAMPLES; i++) {
        if (was_skipped(l->job->outcome, l->job->pick->at[i]))
            continue;
        MST_TRY(run_both(l, l->job->pick->at[i], err));
        add_sample(l);
        out->samples++;
    }
    return MST_OK;
}

/* ---- pictures ---- */

/* Mean over channels at each place, over theta; the ANN's activations or the network's spikes. */
static void draw_map(const looker *l, const places *at, bool ann, float *out)
{
    const watched *w = &l->map;
    for (size_t i = 0; i < (size_t)at->height * at->width; i++) {
        double sum = 0;
        for (size_t c = 0; c < at->channels; c++) {
            size_t j = i * at->place_step + c * at->channel_step;
            double theta = theta_of(l->job->snn, w->snn, j);
            if (theta > 0)
                sum += ann ? (double)w->a[j] / theta : rate_of(l, w, j, theta);
        }
        out[i] = (float)(sum / at->channels);
    }
}

static mst_status map_picture(looker *l, const places *at, mst_look_picture *p, mst_err *err)
{
    size_t n = (size_t)at->height * at->width;
    MST_TRY(run_both(l, p->flip.sample, err));
    p->ann = mst_arena_array(&l->out->arena, n, sizeof *p->ann);
    p->snn = mst_arena_array(&l->out->arena, n, sizeof *p->snn);
    if (p->ann == NULL || p->snn == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report");
    draw_map(l, at, true, p->ann);
    draw_map(l, at, false, p->snn);
    return MST_OK;
}

/* To MAX_SIDE pixels, by the mean of squares of them. */
static mst_status shrink(mst_image *im, mst_err *err)
{
    uint32_t most = im->width > im->height ? im->width : im->height, by = (most + MAX_SIDE - 1) / MAX_SIDE;
    mst_image small = {0};
    if (by <= 1)
        return MST_OK;
    MST_TRY(
        mst_image_make(&small, (im->width + by - 1) / by, (im->height + by - 1) / by, im->channels, "--html", err));
    for (uint32_t y = 0; y < small.height; y++)
        for (uint32_t x = 0; x < small.width; x++)
            for (uint32_t c = 0; c < im->channels; c++) {
                unsigned sum = 0, n = 0;
                for (uint32_t v = y * by; v < (y + 1) * by && v < im->height; v++)
                    for (uint32_t u = x * by; u < (x + 1) * by && u < im->width; u++, n++)
                        sum += im->pixels[((size_t)v * im->width + u) * im->channels + c];
                small.pixels[((size_t)y * small.width + x) * im->channels + c] = (uint8_t)((sum + n / 2) / n);
            }
    mst_image_free(im);
    *im = small;
    return MST_OK;
}

static mst_status sample_picture(const looker *l, mst_look_picture *p, mst_err *err)
{
    mst_data_want want = {.size = sizeof want};
    uint32_t shape[3];
    int label;
    MST_TRY(mst_data_want_of(mst_program_graph(l->job->snn), &want, err));
    mst_status st = mst_show_draw(l->job->data, p->flip.sample, &want, &p->image, shape, &label, err);
    if (st == MST_EUNSUPPORTED || st == MST_ELIMIT) /* not to be drawn: the table has it all the same */
        return MST_OK;
    return st == MST_OK ? shrink(&p->image, err) : st;
}

static mst_status pictures(looker *l, mst_err *err)
{
    mst_look *out = l->out;
    places at;
    bool mapped = l->map.snn != SIZE_MAX && find_places(l->job->snn, l->map.snn, &at);
    out->map_layer = l->map.snn;
    out->height = mapped ? at.height : 0;
    out->width = mapped ? at.width : 0;
    for (size_t i = 0; i < l->job->versus->n_flips && i < MST_LOOK_PICTURES; i++) {
        mst_look_picture *p = &out->pictures[out->n_pictures++];
        p->flip = l->job->versus->flips[i];
        MST_TRY(sample_picture(l, p, err));
        if (mapped)
            MST_TRY(map_picture(l, &at, p, err));
    }
    return MST_OK;
}

/* ---- the whole ---- */

static mst_status prepare(looker *l, mst_err *err)
{
    const mst_look_job *job = l->job;
    size_t layer = mst_program_layers(job->snn) != 0 ? job->otherwise : SIZE_MAX;
    if (job->named != NULL)
        MST_TRY(mst_look_find(job->snn, job->named, &layer, err));
    l->out->layer = layer;
    MST_TRY(watch(l, layer, &l->layer, err));
    MST_TRY(watch(l, choose_map(l), &l->map, err));
    l->x = mst_arena_array(&l->out->arena, mst_program_input_size(job->snn), sizeof *l->x);
    if (l->x == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report");
    MST_TRY(mst_session_create(job->ann, &l->ann, err));
    MST_TRY(mst_session_create(job->snn, &l->snn, err));
    mst_session_tap(l->ann, see_ann, l);
    mst_session_tap(l->snn, see_snn, l);
    return MST_OK;
}

mst_status mst_look_make(const mst_look_job *job, mst_look *look, mst_err *err)
{
    *look = (mst_look){0};
    looker l = {.job = job, .out = look, .counts = mst_mode_counts(mst_program_mode(job->snn))};
    mst_status st = prepare(&l, err);
    if (st == MST_OK)
        st = distributions(&l, err);
    if (st == MST_OK)
        st = pictures(&l, err);
    mst_session_destroy(l.ann);
    mst_session_destroy(l.snn);
    return st;
}

void mst_look_free(mst_look *look)
{
    for (size_t i = 0; i < look->n_pictures; i++)
        mst_image_free(&look->pictures[i].image);
    mst_arena_release(&look->arena);
    *look = (mst_look){0};
}
