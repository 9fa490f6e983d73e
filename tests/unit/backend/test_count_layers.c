/* Count and radix mode: layers that the CPU back end fuses against the operators' own functions, bit for bit: random
 * nets with int8 weights, converted models, on all instruction sets, on one to three threads. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mst/convert.h"
#include "mst/isa.h"
#include "runtime/backend/cpu/cpu_count.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/test_alloc.h"
#include "tests/unit/backend/block_graphs.h"

static uint32_t n_fused; /* layers on counts that were run by the back end, over a test */

/* What a run gave. */
typedef struct record {
    float logits[256];
    size_t classes, layers;
    uint64_t fired[300], spikes[300], ops[300];
    mst_counters counters;
    uint32_t *count; /* of all layers behind each other */
    size_t n_count;
} record;

static void tap(void *ctx, const mst_session *s, const mst_tap *t)
{
    record *r = ctx;
    (void)s;
    if (t->layer == MST_NONE)
        return;
    float *values = malloc(t->n * sizeof *values);
    uint32_t *count = calloc(t->n, sizeof *count);
    mst_tap_values(t, 0, values);
    mst_tap_count(t, count);
    ck_assert(t->form == MST_FORM_COUNT && t->steps == 1 && t->first == 1);
    r->count = realloc(r->count, (r->n_count + 3 * t->n + 1) * sizeof *r->count);
    r->count[r->n_count++] = t->layer;
    memcpy(r->count + r->n_count, count, t->n * sizeof *count);
    memcpy(r->count + r->n_count + t->n, values, t->n * sizeof *values);
    r->n_count += 2 * t->n;
    free(values);
    free(count);
}

static uint32_t n_quick;  /* layers whose neurons take one step, over a test */
static uint32_t n_joined; /* operations that run with the one before them, over a test */

static bool overlap(const mst_program *p, uint32_t a, uint32_t b)
{
    const plan_buf *x = &p->bufs[a], *y = &p->bufs[b];
    return x->at < y->at + y->bytes && y->at < x->at + x->bytes;
}

/* What runs together writes nothing that it still reads. */
static void check_memory(const mst_program *p)
{
    for (const rt_op *op = p->ops; op < p->ops + p->n_ops; op++) {
        n_joined += op->joined;
        n_quick += op->how != NULL;
        for (uint32_t i = 1; i <= op->joined; i++)
            for (const rt_term *t = op->expr->terms; t < op->expr->terms + op->expr->n_terms; t++) {
                ck_assert(t->kind != RT_TERM_BITS || !overlap(p, t->bits.buf, op[i].out.buf));
                ck_assert(t->kind != RT_TERM_FLOAT || !overlap(p, t->buf, op[i].out.buf));
            }
    }
}

static bool run(const mst_graph *g, const float *x, const mst_run_opts *o, record *r)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_err err = {0};
    *r = (record){0};
    mst_status st = mst_program_create(g, o, &p, &err);
    ck_assert_msg(st == MST_OK || st == MST_EUNSUPPORTED, "%s", err.text);
    if (st != MST_OK)
        return false;
    check_memory(p);
    for (size_t i = 0; i < p->n_ops; i++)
        n_fused += p->ops[i].kind == RT_OP_LAYER && p->ops[i].fire.rule == RT_FIRE_COUNT;
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 3);
    mst_session_step(s); /* what a sample before left must not matter */
    mst_session_tap(s, tap, r);
    mst_session_begin(s, x, 5);
    mst_session_step(s);
    r->classes = mst_session_classes(s) < 256 ? mst_session_classes(s) : 256;
    memcpy(r->logits, mst_session_logits(s, MST_LAST), r->classes * sizeof *r->logits);
    r->layers = mst_program_layers(p);
    for (size_t k = 0; k < r->layers && k < 300; k++) {
        r->fired[k] = mst_session_layer_fired(s, MST_LAST, k);
        r->spikes[k] = mst_session_layer_spikes(s, MST_LAST, k);
        r->ops[k] = mst_session_layer_ops(s, k);
    }
    r->counters = mst_session_counters(s);
    mst_session_destroy(s);
    mst_program_destroy(p);
    return true;
}

