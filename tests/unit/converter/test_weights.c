/* Weights as f16 and int8: rounding, scales, sharing, what cannot be held, lack of memory. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "converter/passes/passes.h"
#include "runtime/core/half.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

static mst_err err;
#define OK(expr) ck_assert_msg((expr) == MST_OK, "%s", err.text)

START_TEST(every_half_comes_back)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float x = mst_half_to_float((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00)
            ck_assert((h & 0x3ff) != 0 ? isnan(x) : isinf(x));
        else
            ck_assert_msg(mst_half_from_float(x) == h, "%04x", (unsigned)h);
    }
}
END_TEST

/* Between two neighbours, the nearer; in the middle, the even one. */
START_TEST(halves_round_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float lo = mst_half_to_float((uint16_t)h), hi = mst_half_to_float((uint16_t)(h + 1)), mid = (lo + hi) / 2;
        ck_assert_uint_eq(mst_half_from_float(mid), h + (h & 1));
        ck_assert_uint_eq(mst_half_from_float(nextafterf(mid, 0)), h);
        ck_assert_uint_eq(mst_half_from_float(nextafterf(mid, INFINITY)), h + 1);
        ck_assert_uint_eq(mst_half_from_float(-mid), 0x8000 | (h + (h & 1)));
    }
    ck_assert_uint_eq(mst_half_from_float(1e-45f), 0);
}
END_TEST

/* x [1,3] -> linear w [3,2] -> linear w again as [3,2] of another node: both read the same weight */
static mst_graph *two_readers(const float *w)
{
    mst_graph *g;
    const uint32_t x[2] = {1, 3}, wd[2] = {3, 2}, y[2] = {1, 2};
    uint32_t in[3] = {0}, out[2], bias;
    OK(mst_graph_create(NULL, &g, &err));
    OK(mst_graph_add_tensor(g, "x", MST_F32, 2, x, NULL, &g->input, &err));
    in[0] = g->input;
    OK(mst_graph_add_tensor(g, "w", MST_F32, 2, wd, w, &in[1], &err));
    OK(mst_graph_add_tensor(g, "b", MST_F32, 1, y + 1, w, &bias, &err));
    in[2] = bias;
    for (int i = 0; i < 2; i++) {
        OK(mst_graph_add_tensor(g, "y", MST_F32, 2, y, NULL, &out[i], &err));
        OK(mst_graph_add_node(g, MST_OP_LINEAR, i == 0 ? "first" : "second", i == 0 ? 2 : 3, in, out[i], NULL, &err));
    }
    g->output = out[1];
    OK(mst_graph_validate(g, &err));
    return g;
}

static const float values[6] = {1.0f, 0.0f, -0.5f, 0.0f, 0.25f, 0.0f};

START_TEST(int8_scales_are_per_output)
{
    mst_graph *g = two_readers(values);
    mst_report r = {0};
    OK(pass_weights(g, MST_I8, &r, &err));
    OK(mst_graph_validate(g, &err));
    const mst_node *a = &g->nodes[0], *b = &g->nodes[1];
    ck_assert(a->n_in == 4 && a->in[2] == MST_NONE && b->n_in == 4 && b->in[2] != MST_NONE);
    ck_assert(a->in[1] == b->in[1] && a->in[3] == b->in[3]); /* narrowed once */
    const int8_t *w = g->tensors[a->in[1]].data;
    const float *s = g->tensors[a->in[3]].data;
    ck_assert(w[0] == 4 && w[1] == 0 && w[3] == 0 && w[5] == 0 && s[1] > 0); /* whole numbers of 1/4 */
    for (int i = 0; i < 3; i++)
        ck_assert(fabsf(s[0] * (float)w[2 * i] - values[2 * i]) <= 0);
    ck_assert(r.weight_type == MST_I8 && r.n_weights == 2 && r.n_narrow == 6 && r.narrow_bytes == 6 + 2 * 4);
    ck_assert(r.weights[0].error == r.weights[1].error && r.weights[0].error <= 0);
    mst_report_free(&r);
    mst_report again = {0};
    ck_assert_int_eq(pass_weights(g, MST_I8, &again, &err), MST_EINVAL);
    ck_assert(strstr(err.text, "int8 already") != NULL);
    mst_report_free(&again);
    mst_graph_destroy(g);
}
END_TEST

