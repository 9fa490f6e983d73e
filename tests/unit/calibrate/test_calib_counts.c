/* Conversion error in count and radix mode: the parts add up, known cases come out as known, and networks are
 * measured right wherever their neurons' inputs come from.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "calibrate/calib.h"
#include "converter/passes/passes.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"

#define SAMPLES 4

static void assert_near(double a, double b)
{
    ck_assert_msg(fabs(a - b) <= 1e-9 * (1 + fabs(a)), "%.17g against %.17g", a, b);
}

static double sum_of(const double *parts)
{
    double sum = 0;
    for (int p = 0; p < MST_PART_COUNT; p++)
        sum += parts[p];
    return sum;
}

static float random_level(uint64_t *state)
{
    return (float)(sample_next(state) % 33) / 32;
}

START_TEST(parts_add_up)
{
    uint64_t state = 1;
    int clipped = 0, inside = 0;
    for (int i = 0; i < 20000; i++) {
        float theta = 0.1f + (float)(sample_next(&state) % 1000) / 100, levels = 1 + (float)(sample_next(&state) % 32);
        float shift = (float)(sample_next(&state) % 9) / 2 - 2;
        calib_counted x = {.current = theta * ((float)(sample_next(&state) % 3000) / 1000 - 1)};
        x.fired = theta * random_level(&state);
        x.left = x.fired * random_level(&state);
        x.a = theta * random_level(&state);
        x.kept = x.a * random_level(&state);
        x.stored = theta * random_level(&state);
        calib_error e = mst_calib_split_count(theta, levels, shift, false, &x);
        assert_near(sum_of(e.part), e.e);
        assert_near(e.e, (double)x.left - (double)x.kept);
        assert_near(e.residual, (double)x.current - (double)x.fired);
        ck_assert(e.part[MST_PART_UNEVENNESS] == 0);
        bool outside = x.current < 0 || x.current > theta;
        ck_assert(e.part[outside ? MST_PART_QUANTIZATION : MST_PART_CLIPPING] == 0);
        clipped += e.part[MST_PART_CLIPPING] != 0;
        inside += e.part[MST_PART_QUANTIZATION] != 0;
    }
    ck_assert(clipped > 1000 && inside > 1000);
}
END_TEST

/* theta 1, L 4 throughout */
START_TEST(known_cases)
{
    /* the ANN's levels, no masks: nothing, to the bit */
    calib_counted x = {.current = 0.6f, .fired = 0.5f, .left = 0.5f, .a = 0.5f, .stored = 0.5f, .kept = 0.5f};
    calib_error e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.e == 0 && sum_of(e.part) == 0 && e.residual == (double)0.6f - 0.5);
    /* a current of 0.375: 3 of 8 levels, 2 of 4 */
    x = (calib_counted){.current = 0.375f, .fired = 0.375f, .left = 0.375f, .a = 0.5f, .stored = 0.5f, .kept = 0.5f};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.part[MST_PART_QUANTIZATION] == -0.125 && e.e == -0.125 && e.residual == 0);
    /* far above theta both are theta, below 0 both are 0 */
    x = (calib_counted){.current = 1.7f, .fired = 1, .left = 1, .a = 1, .stored = 1, .kept = 1};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.e == 0 && e.part[MST_PART_CLIPPING] == 0);
    x = (calib_counted){.current = -0.25f};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.e == 0 && e.part[MST_PART_CLIPPING] == 0 && e.residual == -0.25);
    /* but for a shift of 2: -0.125 gives 1 of 8 levels and 1 of 4 */
    x = (calib_counted){
        .current = -0.125f, .fired = 0.125f, .left = 0.125f, .a = 0.25f, .stored = 0.25f, .kept = 0.25f};
    e = mst_calib_split_count(1, 4, 2, false, &x);
    ck_assert(e.part[MST_PART_CLIPPING] == -0.125 && e.part[MST_PART_QUANTIZATION] == 0 && e.e == -0.125);
    /* a mask leaves one of two spikes; the ANN has none, */
    x = (calib_counted){.current = 0.5f, .fired = 0.5f, .left = 0.25f, .a = 0.5f, .stored = 0.5f, .kept = 0.5f};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.part[MST_PART_MASKS] == -0.25 && e.e == -0.25 && e.part[MST_PART_INHERITED] == 0);
    /* or has one that takes as much */
    x.kept = 0.25f;
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.part[MST_PART_MASKS] == 0 && e.e == 0);
    /* a quarter less because the weights are stored otherwise, the rest inherited */
    x = (calib_counted){.current = 0.5f, .fired = 0.5f, .left = 0.5f, .a = 0.25f, .stored = 0, .kept = 0.25f};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.part[MST_PART_WEIGHTS] == -0.25 && e.part[MST_PART_INHERITED] == 0.5 && e.e == 0.25);
    /* a current that is not a number asks for nothing */
    x = (calib_counted){.current = NAN};
    e = mst_calib_split_count(1, 4, 0.5f, false, &x);
    ck_assert(e.e == 0 && sum_of(e.part) == 0);
}
END_TEST

