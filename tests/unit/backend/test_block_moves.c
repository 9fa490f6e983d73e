/* Movement behind movement: how far the block schedule follows it, and that graphs in which its ways double over
 * and over, or have no end, compile and give the same spikes. */
#include <check.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/unit/backend/block_graphs.h"
#include "tests/support/run_tests.h"

enum { TOKENS = 6,
       CHANNELS = 8,
       STEPS = 20,
       CLASSES = 3 };
static mst_err err_;
static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};

typedef enum way { ROLLS,
                   SHAPES,
                   FLOATS } way;

/* Spikes (FLOATS: sums of them), moved `times` times, and a layer. */
static mst_graph *moved(way how, uint32_t times, bool neuron)
{
    net n = {.r = {3}, .before = MST_NONE, .tokens = TOKENS, .channels = CHANNELS};
    n.g = graph_with_input(DIMS(TOKENS, CHANNELS));
    n.x = add_neuron(n.g, net_linear(&n, n.g->input, CHANNELS), add_value(n.g, 0.7f), 0.5f);
    if (how == FLOATS)
        n.x = net_linear(&n, n.x, CHANNELS);
    for (uint32_t i = 0; i < times; i++)
        n.x = how == ROLLS ? net_roll(&n, n.x, 1 + i % 5)
              : i % 2 == 0 ? reshape_to(n.g, n.x, DIMS(CHANNELS, TOKENS))
                           : reshape_to(n.g, n.x, DIMS(TOKENS, CHANNELS));
    if (how != ROLLS && times % 2 != 0)
        n.x = reshape_to(n.g, n.x, DIMS(TOKENS, CHANNELS));
    if (neuron)
        n.x = add_neuron(n.g, n.x, add_value(n.g, 0.9f), 0.5f);
    n.x = add_neuron(n.g, net_linear(&n, n.x, CHANNELS), add_value(n.g, 0.8f), 0.5f);
    return net_end(&n);
}

static void same_spikes(const mst_graph *g, const char *name, uint32_t times)
{
    float step[STEPS * CLASSES], block[STEPS * CLASSES], x[TOKENS * CHANNELS];
    mst_counters a, b;
    rng r = {9};
    rng_fill(&r, x, TOKENS * CHANNELS, 1, -1, 1.5f);
    mst_program_destroy(net_run(g, MST_SCHEDULE_STEP, x, STEPS, step, &a));
    mst_program_destroy(net_run(g, MST_SCHEDULE_BLOCK, x, STEPS, block, &b));
    ck_assert_uint_gt(a.spikes, 0);
    ck_assert_msg(memcmp(step, block, sizeof step) == 0 && memcmp(&a, &b, sizeof a) == 0, "%s, %u times", name,
                  (unsigned)times);
}

START_TEST(many)
{
    static const struct {
        way way;
        const char *name;
        uint32_t times[5];
    } cases[] = {
        {ROLLS, "rolls", {1, 5, 6, 7, 60}}, /* of ways: 3, 93, 189, 381, over 2^60 */
        {SHAPES, "shapes", {2, 255, 256, 257, 20000}},
        {FLOATS, "floats", {2, 255, 256, 257, 20000}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t k = 0; k < 5; k++)
            for (int neuron = 0; neuron < 2; neuron++) {
                mst_graph *g = moved(cases[i].way, cases[i].times[k], neuron != 0);
                narrow_weights(g, types[_i]);
                same_spikes(g, cases[i].name, cases[i].times[k]);
                mst_graph_destroy(g);
            }
}
END_TEST

static size_t run_by_operators(const mst_graph *g)
{
    mst_program *p = NULL;
    mst_run_opts o = {.schedule = MST_SCHEDULE_BLOCK};
    size_t n = 0;
    ck_assert_msg(mst_program_create(g, &o, &p, &err_) == MST_OK, "%s", err_.text);
    for (size_t i = 0; i < p->n_ops; i++)
        n += p->ops[i].kind == RT_OP_NODE && g->nodes[p->ops[i].node->index].op != MST_OP_REDUCE;
    mst_program_destroy(p);
    return n;
}

/* As much as networks have stays bits; what is beyond does not. */
START_TEST(how_far)
{
    static const struct {
        way way;
        uint32_t times;
        bool bits;
    } cases[] = {{ROLLS, 6, true}, {ROLLS, 7, false}, {SHAPES, 256, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mst_graph *g = moved(cases[i].way, cases[i].times, false);
        ck_assert_msg((run_by_operators(g) == 0) == cases[i].bits, "case %zu", i);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Rows of one bit take a word each: positions that 32 bits do not number are refused, whatever the block. */
START_TEST(too_many_bits)
{
    mst_graph *g = graph_with_input(DIMS(1u << 26, 1));
    mst_program *p = NULL;
    mst_run_opts o = {.schedule = MST_SCHEDULE_BLOCK, .block_steps = 1};
    add_neuron(g, g->input, add_value(g, 1.0f), 0.5f);
    ck_assert_int_eq(mst_program_create(g, &o, &p, &err_), MST_ELIMIT);
    ck_assert_ptr_nonnull(strstr(err_.text, "bits of spikes"));
    o.schedule = MST_SCHEDULE_STEP;
    ck_assert_msg(mst_program_create(g, &o, &p, &err_) == MST_OK, "%s", err_.text);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block moves");
    TCase *t = tcase_create("moves");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, many, 0, 3);
    tcase_add_test(t, how_far);
    tcase_add_test(t, too_many_bits);
    suite_add_tcase(s, t);
    return run_tests(s);
}
