/* What taps show in the block schedule, against the step schedule: the values of every NEURON and MASK at each
 * step, in the tensor's order, each once; and whatever else they show. */
#include <stdio.h>

#include "runtime/lower/program.h"
#include "tests/support/run_tests.h"
#include "tests/unit/backend/block_graphs.h"

enum { STEPS = 70,
       NETS = 8 }; /* more than the longest block */

/* Of a node. */
typedef struct seen {
    size_t n;
    float *values;         /* [STEPS][n] */
    uint32_t *count;       /* [n] by mst_tap_count */
    uint32_t times[STEPS]; /* how often each step was seen; STATIC: the first */
    uint32_t layer;
    mst_form form;
} seen;

typedef struct record {
    const mst_graph *g;
    seen *nodes;      /* [n_nodes] */
    uint32_t from, n; /* the block that runs */
} record;

static void note(void *ctx, const mst_session *s, const mst_tap *t)
{
    record *r = ctx;
    (void)s;
    ck_assert_uint_lt(t->node, r->g->n_nodes);
    seen *to = &r->nodes[t->node];
    size_t n = mst_tensor_elements(&r->g->tensors[r->g->nodes[t->node].out]);
    ck_assert_uint_eq(t->n, n);
    ck_assert_uint_eq(t->first, r->from + 1);
    ck_assert_uint_eq(t->steps, t->form == MST_FORM_STATIC ? 1 : r->n);
    if (to->values == NULL) {
        to->n = n;
        to->values = calloc(STEPS * n, sizeof *to->values);
        to->count = calloc(n, sizeof *to->count);
        to->layer = t->layer;
        to->form = t->form;
    }
    ck_assert_uint_eq(t->layer, to->layer);
    ck_assert_int_eq((int)t->form, (int)to->form);
    for (uint32_t i = 0; i < t->steps; i++) {
        mst_tap_values(t, i, to->values + (r->from + i) * n);
        to->times[r->from + i]++;
    }
    mst_tap_count(t, to->count);
}

