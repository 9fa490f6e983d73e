/* Conversion error: the parts are those of simulated neurons, known cases come out as known, and two
 * programs of one graph are measured right.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/calib.h"
#include "converter/passes/passes.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/run_tests.h"

#define INPUT 4
#define CLASSES 2

static void assert_near(double a, double b)
{
    ck_assert_msg(fabs(a - b) <= 1e-9 * (1 + fabs(a)), "%.17g against %.17g", a, b);
}

/* Whole steps of theta/n below x, within 0..n. */
static double stairs(double x, double theta, double n)
{
    double k = 0;
    while (k < n && theta * (k + 0.5) <= x * n)
        k++;
    return theta * k / n;
}

/* A neuron fires for currents that come, evenly or not; of what kind its error is follows from the currents. */
START_TEST(parts_of_simulated_neurons)
{
    uint64_t state = 1;
    unsigned clipped = 0, uneven = 0;
    for (int i = 0; i < 20000; i++) {
        double theta = 0.25 * (double)(1 + sample_next(&state) % 8), v = theta / 2, spikes = 0, sum = 0;
        int steps = 1 << sample_next(&state) % 6, levels = 1 << sample_next(&state) % 5, even = i % 2;
        double current = theta / 64 * ((double)(sample_next(&state) % 128) - 32); /* sums are exact */
        for (int t = 0; t < steps; t++) {
            double in = even ? current : theta / 64 * ((double)(sample_next(&state) % 192) - 64);
            sum += in;
            v += in;
            if (v >= theta) {
                v -= theta;
                spikes++;
            }
        }
        double m = sum / steps, a = theta * (double)(sample_next(&state) % 33) / 32;
        double stored = theta * (double)(sample_next(&state) % 33) / 32;
        calib_error x = mst_calib_split(theta, levels, 0.5, steps, spikes, a, stored, v);
        double late = theta * spikes / steps - stairs(m, theta, steps);
        bool outside = m < 0 || m > theta;
        assert_near(x.part[MST_PART_CLIPPING], outside ? late : 0);
        assert_near(x.part[MST_PART_UNEVENNESS], outside ? 0 : late);
        ck_assert(!even || late == 0); /* an even current fires as the staircase says */
        assert_near(x.part[MST_PART_QUANTIZATION], stairs(m, theta, steps) - stairs(m, theta, levels));
        assert_near(x.part[MST_PART_INHERITED], stairs(m, theta, levels) - stored);
        assert_near(x.part[MST_PART_WEIGHTS], stored - a);
        assert_near(x.residual, m - theta * spikes / steps);
        assert_near(x.e, theta * spikes / steps - a);
        clipped += outside && late != 0;
        uneven += !outside && late != 0;
    }
    ck_assert_msg(clipped > 100 && uneven > 1000, "clipped %u, uneven %u", clipped, uneven);
}
END_TEST

/* theta 1, L 4, shift 1/2 throughout */
START_TEST(known_cases)
{
    /* even current 0.5 for 8 steps: 4 spikes, v back at its start, the ANN the same: no error */
    calib_error x = mst_calib_split(1, 4, 0.5, 8, 4, 0.5, 0.5, 0.5);
    ck_assert(x.e == 0 && x.residual == 0);
    /* mean current 0.375 in 8 steps: 3 spikes; four levels make 0.5 of it */
    x = mst_calib_split(1, 4, 0.5, 8, 3, 0.5, 0.5, 0.5);
    ck_assert(x.part[MST_PART_QUANTIZATION] == -0.125 && x.e == -0.125);
    /* mean current -0.25, yet one early spike: clipping */
    x = mst_calib_split(1, 4, 0.5, 8, 1, 0, 0, 0.5 - 8 * 0.375);
    ck_assert(x.part[MST_PART_CLIPPING] == 0.125 && x.part[MST_PART_UNEVENNESS] == 0);
    /* mean current 0.5, but it came late: two spikes, the rest is still in v */
    x = mst_calib_split(1, 4, 0.5, 8, 2, 0.5, 0.5, 2.5);
    ck_assert(x.part[MST_PART_UNEVENNESS] == -0.25 && x.residual == 0.25);
    /* the mean current itself differs */
    x = mst_calib_split(1, 4, 0.5, 8, 4, 0.25, 0.25, 0.5);
    ck_assert(x.part[MST_PART_INHERITED] == 0.25);
    /* a quarter less because the weights are stored otherwise, the rest inherited */
    x = mst_calib_split(1, 4, 0.5, 8, 4, 0.25, 0, 0.5);
    ck_assert(x.part[MST_PART_WEIGHTS] == -0.25 && x.part[MST_PART_INHERITED] == 0.5);
}
END_TEST

