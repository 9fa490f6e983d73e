/* What is read from a graph: who makes each tensor, values of constants. */
#include <check.h>

#include "runtime/core/half.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/test_alloc.h"

START_TEST(producers_are_the_nodes)
{
    mst_graph *g = NULL;
    mst_err err = {0};
    ck_assert_msg(sample_every_op(NULL, &g, &err) == MST_OK, "%s", err.text);
    test_alloc t = {0};
    mst_allocator a = test_allocator(&t);
    mst_arena arena = {.alloc = &a};
    const uint32_t *producer = mst_graph_producers(g, &arena);
    ck_assert_ptr_nonnull(producer);
    uint32_t made = 0;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        made += producer[i] != MST_NONE;
        ck_assert(producer[i] == MST_NONE || g->nodes[producer[i]].out == i);
    }
    ck_assert_uint_eq(made, g->n_nodes);
    ck_assert_uint_eq(producer[g->input], MST_NONE);
    mst_arena_release(&arena);
    t.fail_at = t.calls + 1;
    ck_assert_ptr_null(mst_graph_producers(g, &arena));
    mst_arena_release(&arena);
    ck_assert_uint_eq(t.blocks, 0);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(constants_of_every_type)
{
    static const float f32[] = {1, 2.5f};
    static const int32_t i32[] = {1, -70000};
    static const double f64[] = {1, 0.1};
    static const int8_t i8[] = {1, -127};
    const uint16_t f16[] = {0, mst_half_from_float(-2.5f)};
    static const double want[MST_DTYPE_COUNT] = {
        [MST_F32] = 2.5, [MST_I32] = -70000, [MST_F64] = 0.1, [MST_F16] = -2.5, [MST_I8] = -127};
    const void *data[MST_DTYPE_COUNT] = {
        [MST_F32] = f32, [MST_I32] = i32, [MST_F64] = f64, [MST_F16] = f16, [MST_I8] = i8};
    for (int type = 0; type < MST_DTYPE_COUNT; type++) {
        mst_tensor t = {.dtype = (mst_dtype)type, .rank = 1, .dims = {2}, .data = data[type]};
        ck_assert_msg(mst_const_at(&t, 1) == want[type], "%s", mst_dtype_name(t.dtype));
    }
}
END_TEST

static const char *dtype_name(int t) { return mst_dtype_name((mst_dtype)t); }

START_TEST(every_value_of_an_enum_has_a_name)
{
    static const struct {
        const char *(*name)(int);
        int count;
    } enums[] = {
        {mst_binary_name, MST_BIN_COUNT},
        {mst_reduce_name, MST_RED_COUNT},
        {mst_unary_name, MST_UN_COUNT},
        {mst_site_name, MST_SITE_COUNT},
        {dtype_name, MST_DTYPE_COUNT},
        {mst_split_name, MST_SPLIT_COUNT},
        {mst_present_name, MST_PRESENT_COUNT},
        {mst_interpolation_name, MST_INTERPOLATION_COUNT},
        {mst_run_rule_name, MST_N_RULES},
        {mst_thinning_name, MST_N_THINNINGS},
        {mst_trained_on_name, MST_N_TRAINED_ON},
    };
    for (size_t e = 0; e < sizeof enums / sizeof enums[0]; e++) {
        for (int i = 0; i < enums[e].count; i++) {
            ck_assert_msg(enums[e].name(i) != NULL, "enum %zu, value %d", e, i);
            for (int j = 0; j < i; j++)
                ck_assert_str_ne(enums[e].name(i), enums[e].name(j));
        }
        ck_assert_ptr_null(enums[e].name(enums[e].count));
        ck_assert_ptr_null(enums[e].name(-1));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("reading");
    tcase_add_test(t, producers_are_the_nodes);
    tcase_add_test(t, constants_of_every_type);
    tcase_add_test(t, every_value_of_an_enum_has_a_name);
    suite_add_tcase(s, t);
    return run_tests(s);
}