/* ---- networks -------------------------------------------------------------------------- */

typedef struct net {
    mst_graph *g;
    mst_program *ann, *snn;
} net;

static uint32_t add(mst_graph *g, const char *name, uint32_t rank, const uint32_t *dims, const float *data)
{
    uint32_t id;
    ck_assert_int_eq(mst_graph_add_tensor(g, name, MST_F32, rank, dims, data, &id, NULL), MST_OK);
    return id;
}

static mst_node *add_node(mst_graph *g, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, uint32_t out)
{
    mst_node *n;
    ck_assert_int_eq(mst_graph_add_node(g, op, name, n_in, in, out, &n, NULL), MST_OK);
    return n;
}

/* A neuron with L levels over the last of four axes of 1,1,2,2. */
static void add_neuron(mst_graph *g, const char *name, const uint32_t in[4], uint32_t out, int levels)
{
    mst_node *n = add_node(g, MST_OP_NEURON, name, 4, in, out);
    n->ip[MST_NEURON_AXIS] = 3;
    n->ip[MST_NEURON_LEVELS] = levels;
    n->ip[MST_NEURON_STAGE] = n->ip[MST_NEURON_BLOCK] = -1;
    n->fp[MST_NEURON_SHIFT] = 0.5f;
}

static void add_mask(mst_graph *g, const char *name, uint32_t in, uint32_t out, int index, float ratio)
{
    mst_node *m = add_node(g, MST_OP_MASK, name, 1, &in, out);
    m->ip[MST_MASK_STAGE] = m->ip[MST_MASK_BLOCK] = -1;
    m->ip[MST_MASK_INDEX] = index;
    m->fp[MST_MASK_RATIO] = ratio;
    m->fp[MST_MASK_TRAINED] = -1;
}

/* Neurons where an input comes from no node: "sample" reads the graph's input, with constants of each channel,
 * "constant" a constant; "after" and "twin" read one sum: the second and
 * the difference of two masks of the first. */
static mst_graph *no_nodes(float ratio, float second)
{
    static const float theta[] = {1, 0.75f}, gain[] = {2}, bias[] = {0.125f, -0.25f}, fixed[] = {0.3f, 0.9f, -1, 0.55f};
    static const uint32_t image[] = {1, 1, 2, 2}, one[] = {1}, two[] = {2};
    mst_graph *g;
    mst_err err = {0};
    ck_assert_int_eq(mst_graph_create(NULL, &g, &err), MST_OK);
    uint32_t x = add(g, "x", 4, image, NULL), c = add(g, "c", 4, image, fixed);
    uint32_t t = add(g, "theta", 1, two, theta), k = add(g, "gain", 1, one, gain), b = add(g, "bias", 1, two, bias);
    uint32_t a1 = add(g, "a1", 4, image, NULL), a2 = add(g, "a2", 4, image, NULL), m1 = add(g, "m1", 4, image, NULL);
    uint32_t sum = add(g, "sum", 4, image, NULL), a3 = add(g, "a3", 4, image, NULL);
    uint32_t m2 = add(g, "m2", 4, image, NULL), all = add(g, "all", 4, image, NULL), a4 = add(g, "a4", 4, image, NULL);
    uint32_t y = add(g, "y", 4, image, NULL);
    add_neuron(g, "sample", (uint32_t[]){x, t, k, b}, a1, 6);
    add_neuron(g, "constant", (uint32_t[]){c, t, MST_NONE, MST_NONE}, a2, 5);
    add_mask(g, "mask", a1, m1, 0, ratio);
    add_mask(g, "again", a1, m2, 1, second);
    add_node(g, MST_OP_BINARY, "add", 2, (uint32_t[]){m1, a2}, sum);
    add_node(g, MST_OP_BINARY, "less", 2, (uint32_t[]){sum, m2}, all)->ip[MST_BINARY_FN] = MST_BIN_SUB;
    add_neuron(g, "after", (uint32_t[]){all, t, MST_NONE, MST_NONE}, a3, 7);
    add_neuron(g, "twin", (uint32_t[]){all, t, k, b}, a4, 3);
    add_node(g, MST_OP_BINARY, "ends", 2, (uint32_t[]){a3, a4}, y);
    g->input = x;
    g->output = y;
    ck_assert_msg(mst_graph_validate(g, &err) == MST_OK, "%s", err.text);
    return g;
}