/* ---- two programs ---- */

typedef struct pair {
    mst_graph *g;
    mst_program *ann, *snn, *stored; /* stored: NULL, unless a test sets it */
} pair;

/* Weights of the sample are whole numbers of steps, which int8 holds as they are: these are not. */
static void leave_the_grid(mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].op != MST_OP_LINEAR && g->nodes[i].op != MST_OP_CONV)
            continue;
        const mst_tensor *t = &g->tensors[g->nodes[i].in[1]];
        float *w = (float *)(uintptr_t)t->data;
        for (size_t k = 0; k < mst_tensor_elements(t); k++)
            w[k] += 0.002f * sinf((float)(k + 1));
    }
}

static void open_pair(pair *p)
{
    mst_err err = {0};
    mst_run_opts ann = {.mode = MST_RUN_FLOAT}, snn = {.mode = MST_RUN_SPIKING};
    p->stored = NULL;
    ck_assert_msg(sample_tiny(NULL, &p->g, &err) == MST_OK, "%s", err.text);
    leave_the_grid(p->g);
    ck_assert_msg(mst_program_create(p->g, &ann, &p->ann, &err) == MST_OK, "%s", err.text);
    ck_assert_msg(mst_program_create(p->g, &snn, &p->snn, &err) == MST_OK, "%s", err.text);
}

static void close_pair(pair *p)
{
    mst_program_destroy(p->snn);
    mst_program_destroy(p->ann);
    mst_graph_destroy(p->g);
}

static void sample_input(size_t i, float x[INPUT])
{
    uint64_t state = i + 1;
    for (int k = 0; k < INPUT; k++)
        x[k] = (float)(sample_next(&state) % 1000) / 300.0f - 1.0f;
}

static mst_status get(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    const size_t *bad = ctx;
    sample_input(i, x);
    *label = (int)(i % CLASSES);
    return bad != NULL && i == *bad ? mst_fail(err, MST_EIO, "sample %zu is bad", i) : MST_OK;
}

/* n samples, measured by two workers in an order of their own, committed in sample order */
static mst_calib_report run(const pair *p, const uint32_t *at, uint32_t n_at, size_t n, bool crossed)
{
    mst_calib *c;
    mst_calib_worker *w[2];
    mst_calib_report r;
    mst_err err = {0};
    mst_calib_opts opts = {.at = at, .n_at = n_at, .get = get, .stored = p->stored};
    ck_assert_msg(mst_calib_create(p->ann, p->snn, &opts, &c, &err) == MST_OK, "%s", err.text);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(mst_calib_worker_create(c, &w[i], &err), MST_OK);
    for (size_t i = 0; i < n; i += 2) {
        ck_assert_int_eq(mst_calib_measure(w[crossed], crossed ? i + 1 : i, &err), MST_OK);
        ck_assert_int_eq(mst_calib_measure(w[!crossed], crossed ? i : i + 1, &err), MST_OK);
        mst_calib_commit(w[0]);
        mst_calib_commit(w[1]);
    }
    ck_assert_int_eq(mst_calib_report_make(c, &r, &err), MST_OK);
    mst_calib_worker_destroy(w[0]);
    mst_calib_worker_destroy(w[1]);
    mst_calib_destroy(c);
    return r;
}

/* The neuron's activation, spikes and mean current of one sample, from the public API alone. */
typedef struct direct {
    double mae, bias, error_sq, ann_sq, max, residual, spikes, within;
    size_t n;
} direct;

typedef struct watch {
    uint32_t node;
    float sum[64];
} watch;

static void on_node(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    watch *w = ctx;
    float out[64];
    if (t->node != w->node)
        return;
    mst_tap_values(t, 0, out);
    for (size_t i = 0; i < t->n; i++)
        w->sum[i] += out[i];
}

