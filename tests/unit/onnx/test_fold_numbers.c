/* Numbers of folding: integers never overflow silently, floats round once, slices
 * and indices stay inside.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/onnx/fold_fixture.h"
#include "tests/support/run_tests.h"

/* ---- integers: errors instead of undefined behaviour ---- */

static const struct {
    const char *op;
    int64_t a, b;
} overflows[] = {
    {"Add", INT64_MAX, 1},
    {"Sub", INT64_MIN, 1},
    {"Mul", INT64_MAX, 2},
    {"Div", 1, 0},
    {"Div", INT64_MIN, -1},
    {"Mod", 1, 0},
    {"Pow", 10, 19},
    {"Pow", 0, -1},
};

START_TEST(test_integer_overflow)
{
    refuse_node(overflows[_i].op, "", build_int(&g, overflows[_i].a), build_int(&g, overflows[_i].b),
                MST_EINVAL, "overflows int64");
}
END_TEST

START_TEST(test_unary_overflow)
{
    refuse_node(_i == 0 ? "Neg" : "Abs", "", build_int(&g, INT64_MIN), N_, MST_EINVAL, "overflows");
}
END_TEST

START_TEST(test_narrow_overflow)
{
    const int8_t a = 100;
    uint32_t x = build_constant(&g, OX_INT8, 0, NULL, &a);
    refuse_node("Add", "", x, x, MST_EINVAL, "overflows int8");
}
END_TEST

START_TEST(test_sum_overflow)
{
    refuse_node("ReduceSum", "", INTS(INT64_MAX, 1), N_, MST_EINVAL, "overflows");
}
END_TEST

START_TEST(test_cast_nan)
{
    uint32_t y = build_node(&g, "Cast", build_floats(&g, 1, (float[]){NAN}), N_, N_, N_);
    build_attr_int(&g, "to", OX_INT64);
    build_output(&g, y);
    fold_fails(MST_EINVAL, "overflows");
}
END_TEST

START_TEST(test_cast_wraps_integers)
{
    uint32_t y = build_node(&g, "Cast", INTS(INT64_MAX, -2), N_, N_, N_);
    build_attr_int(&g, "to", OX_INT32);
    build_output(&g, y);
    fold_ok();
    ck_assert_int_eq(ox_get_int(&g.values[y], 0), -1);
    ck_assert_int_eq(ox_get_int(&g.values[y], 1), -2);
}
END_TEST

START_TEST(test_mod_signs)
{
    const int64_t expected[] = {1, -1, 1, -1}; /* sign of the divisor */
    uint32_t y = build_node(&g, "Mod", INTS(7, -7, -5, 5), INTS(3, -3, 3, -3), N_, N_);
    build_output(&g, y);
    fold_ok();
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(ox_get_int(&g.values[y], i), expected[i]);
}
END_TEST

START_TEST(test_gather_outside)
{
    refuse_node("Gather", "", INTS(1, 2, 3), build_int(&g, _i == 0 ? 3 : -4), MST_EINVAL, "outside");
}
END_TEST

START_TEST(test_uint64_above)
{
    const uint64_t big = UINT64_MAX;
    uint32_t x = build_constant(&g, OX_UINT64, 0, NULL, &big);
    refuse_node("Add", "", x, x, MST_EUNSUPPORTED, "2^63");
}
END_TEST

/* ---- floats ---- */

static uint32_t xorshift(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

START_TEST(test_floats_round_once)
{
    enum { N = 4096 };
    static float a[N], b[N];
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) { /* bit patterns over the whole range, subnormals included */
        uint32_t p = xorshift(&seed) & 0xbfffffffu, q = xorshift(&seed) & 0xbfffffffu;
        memcpy(&a[i], &p, 4);
        memcpy(&b[i], &q, 4);
    }
    uint32_t x = build_floats(&g, N, a), y = build_floats(&g, N, b), out[5];
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div"};
    for (int k = 0; k < 4; k++)
        build_output(&g, out[k] = build_node(&g, ops[k], x, y, N_, N_));
    build_output(&g, out[4] = build_node(&g, "Sqrt", x, N_, N_, N_));
    fold_ok();
    for (int i = 0; i < N; i++) {
        const float expected[] = {a[i] + b[i], a[i] - b[i], a[i] * b[i], a[i] / b[i], sqrtf(a[i])};
        for (int k = 0; k < 5; k++) {
            float got = ((const float *)g.values[out[k]].data)[i];
            ck_assert_msg(memcmp(&got, &expected[k], 4) == 0 || (isnan(got) && isnan(expected[k])),
                          "op %d of %a and %a: %a, expected %a", k, (double)a[i], (double)b[i], (double)got,
                          (double)expected[k]);
        }
    }
}
END_TEST