static void input_of(size_t i, size_t n, float *x)
{
    uint64_t state = i + 1;
    for (size_t k = 0; k < n; k++)
        x[k] = (float)(sample_next(&state) % 1000) / 500.0f - 0.75f;
}

static mst_status get(void *ctx, size_t i, float *x, int *label, mst_err *err)
{
    (void)err;
    const net *n = ctx;
    input_of(i, mst_program_input_size(n->snn), x);
    *label = -1;
    return MST_OK;
}

/* MST_OK, or why the spiking network has no such mode. ann: the graph of the ANN. */
static mst_status open_net(net *n, const mst_graph *ann, mst_graph *g, mst_run_opts snn, mst_err *err)
{
    mst_run_opts opts = {.mode = MST_RUN_FLOAT, .frames = snn.frames};
    *n = (net){.g = g};
    MST_TRY(mst_program_create(g, &snn, &n->snn, err));
    ck_assert_int_eq(mst_program_create(ann, &opts, &n->ann, err), MST_OK);
    return MST_OK;
}

static void close_net(net *n)
{
    mst_program_destroy(n->snn);
    mst_program_destroy(n->ann);
}

static mst_status measure(const net *n, mst_calib_report *r, mst_err *err)
{
    mst_calib *c;
    mst_calib_worker *w;
    mst_calib_opts opts = {.get = get, .ctx = (void *)n};
    ck_assert_msg(mst_calib_create(n->ann, n->snn, &opts, &c, err) == MST_OK, "%s", err->text);
    ck_assert_int_eq(mst_calib_worker_create(c, &w, err), MST_OK);
    mst_status st = MST_OK;
    for (size_t i = 0; st == MST_OK && i < SAMPLES; i++) {
        st = mst_calib_measure(w, i, err);
        mst_calib_commit(w);
    }
    if (st == MST_OK)
        ck_assert_int_eq(mst_calib_report_make(c, r, err), MST_OK);
    mst_calib_worker_destroy(w);
    mst_calib_destroy(c);
    return st;
}

/* The mean of frames of one element, as float32 has it. */
static float mean_of(const float *x, uint32_t frames, size_t e)
{
    float sum = x[e];
    for (uint32_t f = 1; f < frames; f++)
        sum += x[4 * f + e];
    return sum / (float)frames;
}

static float stair(float u, float theta, int levels)
{
    float z = floorf(u * (float)levels / theta + 0.5f);
    return theta * (fminf(fmaxf(z, 0), (float)levels) / (float)levels);
}

/* What the report must have of the layers "sample" and "constant", with l levels. */
static void assert_direct(const mst_calib_report *r, uint32_t frames, int l)
{
    static const float theta[] = {1, 0.75f}, bias[] = {0.125f, -0.25f}, fixed[] = {0.3f, 0.9f, -1, 0.55f};
    double mean[2] = {0}, all[2] = {0}, left[2] = {0};
    for (size_t i = 0; i < SAMPLES; i++) {
        float x[16];
        input_of(i, 4 * frames, x);
        for (size_t e = 0; e < 4; e++) {
            float u[2] = {2 * mean_of(x, frames, e) + bias[e % 2], fixed[e]};
            for (int k = 0; k < 2; k++) {
                double q = (double)stair(u[k], theta[e % 2], l) - (double)stair(u[k], theta[e % 2], 6 - k);
                mean[k] += q / (4 * SAMPLES);
                all[k] += fabs(q) / (4 * SAMPLES);
                left[k] += fabs((double)u[k] - (double)stair(u[k], theta[e % 2], l)) / (4 * SAMPLES);
            }
        }
    }
    for (int k = 0; k < 2; k++) {
        const mst_calib_layer *c = &r->layers[k];
        ck_assert(c->levels == 6 - k && c->run_levels == l);
        assert_near(c->part_mean[MST_PART_QUANTIZATION], mean[k]);
        assert_near(c->part_abs[MST_PART_QUANTIZATION], all[k]);
        assert_near(c->residual, left[k]);
        ck_assert(c->part_abs[MST_PART_INHERITED] == 0 && c->part_abs[MST_PART_CLIPPING] == 0 && all[k] > 0);
    }
}

