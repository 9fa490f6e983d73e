/* Folding: binding of the input, shapes through shape arithmetic, refusals, limits
 * against hostile graphs, dead nodes, windows, running out of memory.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/onnx/fold_fixture.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

/* ---- inputs ---- */

START_TEST(test_shape_arithmetic_becomes_constant)
{
    /* reshape(x, [shape(x)[0], -1]) as PyTorch writes it, batch symbolic */
    uint32_t x = build_input(&g, "x", OX_FLOAT, 4, (const int64_t[]){-1, 3, 4, 5});
    uint32_t shape = build_node(&g, "Shape", x, N_, N_, N_);
    uint32_t batch = build_node(&g, "Gather", shape, build_int(&g, 0), N_, N_);
    uint32_t row = build_node(&g, "Unsqueeze", batch, INTS(0), N_, N_);
    uint32_t to = build_node(&g, "Concat", row, INTS(-1), N_, N_);
    build_attr_int(&g, "axis", 0);
    uint32_t y = build_node(&g, "Reshape", x, to, N_, N_);
    build_output(&g, y);
    fold_ok();
    IS_SHAPE(y, 1, 60);
    ck_assert_int_eq(ox_get_int(&g.values[to], 0), 1);
    for (uint32_t i = 0; i + 1 < g.n_nodes; i++)
        ck_assert(g.nodes[i].dead);
    ck_assert(!g.nodes[g.n_nodes - 1].dead);
}
END_TEST

START_TEST(test_symbolic_dimension_needs_a_size)
{
    build_output(&g, build_input(&g, "img", OX_FLOAT, 4, (const int64_t[]){-1, 3, -1, 32}));
    fold_fails(MST_EINVAL, "--input-shape");
}
END_TEST

START_TEST(test_input_shape_binds)
{
    uint32_t x = build_input(&g, "img", OX_FLOAT, 4, (const int64_t[]){-1, 3, -1, -1});
    build_output(&g, x);
    ck_assert_int_eq(ox_fold(&g, (const uint32_t[]){3, 8, 9}, 3, &err), MST_OK);
    IS_SHAPE(x, 1, 3, 8, 9);
}
END_TEST

START_TEST(test_input_shape_contradicts)
{
    build_output(&g, build_input(&g, "img", OX_FLOAT, 4, (const int64_t[]){-1, 3, 8, 8}));
    ck_assert_int_eq(ox_fold(&g, (const uint32_t[]){1, 8, 8}, 3, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "--input-shape says 1"));
    ck_assert_int_eq(ox_fold(&g, (const uint32_t[]){8, 8}, 2, &err), MST_EINVAL);
}
END_TEST

START_TEST(test_input_without_shape)
{
    uint32_t x = build_input(&g, "img", OX_FLOAT, 0, NULL);
    g.values[x].has_shape = false;
    build_output(&g, x);
    fold_fails(MST_EINVAL, "--input-shape");
    ck_assert_int_eq(ox_fold(&g, (const uint32_t[]){2, 3, 4}, 3, &err), MST_OK);
    IS_SHAPE(x, 1, 2, 3, 4);
}
END_TEST

START_TEST(test_fixed_batch)
{
    uint32_t x = build_input(&g, "img", OX_FLOAT, 4, (const int64_t[]){8, 3, 4, 4});
    build_output(&g, x);
    ck_assert_int_eq(ox_fold(&g, NULL, 0, &err), MST_OK);
    IS_SHAPE(x, 1, 3, 4, 4);
    ck_assert_int_eq(g.batch, 8);
}
END_TEST

START_TEST(test_opsets)
{
    g.opset = 8;
    fold_fails(MST_EUNSUPPORTED, "opset 8");
    g.opset = 29;
    fold_fails(MST_EUNSUPPORTED, "opset 29");
}
END_TEST

/* ---- what is refused ---- */

START_TEST(test_unknown_operator)
{
    refuse_node("Loop", "", N_, N_, MST_EUNSUPPORTED, "export by tracing");
}
END_TEST

START_TEST(test_unknown_domain)
{
    refuse_node("Add", "com.microsoft", INTS(1), INTS(1), MST_EUNSUPPORTED,
                "domain 'com.microsoft', opset 17");
}
END_TEST

