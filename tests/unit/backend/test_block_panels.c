/* Layers that share weights have panels of their own: as many as there is room for, operators for the others,
 * and the same spikes. */
#include <check.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/support/run_tests.h"
#include "tests/unit/backend/block_graphs.h"

enum { INPUTS_N = 8192,
       LAYERS = 40,
       STEPS = 20 };
static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};

/* One output of 8192 spikes, and the sum of so many of the same. */
static mst_graph *sharing(void)
{
    net n = {.r = {5}, .before = MST_NONE, .tokens = 1, .channels = INPUTS_N};
    n.g = graph_with_input(DIMS(1, INPUTS_N));
    uint32_t theta = add_value(n.g, 0.8f), w = add_random(n.g, &n.r, DIMS(INPUTS_N, 1), -0.02f, 0.03f);
    uint32_t x = add_neuron(n.g, n.g->input, theta, 0.5f), sum = MST_NONE;
    for (uint32_t i = 0; i < LAYERS; i++) {
        add_node(n.g, MST_OP_LINEAR, INPUTS(x, w), DIMS(1, 1));
        uint32_t y = add_neuron(n.g, n.g->output, add_value(n.g, 0.5f + 0.1f * (float)i), 0.5f);
        sum = sum == MST_NONE ? y : net_add(&n, sum, y);
    }
    add_node(n.g, MST_OP_RESHAPE, INPUTS(sum), DIMS(1));
    return n.g;
}

static size_t panel_bytes(const mst_program *p, size_t *made)
{
    size_t bytes = 0;
    *made = 0;
    for (const rt_synapse *s = p->synapses; s != NULL; s = s->next) {
        bytes += cpu_of(s)->panel_floats * sizeof(float) + cpu_of(s)->panel8_bytes;
        *made += cpu_of(s)->panels != NULL || cpu_of(s)->panels8 != NULL;
    }
    return bytes;
}

START_TEST(shared_weights)
{
    mst_graph *g = sharing();
    narrow_weights(g, types[_i]);
    static float x[INPUTS_N];
    rng r = {9};
    rng_fill(&r, x, INPUTS_N, 1, -1, 1.5f);
    float step[STEPS], block[STEPS];
    mst_counters a, b;
    mst_program_destroy(net_run(g, MST_SCHEDULE_STEP, x, STEPS, step, &a));
    mst_program *p = net_run(g, MST_SCHEDULE_BLOCK, x, STEPS, block, &b);
    size_t made, bytes = panel_bytes(p, &made);
    ck_assert_uint_le(bytes, cpu_panel_room(g));
    ck_assert_uint_gt(made, 0);
    if (types[_i] != MST_I8) /* bytes are a quarter: all have room */
        ck_assert_uint_lt(made, LAYERS);
    ck_assert_uint_gt(a.spikes, 0);
    ck_assert(memcmp(step, block, sizeof step) == 0 && memcmp(&a, &b, sizeof a) == 0);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block panels");
    TCase *t = tcase_create("panels");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, shared_weights, 0, 3);
    suite_add_tcase(s, t);
    return run_tests(s);
}
