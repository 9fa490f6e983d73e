/* The block schedule against the step schedule: logits of every step, counts of
 * every layer and step, operations and membranes, to the bit. */
#include <stdio.h>
#include <unistd.h>

#include "mst/convert.h"
#include "tests/support/sample_graphs.h"
#include "tests/unit/backend/block_graphs.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

enum { STEPS = 19,
       MANY = 70 };
static uint32_t n_steps = STEPS; /* of a run; MANY: several of the longest blocks */

/* What a run gives. */
typedef struct record {
    size_t classes, layers;
    float *logits, *mean; /* [n_steps][classes] */
    uint64_t *counts;     /* [n_steps][layers][2] */
    uint64_t *ops;        /* [layers] */
    float **v;            /* [layers] */
    mst_counters counters;
} record;

static record *new_record(const mst_program *p)
{
    record *r = calloc(1, sizeof *r);
    const mst_graph *g = mst_program_graph(p);
    r->classes = mst_tensor_elements(&g->tensors[g->output]);
    r->layers = mst_program_layers(p);
    r->logits = calloc(n_steps * r->classes, sizeof *r->logits);
    r->mean = calloc(n_steps * r->classes, sizeof *r->mean);
    r->counts = calloc(n_steps * r->layers * 2 + 1, sizeof *r->counts);
    r->ops = calloc(r->layers + 1, sizeof *r->ops);
    r->v = calloc(r->layers + 1, sizeof *r->v);
    return r;
}

static void free_record(record *r)
{
    for (size_t k = 0; k < r->layers; k++)
        free(r->v[k]);
    free(r->logits);
    free(r->mean);
    free(r->counts);
    free(r->ops);
    free(r->v);
    free(r);
}

static void note_step(const mst_session *s, record *r, uint32_t t, uint32_t i)
{
    memcpy(r->logits + t * r->classes, mst_session_logits(s, i), r->classes * sizeof *r->logits);
    mst_session_mean_logits(s, i, r->mean + t * r->classes);
    for (size_t k = 0; k < r->layers; k++) {
        uint64_t *c = r->counts + (t * r->layers + k) * 2;
        c[0] = mst_session_layer_fired(s, i, k);
        c[1] = mst_session_layer_spikes(s, i, k);
    }
}

static void note_end(const mst_session *s, const mst_program *p, record *r)
{
    ck_assert_uint_eq(mst_session_time(s), n_steps);
    r->counters = mst_session_counters(s);
    for (size_t k = 0; k < r->layers; k++) {
        size_t n = mst_program_layer(p, k)->neurons;
        r->ops[k] = mst_session_layer_ops(s, k);
        r->v[k] = malloc(n * sizeof(float));
        memcpy(r->v[k], mst_session_potential(s, k), n * sizeof(float));
    }
}

static void ignore(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    (void)t;
    ++*(int *)ctx;
}