START_TEST(test_missing_input)
{
    refuse_node("Add", "", INTS(1), N_, MST_EINVAL, "input 1 is missing");
}
END_TEST

START_TEST(test_too_many_inputs)
{
    refuse_node("Relu", "", INTS(1), INTS(1), MST_EINVAL, "at most 1");
}
END_TEST

START_TEST(test_shape_from_data)
{
    uint32_t x = build_input(&g, "x", OX_INT64, 1, (const int64_t[]){2});
    refuse_node("ConstantOfShape", "", x, N_, MST_EUNSUPPORTED, "computed from the model's input");
}
END_TEST

START_TEST(test_different_types)
{
    refuse_node("Add", "", INTS(1), build_floats(&g, 1, (float[]){1}), MST_EINVAL, "int64 and float32");
}
END_TEST

/* ---- hostile sizes: refused before memory or time is taken ---- */

START_TEST(test_expand_too_large)
{
    refuse_node("Expand", "", INTS(1), INTS(1 << 20, 1 << 20), MST_ELIMIT, "Expand#0");
}
END_TEST

START_TEST(test_zero_does_not_hide_overflow)
{
    refuse_node("ConstantOfShape", "", INTS(INT64_MAX, INT64_MAX, 0), N_, MST_ELIMIT, "elements");
}
END_TEST

START_TEST(test_constant_of_shape_too_large)
{
    refuse_node("ConstantOfShape", "", INTS(1 << 29), N_, MST_ELIMIT, "memory");
}
END_TEST

START_TEST(test_tile_overflows)
{
    refuse_node("Tile", "", INTS(1, 2, 3), INTS(INT64_MAX), MST_ELIMIT, "overflows");
}
END_TEST

START_TEST(test_many_small_ones_add_up)
{
    for (int i = 0; i < 5; i++) /* 64 MiB each, 256 allowed */
        build_output(&g, build_node(&g, "ConstantOfShape", INTS(1 << 24), N_, N_, N_));
    fold_fails(MST_ELIMIT, "ConstantOfShape#");
}
END_TEST

START_TEST(test_arena_limit)
{
    g.arena.limit = g.arena.used + 4096;
    build_output(&g, build_node(&g, "ConstantOfShape", INTS(1 << 20), N_, N_, N_));
    fold_fails(MST_ELIMIT, "limit");
}
END_TEST

START_TEST(test_matmul_too_long)
{
    uint32_t a = build_node(&g, "ConstantOfShape", INTS(4096, 4096), N_, N_, N_);
    refuse_node("MatMul", "", a, a, MST_ELIMIT, "operations");
}
END_TEST

START_TEST(test_range_too_long)
{
    build_output(&g,
                 build_node(&g, "Range", build_int(&g, 0), build_int(&g, INT64_MAX), build_int(&g, 1), N_));
    fold_fails(MST_ELIMIT, "range");
}
END_TEST

START_TEST(test_range_overflows)
{
    build_output(&g,
                 build_node(&g, "Range", build_int(&g, INT64_MIN), build_int(&g, 5), build_int(&g, 1), N_));
    fold_fails(MST_EINVAL, "overflows");
}
END_TEST

START_TEST(test_rank_too_high)
{
    refuse_node("Unsqueeze", "", INTS(1), INTS(0, 1, 2, 3, 4, 5, 6, 7), MST_ELIMIT, "9 dimensions");
}
END_TEST

/* ---- what stays, what dies ---- */

START_TEST(test_random_stays)
{
    uint32_t x = build_floats(&g, 3, (float[]){1, 2, 3});
    uint32_t r = build_node(&g, "RandomUniformLike", x, N_, N_, N_);
    uint32_t keep = build_node(&g, "Greater", r, x, N_, N_);
    build_output(&g, keep);
    fold_ok();
    ck_assert(!g.nodes[0].dead && !g.nodes[1].dead);
    ck_assert_ptr_null(g.values[keep].data);
    ck_assert_int_eq(g.values[keep].dtype, OX_BOOL);
}
END_TEST