START_TEST(test_half_round_trip)
{
    static uint16_t bits[65536];
    for (uint32_t i = 0; i < 65536; i++)
        bits[i] = (uint16_t)i;
    int dtype = _i == 0 ? OX_FLOAT16 : OX_BFLOAT16;
    uint32_t h = build_constant(&g, dtype, 1, (const int64_t[]){65536}, bits);
    uint32_t f = build_node(&g, "Cast", h, N_, N_, N_);
    build_attr_int(&g, "to", OX_FLOAT);
    uint32_t back = build_node(&g, "Cast", f, N_, N_, N_);
    build_attr_int(&g, "to", dtype);
    build_output(&g, back);
    fold_ok();
    for (uint32_t i = 0; i < 65536; i++)
        if (!isnan(ox_get_double(&g.values[h], i)))
            ck_assert_uint_eq(((const uint16_t *)g.values[back].data)[i], i);
    if (_i == 1) { /* a bfloat16 is the upper half of a float32 */
        uint32_t word;
        memcpy(&word, (const float *)g.values[f].data + 0x3fc1, 4);
        ck_assert_uint_eq(word, 0x3fc10000u);
    }
}
END_TEST

START_TEST(test_half_rounds_to_even)
{
    const float in[] = {1.00048828125f, 1.00146484375f, 65519.0f, 65520.0f, 2.98023223876953125e-8f, 3e-8f};
    const uint16_t expected[] = {0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0000, 0x0001};
    uint32_t h = build_node(&g, "Cast", build_floats(&g, 6, in), N_, N_, N_);
    build_attr_int(&g, "to", OX_FLOAT16);
    build_output(&g, h);
    fold_ok();
    for (size_t i = 0; i < 6; i++)
        ck_assert_uint_eq(((const uint16_t *)g.values[h].data)[i], expected[i]);
}
END_TEST

/* ---- slices ---- */

START_TEST(test_slice_extremes)
{
    /* every combination of extreme bounds and steps stays inside the data */
    static const int64_t v[] = {INT64_MIN, INT64_MIN + 1, -7, -3, -1, 0, 1, 2, 5,
                                7, INT64_MAX - 1, INT64_MAX};
    enum { V = sizeof v / sizeof v[0] };
    for (int i = 0; i < V * V * V; i++) {
        ox_graph_free(&g);
        setup();
        uint32_t x = INTS(0, 1, 2, 3, 4);
        int64_t start = v[i % V], end = v[i / V % V], step = v[i / V / V];
        uint32_t in[] = {x, INTS(start), INTS(end), INTS(0), INTS(step)};
        uint32_t y = build_node(&g, "Slice", x, N_, N_, N_);
        g.nodes[0].in = in; /* five inputs: more than build_node gives */
        g.nodes[0].n_in = 5;
        build_output(&g, y);
        if (step == 0) {
            fold_fails(MST_EINVAL, "step");
            continue;
        }
        fold_ok();
        int64_t at = start < 0 ? start + 5 : start, stop = end < 0 ? end + 5 : end, n = 0;
        at = at < 0 ? 0 : at > 4 && step < 0 ? 4
                                             : at; /* ONNX clamps a start below 0 for either direction */
        for (; step > 0 ? at < stop && at < 5 : at > stop && at >= 0; n++) {
            ck_assert_int_lt(n, g.values[y].dims[0]);
            ck_assert_int_eq(ox_get_int(&g.values[y], (size_t)n), at);
            if (__builtin_add_overflow(at, step, &at))
                at = step > 0 ? INT64_MAX : INT64_MIN;
        }
        ck_assert_int_eq(g.values[y].dims[0], n);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fold numbers");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_integer_overflow, 0, sizeof overflows / sizeof overflows[0]);
    tcase_add_loop_test(t, test_unary_overflow, 0, 2);
    tcase_add_test(t, test_narrow_overflow);
    tcase_add_test(t, test_sum_overflow);
    tcase_add_test(t, test_cast_nan);
    tcase_add_test(t, test_cast_wraps_integers);
    tcase_add_test(t, test_mod_signs);
    tcase_add_loop_test(t, test_gather_outside, 0, 2);
    tcase_add_test(t, test_uint64_above);
    tcase_add_test(t, test_floats_round_once);
    tcase_add_loop_test(t, test_half_round_trip, 0, 2);
    tcase_add_test(t, test_half_rounds_to_even);
    tcase_add_test(t, test_slice_extremes);
    return run_suite("fold numbers", t);
}