/* mixed: every third run is tapped, and every second is shorter than a block. */
static record *run(const mst_graph *g, const float *x, const mst_run_opts *o, bool mixed)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    int seen = 0;
    OK(mst_program_create(g, o, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    record *r = new_record(p);
    mst_session_begin(s, x, 3);
    mst_session_run(s, 2); /* what a sample before left must not matter */
    mst_session_begin(s, x, 5);
    for (uint32_t t = 0, n, turn = 0; t < n_steps; t += n, turn++) {
        mst_session_tap(s, mixed && turn % 3 == 1 ? ignore : NULL, &seen);
        n = mst_session_run(s, mixed && turn % 2 == 1 ? 1 : n_steps - t);
        ck_assert(n >= 1 && n <= mst_program_block_steps(p));
        for (uint32_t i = 0; i < n; i++)
            note_step(s, r, t + i, i);
        ck_assert(
            memcmp(mst_session_logits(s, MST_LAST), mst_session_logits(s, n - 1), r->classes * sizeof(float)) == 0);
    }
    note_end(s, p, r);
    mst_session_destroy(s);
    mst_program_destroy(p);
    return r;
}

static const char *difference(const record *a, const record *b)
{
    if (memcmp(a->counts, b->counts, n_steps * a->layers * 2 * sizeof *a->counts) != 0)
        return "spikes of a layer";
    if (memcmp(a->logits, b->logits, n_steps * a->classes * sizeof *a->logits) != 0)
        return "logits";
    if (memcmp(a->mean, b->mean, n_steps * a->classes * sizeof *a->mean) != 0)
        return "mean logits";
    if (memcmp(a->ops, b->ops, a->layers * sizeof *a->ops) != 0)
        return "operations of a layer";
    return memcmp(&a->counters, &b->counters, sizeof a->counters) != 0 ? "counters" : NULL;
}

static void compare(const record *want, const record *got, const mst_graph *g, const mst_run_opts *o,
                    const char *name)
{
    const char *what = difference(want, got);
    for (size_t k = 0; k < want->layers && what == NULL; k++) {
        const mst_tensor *t = NULL;
        for (uint32_t i = 0, layer = 0; i < g->n_nodes; i++)
            if (g->nodes[i].op == MST_OP_NEURON && layer++ == k)
                t = &g->tensors[g->nodes[i].out];
        if (memcmp(want->v[k], got->v[k], mst_tensor_elements(t) * sizeof(float)) != 0)
            what = "membranes";
    }
    ck_assert_msg(what == NULL, "%s: %s differ: isa %s, blocks of %u steps, %u threads", name, what, o->isa,
                  o->block_steps, o->threads);
}

static bool has_isa(const mst_graph *g, const char *isa)
{
    mst_run_opts o = {.isa = isa};
    mst_program *p = NULL;
    bool here = mst_program_create(g, &o, &p, NULL) == MST_OK;
    mst_program_destroy(p);
    return here;
}

/* steps, isas and threads in `few` or all combinations. */
static void check_graph(const mst_graph *g, uint64_t seed, uint32_t frames, const char *name, bool few)
{
    static const uint32_t any[] = {5, 16, 1, 2, 8, 32, 0}, many[] = {32, 0, 64, 16, 8};
    const uint32_t *steps = n_steps == MANY ? many : any;
    size_t all = n_steps == MANY ? sizeof many / sizeof many[0] : sizeof any / sizeof any[0];
    const mst_tensor *in = &g->tensors[g->input];
    size_t n = frames * mst_tensor_elements(in);
    float *x = malloc(n * sizeof *x);
    rng r = {seed};
    for (size_t i = 0; i < n; i++)
        x[i] = rng_f(&r, -1.5f, 1.5f);
    mst_run_opts o = {.seed = 11, .isa = "scalar", .frames = frames};
    record *want = run(g, x, &o, false);
    o.schedule = MST_SCHEDULE_BLOCK;
    for (size_t isa = 0; mst_isa_at(isa, NULL) != NULL; isa++)
        for (size_t b = 0; b < (few ? 2 : all); b++)
            for (o.threads = few ? 1 + (unsigned)(isa + b + seed) % 3 : 1; o.threads <= 3;
                 o.threads += few ? 3 : 1) {
                o.isa = mst_isa_at(isa, NULL);
                o.block_steps = steps[b];
                if (!has_isa(g, o.isa))
                    continue;
                record *got = run(g, x, &o, b == 0);
                compare(want, got, g, &o, name);
                free_record(got);
            }
    free_record(want);
    free(x);
}

START_TEST(sample_graphs)
{
    mst_graph *g = NULL;
    OK(sample_every_op(NULL, &g, &err_));
    check_graph(g, 1, 1, "every op", false);
    check_graph(g, 1, 3, "every op, frames", false);
    mst_graph_destroy(g);
    OK(sample_tiny(NULL, &g, &err_));
    check_graph(g, 2, 1, "tiny", false);
    check_graph(g, 2, 2, "tiny, frames", false);
    mst_graph_destroy(g);
    for (uint64_t seed = 0; seed < random_cases(60); seed++) {
        char name[32];
        snprintf(name, sizeof name, "sample_random %u", (unsigned)seed);
        OK(sample_random(NULL, seed, &g, &err_));
        check_graph(g, seed, 1 + (uint32_t)(seed % 3), name, true);
        mst_graph_destroy(g);
    }
}
END_TEST

static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};

START_TEST(random_nets)
{
    for (uint64_t seed = (uint64_t)_i * 30; seed < (uint64_t)_i * 30 + random_cases(30); seed++) {
        char name[32];
        mst_dtype type = types[seed / 3 % 3]; /* each with each number of frames */
        mst_graph *g = block_net(seed);
        narrow_weights(g, type);
        if (seed % 2 == 1)
            OK(sample_tune(g, seed, &err_));
        snprintf(name, sizeof name, "block_net %u, %s", (unsigned)seed, mst_dtype_name(type));
        check_graph(g, seed, 1 + (uint32_t)(seed % 3), name, true);
        mst_graph_destroy(g);
    }
}
END_TEST