/* Taps come in the order of operations. */
static int by_layer(const void *a, const void *b)
{
    uint32_t x = **(const uint32_t *const *)a, y = **(const uint32_t *const *)b;
    return x < y ? -1 : x > y;
}

static bool same_taps(const mst_graph *g, const record *a, const record *b)
{
    const uint32_t *at[2][300];
    size_t n[2] = {0};
    const record *of[2] = {a, b};
    size_t size[300] = {0}, layer = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON)
            size[layer++] = mst_tensor_elements(&g->tensors[g->nodes[i].out]);
    for (int w = 0; w < 2; w++) {
        for (size_t k = 0; k < of[w]->n_count; k += 1 + 2 * size[of[w]->count[k]])
            at[w][n[w]++] = of[w]->count + k;
        qsort(at[w], n[w], sizeof at[w][0], by_layer);
    }
    bool same = n[0] == n[1];
    for (size_t k = 0; k < n[0] && same; k++)
        same = memcmp(at[0][k], at[1][k], (1 + 2 * size[*at[0][k]]) * sizeof(uint32_t)) == 0;
    return same;
}

static void compare(const mst_graph *g, const record *want, const record *got, const mst_run_opts *o, const char *name)
{
    const char *what = memcmp(want->fired, got->fired, sizeof got->fired) != 0              ? "spikes of a layer"
                       : memcmp(want->spikes, got->spikes, sizeof got->spikes) != 0         ? "spikes behind a mask"
                       : memcmp(want->logits, got->logits, sizeof got->logits) != 0         ? "logits"
                       : memcmp(want->ops, got->ops, sizeof got->ops) != 0                  ? "operations of a layer"
                       : memcmp(&want->counters, &got->counters, sizeof got->counters) != 0 ? "counters"
                       : !same_taps(g, want, got)                                           ? "taps"
                                                                                            : NULL;
    ck_assert_msg(what == NULL, "%s: %s differ: isa %s, mode %d, levels %u, thinning %d, %u threads", name, what,
                  o->isa, (int)o->mode, o->levels, (int)o->thinning, o->threads);
}

static bool has_isa(const char *isa)
{
    mst_kernels k;
    return mst_kernels_select(isa, &k, NULL) == MST_OK;
}

static void check_graph(const mst_graph *g, uint64_t seed, const char *name)
{
    static const uint32_t levels[] = {0, 1, 7, 15, 16, 127, 128, 255};
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    float *x = malloc(n * sizeof *x);
    rng r = {seed};
    for (size_t i = 0; i < n; i++)
        x[i] = rng_f(&r, -1.5f, 1.5f);
    for (uint32_t turn = 0; turn < 3; turn++) {
        mst_run_opts o = {.size = sizeof o,
                          .seed = 11,
                          .isa = "scalar",
                          .mode = turn == 1 ? MST_RUN_RADIX : MST_RUN_COUNT,
                          .levels = levels[(seed + turn * 3) % 8],
                          .thinning = (mst_thinning)((seed + turn) / 2 % 2)};
        record want, got;
        bool runs = run(g, x, &o, &want);
        o.schedule = MST_SCHEDULE_BLOCK;
        for (size_t isa = 0; mst_isa_at(isa, NULL) != NULL; isa++) {
            o.isa = mst_isa_at(isa, NULL);
            o.threads = 1 + (unsigned)(isa + seed + turn) % 3;
            if (!has_isa(o.isa))
                continue;
            ck_assert(run(g, x, &o, &got) == runs);
            if (runs)
                compare(g, &want, &got, &o, name);
            free(got.count);
        }
        free(want.count);
    }
    free(x);
}