START_TEST(test_dropout)
{
    /* 0: inference; 1: training, which is random; 2: training with ratio 0 */
    const float ratio = _i == 2 ? 0.0f : 0.5f;
    const uint8_t training = _i != 0;
    uint32_t r = build_constant(&g, OX_FLOAT, 0, NULL, &ratio),
             t = build_constant(&g, OX_BOOL, 0, NULL, &training);
    uint32_t y = build_node(&g, "Dropout", r, r, t, N_);
    build_output(&g, y);
    fold_ok();
    ck_assert_int_eq(g.nodes[0].dead, _i != 1);
    ck_assert_int_eq(g.values[y].data != NULL, _i != 1);
}
END_TEST

START_TEST(test_dead_branches)
{
    uint32_t x = build_input(&g, "x", OX_FLOAT, 2, (const int64_t[]){-1, 4});
    uint32_t unused = build_node(&g, "Exp", x, N_, N_, N_);
    build_node(&g, "Log", unused, N_, N_, N_);
    build_output(&g, build_node(&g, "Relu", x, N_, N_, N_));
    fold_ok();
    ck_assert(g.nodes[0].dead && g.nodes[1].dead && !g.nodes[2].dead);
}
END_TEST

START_TEST(test_optional_outputs)
{
    uint32_t x = build_input(&g, "x", OX_FLOAT, 4, (const int64_t[]){1, 2, 4, 4});
    uint32_t y = build_node(&g, "MaxPool", x, N_, N_, N_);
    build_attr_ints(&g, "kernel_shape", 2, (const int64_t[]){2, 2});
    uint32_t indices = build_second_output(&g);
    build_output(&g, y);
    if (_i == 1) {
        build_output(&g, indices);
        fold_fails(MST_EUNSUPPORTED, "the indices");
        return;
    }
    fold_ok(); /* nobody reads them */
    IS_SHAPE(y, 1, 2, 3, 3);
    ck_assert_uint_eq(g.nodes[0].out[1], OX_NONE);
}
END_TEST

/* ---- windows ---- */

static const struct {
    const char *op, *auto_pad;
    int64_t in, kernel, stride, dilation, begin, end, ceil, out;
} windows[] = {
    {"AveragePool", NULL, 7, 2, 2, 1, 0, 0, 0, 3},
    {"AveragePool", NULL, 7, 2, 2, 1, 0, 0, 1, 4},
    {"MaxPool", NULL, 2, 1, 2, 1, 0, 0, 1, 1},
    {"MaxPool", NULL, 32, 3, 2, 1, 1, 1, 0, 16},
    {"MaxPool", NULL, 8, 3, 1, 3, 0, 0, 0, 2},
    {"Conv", NULL, 32, 3, 1, 1, 1, 1, 0, 32},
    {"Conv", "SAME_UPPER", 7, 3, 2, 1, 1, 1, 0, 4},
    {"Conv", "SAME_LOWER", 8, 3, 2, 1, 1, 0, 0, 4},
    {"Conv", "VALID", 8, 3, 2, 1, 0, 0, 0, 3},
    {"Conv", "NOTSET", 9, 3, 2, 2, 2, 1, 0, 4},
    {"MaxPool", "SAME_UPPER", 5, 2, 1, 1, 0, 1, 0, 5},
    {"AveragePool", NULL, 4, 3, 3, 1, 1, 1, 1, 2},
};

START_TEST(test_windows)
{
    bool conv = strcmp(windows[_i].op, "Conv") == 0;
    const int64_t k[2] = {windows[_i].kernel, windows[_i].kernel},
                  s[2] = {windows[_i].stride, windows[_i].stride};
    const int64_t dil[2] = {windows[_i].dilation, windows[_i].dilation}, w_dims[] = {5, 2, k[0], k[1]};
    const int64_t pads[] = {windows[_i].begin, windows[_i].begin, windows[_i].end, windows[_i].end};
    static const float w[5 * 2 * 9];
    uint32_t x = build_input(&g, "x", OX_FLOAT, 4, (const int64_t[]){-1, 2, windows[_i].in, windows[_i].in});
    uint32_t weights = conv ? build_constant(&g, OX_FLOAT, 4, w_dims, w) : N_;
    uint32_t y = build_node(&g, windows[_i].op, x, weights, N_, N_);
    build_attr_ints(&g, "kernel_shape", 2, k);
    build_attr_ints(&g, "strides", 2, s);
    if (strcmp(windows[_i].op, "AveragePool") != 0)
        build_attr_ints(&g, "dilations", 2, dil);
    if (!conv)
        build_attr_int(&g, "ceil_mode", windows[_i].ceil);
    if (windows[_i].auto_pad != NULL)
        build_attr_string(&g, "auto_pad", windows[_i].auto_pad);
    if (windows[_i].auto_pad == NULL || strcmp(windows[_i].auto_pad, "NOTSET") == 0)
        build_attr_ints(&g, "pads", 4, pads);
    build_output(&g, y);
    fold_ok();
    IS_SHAPE(y, 1, conv ? 5 : 2, windows[_i].out, windows[_i].out);
    const ox_ctx c = {.g = &g, .n = &g.nodes[0], .err = &err};
    ox_window got;
    ck_assert_int_eq(ox_window_params(&c, &got), MST_OK);
    ck_assert_int_eq(got.pad_begin[0], windows[_i].begin);
    ck_assert_int_eq(got.pad_end[1], windows[_i].end);
}
END_TEST

