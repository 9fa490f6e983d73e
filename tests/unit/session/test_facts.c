/* Facts of graphs, programs and sessions, one a function; options of a program as text. */
#include <stdlib.h>

#include "tests/unit/session/session_graphs.h"
#include "mst/facts.h"
#include "tests/support/run_tests.h"

/* x [1,2,2,3] -> neurons with a theta a channel, masked -> linear on the last axis -> neurons with one theta. */
static mst_graph *two_layers(void)
{
    static const float thetas[2] = {0.5f, 2}, w[6] = {1, 0.5f, 1, 0, 1, 1};
    mst_graph *g = graph_with_input(DIMS(1, 2, 2, 3));
    uint32_t each = add_const(g, DIMS(2), thetas), one = add_value(g, 1.5f), wt = add_const(g, DIMS(3, 2), w);
    uint32_t first = add_neuron(g, g->output, each, 0.5f);
    mst_node *n = &g->nodes[0];
    n->ip[MST_NEURON_AXIS] = 1;
    n->ip[MST_NEURON_SITE] = MST_SITE_CONV;
    n->ip[MST_NEURON_STAGE] = 2;
    n->ip[MST_NEURON_BLOCK] = 3;
    n->ip[MST_NEURON_LEVELS] = 8;
    uint32_t masked = add_mask(g, first, 0, 0.25f);
    g->nodes[1].fp[MST_MASK_TRAINED] = 0.5f;
    add_node(g, MST_OP_LINEAR, INPUTS(masked, wt), DIMS(1, 2, 2, 2));
    add_neuron(g, g->output, one, 0);
    return g;
}