START_TEST(convolutions)
{
    for (uint64_t seed = (uint64_t)_i * 30; seed < (uint64_t)_i * 30 + random_cases(30); seed++) {
        char name[32];
        mst_graph *g = conv_net(seed);
        narrow_weights(g, types[_i]);
        if (seed % 3 == 1)
            OK(sample_tune(g, seed, &err_));
        snprintf(name, sizeof name, "conv_net %u, %s", (unsigned)seed, mst_dtype_name(types[_i]));
        check_graph(g, seed, 1 + (uint32_t)(seed % 2), name, true);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Whatever the caches make it choose. */
START_TEST(long_blocks)
{
    n_steps = MANY;
    for (uint64_t seed = 3000; seed < 3004; seed++) {
        mst_graph *g = seed % 2 == 0 ? conv_net(seed) : block_net(seed);
        narrow_weights(g, types[_i]);
        check_graph(g, seed, 1 + (uint32_t)(seed % 2), "long blocks", false);
        mst_graph_destroy(g);
    }
    n_steps = STEPS;
}
END_TEST

/* Few, for ThreadSanitizer. */
START_TEST(shared_among_threads)
{
    for (uint64_t seed = 5000; seed < 5012; seed++) {
        mst_graph *g = seed % 3 == 0 ? conv_net(seed) : block_net(seed);
        if (seed % 4 == 1)
            OK(sample_tune(g, seed, &err_));
        check_graph(g, seed, 1, "shared among threads", true);
        mst_graph_destroy(g);
    }
}
END_TEST

static const char *const models[] = {"swin-tsdyn", "swin-masked-ts", "swin_pub-tsdyn",
                                     "swin_pub_bn-tsdyn", "resnet18-tsdyn", "vgg16-tsdyn"};

static mst_graph *convert(const char *model)
{
    const char *tests = getenv("MST_FIXTURES");
    char path[4096];
    mst_graph *g = NULL;
    mst_report report = {0};
    snprintf(path, sizeof path, "%s/fixtures/onnx/%s.onnx", tests != NULL ? tests : "tests", model);
    if (access(path, R_OK) != 0)
        return NULL;
    OK(mst_onnx_import(path, &(mst_import_opts){0}, &g, &err_));
    OK(mst_convert(g, &(mst_convert_opts){0}, &report, &err_));
    mst_report_free(&report);
    return g;
}

START_TEST(converted_models)
{
    mst_graph *g = convert(models[_i]);
    if (g == NULL) {
        printf("SKIP: no fixture %s (set MST_FIXTURES)\n", models[_i]);
        return;
    }
    check_graph(g, 7, 1, models[_i], true);
    check_graph(g, 7, 3, models[_i], true);
    OK(sample_tune(g, 5, &err_));
    check_graph(g, 7, 1, models[_i], true);
    mst_graph_destroy(g);
}
END_TEST

/* ---- memory ------------------------------------------------------------------ */

START_TEST(no_allocation_while_running)
{
    mst_graph *g = block_net(12);
    narrow_weights(g, types[_i]);
    test_alloc h = {0};
    mst_allocator a = test_allocator(&h);
    mst_run_opts o = {.alloc = &a, .schedule = MST_SCHEDULE_BLOCK, .threads = 2};
    mst_program *p = NULL;
    mst_session *s = NULL;
    OK(mst_program_create(g, &o, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    size_t calls = h.calls;
    mst_session_run(s, 16);
    mst_session_run(s, 3);
    ck_assert_uint_eq(h.calls, calls);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    mst_graph *g = block_net(31);
    narrow_weights(g, types[_i]);
    OK(sample_tune(g, 31, &err_));
    for (size_t at = 1, failed = 1; failed != 0; at++) {
        test_alloc h = {.fail_at = at};
        mst_allocator a = test_allocator(&h);
        mst_run_opts o = {.alloc = &a, .schedule = MST_SCHEDULE_BLOCK, .threads = 2, .frames = 3};
        mst_program *p = NULL;
        mst_session *s = NULL;
        mst_err err = {0};
        mst_status st = mst_program_create(g, &o, &p, &err);
        if (st == MST_OK)
            st = mst_session_create(p, &s, &err);
        failed = st != MST_OK;
        ck_assert(st == MST_OK || (st == MST_ENOMEM && err.text[0] != '\0'));
        if (failed == 0)
            mst_session_destroy(s);
        mst_program_destroy(p);
    }
    mst_graph_destroy(g);
}
END_TEST

START_TEST(options)
{
    mst_graph *g = block_net(3);
    mst_program *p = NULL;
    mst_run_opts o = {.schedule = (mst_schedule)7};
    ck_assert_int_eq(mst_program_create(g, &o, &p, NULL), MST_EINVAL);
    o = (mst_run_opts){.schedule = MST_SCHEDULE_BLOCK, .mode = MST_RUN_FLOAT};
    OK(mst_program_create(g, &o, &p, &err_));
    ck_assert_uint_eq(mst_program_block_steps(p), 1);
    mst_program_destroy(p);
    o = (mst_run_opts){.schedule = MST_SCHEDULE_BLOCK, .block_steps = 1000000};
    OK(mst_program_create(g, &o, &p, &err_));
    ck_assert_uint_le(mst_program_block_steps(p), 64);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block schedule");
    TCase *t = tcase_create("block");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, sample_graphs);
    tcase_add_loop_test(t, random_nets, 0, 8);
    tcase_add_loop_test(t, convolutions, 0, 3);
    tcase_add_loop_test(t, long_blocks, 0, 3);
    tcase_add_loop_test(t, converted_models, 0, (int)(sizeof models / sizeof models[0]));
    tcase_add_loop_test(t, no_allocation_while_running, 0, 3);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 3);
    tcase_add_test(t, options);
    suite_add_tcase(s, t);
    TCase *threads = tcase_create("threads"); /* CK_RUN_CASE=threads: alone */
    tcase_set_timeout(threads, 300);
    tcase_add_test(threads, shared_among_threads);
    suite_add_tcase(s, threads);
    return run_tests(s);
}