static void run_watched(const mst_program *p, const float *x, uint32_t steps, watch *w, float *v)
{
    mst_session *s;
    mst_err err;
    ck_assert_int_eq(mst_session_create(p, &s, &err), MST_OK);
    memset(w->sum, 0, sizeof w->sum);
    mst_session_tap(s, on_node, w);
    mst_session_begin(s, x, 0);
    for (uint32_t t = 0; t < steps; t++)
        mst_session_step(s);
    if (v != NULL)
        memcpy(v, mst_session_potential(s, 0), (size_t)mst_program_layer(p, 0)->neurons * sizeof *v);
    mst_session_destroy(s);
}

static direct measure_directly(const pair *p, uint32_t steps, size_t samples)
{
    direct d = {0};
    const mst_layer *l = mst_program_layer(p->snn, 0);
    const mst_node *node = &p->g->nodes[l->node];
    watch ann = {.node = l->node}, snn = {.node = l->node};
    ck_assert(l->neurons <= 64 && !l->theta_per_channel);
    for (size_t k = 0; k < samples; k++) {
        float x[INPUT], v[64];
        sample_input(k, x);
        run_watched(p->ann, x, 1, &ann, NULL);
        run_watched(p->snn, x, steps, &snn, v);
        for (size_t i = 0; i < l->neurons; i++, d.n++) {
            double count = round((double)snn.sum[i] / l->theta),
                   e = l->theta * count / steps - (double)ann.sum[i];
            d.mae += fabs(e);
            d.within += fabs(e) <= l->theta / (2 * l->levels);
            d.bias += e;
            d.error_sq += e * e;
            d.ann_sq += (double)ann.sum[i] * (double)ann.sum[i];
            d.max = fabs(e) > d.max ? fabs(e) : d.max;
            d.residual += fabs((double)v[i] - (double)node->fp[MST_NEURON_SHIFT] * l->theta) / steps;
            d.spikes += count;
        }
    }
    return d;
}

START_TEST(measures_what_the_api_shows)
{
    pair p;
    const uint32_t at[] = {1, 3, 8};
    open_pair(&p);
    mst_calib_report r = run(&p, at, 3, 10, false);
    direct d = measure_directly(&p, 8, 10);
    ck_assert(r.samples == 10 && r.labelled == 10 && r.n_points == 3 &&
              r.n_layers == mst_program_layers(p.snn));
    const mst_calib_layer *l = &r.layers[0];
    double n = (double)d.n, steps = 8;
    ck_assert_str_eq(l->name, mst_program_layer(p.snn, 0)->name);
    assert_near(l->mae, d.mae / n);
    assert_near(l->bias, d.bias / n);
    assert_near(l->max, d.max);
    assert_near(l->within, d.within / n);
    assert_near(l->residual, d.residual / n);
    assert_near(l->rate, d.spikes / (n * steps));
    if (d.ann_sq > 0)
        assert_near(l->rel_l2, sqrt(d.error_sq / d.ann_sq));
    double parts = 0;
    for (int k = 0; k < MST_PART_COUNT; k++)
        parts += l->part_mean[k];
    ck_assert(fabs(parts - l->bias) < 1e-6);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(r.points[i].t == at[i] && r.points[i].agreement >= 0 && r.points[i].agreement <= 1);
    mst_calib_report_free(&r);
    close_pair(&p);
}
END_TEST

