/* What pass stair follows of hostile graphs is bounded: floors that are summed up for nothing, and activations of many
 * channels that do fit. */
#include <check.h>

#include "converter/passes/passes.h"
#include "tests/support/run_tests.h"

static mst_err err;
#define OK(expr) ck_assert_msg((expr) == MST_OK, "%s", err.text)

static uint32_t value(mst_graph *g, uint32_t channels)
{
    const uint32_t dims[2] = {1, channels};
    uint32_t id;
    OK(mst_graph_add_tensor(g, "", MST_F32, 2, dims, NULL, &id, &err));
    return id;
}

static mst_node *node(mst_graph *g, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t out)
{
    mst_node *n;
    OK(mst_graph_add_node(g, op, "n", n_in, in, out, &n, &err));
    return n;
}

/* floor(x + offset): offset and a little more from channel to channel */
static uint32_t step(mst_graph *g, uint32_t x, uint32_t channels, float offset, float spread)
{
    float *gain = mst_arena_array(&g->arena, channels, sizeof *gain);
    float *shift = mst_arena_array(&g->arena, channels, sizeof *shift);
    ck_assert(gain != NULL && shift != NULL);
    for (uint32_t i = 0; i < channels; i++) {
        gain[i] = 1;
        shift[i] = offset + spread * (float)i;
    }
    uint32_t in[3] = {x}, y = value(g, channels), z = value(g, channels);
    OK(mst_graph_add_tensor(g, "", MST_F32, 1, &channels, gain, &in[1], &err));
    OK(mst_graph_add_tensor(g, "", MST_F32, 1, &channels, shift, &in[2], &err));
    node(g, MST_OP_AFFINE, 3, in, y)->ip[MST_AFFINE_AXIS] = 1;
    node(g, MST_OP_UNARY, 1, &y, z)->ip[MST_UNARY_FN] = MST_UN_FLOOR;
    return z;
}

/* clip(sum of floor(x + k * apart)) of n floors */
static mst_graph *floors(uint32_t n, float apart, uint32_t channels, float spread)
{
    mst_graph *g;
    OK(mst_graph_create(NULL, &g, &err));
    g->input = value(g, channels);
    uint32_t y = step(g, g->input, channels, 0, spread);
    for (uint32_t k = 1; k < n; k++) {
        uint32_t in[2] = {y, step(g, g->input, channels, apart * (float)k, spread)};
        y = value(g, channels);
        node(g, MST_OP_BINARY, 2, in, y)->ip[MST_BINARY_FN] = MST_BIN_ADD;
    }
    g->output = value(g, channels);
    mst_node *clip = node(g, MST_OP_CLIP, 1, &y, g->output);
    clip->fp[MST_CLIP_LO] = 0;
    clip->fp[MST_CLIP_HI] = 8;
    return g;
}

static uint64_t followed(mst_graph *g, uint64_t vain, uint64_t all)
{
    uint64_t n = 0;
    OK(pass_stair_within(g, (stair_limits){.vain = vain, .all = all}, &n, &err));
    mst_graph_destroy(g);
    return n;
}

static uint32_t floors_behind(mst_graph *g, uint64_t all)
{
    uint64_t n;
    OK(pass_stair_within(g, (stair_limits){.vain = all, .all = all}, &n, &err));
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        count += g->nodes[i].op == MST_OP_UNARY;
    mst_graph_destroy(g);
    return count;
}

START_TEST(what_is_followed_for_nothing_is_bounded)
{
    const uint64_t free = followed(floors(20, .013f, 1, 0), UINT64_MAX, UINT64_MAX / 2);
    const uint64_t bounded = followed(floors(20, .013f, 1, 0), 1000, UINT64_MAX / 2);
    ck_assert_uint_gt(bounded, 1000); /* the attempt under way is not cut short */
    ck_assert_uint_le(bounded, free / 10);
}
END_TEST

START_TEST(what_is_followed_in_all_is_bounded)
{
    for (uint64_t all = 1000; all <= 100000; all *= 10) {
        ck_assert_uint_le(followed(floors(20, .013f, 1, 0), UINT64_MAX, all), all);
        ck_assert_uint_le(followed(floors(8, .125f, 64, .001f), UINT64_MAX, all), all);
    }
}
END_TEST

/* 64 channels of 8 floors that are one staircase: found, and each channel is followed no farther than the first
 * needs. */
START_TEST(many_channels_that_fit_are_followed_in_short)
{
    const uint64_t one = followed(floors(8, .125f, 1, 0), UINT64_MAX, UINT64_MAX / 2);
    const uint64_t many = followed(floors(8, .125f, 64, .001f), UINT64_MAX, UINT64_MAX / 2);
    ck_assert_uint_le(many, 64 * one / 8);
    ck_assert_uint_eq(floors_behind(floors(8, .125f, 64, .001f), UINT64_MAX / 2), 1);
    ck_assert_uint_eq(floors_behind(floors(8, .125f, 64, .001f), 1000), 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("what is followed of staircases");
    TCase *t = tcase_create("limits");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_is_followed_for_nothing_is_bounded);
    tcase_add_test(t, what_is_followed_in_all_is_bounded);
    tcase_add_test(t, many_channels_that_fit_are_followed_in_short);
    suite_add_tcase(suite, t);
    return run_tests(suite);
}
