/* Programs and sessions: counters by hand, layers, determinism, threads, memory. */
#include <pthread.h>

#include "tests/unit/session/naive_run.h"
#include "runtime/core/philox.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

/* ---- graphs ------------------------------------------------------------------- */

/* x [1,3] -> static linear -> IF -> linear -> IF, one mask on the first. */
static mst_graph *two_layers(void)
{
    static const float eye[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, w[6] = {0.5f, 0, 0.25f, 0.5f, 1, 1};
    mst_graph *g = graph_with_input(DIMS(1, 3));
    uint32_t e = add_const(g, DIMS(3, 3), eye), wt = add_const(g, DIMS(3, 2), w), theta = add_value(g, 1);
    add_like(g, MST_OP_LINEAR, INPUTS(g->input, e));
    add_neuron(g, g->output, theta, 0);
    add_node(g, MST_OP_LINEAR, INPUTS(g->output, wt), DIMS(1, 2));
    add_neuron(g, g->output, theta, 0);
    return g;
}

/* A little network with everything: conv, pool, attention, masks, residual. */
static mst_graph *little_network(void)
{
    rng r = {99};
    mst_graph *g = graph_with_input(DIMS(1, 8, 8, 3));
    uint32_t theta = add_value(g, 0.8f), w = add_random(g, &r, DIMS(3, 3, 3, 24), -0.4f, 0.6f), x, q, k, v;
    mst_node *n = add_node(g, MST_OP_CONV, INPUTS(g->input, w), DIMS(1, 4, 4, 24));
    n->ip[MST_CONV_STRIDE] = n->ip[MST_CONV_STRIDE + 1] = 2;
    n->ip[MST_CONV_PAD] = n->ip[MST_CONV_PAD + 1] = 1;
    n->ip[MST_CONV_DILATION] = n->ip[MST_CONV_DILATION + 1] = n->ip[MST_CONV_GROUP] = 1;
    x = reshape_to(g, add_neuron(g, g->output, theta, 0.5f), DIMS(16, 24));
    uint32_t *proj[3] = {&q, &k, &v};
    for (int i = 0; i < 3; i++) {
        add_like(g, MST_OP_LINEAR, INPUTS(x, add_random(g, &r, DIMS(24, 24), -0.2f, 0.3f)));
        *proj[i] = add_neuron(g, g->output, theta, 0.5f);
        if (i < 2)
            *proj[i] = add_mask(g, *proj[i], i, 0.3f);
    }
    n = add_node(g, MST_OP_MATMUL, INPUTS(q, k), DIMS(16, 16));
    n->ip[MST_MATMUL_TRANS_B] = 1;
    n->fp[MST_MATMUL_ALPHA] = 0.2f;
    uint32_t a = add_neuron(g, g->output, theta, 0.5f);
    add_node(g, MST_OP_MATMUL, INPUTS(a, v), DIMS(16, 24))->fp[MST_MATMUL_ALPHA] = 1;
    uint32_t o = add_neuron(g, g->output, theta, 0.5f);
    add_like(g, MST_OP_BINARY, INPUTS(x, o))->ip[MST_BINARY_FN] = MST_BIN_ADD;
    n = add_node(g, MST_OP_REDUCE, INPUTS(g->output), DIMS(1, 24));
    n->ip[MST_REDUCE_FN] = MST_RED_MEAN;
    n->ip[MST_REDUCE_AXES] = 1;
    add_node(g, MST_OP_LINEAR, INPUTS(g->output, add_random(g, &r, DIMS(24, 10), -1, 1)), DIMS(1, 10));
    return g;
}

/* ---- tests ---------------------------------------------------------------------- */

START_TEST(counters_by_hand)
{
    static const float x[3] = {1, 0.5f, 0};
    mst_graph *g = two_layers();
    mst_program *p = NULL;
    mst_session *s = NULL;
    float mean[2];
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    ck_assert_uint_eq(mst_program_dense_ops(p), 9 + 6);
    ck_assert_uint_eq(mst_program_dense_ops_static(p), 9);
    mst_session_mean_logits(s, MST_LAST, mean);
    ck_assert(mean[0] == 0 && mean[1] == 0);
    mst_session_begin(s, x, 0);
    mst_session_step(s); /* spikes 1 0 0 -> current .5 0 -> none */
    mst_counters c = mst_session_counters(s);
    ck_assert(c.spikes == 1 && c.spikes_before == 1 && c.sops == 2 && c.macs == 2 * 3);
    ck_assert(mst_session_potential(s, 1)[0] == 0.5f && mst_session_potential(s, 0)[1] == 0.5f);
    mst_session_step(s); /* spikes 1 1 0 -> current .75 .5 -> v 1.25 .5 -> spikes 1 0 */
    c = mst_session_counters(s);
    ck_assert(c.spikes == 1 + 2 + 1 && c.sops == 2 + 4 && c.macs == 2 * 3);
    ck_assert_uint_eq(mst_session_time(s), 2);
    ck_assert(mst_session_layer_fired(s, MST_LAST, 0) == 3 && mst_session_layer_fired(s, MST_LAST, 1) == 1);
    ck_assert(mst_session_layer_ops(s, 0) == 6 && mst_session_layer_ops(s, 1) == 6);
    ck_assert(mst_session_logits(s, MST_LAST)[0] == 1 && mst_session_logits(s, MST_LAST)[1] == 0);
    mst_session_mean_logits(s, MST_LAST, mean);
    ck_assert(mean[0] == 0.5f && mean[1] == 0);
    ck_assert(mst_session_layer_fired(s, MST_LAST, 2) == 0 && mst_session_layer_ops(s, 2) == 0 &&
              mst_session_potential(s, 2) == NULL && mst_program_layer(p, 2) == NULL);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

/* 3x3 kernel over 2x2 pixels with padding: each pixel reaches all four outputs. */
START_TEST(conv_counts_taps_inside_only)
{
    static const float x[8] = {1, 0, 0, 0, 0, 0, 0, 1};
    rng r = {1};
    mst_graph *g = graph_with_input(DIMS(1, 2, 2, 2));
    mst_program *p = NULL;
    mst_session *s = NULL;
    uint32_t w = add_random(g, &r, DIMS(3, 3, 2, 5), -1, 1);
    uint32_t spikes = add_neuron(g, g->input, add_value(g, 1), 0);
    mst_node *n = add_node(g, MST_OP_CONV, INPUTS(spikes, w), DIMS(1, 2, 2, 5));
    for (int i = 0; i < 2; i++)
        n->ip[MST_CONV_STRIDE + i] = n->ip[MST_CONV_PAD + i] = n->ip[MST_CONV_DILATION + i] = 1;
    n->ip[MST_CONV_GROUP] = 1;
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 0);
    mst_session_step(s);
    ck_assert_uint_eq(mst_program_dense_ops(p), 16 * 2 * 5);
    ck_assert_uint_eq(mst_session_counters(s).sops, 2 * 4 * 5);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(layers_of_a_network)
{
    static const uint64_t dense_in[] = {11 * 11 * 3 * 24, 16 * 24 * 24, 16 * 24 * 24, 16 * 24 * 24,
                                        16 * 16 * 24, 16 * 16 * 24};
    mst_graph *g = little_network();
    mst_program *p = NULL;
    OK(mst_program_create(g, NULL, &p, &err_));
    ck_assert_uint_eq(mst_program_layers(p), 6);
    for (size_t k = 0; k < 6; k++) {
        const mst_layer *l = mst_program_layer(p, k);
        ck_assert_uint_eq(l->dense_in, dense_in[k]); /* the convolution: 11 x 11 taps inside */
        ck_assert(l->masked == (k == 1 || k == 2) && l->levels == 4 && !l->theta_per_channel);
        ck_assert(l->ratio == (l->masked ? (double)0.3f : 0) && l->theta == (double)0.8f && l->trained == -1);
    }
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(network_equals_naive)
{
    mst_graph *g = little_network();
    rng r = {5};
    float x[192];
    rng_fill(&r, x, 192, 1, -0.5f, 1);
    compare_with_naive(g, MST_RUN_SPIKING, x, 12);
    compare_with_naive(g, MST_RUN_FLOAT, x, 2);
    mst_graph_destroy(g);
}
END_TEST

/* ---- determinism and threads ------------------------------------------------------ */

enum { SAMPLES = 6,
       STEPS = 8,
       CLASSES = 10 };

typedef struct job {
    const mst_program *p;
    mst_session *s;
    uint32_t first, by; /* samples */
    float (*out)[CLASSES];
} job;

static void *run_samples(void *arg)
{
    job *j = arg;
    for (uint32_t k = j->first; k < SAMPLES; k += j->by) {
        rng r = {k};
        float x[192];
        rng_fill(&r, x, 192, 1, -0.5f, 1);
        mst_session_begin(j->s, x, k);
        for (int t = 0; t < STEPS; t++)
            mst_session_step(j->s);
        mst_session_mean_logits(j->s, MST_LAST, j->out[k]);
    }
    return NULL;
}

START_TEST(two_threads_equal_one)
{
    static float one[SAMPLES][CLASSES], two[SAMPLES][CLASSES];
    mst_graph *g = little_network();
    mst_program *p = NULL;
    mst_session *s[2] = {0};
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s[0], &err_));
    OK(mst_session_create(p, &s[1], &err_));
    job all = {p, s[0], 0, 1, one}, even = {p, s[0], 0, 2, two}, odd = {p, s[1], 1, 2, two};
    run_samples(&all);
    pthread_t t[2];
    pthread_create(&t[0], NULL, run_samples, &even);
    pthread_create(&t[1], NULL, run_samples, &odd);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    ck_assert(memcmp(one, two, sizeof one) == 0);
    bool differ = false;
    for (int c = 0; c < CLASSES; c++)
        differ = differ || one[0][c] != one[1][c];
    ck_assert(differ);
    mst_session_destroy(s[0]);
    mst_session_destroy(s[1]);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

/* begin(NULL) starts the same sample again; the seed and the sample reach the masks. */
START_TEST(begin_resets_everything)
{
    mst_graph *g = little_network();
    mst_run_opts opts = {.seed = 1};
    mst_program *p[2] = {0};
    mst_session *s = NULL, *other = NULL;
    mst_counters c[3];
    float y[3][CLASSES], x[192];
    rng r = {3};
    rng_fill(&r, x, 192, 1, -0.5f, 1);
    OK(mst_program_create(g, &opts, &p[0], &err_));
    opts.seed = 2;
    OK(mst_program_create(g, &opts, &p[1], &err_));
    OK(mst_session_create(p[0], &s, &err_));
    OK(mst_session_create(p[1], &other, &err_));
    for (uint32_t i = 0; i < 3; i++) { /* the same twice, then another sample index */
        mst_session_begin(s, i == 0 ? x : NULL, i == 2 ? 1 : 0);
        for (int t = 0; t < STEPS; t++)
            mst_session_step(s);
        c[i] = mst_session_counters(s);
        mst_session_mean_logits(s, MST_LAST, y[i]);
    }
    ck_assert(memcmp(&c[0], &c[1], sizeof c[0]) == 0 && memcmp(y[0], y[1], sizeof y[0]) == 0);
    ck_assert(c[0].spikes != c[2].spikes);
    mst_session_begin(other, x, 0);
    for (int t = 0; t < STEPS; t++)
        mst_session_step(other);
    ck_assert(mst_session_counters(other).spikes != c[0].spikes);
    mst_session_destroy(s);
    mst_session_destroy(other);
    mst_program_destroy(p[0]);
    mst_program_destroy(p[1]);
    mst_graph_destroy(g);
}
END_TEST

/* Equal frames are a constant input, but for what static nodes are counted; begin(NULL) starts at the
 * first frame; float mode sees the mean. */
START_TEST(frames)
{
    mst_graph *g = little_network();
    mst_run_opts opts = {.frames = 3};
    mst_program *p[4] = {0};
    mst_session *s[4] = {0};
    float x[3 * 192], mean[192], y[4][CLASSES];
    rng r = {5};
    rng_fill(&r, x, 192, 1, -0.5f, 1);
    for (int f = 1; f < 3; f++)
        memcpy(x + f * 192, x, 192 * sizeof *x);
    for (int i = 0; i < 4; i++) {
        opts = (mst_run_opts){.frames = i % 2 == 0 ? 3 : 0, .mode = i < 2 ? MST_RUN_SPIKING : MST_RUN_FLOAT};
        OK(mst_program_create(g, &opts, &p[i], &err_));
        OK(mst_session_create(p[i], &s[i], &err_));
        ck_assert_uint_eq(mst_program_input_size(p[i]), i % 2 == 0 ? 3 * 192 : 192);
    }
    ck_assert(mst_program_dense_ops_static(p[0]) < mst_program_dense_ops_static(p[1]));
    for (int i = 0; i < 2; i++) {
        mst_session_begin(s[i], x, 0);
        for (int t = 0; t < STEPS; t++)
            mst_session_step(s[i]);
        mst_session_mean_logits(s[i], MST_LAST, y[i]);
    }
    ck_assert(memcmp(y[0], y[1], sizeof y[0]) == 0);
    rng_fill(&r, x, 3 * 192, 1, -0.5f, 1);
    for (int i = 0; i < 2; i++) {
        mst_session_begin(s[0], i == 0 ? x : NULL, 0);
        for (int t = 0; t < STEPS; t++)
            mst_session_step(s[0]);
        mst_session_mean_logits(s[0], MST_LAST, y[2 + i]);
    }
    ck_assert(memcmp(y[0], y[2], sizeof y[0]) != 0);
    ck_assert(memcmp(y[2], y[3], sizeof y[2]) == 0);
    for (int i = 0; i < 192; i++)
        mean[i] = (x[i] + x[192 + i] + x[2 * 192 + i]) / 3.0f;
    for (int i = 2; i < 4; i++) {
        mst_session_begin(s[i], i == 2 ? x : mean, 0);
        mst_session_step(s[i]);
        mst_session_mean_logits(s[i], MST_LAST, y[i]);
    }
    ck_assert(memcmp(y[2], y[3], sizeof y[2]) == 0);
    for (int i = 0; i < 4; i++) {
        mst_session_destroy(s[i]);
        mst_program_destroy(p[i]);
    }
    mst_graph_destroy(g);
}
END_TEST

/* ---- masks --------------------------------------------------------------------------- */

START_TEST(philox_known_answers)
{
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t word[4];
    } known[] = {
        /* of Random123 */
        {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, ~(uint64_t)0, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         0x299f31d0a4093822u,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t word[4];
        mst_philox(known[i].counter, known[i].key, word);
        ck_assert_mem_eq(word, known[i].word, sizeof word);
    }
}
END_TEST

START_TEST(mask_keeps_its_share)
{
    enum { N = 4001 };
    static float x[N];
    mst_graph *g = graph_with_input(DIMS(N));
    mst_program *p = NULL;
    mst_session *s = NULL;
    for (size_t i = 0; i < N; i++)
        x[i] = 1;
    add_mask(g, add_neuron(g, g->input, add_value(g, 1), 0), 0, 0.75f);
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 0);
    for (int t = 0; t < 10; t++)
        mst_session_step(s);
    mst_counters c = mst_session_counters(s);
    ck_assert_uint_eq(c.spikes_before, 10 * N);
    ck_assert(c.spikes > 9500 && c.spikes < 10500); /* 10002 expected, five sigma are 433 */
    ck_assert_uint_eq(mst_session_layer_spikes(s, MST_LAST, 0), c.spikes);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------- */

static mst_status make_both(const mst_graph *g, const mst_allocator *a, mst_program **p, mst_session **s)
{
    mst_run_opts opts = {.alloc = a};
    mst_err err = {0};
    mst_status st = mst_program_create(g, &opts, p, &err);
    if (st == MST_OK)
        st = mst_session_create(*p, s, &err);
    ck_assert(st == MST_OK || (st == MST_ENOMEM && err.code == MST_ENOMEM && err.text[0] != '\0'));
    return st;
}

START_TEST(every_allocation_may_fail)
{
    mst_graph *g = little_network();
    test_alloc h = {0};
    mst_allocator a = test_allocator(&h);
    mst_status st = MST_ENOMEM;
    for (size_t n = 1; st != MST_OK; n++) {
        mst_program *p = NULL;
        mst_session *s = NULL;
        h.calls = 0;
        h.fail_at = n;
        st = make_both(g, &a, &p, &s);
        ck_assert_int_eq(st == MST_OK, h.calls < n);
        mst_session_destroy(s);
        mst_program_destroy(p);
        ck_assert(h.blocks == 0 && h.bytes == 0 && h.resized == 0);
    }
    ck_assert_uint_gt(h.calls, 8);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(nothing_is_allocated_while_running)
{
    mst_graph *g = little_network();
    test_alloc h = {0};
    mst_allocator a = test_allocator(&h);
    mst_program *p = NULL;
    mst_session *s = NULL;
    float x[192] = {1};
    ck_assert_int_eq(make_both(g, &a, &p, &s), MST_OK);
    size_t calls = h.calls, blocks = h.blocks;
    for (uint32_t k = 0; k < 2; k++) {
        mst_session_begin(s, x, k);
        for (int t = 0; t < STEPS; t++)
            mst_session_step(s);
    }
    ck_assert(h.calls == calls && h.blocks == blocks);
    ck_assert_uint_ge(mst_program_session_bytes(p), 192 * 4);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

/* ---- refusals ---------------------------------------------------------------------------- */

static void expect(const mst_graph *g, const mst_run_opts *opts, mst_status want, const char *text)
{
    mst_program *p = NULL;
    mst_err err = {0};
    ck_assert_int_eq(mst_program_create(g, opts, &p, &err), want);
    ck_assert_ptr_null(p);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' does not say '%s'", err.text, text);
}

START_TEST(refusals_name_the_node)
{
    static const double w[4] = {1, 0, 0, 1};
    mst_graph *g = graph_with_input(DIMS(1, 2));
    uint32_t id;
    OK(mst_graph_add_tensor(g, "w", MST_F64, DIMS(2, 2), w, &id, &err_));
    add_node(g, MST_OP_LINEAR, INPUTS(g->input, id), DIMS(1, 2));
    expect(g, NULL, MST_EUNSUPPORTED, "node 'linear0' (linear): input 1 ('w') is float64");
    g->tensors[id].data = NULL;
    expect(g, NULL, MST_EINVAL, "linear0");
    mst_graph_destroy(g);

    g = two_layers();
    expect(g, &(mst_run_opts){.isa = "mmx"}, MST_EINVAL, "mmx");
    expect(g, &(mst_run_opts){.mode = (mst_run_mode)7}, MST_EINVAL, "mode");
    mst_graph_destroy(g);

    g = graph_with_input(DIMS(1));
    uint32_t big = 1u << 30, x = g->input;
    for (int i = 0; i < 2; i++) {
        add_node(g, MST_OP_EXPAND, INPUTS(x), 1, &big);
        x = i == 0 ? x : g->output;
    }
    add_neuron(g, g->output, add_value(g, 1), 0);
    expect(g, NULL, MST_ELIMIT, "bytes");
    mst_graph_destroy(g);
}
END_TEST

/* The input itself, a constant, and a reshaped input as the graph's output. */
START_TEST(outputs_without_a_step)
{
    static const float x[4] = {1, 2, 3, 4};
    mst_graph *g = graph_with_input(DIMS(2, 2));
    uint32_t k = add_const(g, DIMS(4), x);
    for (int i = 0; i < 4; i++) {
        mst_program *p = NULL;
        mst_session *s = NULL;
        g->output = i == 0 ? g->input : i == 1 ? k
                                               : reshape_to(g, i == 2 ? g->input : k, DIMS(1, 4));
        OK(mst_program_create(g, NULL, &p, &err_));
        OK(mst_session_create(p, &s, &err_));
        mst_session_begin(s, x, 0);
        mst_session_step(s);
        ck_assert_uint_eq(mst_session_classes(s), 4);
        ck_assert(same_bits(mst_session_logits(s, MST_LAST), x, 4));
        mst_session_destroy(s);
        mst_program_destroy(p);
    }
    mst_graph_destroy(g);
}
END_TEST

/* Static tensors keep their values over the steps while other memory is reused. */
/* Sums start anew at step S, in whatever blocks the steps come; until then the mean is that of all steps. */
START_TEST(logits_are_read_from_a_step)
{
    mst_graph *g = little_network();
    float x[8 * 8 * 3];
    rng r = {5};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = rng_f(&r, 0, 1);
    for (uint32_t from = 0; from <= STEPS + 1; from++)
        for (uint32_t block = 1; block <= 4; block++) {
            mst_run_opts opts = {
                .size = sizeof opts, .schedule = MST_SCHEDULE_BLOCK, .block_steps = block, .readout_from = from};
            mst_program *p = NULL;
            mst_session *s = NULL;
            OK(mst_program_create(g, &opts, &p, &err_));
            OK(mst_session_create(p, &s, &err_));
            for (uint32_t sample = 0; sample < 2; sample++) {
                double sums[CLASSES] = {0};
                mst_session_begin(s, x, sample);
                for (uint32_t t = 1, n; t <= STEPS; t += n) {
                    n = mst_session_run(s, STEPS - t + 1);
                    for (uint32_t i = 0; i < n; i++) {
                        float mean[CLASSES];
                        uint32_t first = t + i < from || from == 0 ? 1 : from;
                        mst_session_mean_logits(s, i, mean);
                        for (size_t k = 0; k < CLASSES; k++) {
                            sums[k] = (t + i == from ? 0 : sums[k]) + (double)mst_session_logits(s, i)[k];
                            ck_assert(mean[k] == (float)(sums[k] / (t + i - first + 1)));
                        }
                    }
                }
            }
            mst_session_destroy(s);
            mst_program_destroy(p);
        }
    mst_graph_destroy(g);
}
END_TEST

typedef struct seen {
    uint32_t nodes, statics;
} seen;

static void count_nodes(void *ctx, const mst_session *s, const mst_tap *tap)
{
    seen *k = ctx;
    ck_assert_uint_gt(tap->n, 0);
    k->nodes++;
    k->statics += tap->form == MST_FORM_STATIC;
    ck_assert((tap->node == 0) == (tap->form == MST_FORM_STATIC));
    ck_assert_uint_eq(tap->first, mst_session_time(s) + 1);
}

START_TEST(tap_sees_static_nodes_once)
{
    mst_graph *g = two_layers();
    mst_program *p = NULL;
    mst_session *s = NULL;
    seen k = {0};
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_tap(s, count_nodes, &k);
    for (int sample = 0; sample < 2; sample++) {
        mst_session_begin(s, NULL, 0);
        for (int t = 0; t < 3; t++)
            mst_session_step(s);
    }
    ck_assert(k.nodes == 2 * (4 + 3 + 3) && k.statics == 2);
    mst_session_tap(s, NULL, NULL);
    mst_session_step(s);
    ck_assert_uint_eq(k.nodes, 20);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("session");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, counters_by_hand);
    tcase_add_test(tc, conv_counts_taps_inside_only);
    tcase_add_test(tc, layers_of_a_network);
    tcase_add_test(tc, network_equals_naive);
    tcase_add_test(tc, two_threads_equal_one);
    tcase_add_test(tc, begin_resets_everything);
    tcase_add_test(tc, frames);
    tcase_add_test(tc, philox_known_answers);
    tcase_add_test(tc, mask_keeps_its_share);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, nothing_is_allocated_while_running);
    tcase_add_test(tc, refusals_name_the_node);
    tcase_add_test(tc, outputs_without_a_step);
    tcase_add_test(tc, tap_sees_static_nodes_once);
    tcase_add_test(tc, logits_are_read_from_a_step);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