START_TEST(random_nets)
{
    n_fused = 0;
    for (uint64_t seed = (uint64_t)_i * 40; seed < (uint64_t)_i * 40 + random_cases(40); seed++) {
        char name[32];
        mst_graph *g = seed % 2 == 0 ? block_net(seed) : conv_net(seed);
        narrow_weights(g, MST_I8);
        snprintf(name, sizeof name, "net %u", (unsigned)seed);
        check_graph(g, seed, name);
        mst_graph_destroy(g);
    }
    ck_assert_uint_gt(n_fused, 100);
}
END_TEST

START_TEST(sample_graphs)
{
    for (uint64_t seed = 0; seed < random_cases(60); seed++) {
        char name[32];
        mst_graph *g = NULL;
        OK(sample_random(NULL, seed, &g, &err_));
        narrow_weights(g, MST_I8);
        snprintf(name, sizeof name, "sample_random %u", (unsigned)seed);
        check_graph(g, seed, name);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Neurons behind a shortcut around a convolution in groups. */
START_TEST(shortcut_around_groups)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        net n = {.r = {seed}, .before = MST_NONE, .tokens = 12, .channels = 24};
        n.g = graph_with_input(DIMS(1, 3, 4, 24));
        uint32_t x = net_neuron(&n, n.g->input), w = add_random(n.g, &n.r, DIMS(3, 3, 12, 24), -0.6f, 0.8f);
        mst_node *q = add_node(n.g, MST_OP_CONV, INPUTS(x, w), DIMS(1, 3, 4, 24));
        for (int i = 0; i < 2; i++)
            q->ip[MST_CONV_STRIDE + i] = q->ip[MST_CONV_PAD + i] = q->ip[MST_CONV_DILATION + i] = 1;
        q->ip[MST_CONV_GROUP] = 2;
        net_neuron(&n, net_add(&n, n.g->output, x));
        narrow_weights(n.g, MST_I8);
        check_graph(n.g, seed, "groups");
        mst_graph_destroy(n.g);
    }
}
END_TEST

static const char *const models[] = {"swin-tsdyn", "swin-masked-ts", "swin_pub-tsdyn",
                                     "swin_pub_bn-tsdyn", "resnet18-tsdyn", "vgg16-tsdyn"};

START_TEST(converted_models)
{
    const char *tests = getenv("MST_FIXTURES");
    char path[4096];
    mst_graph *g = NULL;
    mst_report report = {0};
    snprintf(path, sizeof path, "%s/fixtures/onnx/%s.onnx", tests != NULL ? tests : "tests", models[_i]);
    if (access(path, R_OK) != 0) {
        printf("SKIP: no fixture %s (set MST_FIXTURES)\n", models[_i]);
        return;
    }
    OK(mst_onnx_import(path, &(mst_import_opts){0}, &g, &err_));
    OK(mst_convert(g, &(mst_convert_opts){0}, &report, &err_));
    mst_report_free(&report);
    narrow_weights(g, MST_I8);
    n_fused = n_joined = n_quick = 0;
    check_graph(g, 7, models[_i]);
    check_graph(g, 8, models[_i]);
    ck_assert_uint_gt(n_fused, 10);
    ck_assert_uint_gt(n_quick, 10);
    ck_assert(n_joined > 0 || strncmp(models[_i], "swin-", 5) != 0); /* residual streams */
    mst_graph_destroy(g);
}
END_TEST

/* Rows of a node that runs by its operator, between threads: few and most inputs not zero. */
START_TEST(shared_nodes)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        net n = {.r = {seed}, .before = MST_NONE, .tokens = 301, .channels = 40};
        n.g = graph_with_input(DIMS(301, 40));
        uint32_t theta = add_value(n.g, seed % 2 == 0 ? 0.1f : 3.0f);
        uint32_t x = add_neuron(n.g, n.g->input, theta, 0.5f);
        net_neuron(&n, net_linear(&n, net_linear(&n, x, 64), 64));
        check_graph(n.g, seed, "shared");
        mst_graph_destroy(n.g);
    }
}
END_TEST