START_TEST(test_window_does_not_fit)
{
    uint32_t x = build_input(&g, "x", OX_FLOAT, 4, (const int64_t[]){1, 2, 3, 3});
    build_output(&g, build_node(&g, "AveragePool", x, N_, N_, N_));
    build_attr_ints(&g, "kernel_shape", 2, (const int64_t[]){4, 4});
    fold_fails(MST_EINVAL, "does not fit");
}
END_TEST

/* ---- running out of memory ---- */

START_TEST(test_out_of_memory)
{
    bool done = false;
    for (long k = 0; k < 64 && !done; k++) {
        ox_graph_free(&g);
        setup();
        uint32_t big = build_node(&g, "ConstantOfShape", INTS(100000), N_, N_, N_);
        uint32_t more = build_node(&g, "Exp", big, N_, N_, N_);
        build_output(&g, build_node(&g, "Concat", big, more, N_, N_));
        build_attr_int(&g, "axis", 0);
        test_alloc c = {.fail_from = (size_t)k + 1};
        const mst_allocator a = test_allocator(&c);
        g.arena.alloc = &a;
        mst_status s = ox_fold(&g, NULL, 0, &err);
        ck_assert(s == MST_OK || s == MST_ENOMEM);
        done = s == MST_OK;
        ck_assert(!done || k > 3);
        g.arena.alloc = NULL; /* the same realloc behind it */
    }
    ck_assert(done);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fold");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_shape_arithmetic_becomes_constant);
    tcase_add_test(t, test_symbolic_dimension_needs_a_size);
    tcase_add_test(t, test_input_shape_binds);
    tcase_add_test(t, test_input_shape_contradicts);
    tcase_add_test(t, test_input_without_shape);
    tcase_add_test(t, test_fixed_batch);
    tcase_add_test(t, test_opsets);
    tcase_add_test(t, test_unknown_operator);
    tcase_add_test(t, test_unknown_domain);
    tcase_add_test(t, test_missing_input);
    tcase_add_test(t, test_too_many_inputs);
    tcase_add_test(t, test_shape_from_data);
    tcase_add_test(t, test_different_types);
    tcase_add_test(t, test_expand_too_large);
    tcase_add_test(t, test_zero_does_not_hide_overflow);
    tcase_add_test(t, test_constant_of_shape_too_large);
    tcase_add_test(t, test_tile_overflows);
    tcase_add_test(t, test_many_small_ones_add_up);
    tcase_add_test(t, test_arena_limit);
    tcase_add_test(t, test_matmul_too_long);
    tcase_add_test(t, test_range_too_long);
    tcase_add_test(t, test_range_overflows);
    tcase_add_test(t, test_rank_too_high);
    tcase_add_test(t, test_random_stays);
    tcase_add_loop_test(t, test_dropout, 0, 3);
    tcase_add_test(t, test_dead_branches);
    tcase_add_loop_test(t, test_optional_outputs, 0, 2);
    tcase_add_loop_test(t, test_windows, 0, sizeof windows / sizeof windows[0]);
    tcase_add_test(t, test_window_does_not_fit);
    tcase_add_test(t, test_out_of_memory);
    return run_suite("fold", t);
}