static record watch(const mst_graph *g, const mst_run_opts *o, const float *x, uint32_t *pieces)
{
    record r = {.g = g, .nodes = calloc(g->n_nodes, sizeof *r.nodes)};
    mst_program *p = NULL;
    mst_session *s = NULL;
    OK(mst_program_create(g, o, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_tap(s, note, &r);
    mst_session_begin(s, x, 4);
    for (uint32_t left = STEPS; left != 0; left -= r.n, r.from += r.n) {
        r.n = left < mst_program_block_steps(p) ? left : mst_program_block_steps(p);
        ck_assert_uint_eq(mst_session_run(s, left), r.n);
    }
    for (size_t i = 0; i < p->n_ops; i++)
        *pieces += p->ops[i].fire.piece_at != NULL;
    mst_session_destroy(s);
    mst_program_destroy(p);
    return r;
}

static void free_record(record *r)
{
    for (uint32_t i = 0; i < r->g->n_nodes; i++) {
        free(r->nodes[i].values);
        free(r->nodes[i].count);
    }
    free(r->nodes);
}

/* RESHAPE is not run step by step, so a block may show one of which there is nothing to compare with. */
static void compare_node(const seen *want, const seen *got, const mst_node *n, const char *name)
{
    bool must = n->op == MST_OP_NEURON || n->op == MST_OP_MASK;
    for (uint32_t t = 0; t < STEPS; t++) {
        ck_assert_msg(got->times[t] <= 1 && (!must || got->times[t] == 1), "%s: '%s' seen %u times at step %u", name,
                      n->name, (unsigned)got->times[t], (unsigned)t + 1);
        ck_assert_msg(!must || want->times[t] == 1, "%s: '%s': step by step", name, n->name);
    }
    if (got->values == NULL || want->values == NULL)
        return;
    ck_assert_int_eq((int)got->form, (int)want->form);
    ck_assert_uint_eq(got->layer, want->layer);
    ck_assert((got->layer != MST_NONE) == (n->op == MST_OP_NEURON));
    ck_assert_msg(memcmp(got->values, want->values, STEPS * got->n * sizeof(float)) == 0, "%s: values of '%s'", name,
                  n->name);
    for (size_t i = 0; i < got->n; i++) {
        uint32_t active = 0;
        for (uint32_t t = 0; t < STEPS; t++)
            active += got->values[t * got->n + i] != 0.0f;
        ck_assert_msg(got->count[i] == active && want->count[i] == active,
                      "%s: '%s'[%u] is active %u times, counted %u", name, n->name, (unsigned)i, (unsigned)active,
                      (unsigned)got->count[i]);
    }
}

/* Returns how many neurons lie in another order than their tensor's. */
static uint32_t check_taps(const mst_graph *g, uint64_t seed, const char *name)
{
    static const uint32_t steps[] = {0, 16, 64};
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    uint32_t pieces = 0, none = 0;
    float *x = malloc(n * sizeof *x);
    rng r = {seed};
    for (size_t i = 0; i < n; i++)
        x[i] = rng_f(&r, -1.5f, 1.5f);
    mst_run_opts o = {.seed = 5};
    record want = watch(g, &o, x, &none);
    ck_assert_uint_eq(none, 0);
    for (unsigned k = 0; k < 3; k++) {
        mst_run_opts b = {.seed = 5,
                          .schedule = MST_SCHEDULE_BLOCK,
                          .block_steps = steps[k],
                          .threads = 1 + ((unsigned)seed + k) % 3,
                          .isa = k == 2 ? "scalar" : NULL};
        record got = watch(g, &b, x, &pieces);
        for (uint32_t i = 0; i < g->n_nodes; i++)
            compare_node(&want.nodes[i], &got.nodes[i], &g->nodes[i], name);
        free_record(&got);
    }
    free_record(&want);
    free(x);
    return pieces;
}

START_TEST(random_nets)
{
    for (uint64_t seed = (uint64_t)_i * NETS; seed < (uint64_t)(_i + 1) * NETS; seed++) {
        char name[32];
        mst_graph *g = seed % 4 == 3 ? conv_net(seed) : block_net(seed);
        snprintf(name, sizeof name, "net %u", (unsigned)seed);
        check_taps(g, seed, name);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Neurons behind the split into heads, whose spikes stay in the order of the layer before it. */
START_TEST(heads)
{
    static const uint32_t channels[] = {32, 64, 96, 192}, parts[] = {2, 4, 3, 6}, windows[] = {1, 2, 3, 1};
    uint32_t pieces = 0;
    for (unsigned i = 0; i < 4; i++) {
        net n = {.r = {i + 1}, .before = MST_NONE, .tokens = 6, .channels = channels[i]};
        n.g = graph_with_input(DIMS(n.tokens, n.channels));
        uint32_t x = net_neuron(&n, net_linear(&n, n.g->input, n.channels)), part[3];
        for (int k = 0; k < 3; k++)
            part[k] = net_heads(&n, net_linear(&n, x, n.channels), windows[i], parts[i], true);
        uint32_t a = net_neuron(&n, net_product(&n, part[0], part[1], true));
        uint32_t o = net_transpose(&n, net_product(&n, a, part[2], false), (const uint32_t[4]){0, 2, 1, 3});
        n.x = net_neuron(&n, reshape_to(n.g, o, DIMS(n.tokens, n.channels)));
        net_end(&n);
        pieces += check_taps(n.g, i, "heads");
        mst_graph_destroy(n.g);
    }
    ck_assert_uint_ge(pieces, 12); /* of 36 that could be */
}
END_TEST

/* Spikes that are stored as bits, and as floats too, for a pool that knows no bits. */
START_TEST(bits_and_floats_of_one_neuron)
{
    net n = {.r = {2}, .before = MST_NONE, .tokens = 16, .channels = 20};
    n.g = graph_with_input(DIMS(16, 20));
    uint32_t x = net_neuron(&n, net_linear(&n, n.g->input, 20));
    uint32_t image = reshape_to(n.g, x, DIMS(1, 4, 4, 20));
    mst_node *pool = add_node(n.g, MST_OP_POOL, INPUTS(image), DIMS(1, 2, 2, 20));
    pool->ip[MST_POOL_FN] = MST_RED_MAX;
    for (int i = 0; i < 2; i++) {
        pool->ip[MST_POOL_KERNEL + i] = pool->ip[MST_POOL_STRIDE + i] = 2;
        pool->ip[MST_POOL_DILATION + i] = 1;
    }
    uint32_t small = reshape_to(n.g, n.g->output, DIMS(4, 20));
    uint32_t y = net_linear(&n, net_neuron(&n, net_linear(&n, x, 20)), 20);
    add_node(n.g, MST_OP_CONCAT, INPUTS(small, y), DIMS(20, 20));
    n.x = n.g->output;
    net_end(&n);
    check_taps(n.g, 1, "bits and floats");
    mst_graph_destroy(n.g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block taps");
    TCase *t = tcase_create("taps");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, random_nets, 0, 4);
    tcase_add_test(t, heads);
    tcase_add_test(t, bits_and_floats_of_one_neuron);
    suite_add_tcase(s, t);
    return run_tests(s);
}