/* Float weights have no kernels on counts: every node by its operator. */
START_TEST(only_int8_is_fused)
{
    mst_graph *g = block_net(4);
    n_fused = 0;
    check_graph(g, 4, "float32");
    ck_assert_uint_eq(n_fused, 0);
    mst_graph_destroy(g);
}
END_TEST

/* A chain of three neurons, a shortcut around two of them. */
START_TEST(latency)
{
    static const struct {
        mst_run_mode mode;
        uint32_t levels, window;
    } cases[] = {
        {MST_RUN_COUNT, 0, 16},
        {MST_RUN_COUNT, 5, 5},
        {MST_RUN_RADIX, 0, 5},
        {MST_RUN_RADIX, 15, 4},
        {MST_RUN_RADIX, 1, 1},
        {MST_RUN_RADIX, 7, 3},
        {MST_RUN_RADIX, 8, 4},
        {MST_RUN_RADIX, 255, 8},
    };
    static const int32_t levels[] = {4, 16, 9};
    mst_graph *g = graph_with_input(DIMS(1, 6));
    uint32_t theta = add_value(g, 0.7f), shortcut = 0;
    for (int i = 0; i < 3; i++) {
        add_neuron(g, g->output, theta, 0.5f);
        g->nodes[g->n_nodes - 1].ip[MST_NEURON_LEVELS] = levels[i];
        shortcut = i == 0 ? g->output : shortcut;
    }
    mst_node *sum = add_node(g, MST_OP_BINARY, INPUTS(g->output, shortcut), DIMS(1, 6));
    sum->ip[MST_BINARY_FN] = MST_BIN_ADD;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mst_run_opts o = {.size = sizeof o, .mode = cases[i].mode, .levels = cases[i].levels};
        mst_program *p = NULL;
        OK(mst_program_create(g, &o, &p, &err_));
        ck_assert_uint_eq(mst_program_depth(p), 3);
        ck_assert_uint_eq(mst_program_window(p), cases[i].window);
        mst_program_destroy(p);
    }
    mst_graph_destroy(g);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    mst_graph *g = block_net(30 + (uint64_t)_i);
    narrow_weights(g, MST_I8);
    for (size_t at = 1, failed = 1; failed != 0; at++) {
        test_alloc h = {.fail_at = at};
        mst_allocator a = test_allocator(&h);
        mst_run_opts o = {
            .size = sizeof o, .alloc = &a, .mode = MST_RUN_COUNT, .schedule = MST_SCHEDULE_BLOCK, .threads = 2};
        mst_program *p = NULL;
        mst_session *s = NULL;
        mst_err err = {0};
        mst_status st = mst_program_create(g, &o, &p, &err);
        if (st == MST_OK)
            st = mst_session_create(p, &s, &err);
        failed = st == MST_ENOMEM;
        ck_assert(st != MST_ENOMEM || err.text[0] != '\0');
        if (st == MST_OK) {
            size_t calls = h.calls;
            mst_session_begin(s, NULL, 0);
            mst_session_step(s);
            ck_assert_uint_eq(h.calls, calls); /* nothing is allocated while running */
        }
        mst_session_destroy(s);
        mst_program_destroy(p);
    }
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("count layers");
    TCase *t = tcase_create("count");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, random_nets, 0, 8);
    tcase_add_test(t, sample_graphs);
    tcase_add_test(t, shortcut_around_groups);
    tcase_add_loop_test(t, converted_models, 0, (int)(sizeof models / sizeof models[0]));
    tcase_add_test(t, shared_nodes);
    tcase_add_test(t, only_int8_is_fused);
    tcase_add_test(t, latency);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 3);
    suite_add_tcase(s, t);
    return run_tests(s);
}