/* A weight that something else reads keeps its float32 tensor. */
START_TEST(shared_constants_stay)
{
    mst_graph *g = two_readers(values);
    uint32_t w = g->nodes[0].in[1], sum, in[2] = {w, w};
    OK(mst_graph_add_tensor(g, "sum", MST_F32, 2, g->tensors[w].dims, NULL, &sum, &err));
    OK(mst_graph_add_node(g, MST_OP_BINARY, "sum", 2, in, sum, NULL, &err));
    mst_report r = {0};
    OK(pass_weights(g, MST_F16, &r, &err));
    OK(mst_graph_validate(g, &err));
    ck_assert(g->tensors[w].dtype == MST_F32 && g->nodes[0].in[1] != w && g->nodes[1].in[1] == g->nodes[0].in[1]);
    ck_assert_int_eq(g->tensors[g->nodes[0].in[1]].dtype, MST_F16);
    ck_assert(r.n_narrow == 6 && r.narrow_bytes == 12 && r.weights[0].error == 0);
    mst_report_free(&r);
    mst_graph_destroy(g);
}
END_TEST

/* Whatever the size of the weights: the largest is 127 or -127, and none is off by more than half a scale; or they are
 * whole numbers of a larger step. */
START_TEST(int8_weights_are_near)
{
    uint64_t state = 5;
    for (int trial = 0; trial < 300; trial++) {
        float w[6], unit = ldexpf(1, (int)(sample_next(&state) % 200) - 120);
        int top = 0;
        double worst = 0;
        for (int i = 0; i < 6; i++)
            w[i] = i % 2 != 0 ? 0 : unit * (float)(1 + sample_next(&state) % 1000) * (sample_next(&state) % 2 ? 1 : -1);
        mst_graph *g = two_readers(w);
        mst_report r = {0};
        OK(pass_weights(g, MST_I8, &r, &err));
        OK(mst_graph_validate(g, &err));
        const int8_t *q = g->tensors[g->nodes[0].in[1]].data;
        const float s = *(const float *)g->tensors[g->nodes[0].in[3]].data;
        for (int i = 0; i < 6; i += 2) {
            top = abs(q[i]) > top ? abs(q[i]) : top;
            worst = fmax(worst, fabs((double)w[i] / (double)s - q[i]));
        }
        ck_assert(top == 127 ? worst <= 0.50001 : worst <= 2.01e-4);
        mst_report_free(&r);
        mst_graph_destroy(g);
    }
}
END_TEST

START_TEST(halves_refuse_what_they_cannot_hold)
{
    float w[6] = {0, 65504, 0, -65504, 0, 65505};
    mst_report r = {0};
    mst_graph *g = two_readers(w);
    ck_assert_int_eq(pass_weights(g, MST_F16, &r, &err), MST_EUNSUPPORTED);
    ck_assert(strstr(err.text, "'first'") != NULL && strstr(err.text, "weight 5 is 65505") != NULL);
    mst_report_free(&r);
    mst_graph_destroy(g);
    w[5] = 1;
    g = two_readers(w);
    OK(pass_weights(g, MST_F16, &r, &err));
    mst_report_free(&r);
    ck_assert_int_eq(pass_weights(g, MST_I32, &r, &err), MST_EINVAL);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    for (size_t at = 1, failed = 1; failed != 0; at++) {
        test_alloc h = {0};
        mst_allocator a = test_allocator(&h);
        mst_graph *g = NULL;
        mst_report r = {.arena.alloc = &a};
        OK(sample_every_op(&a, &g, &err));
        h.fail_at = h.calls + at;
        mst_status st = pass_weights(g, MST_I8, &r, &err);
        failed = st != MST_OK;
        ck_assert(st == MST_OK || st == MST_ENOMEM);
        h.fail_at = 0;
        mst_report_free(&r);
        mst_graph_destroy(g);
        ck_assert_uint_eq(h.blocks, 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights");
    TCase *t = tcase_create("narrow");
    tcase_add_test(t, every_half_comes_back);
    tcase_add_test(t, halves_round_to_nearest_even);
    tcase_add_test(t, int8_scales_are_per_output);
    tcase_add_test(t, shared_constants_stay);
    tcase_add_test(t, int8_weights_are_near);
    tcase_add_test(t, halves_refuse_what_they_cannot_hold);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return run_tests(s);
}