START_TEST(inputs_that_no_node_makes)
{
    mst_err err = {0};
    mst_graph *g = no_nodes(0, 0);
    for (uint32_t frames = 1; frames <= 3; frames += 2) {
        net n;
        mst_calib_report r;
        ck_assert_int_eq(open_net(&n, g, g, (mst_run_opts){.mode = MST_RUN_COUNT, .frames = frames, .levels = 4}, &err),
                         MST_OK);
        ck_assert_msg(measure(&n, &r, &err) == MST_OK, "%s", err.text);
        ck_assert(r.mode == MST_RUN_COUNT && r.depth == 2 && r.window == 4 && r.n_points == 1 && r.n_layers == 4);
        assert_direct(&r, frames, 4);
        for (int k = 2; k < 4; k++)
            assert_near(sum_of(r.layers[k].part_mean), r.layers[k].bias);
        mst_calib_report_free(&r);
        close_net(&n);
    }
    mst_graph_destroy(g);
}
END_TEST

/* The ANN without its mask, and with it: then only the scatter is left. */
START_TEST(masks_are_compared_with_the_anns)
{
    mst_err err = {0};
    mst_graph *g = no_nodes(0.5f, 0), *plain = no_nodes(0, 0);
    for (int own = 0; own < 2; own++) {
        net n;
        mst_calib_report r;
        ck_assert_int_eq(open_net(&n, own ? g : plain, g, (mst_run_opts){.mode = MST_RUN_RADIX}, &err), MST_OK);
        ck_assert_msg(measure(&n, &r, &err) == MST_OK, "%s", err.text);
        const mst_calib_layer *l = &r.layers[0];
        ck_assert(r.window == 3 && r.layers[0].run_levels == 6);
        for (int p = 0; p < MST_PART_COUNT; p++)
            ck_assert((l->part_abs[p] != 0) == (p == MST_PART_MASKS));
        assert_near(l->part_mean[MST_PART_MASKS], l->bias);
        ck_assert(r.layers[1].mae == 0 && r.layers[2].part_abs[MST_PART_INHERITED] > 0);
        double sum = 0; /* what is before masks does not depend on them */
        for (size_t i = 0; i < SAMPLES; i++) {
            float x[4];
            input_of(i, 4, x);
            for (size_t e = 0; e < 4; e++)
                sum += (double)stair(2 * x[e] + (e % 2 ? -0.25f : 0.125f), e % 2 ? 0.75f : 1, 6) / (4 * SAMPLES);
        }
        if (own) /* half of it is taken from both: their means differ by less than the mask takes */
            ck_assert(fabs(l->bias) < 0.4 * sum);
        else
            ck_assert(l->bias < -0.1 * sum && l->bias > -0.9 * sum);
        mst_calib_report_free(&r);
        close_net(&n);
    }
    mst_graph_destroy(plain);
    mst_graph_destroy(g);
}
END_TEST

/* A neuron with two masks: the first one counts. */
START_TEST(the_first_mask_counts)
{
    mst_err err = {0};
    mst_graph *plain = no_nodes(0, 0);
    mst_calib_report r[3];
    for (int i = 0; i < 3; i++) {
        net n;
        mst_graph *g = no_nodes(i < 2 ? 0.5f : 0, i != 0 ? 0.75f : 0);
        ck_assert_int_eq(open_net(&n, plain, g, (mst_run_opts){.mode = MST_RUN_COUNT}, &err), MST_OK);
        ck_assert_msg(measure(&n, &r[i], &err) == MST_OK, "%s", err.text);
        close_net(&n);
        mst_graph_destroy(g);
    }
    ck_assert(r[0].layers[0].bias < 0 && r[0].layers[0].bias == r[1].layers[0].bias && r[2].layers[0].mae == 0);
    ck_assert(r[0].layers[2].bias != r[1].layers[2].bias);
    for (int i = 0; i < 3; i++)
        mst_calib_report_free(&r[i]);
    mst_graph_destroy(plain);
}
END_TEST

static void without_masks(mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK)
            g->nodes[i].fp[MST_MASK_RATIO] = 0;
}