/* Errors of three steps against eight levels are on either side of half a level, and of a whole one. */
/* Accuracy and logit error are those of the steps asked for, in either schedule. */
START_TEST(points_are_those_of_their_steps)
{
    pair p;
    const uint32_t at[] = {1, 3, 8, 16, 20};
    open_pair(&p);
    mst_run_opts o = {.mode = MST_RUN_SPIKING, .schedule = _i == 0 ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK};
    mst_program_destroy(p.snn);
    ck_assert_int_eq(mst_program_create(p.g, &o, &p.snn, NULL), MST_OK);
    mst_calib_report r = run(&p, at, 5, 10, false);
    double off[5] = {0}, whole = 0;
    size_t agree[5] = {0};
    mst_session *ann, *snn;
    ck_assert(mst_session_create(p.ann, &ann, NULL) == MST_OK && mst_session_create(p.snn, &snn, NULL) == MST_OK);
    for (size_t i = 0; i < 10; i++) {
        float x[INPUT], a[CLASSES], y[CLASSES];
        sample_input(i, x);
        mst_session_begin(ann, x, (uint32_t)i);
        mst_session_step(ann);
        mst_session_mean_logits(ann, MST_LAST, a);
        mst_session_begin(snn, x, (uint32_t)i);
        for (uint32_t t = 1, k = 0; t <= 20; t++) {
            mst_session_step(snn);
            if (t != at[k])
                continue;
            mst_session_mean_logits(snn, MST_LAST, y);
            for (int c = 0; c < CLASSES; c++)
                off[k] += ((double)y[c] - (double)a[c]) * ((double)y[c] - (double)a[c]);
            agree[k++] += mst_argmax(y, CLASSES) == mst_argmax(a, CLASSES);
        }
        for (int c = 0; c < CLASSES; c++)
            whole += (double)a[c] * (double)a[c];
    }
    for (int k = 0; k < 5; k++) {
        ck_assert_uint_eq(r.points[k].t, at[k]);
        assert_near(r.points[k].logit_rel_l2, sqrt(off[k] / whole));
        assert_near(r.points[k].agreement, (double)agree[k] / 10);
    }
    mst_session_destroy(ann);
    mst_session_destroy(snn);
    mst_calib_report_free(&r);
    close_pair(&p);
}
END_TEST

START_TEST(within_half_a_level)
{
    pair p;
    const uint32_t at[] = {3};
    open_pair(&p);
    mst_calib_report r = run(&p, at, 1, 40, false);
    direct d = measure_directly(&p, 3, 40);
    ck_assert(d.within > 0 && d.within < (double)d.n);
    assert_near(r.layers[0].within, d.within / (double)d.n);
    mst_calib_report_free(&r);
    close_pair(&p);
}
END_TEST

START_TEST(order_of_work_does_not_matter)
{
    pair p;
    const uint32_t at[] = {2, 5};
    open_pair(&p);
    mst_calib_report a = run(&p, at, 2, 8, false), b = run(&p, at, 2, 8, true);
    ck_assert(memcmp(a.points, b.points, 2 * sizeof *a.points) == 0);
    for (size_t k = 0; k < a.n_layers; k++) {
        ck_assert(a.layers[k].mae == b.layers[k].mae && a.layers[k].bias == b.layers[k].bias);
        ck_assert(a.layers[k].rel_l2 == b.layers[k].rel_l2 || isnan(a.layers[k].rel_l2));
    }
    mst_calib_report_free(&a);
    mst_calib_report_free(&b);
    close_pair(&p);
}
END_TEST

/* The same network with int8 weights beside it: their part is what they change in the ANN. */
START_TEST(stored_weights_are_a_part)
{
    pair p, narrow;
    mst_err err = {0};
    mst_report report = {0};
    const uint32_t at[] = {8};
    mst_run_opts ann = {.mode = MST_RUN_FLOAT};
    open_pair(&p);
    open_pair(&narrow);
    mst_program_destroy(narrow.snn);
    mst_program_destroy(narrow.ann);
    ck_assert_int_eq(pass_weights(narrow.g, MST_I8, &report, &err), MST_OK);
    mst_report_free(&report);
    ck_assert_int_eq(mst_program_create(narrow.g, &ann, &narrow.ann, &err), MST_OK);
    ck_assert_int_eq(mst_program_create(narrow.g, NULL, &narrow.snn, &err), MST_OK);
    pair both = {.g = p.g, .ann = p.ann, .snn = narrow.snn, .stored = narrow.ann};
    mst_calib_report r = run(&both, at, 1, 10, true);
    const mst_layer *l = mst_program_layer(p.ann, 0);
    watch a = {.node = l->node}, b = {.node = l->node};
    double mean = 0, all = 0, n = 0;
    for (size_t k = 0; k < 10; k++) {
        float x[INPUT];
        sample_input(k, x);
        run_watched(p.ann, x, 1, &a, NULL);
        run_watched(narrow.ann, x, 1, &b, NULL);
        for (size_t i = 0; i < l->neurons; i++, n++) {
            mean += (double)b.sum[i] - (double)a.sum[i];
            all += fabs((double)b.sum[i] - (double)a.sum[i]);
        }
    }
    assert_near(r.layers[0].part_mean[MST_PART_WEIGHTS], mean / n);
    assert_near(r.layers[0].part_abs[MST_PART_WEIGHTS], all / n);
    ck_assert(r.stored_top1 >= 0 && r.stored_logit_rel_l2 > 0 && r.stored_logit_rel_l2 < 0.1);
    double parts = 0;
    for (int k = 0; k < MST_PART_COUNT; k++)
        parts += r.layers[0].part_mean[k];
    ck_assert(fabs(parts - r.layers[0].bias) < 1e-6);
    mst_calib_report_free(&r);
    r = run(&p, at, 1, 2, false);
    ck_assert(isnan(r.stored_top1) && isnan(r.stored_logit_rel_l2) && r.layers[0].part_abs[MST_PART_WEIGHTS] == 0);
    mst_calib_report_free(&r);
    mst_graph *other;
    mst_program *wrong;
    mst_calib *c;
    ck_assert_int_eq(sample_every_op(NULL, &other, &err), MST_OK);
    ck_assert_int_eq(mst_program_create(other, &ann, &wrong, &err), MST_OK);
    mst_calib_opts opts = {.at = at, .n_at = 1, .get = get, .stored = wrong};
    ck_assert_int_eq(mst_calib_create(p.ann, p.snn, &opts, &c, &err), MST_EINVAL);
    mst_program_destroy(wrong);
    mst_graph_destroy(other);
    close_pair(&narrow);
    close_pair(&p);
}
END_TEST