START_TEST(of_a_graph)
{
    static const char *names[2] = {"cat", "dog"};
    mst_graph *g = two_layers();
    uint32_t dims[MST_MAX_RANK];
    ck_assert_uint_eq(mst_graph_input_shape(g, dims), 4);
    ck_assert(dims[0] == 1 && dims[1] == 2 && dims[2] == 2 && dims[3] == 3);
    ck_assert_uint_eq(mst_graph_classes(g), 8);
    ck_assert(mst_graph_mean(g, 0) == 0.0f && mst_graph_std(g, 0) == 1.0f);
    ck_assert_ptr_null(mst_graph_class_name(g, 0));
    ck_assert_uint_eq(mst_graph_frames(g), 1);
    g->meta.n_norm = 2;
    g->meta.mean[1] = 0.25f;
    g->meta.std[1] = 0.5f;
    g->meta.n_classes = 2;
    g->meta.class_names = names;
    g->meta.timesteps = 24;
    g->meta.seed = (uint64_t)1 << 40;
    g->meta.prepare.frames = 5;
    ck_assert_uint_eq(mst_graph_frames(g), 1); /* presented as channels */
    g->meta.prepare.present = MST_PRESENT_STEPS;
    ck_assert_uint_eq(mst_graph_frames(g), 5);
    ck_assert(mst_graph_mean(g, 1) == 0.25f && mst_graph_std(g, 1) == 0.5f);
    ck_assert(mst_graph_mean(g, 2) == 0.0f && mst_graph_std(g, 2) == 1.0f);
    ck_assert_str_eq(mst_graph_class_name(g, 1), "dog");
    ck_assert_ptr_null(mst_graph_class_name(g, 2));
    ck_assert_uint_eq(mst_graph_timesteps(g), 24);
    ck_assert(mst_graph_tuned_timesteps(g) == 0);
    g->tuning = (mst_tuning){.timesteps = 16, .readout_from = 9};
    ck_assert(mst_graph_tuned_timesteps(g) == 16 && mst_graph_tuned_readout(g) == 9);
    g->tuning = (mst_tuning){0};
    ck_assert_uint_eq(mst_graph_seed(g), (uint64_t)1 << 40);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(of_layers)
{
    mst_graph *g = two_layers();
    mst_program *p = NULL;
    uint32_t dims[MST_MAX_RANK];
    OK(mst_program_create(g, NULL, &p, &err_));
    ck_assert_uint_eq(mst_program_layers(p), 2);
    ck_assert_str_eq(mst_program_layer_name(p, 0), "neuron0");
    ck_assert_str_eq(mst_program_layer_name(p, 1), "neuron3");
    ck_assert(mst_program_layer_node(p, 0) == 0 && mst_program_layer_node(p, 1) == 3);
    ck_assert_str_eq(mst_program_layer_site(p, 0), "conv");
    ck_assert_str_eq(mst_program_layer_site(p, 1), "other");
    ck_assert(mst_program_layer_stage(p, 0) == 2 && mst_program_layer_stage(p, 1) == -1);
    ck_assert(mst_program_layer_block(p, 0) == 3 && mst_program_layer_block(p, 1) == -1);
    ck_assert(mst_program_layer_neurons(p, 0) == 12 && mst_program_layer_neurons(p, 1) == 8);
    ck_assert(mst_program_layer_levels(p, 0) == 8 && mst_program_layer_levels(p, 1) == 4);
    ck_assert(mst_program_layer_thetas(p, 0) == 2 && mst_program_layer_thetas(p, 1) == 1);
    ck_assert(mst_program_layer_axis(p, 0) == 1);
    ck_assert(mst_program_layer_theta(p, 0, 0) == 0.5f && mst_program_layer_theta(p, 0, 1) == 2.0f);
    ck_assert(mst_program_layer_theta(p, 1, 0) == 1.5f && mst_program_layer_theta(p, 1, 1) == 0.0f);
    ck_assert(mst_program_layer_mask(p, 0) == 0.25 && mst_program_layer_mask(p, 1) == -1);
    ck_assert(mst_program_layer_trained(p, 0) == 0.5 && mst_program_layer_trained(p, 1) == -1);
    ck_assert_uint_eq(mst_program_layer_shape(p, 0, dims), 4);
    ck_assert(dims[1] == 2 && dims[2] == 2 && dims[3] == 3);
    ck_assert(mst_program_layer_leaves(p, 0) == 1 && mst_program_layer_leaves(p, 1) == 3);
    ck_assert_uint_eq(mst_program_layer_leaves(p, 2), MST_NONE);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(of_no_layer)
{
    mst_graph *g = two_layers();
    mst_program *p = NULL;
    uint32_t dims[MST_MAX_RANK];
    OK(mst_program_create(g, NULL, &p, &err_));
    ck_assert_ptr_null(mst_program_layer_name(p, 2));
    ck_assert_uint_eq(mst_program_layer_node(p, 2), MST_NONE);
    ck_assert_ptr_null(mst_program_layer_site(p, 2));
    ck_assert(mst_program_layer_stage(p, 2) == -1 && mst_program_layer_block(p, 2) == -1);
    ck_assert(mst_program_layer_neurons(p, 2) == 0 && mst_program_layer_levels(p, 2) == 0);
    ck_assert(mst_program_layer_thetas(p, 2) == 0 && mst_program_layer_axis(p, 2) == -1);
    ck_assert(mst_program_layer_theta(p, 2, 0) == 0.0f && mst_program_layer_shape(p, 2, dims) == 0);
    ck_assert(mst_program_layer_mask(p, 2) == -1 && mst_program_layer_trained(p, 2) == -1);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

/* Four steps on one input; the session's counters. */
static mst_counters counters_of(const mst_graph *g, const mst_run_opts *opts, const char *text)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    float x[60];
    rng r = {7};
    rng_fill(&r, x, 60, 1, 0, 1);
    if (opts != NULL)
        OK(mst_program_create(g, opts, &p, &err_));
    else
        OK(mst_program_create_text(g, text, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 0);
    for (int t = 0; t < 4; t++)
        mst_session_step(s);
    mst_counters c = mst_session_counters(s);
    ck_assert(mst_session_spikes(s) == c.spikes && mst_session_fired(s) == c.spikes_before);
    ck_assert(mst_session_sops(s) == c.sops && mst_session_macs(s) == c.macs);
    ck_assert(c.spikes != 0 && c.spikes < c.spikes_before);
    uint64_t fired[2], spikes[2], ops[2], alone[2];
    ck_assert_uint_eq(mst_program_layers(p), 2);
    mst_session_layer_sums(s, fired, spikes, ops);
    mst_session_layer_sums(s, NULL, NULL, NULL);
    mst_session_layer_sums(s, NULL, NULL, alone);
    for (size_t k = 0; k < 2; k++) {
        ck_assert_uint_eq(fired[k], mst_session_layer_fired(s, MST_LAST, k));
        ck_assert_uint_eq(spikes[k], mst_session_layer_spikes(s, MST_LAST, k));
        ck_assert(ops[k] == mst_session_layer_ops(s, k) && alone[k] == ops[k]);
    }
    ck_assert(fired[0] != spikes[0] && fired[0] != fired[1] && ops[1] != 0);
    mst_session_destroy(s);
    mst_program_destroy(p);
    return c;
}

static void same(const mst_graph *g, const mst_run_opts *opts, const char *text)
{
    mst_counters a = counters_of(g, opts, NULL), b = counters_of(g, NULL, text);
    ck_assert_msg(memcmp(&a, &b, sizeof a) == 0, "'%s' is another program", text);
}

START_TEST(options_as_text)
{
    mst_graph *g = two_layers();
    g->meta.seed = 9;
    g->meta.prepare = (mst_prepare){.frames = 5, .present = MST_PRESENT_STEPS};
    same(g, &(mst_run_opts){.seed = 9, .frames = 5}, NULL);
    same(g, &(mst_run_opts){.seed = 9, .frames = 5}, "");
    same(g, &(mst_run_opts){.seed = 4, .frames = 2}, "seed=4  frames=2");
    same(g, &(mst_run_opts){.seed = 9, .frames = 5, .schedule = MST_SCHEDULE_BLOCK},
         " schedule=block isa=scalar threads=1 block-steps=3 backend=cpu");
    mst_program *p = NULL;
    OK(mst_program_create_text(g, "isa=scalar schedule=block block-steps=3", &p, &err_));
    ck_assert_str_eq(mst_program_isa(p), "scalar");
    ck_assert_uint_eq(mst_program_block_steps(p), 3);
    mst_program_destroy(p);
    g->meta.prepare = (mst_prepare){0};
    OK(mst_program_create_text(g, "mode=count levels=5 thinning=systematic", &p, &err_));
    ck_assert_uint_eq(mst_program_window(p), 5);
    mst_program_destroy(p);
    OK(mst_program_create_text(g, "mode=ann", &p, &err_));
    mst_program_destroy(p);
    OK(mst_program_create_text(g, "mode=float", &p, &err_));
    mst_session *s = NULL;
    OK(mst_session_create(p, &s, &err_));
    ck_assert_ptr_null(mst_session_potential(s, 0)); /* there is none in float mode */
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(wrong_options_as_text)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"mode", "option 'mode': expected NAME=VALUE"},
        {"depth=3", "option 'depth': expected one of mode, "},
        {"mode=analog", "option mode: expected one of step, float, count, radix, ann, found"},
        {"thinning=none", "option thinning: expected one of binomial, systematic, found 'none'"},
        {"levels=256", "levels"},
        {"schedule=", "option schedule: expected one of step, block, found ''"},
        {"seed=18446744073709551616", "option seed: expected a whole number up to 18446744073709551615"},
        {"seed=-1", "option seed: "},
        {"frames=4294967296", "option frames: expected a whole number up to 4294967295"},
        {"threads=", "option threads: "},
        {"block-steps=2x", "option block-steps: "},
        {"isa=mmx", "mmx"},
        {"backend=tpu", "back end: expected one of cpu, found 'tpu'"},
        {"readout-from=65537", "readout_from: expected a time step, 0 to 65536, found 65537"},
        {"mode=count readout-from=2", "readout_from: expected a time step, 0 to 1 outside the spiking mode, found 2"},
    };
    mst_graph *g = two_layers();
    mst_program *p = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mst_err err = {0};
        ck_assert_int_eq(mst_program_create_text(g, wrong[i].text, &p, &err), MST_EINVAL);
        ck_assert_msg(strstr(mst_err_text(&err), wrong[i].says) != NULL, "'%s' does not say '%s'", err.text,
                      wrong[i].says);
        ck_assert_ptr_null(p);
    }
    char *big = malloc(2000);
    memset(big, ' ', 1999);
    big[1999] = '\0';
    ck_assert_int_eq(mst_program_create_text(g, big, &p, NULL), MST_ELIMIT);
    free(big);
    ck_assert_uint_eq(mst_err_size(), sizeof(mst_err));
    ck_assert_str_eq(mst_version(), MST_VERSION);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *tc = tcase_create("facts");
    tcase_add_test(tc, of_a_graph);
    tcase_add_test(tc, of_layers);
    tcase_add_test(tc, of_no_layer);
    tcase_add_test(tc, options_as_text);
    tcase_add_test(tc, wrong_options_as_text);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