/* Random networks with the ANN's levels: no part, to the bit; with others, parts that add up. */
START_TEST(random_networks)
{
    size_t exact = 0, others = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        for (uint32_t levels = 0; levels <= 5; levels += 5) {
            mst_run_opts opts = {
                .mode = seed % 2 ? MST_RUN_COUNT : MST_RUN_RADIX, .levels = levels, .frames = seed % 4 == 1 ? 3 : 1};
            mst_graph *g;
            net n;
            mst_calib_report r;
            mst_err err = {0};
            ck_assert_int_eq(sample_random(NULL, seed, &g, &err), MST_OK);
            if (levels == 0)
                without_masks(g);
            if (open_net(&n, g, g, opts, &err) != MST_OK) { /* masks what is no count */
                close_net(&n);
                mst_graph_destroy(g);
                continue;
            }
            ck_assert_msg(measure(&n, &r, &err) == MST_OK, "seed %d: %s", (int)seed, err.text);
            for (size_t k = 0; k < r.n_layers; k++) {
                const mst_calib_layer *l = &r.layers[k];
                if (isnan(l->residual)) /* a current that is not a number */
                    continue;
                assert_near(sum_of(l->part_mean), l->bias);
                ck_assert_msg(levels != 0 || (l->mae == 0 && sum_of(l->part_abs) == 0), "seed %d layer %zu", (int)seed,
                              k);
                exact += levels == 0;
                others += levels != 0 && l->mae > 0;
            }
            ck_assert(levels != 0 || r.points[0].agreement == 1);
            mst_calib_report_free(&r);
            close_net(&n);
            mst_graph_destroy(g);
        }
    }
    ck_assert_msg(exact > 100 && others > 50, "%zu exact, %zu others", exact, others);
}
END_TEST

START_TEST(mistakes)
{
    mst_err err = {0};
    mst_graph *g;
    net n;
    mst_calib_report r;
    mst_calib *c = (mst_calib *)1;
    mst_calib_opts opts = {.get = get};
    mst_report report = {0};
    ck_assert_int_eq(sample_every_op(NULL, &g, &err), MST_OK);
    ck_assert_int_eq(pass_weights(g, MST_I8, &report, &err), MST_OK);
    mst_report_free(&report);
    /* the block schedule does not show sums on their way into neurons */
    ck_assert_int_eq(open_net(&n, g, g, (mst_run_opts){.mode = MST_RUN_COUNT, .schedule = MST_SCHEDULE_BLOCK}, &err),
                     MST_OK);
    ck_assert_int_eq(measure(&n, &r, &err), MST_EINVAL);
    ck_assert_msg(strstr(err.text, "step schedule") != NULL, "%s", err.text);
    /* modes in each other's place */
    ck_assert_int_eq(mst_calib_create(n.snn, n.ann, &opts, &c, &err), MST_EINVAL);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(mst_calib_create(n.snn, n.snn, &opts, &c, &err), MST_EINVAL);
    opts.stored = n.snn;
    ck_assert_int_eq(mst_calib_create(n.ann, n.snn, &opts, &c, &err), MST_EINVAL);
    close_net(&n);
    mst_graph_destroy(g);
    for (int p = 0; p < MST_PART_COUNT; p++) {
        ck_assert(mst_calib_has_part(MST_RUN_SPIKING, (mst_calib_part)p) == (p != MST_PART_MASKS));
        ck_assert(mst_calib_has_part(MST_RUN_COUNT, (mst_calib_part)p) == (p != MST_PART_UNEVENNESS));
        ck_assert(mst_calib_has_part(MST_RUN_RADIX, (mst_calib_part)p) == (p != MST_PART_UNEVENNESS));
        ck_assert_ptr_nonnull(mst_calib_part_name((mst_calib_part)p));
    }
    ck_assert_str_eq(mst_calib_part_name(MST_PART_MASKS), "masks");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("calibrate counts");
    TCase *t = tcase_create("counts");
    tcase_add_test(t, parts_add_up);
    tcase_add_test(t, known_cases);
    tcase_add_test(t, inputs_that_no_node_makes);
    tcase_add_test(t, masks_are_compared_with_the_anns);
    tcase_add_test(t, the_first_mask_counts);
    tcase_add_test(t, random_networks);
    tcase_add_test(t, mistakes);
    suite_add_tcase(s, t);
    return run_tests(s);
}
