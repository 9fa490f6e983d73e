/* What an attribution says and advises, from figures set by hand: nothing whose worth is not certain. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"
#include "tools/calib_attrib_words.h"

#define LAYERS 4

static mst_attrib_layer layers[LAYERS + 1];
static mst_attrib_cause causes[2];
static mst_attrib_part parts[3];
static double mean[1] = {0}, deviation[1] = {1};
static mst_attrib_report report;
static mst_graph *graph;
static mst_words words;

static mst_attrib_effect effect(double points, double se, double logit)
{
    return (mst_attrib_effect){points / 100, se / 100, logit};
}

/* 100 samples of which the ANN gets 90; one cause that is the loss. */
static void set_up(mst_cause cause, mst_attrib_effect loss)
{
    mst_err err;
    ck_assert_int_eq(sample_every_op(NULL, &graph, &err), MST_OK);
    for (size_t k = 0; k <= LAYERS; k++)
        layers[k] = (mst_attrib_layer){.name = k < LAYERS ? (const char *[]){"/b.1/b.1.0/q/Floor", "/b.1/b.1.0/k/Floor",
                                                                             "/b.1/b.1.1/q/Floor", "head"}[k]
                                                          : "",
                                       .stage = -1,
                                       .block = k < 2 ? 5 : k == 2 ? 6
                                                                   : -1,
                                       .theta_ratio = 1,
                                       .levels = 16,
                                       .snn_levels = 16,
                                       .run_levels = 16,
                                       .trained = -1};
    causes[0] = (mst_attrib_cause){cause, loss, loss, loss};
    report = (mst_attrib_report){.mode = MST_RUN_COUNT,
                                 .samples = 100,
                                 .labelled = 100,
                                 .ann_top1 = 0.9,
                                 .snn_top1 = 0.9 - loss.points,
                                 .loss = loss,
                                 .causes = causes,
                                 .n_causes = 1,
                                 .parts = parts,
                                 .layers = layers,
                                 .n_layers = LAYERS,
                                 .counted = loss,
                                 .mean = mean,
                                 .deviation = deviation,
                                 .channels = 1};
}

static const char *say(bool lacks_masks)
{
    mst_err err;
    const mst_words_of of = {.report = &report, .snn = graph, .onnx = "a.onnx", .lacks_masks = lacks_masks};
    ck_assert_int_eq(mst_words_make(&of, &words, &err), MST_OK);
    return words.summary;
}

static void tear_down(void)
{
    mst_words_free(&words);
    mst_graph_destroy(graph);
}

static bool has(const char *text, const char *what) { return strstr(text, what) != NULL; }

START_TEST(no_advice_of_what_is_not_certain)
{
    set_up(MST_CAUSE_WEIGHTS, effect(1.67, 1.67, 0.2));
    const char *text = say(false);
    ck_assert_uint_eq(words.n, 1);
    ck_assert_ptr_null(words.findings[0].advice);
    ck_assert_msg(has(text, "Nothing in it is worth doing something about.") && !has(text, "--weights"), "%s", text);
    tear_down();
    set_up(MST_CAUSE_WEIGHTS, effect(5, 1, 0.2));
    ck_assert_msg(has(say(false), "What to do: mstconv --weights"), "%s", words.summary);
    tear_down();
}
END_TEST

START_TEST(nothing_of_errors_that_are_negligible)
{
    set_up(MST_CAUSE_WEIGHTS, effect(0, 0, 0.004));
    parts[0] = (mst_attrib_part){0, 5, 1, MST_CAUSE_WEIGHTS, effect(0, 0, 0.004), effect(0, 0, 0.004)};
    report.n_parts = report.layers_tried = 1;
    const char *text = say(false);
    ck_assert_uint_eq(words.n, 0);
    ck_assert_msg(has(text, "Nothing in it") && !has(text, "layers whose"), "%s", text);
    tear_down();
}
END_TEST