START_TEST(mistakes)
{
    pair p, q;
    mst_err err = {0};
    mst_calib *c = (mst_calib *)1;
    const uint32_t at[] = {4}, down[] = {4, 2}, zero[] = {0};
    open_pair(&p);
    open_pair(&q);
    mst_calib_opts opts = {.at = at, .n_at = 1, .get = get};
    /* another network: its neuron has another name */
    q.g->nodes[mst_program_layer(q.snn, 0)->node].name = "elsewhere";
    mst_program_destroy(q.snn);
    mst_run_opts snn = {.mode = MST_RUN_SPIKING};
    ck_assert_int_eq(mst_program_create(q.g, &snn, &q.snn, &err), MST_OK);
    ck_assert_int_eq(mst_calib_create(p.ann, q.snn, &opts, &c, &err), MST_EINVAL);
    ck_assert_ptr_null(c);
    ck_assert_msg(strstr(err.text, "'elsewhere'") != NULL, "%s", err.text);
    opts.at = down;
    opts.n_at = 2;
    ck_assert_int_eq(mst_calib_create(p.ann, p.snn, &opts, &c, &err), MST_EINVAL);
    opts.at = zero;
    opts.n_at = 1;
    ck_assert_int_eq(mst_calib_create(p.ann, p.snn, &opts, &c, &err), MST_EINVAL);
    opts.n_at = 0;
    ck_assert_int_eq(mst_calib_create(p.ann, p.snn, &opts, &c, &err), MST_EINVAL);
    size_t bad = 3;
    mst_calib_worker *w;
    mst_calib_report r;
    opts = (mst_calib_opts){.at = at, .n_at = 1, .get = get, .ctx = &bad};
    ck_assert_int_eq(mst_calib_create(p.ann, p.snn, &opts, &c, &err), MST_OK);
    ck_assert_int_eq(mst_calib_report_make(c, &r, &err), MST_EINVAL);
    ck_assert_int_eq(mst_calib_worker_create(c, &w, &err), MST_OK);
    ck_assert_int_eq(mst_calib_measure(w, 3, &err), MST_EIO);
    mst_calib_worker_destroy(w);
    mst_calib_destroy(c);
    mst_calib_destroy(NULL);
    mst_calib_worker_destroy(NULL);
    close_pair(&p);
    close_pair(&q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("calibrate");
    TCase *t = tcase_create("calibrate");
    tcase_add_test(t, parts_of_simulated_neurons);
    tcase_add_test(t, known_cases);
    tcase_add_test(t, measures_what_the_api_shows);
    tcase_add_loop_test(t, points_are_those_of_their_steps, 0, 2);
    tcase_add_test(t, within_half_a_level);
    tcase_add_test(t, order_of_work_does_not_matter);
    tcase_add_test(t, stored_weights_are_a_part);
    tcase_add_test(t, mistakes);
    suite_add_tcase(s, t);
    return run_tests(s);
}