START_TEST(layers_that_gain_or_cost_nothing_are_not_named)
{
    set_up(MST_CAUSE_QUANTIZATION, effect(20, 3, 0.8));
    parts[0] = (mst_attrib_part){0, 5, 1, MST_CAUSE_QUANTIZATION, effect(0, 0, 0), effect(0, 0, 0)};
    parts[1] = (mst_attrib_part){1, 5, 1, MST_CAUSE_QUANTIZATION, effect(-15, 4, 0.3), effect(0, 0, 0)};
    parts[2] = (mst_attrib_part){2, 6, 1, MST_CAUSE_QUANTIZATION, effect(9, 3, 0.2), effect(0, 0, 0)};
    report.n_parts = report.layers_tried = 3;
    const char *text = say(false);
    ck_assert_msg(has(text, "costs most: '/b.1/b.1.1/q/Floor' (9.00 points"), "%s", text);
    ck_assert_msg(!has(text, "0.000 of") && !has(text, "a gain of"), "%s", text);
    ck_assert_ptr_eq(words.worst, &parts[2]);
    tear_down();
}
END_TEST

START_TEST(count_mode_only_where_it_gains)
{
    set_up(MST_CAUSE_CLIPPING, effect(-10, 4, 0.5));
    report.mode = MST_RUN_SPIKING;
    report.steps = 16;
    ck_assert_msg(!has(say(false), "--mode count") && !has(words.summary, "-10.00"), "%s", words.summary);
    tear_down();
    set_up(MST_CAUSE_CLIPPING, effect(10, 4, 0.5));
    report.mode = MST_RUN_SPIKING;
    report.steps = 16;
    report.counted = effect(5, 4, 0.4);
    ck_assert_msg(!has(say(false), "--mode count") && has(words.summary, "More steps than T = 16"), "%s",
                  words.summary);
    tear_down();
    set_up(MST_CAUSE_CLIPPING, effect(10, 4, 0.5));
    report.mode = MST_RUN_SPIKING;
    ck_assert_msg(has(say(false), "--mode count takes what comes of time away: worth 10.00"), "%s", words.summary);
    tear_down();
}
END_TEST

START_TEST(masks_that_the_ann_lacks)
{
    set_up(MST_CAUSE_MASKS, effect(-43, 7, 0.8));
    for (size_t k = 0; k < LAYERS; k++)
        layers[k].ratio = layers[k].trained = 0.75;
    ck_assert_msg(has(say(true), "What to do: Compare with --ann-masks trained."), "%s", words.summary);
    ck_assert_str_eq(words.findings[0].kind, "ann-masks");
    ck_assert_uint_eq(words.n, 1);
    tear_down();
    set_up(MST_CAUSE_MASKS, effect(43, 7, 0.8)); /* it was not trained with them */
    layers[0].ratio = 0.9;
    ck_assert_msg(has(say(true), "A lower ratio there (policy), or fine-tune with 0.9."), "%s", words.summary);
    tear_down();
}
END_TEST

START_TEST(nothing_behind_inputs_that_are_wrong)
{
    set_up(MST_CAUSE_WEIGHTS, effect(20, 3, 0.8));
    report.standard = effect(60, 5, -0.5);
    ck_assert_msg(has(say(false), "gains 60.00 points") && !has(words.summary, "--weights"), "%s", words.summary);
    ck_assert_uint_eq(words.n, 1);
    causes[1] = (mst_attrib_cause){MST_CAUSE_NETWORK, effect(0, 0, 0), effect(0, 0, 0), effect(0, 0, 0)};
    report.n_causes = 2; /* that is a fact */
    layers[1].snn_levels = 4;
    layers[1].differs = true;
    mst_words_free(&words);
    ck_assert_msg(has(say(false), "its L is 4, the ANN's 16. That costs nothing in this run."), "%s", words.summary);
    ck_assert_uint_eq(words.n, 2);
    tear_down();
}
END_TEST

START_TEST(names_of_blocks)
{
    set_up(MST_CAUSE_WEIGHTS, effect(20, 3, 0.8));
    mst_arena a = {0};
    ck_assert_str_eq(mst_block_text(&a, &report, 5), "block 5 ('/b.1/b.1.0')");
    layers[0].name = "x";
    ck_assert_str_eq(mst_block_text(&a, &report, 5), "block 5");
    mst_arena_release(&a);
    mst_graph_destroy(graph);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("words");
    TCase *c = tcase_create("words");
    tcase_add_test(c, no_advice_of_what_is_not_certain);
    tcase_add_test(c, nothing_of_errors_that_are_negligible);
    tcase_add_test(c, layers_that_gain_or_cost_nothing_are_not_named);
    tcase_add_test(c, count_mode_only_where_it_gains);
    tcase_add_test(c, masks_that_the_ann_lacks);
    tcase_add_test(c, nothing_behind_inputs_that_are_wrong);
    tcase_add_test(c, names_of_blocks);
    suite_add_tcase(s, c);
    return run_tests(s);
}
