/* Passes on small graphs built by hand, and the whole conversion when memory runs out.
 * What conversions compute is checked against ONNX Runtime in tests/python. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "converter/passes/passes.h"
#include "mst/session.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/test_alloc.h"

static mst_err err;
#define OK(expr) ck_assert_msg((expr) == MST_OK, "%s", err.text)

static uint32_t tensor(mst_graph *g, uint32_t rank, const uint32_t *dims, const void *data)
{
    uint32_t id;
    OK(mst_graph_add_tensor(g, "", MST_F32, rank, dims, data, &id, &err));
    return id;
}

static mst_node *node(mst_graph *g, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, uint32_t out)
{
    mst_node *n;
    OK(mst_graph_add_node(g, op, name, n_in, in, out, &n, &err));
    return n;
}

/* y = k[0]*x + k[1], or per channel */
static uint32_t affine(mst_graph *g, uint32_t x, const float *gain, const float *offset, uint32_t n)
{
    const mst_tensor t = g->tensors[x];
    uint32_t in[3] = {x, tensor(g, 1, &n, gain), tensor(g, 1, &n, offset)}, y = tensor(g, t.rank, t.dims, NULL);
    node(g, MST_OP_AFFINE, "affine", 3, in, y)->ip[MST_AFFINE_AXIS] = (int32_t)t.rank - 1;
    return y;
}

static uint32_t unit(mst_graph *g, mst_op op, const char *name, uint32_t x, mst_node **n)
{
    const mst_tensor t = g->tensors[x];
    uint32_t y = tensor(g, t.rank, t.dims, NULL);
    *n = node(g, op, name, 1, &x, y);
    return y;
}

/* x [1,3] + x: a sum, so that nothing upstream can take an affine */
static mst_graph *sum_graph(uint32_t *y)
{
    mst_graph *g;
    const uint32_t dims[2] = {1, 3};
    OK(mst_graph_create(NULL, &g, &err));
    g->input = tensor(g, 2, dims, NULL);
    const uint32_t in[2] = {g->input, g->input};
    *y = tensor(g, 2, dims, NULL);
    node(g, MST_OP_BINARY, "sum", 2, in, *y);
    return g;
}

/* theta * clip(floor(x*L/theta + shift), 0, L)/L */
static uint32_t staircase(mst_graph *g, uint32_t x, float *slope, float *shift, float *level, float levels)
{
    static const float zero = 0;
    mst_node *n;
    uint32_t y = affine(g, x, slope, shift, 1);
    y = unit(g, MST_OP_UNARY, "floor", y, &n);
    n->ip[MST_UNARY_FN] = MST_UN_FLOOR;
    y = unit(g, MST_OP_CLIP, "clip", y, &n);
    n->fp[MST_CLIP_HI] = levels;
    return affine(g, y, level, &zero, 1);
}

static const mst_node *find(const mst_graph *g, mst_op op, int skip)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == op && skip-- == 0)
            return &g->nodes[i];
    return NULL;
}

static double value(const mst_graph *g, uint32_t tensor_id, size_t i)
{
    return mst_const_at(&g->tensors[tensor_id], i);
}

START_TEST(qcfs_becomes_a_neuron)
{
    float slope = 4, shift = 0.5f, level = 0.25f;
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    g->output = staircase(g, y, &slope, &shift, &level, 8);
    OK(mst_graph_validate(g, &err));
    OK(pass_qcfs(g, &err));
    OK(mst_graph_validate(g, &err));
    const mst_node *n = find(g, MST_OP_NEURON, 0);
    ck_assert_uint_eq(g->n_nodes, 2);
    ck_assert_ptr_nonnull(n);
    ck_assert_str_eq(n->name, "floor");
    ck_assert_int_eq(n->ip[MST_NEURON_LEVELS], 8);
    ck_assert_double_eq(value(g, n->in[1], 0), 2.0);
    ck_assert_double_eq((double)n->fp[MST_NEURON_SHIFT], 0.5);
    mst_graph_destroy(g);
}
END_TEST

/* A floor whose slope does not fit the level: the weights in front were scaled. */
START_TEST(qcfs_with_a_merged_slope_gets_a_gain)
{
    float slope = 1, shift = 0.5f, level = 0.25f;
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    g->output = staircase(g, y, &slope, &shift, &level, 8);
    OK(pass_qcfs(g, &err));
    OK(pass_affine(g, &err));
    const mst_node *n = find(g, MST_OP_NEURON, 0);
    ck_assert_double_eq(value(g, n->in[1], 0), 2.0);
    ck_assert_uint_eq(n->n_in, 4);
    ck_assert_double_eq(value(g, n->in[2], 0), 0.25);
    ck_assert_double_eq(value(g, n->in[3], 0), 0);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(two_affines_become_gain_and_bias)
{
    float g1[3] = {1, 2, 3}, h1[3] = {0.5f, 0, -1}, g2[3] = {2, -1, 0.5f}, h2[3] = {0, 1, 2};
    float slope = 8, shift = 0.5f, level = 0.125f;
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    y = affine(g, y, g1, h1, 3);
    y = affine(g, y, g2, h2, 3);
    g->output = staircase(g, y, &slope, &shift, &level, 8);
    OK(pass_qcfs(g, &err));
    OK(pass_affine(g, &err));
    OK(mst_graph_validate(g, &err));
    ck_assert_ptr_null(find(g, MST_OP_AFFINE, 0));
    const mst_node *n = find(g, MST_OP_NEURON, 0);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_double_eq(value(g, n->in[2], i), (double)(g1[i] * g2[i]));
        ck_assert_double_eq(value(g, n->in[3], i), (double)(g2[i] * h1[i] + h2[i]));
    }
    mst_graph_destroy(g);
}
END_TEST

/* The graph's output reads the affine too: it stays, the neuron behind it reads it. */
START_TEST(a_shared_affine_stays)
{
    float g1[3] = {1, 2, 3}, h1[3] = {0.5f, 0, -1}, slope = 8, shift = 0.5f, level = 0.125f;
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    y = affine(g, y, g1, h1, 3);
    uint32_t both[2] = {y, staircase(g, y, &slope, &shift, &level, 8)}, sum = tensor(g, 2, g->tensors[y].dims, NULL);
    node(g, MST_OP_BINARY, "shortcut", 2, both, sum);
    g->output = sum;
    OK(pass_qcfs(g, &err));
    OK(pass_affine(g, &err));
    ck_assert_ptr_nonnull(find(g, MST_OP_AFFINE, 0));
    ck_assert_uint_eq(find(g, MST_OP_NEURON, 0)->n_in, 2);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(a_floor_without_bounds_is_refused)
{
    mst_node *n;
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    g->output = unit(g, MST_OP_UNARY, "lonely", y, &n);
    n->ip[MST_UNARY_FN] = MST_UN_FLOOR;
    OK(pass_qcfs(g, &err));
    ck_assert_int_eq(pass_fits(g, &err), MST_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "'lonely'"));
    mst_graph_destroy(g);
}
END_TEST

START_TEST(a_mask_moves_before_movement)
{
    float slope = 8, shift = 0.5f, level = 0.125f;
    const uint32_t column[2] = {3, 1};
    uint32_t y;
    mst_node *n;
    mst_graph *g = sum_graph(&y);
    y = staircase(g, y, &slope, &shift, &level, 8);
    uint32_t moved = tensor(g, 2, column, NULL);
    node(g, MST_OP_RESHAPE, "move", 1, &y, moved);
    g->output = unit(g, MST_OP_MASK, "mask", moved, &n);
    n->fp[MST_MASK_RATIO] = 0.5f;
    n->ip[MST_MASK_STAGE] = n->ip[MST_MASK_BLOCK] = -1;
    OK(pass_qcfs(g, &err));
    OK(pass_layout(g, &err));
    OK(mst_graph_validate(g, &err));
    ck_assert_uint_eq(find(g, MST_OP_MASK, 0)->in[0], find(g, MST_OP_NEURON, 0)->out);
    ck_assert_uint_eq(g->tensors[g->output].dims[0], 3);
    mst_graph_destroy(g);
}
END_TEST

START_TEST(infinite_weights_are_refused)
{
    float g1[3] = {1, 2, 3}, h1[3] = {0, 1.0f / 0.0f, 0};
    uint32_t y;
    mst_graph *g = sum_graph(&y);
    g->output = affine(g, y, g1, h1, 3);
    ck_assert_int_eq(pass_narrow(g, &err), MST_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1"));
    mst_graph_destroy(g);
}
END_TEST

/* Levels of all, then the closest rule, at any site; what count and radix mode cannot take is refused by name. */
START_TEST(levels)
{
    static mst_policy p;
    mst_graph *g = NULL;
    ck_assert_int_eq(sample_tiny(NULL, &g, &err), MST_OK);
    int32_t *ip = g->nodes[2].ip;
    ck_assert_int_eq(g->nodes[2].op, MST_OP_NEURON);
    ip[MST_NEURON_SITE] = MST_SITE_AV, ip[MST_NEURON_STAGE] = 2, ip[MST_NEURON_LEVELS] = 300;
    p = (mst_policy){.file = "p.yaml",
                     .n_level_rules = 2,
                     .level_rules = {
                         {.site = MST_SITE_AV, .stage = -1, .block_lo = -1, .block_hi = -1, .levels = 7},
                         {.site = -1, .stage = 2, .block_lo = -1, .block_hi = -1, .levels = 9},
                     }};
    ck_assert_int_eq(pass_levels(g, NULL, &err), MST_OK);
    ck_assert(ip[MST_NEURON_TOP] == 0 && g->meta.run == MST_RULE_STEP);
    ck_assert_int_eq(pass_levels(g, &p, &err), MST_OK);
    ck_assert_int_eq(ip[MST_NEURON_TOP], 9);
    p.n_level_rules = 1;
    ck_assert_int_eq(pass_levels(g, &p, &err), MST_OK);
    ck_assert_int_eq(ip[MST_NEURON_TOP], 7);
    p = (mst_policy){.file = "", .levels = 255, .has_run = true, .run = MST_RULE_COUNT};
    ck_assert_int_eq(pass_levels(g, &p, &err), MST_OK);
    ck_assert(ip[MST_NEURON_TOP] == 255 && g->meta.run == MST_RULE_COUNT);
    ip[MST_NEURON_TOP] = 0;
    p.levels = 0, p.run = MST_RULE_RADIX;
    ck_assert_int_eq(pass_levels(g, &p, &err), MST_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, g->nodes[2].name));
    ck_assert_ptr_nonnull(strstr(err.text, "its L is 300, and radix mode has at most 255 levels"));
    p = (mst_policy){.file = "p.yaml",
                     .n_level_rules = 1,
                     .level_rules = {
                         {.site = MST_SITE_Q, .stage = -1, .block_lo = -1, .block_hi = -1, .levels = 7, .line = 3},
                     }};
    g->meta.run = MST_RULE_STEP;
    ck_assert_int_eq(pass_levels(g, &p, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "p.yaml:3: this rule matches no neuron of the model; it has sites: av;"));
    mst_graph_destroy(g);
}
END_TEST

/* ---- the whole way ---- */

static mst_status convert(const char *path, const mst_allocator *alloc)
{
    const mst_import_opts iopts = {.alloc = alloc};
    static mst_policy policy;
    policy = (mst_policy){.file = "", .n_rules = 1};
    policy.rules[0] = (mst_rule){.site = -1, .stage = -1, .block_lo = -1, .block_hi = -1, .node = "*", .ratio = 0.5};
    const mst_convert_opts copts = {.policy = &policy};
    mst_graph *g = NULL;
    mst_report report = {0};
    mst_status st = mst_onnx_import(path, &iopts, &g, &err);
    if (st != MST_OK)
        return st;
    st = mst_convert(g, &copts, &report, &err);
    if (st == MST_OK) {
        ck_assert_uint_gt(report.n_masks, 0);
        mst_report_free(&report);
    }
    mst_graph_destroy(g);
    return st;
}

static const char *const models[] = {"fixtures/onnx/local-functions.onnx", "fixtures/onnx/ext-data.onnx",
                                     "fuzz/corpus/convert/attn.onnx"};

START_TEST(every_allocation_fails)
{
    char path[1024];
    const char *tests = getenv("MST_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", tests != NULL ? tests : "tests", models[_i]);
    for (size_t fail_at = 1;; fail_at++) {
        test_alloc f = {.fail_at = fail_at};
        const mst_allocator a = test_allocator(&f);
        err.text[0] = '\0';
        mst_status st = convert(path, &a);
        ck_assert_uint_eq(f.blocks, 0);
        if (f.calls < fail_at) {
            ck_assert_msg(st == MST_OK, "%s", err.text);
            ck_assert_uint_gt(fail_at, 20);
            return;
        }
        ck_assert_msg(st == MST_ENOMEM, "allocation %zu: %d %s", fail_at, (int)st, err.text);
        ck_assert(err.text[0] != '\0');
    }
}
END_TEST

START_TEST(dump_into_nowhere)
{
    const mst_import_opts opts = {.dump_dir = "/nonexistent/folder"};
    const char *tests = getenv("MST_FIXTURES");
    char path[1024];
    mst_graph *g = NULL;
    snprintf(path, sizeof path, "%s/%s", tests != NULL ? tests : "tests", models[0]);
    ck_assert_int_eq(mst_onnx_import(path, &opts, &g, &err), MST_EIO);
    ck_assert_ptr_null(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("passes");
    TCase *small = tcase_create("graphs"), *whole = tcase_create("whole");
    tcase_add_test(small, qcfs_becomes_a_neuron);
    tcase_add_test(small, qcfs_with_a_merged_slope_gets_a_gain);
    tcase_add_test(small, two_affines_become_gain_and_bias);
    tcase_add_test(small, a_shared_affine_stays);
    tcase_add_test(small, a_floor_without_bounds_is_refused);
    tcase_add_test(small, a_mask_moves_before_movement);
    tcase_add_test(small, infinite_weights_are_refused);
    tcase_add_test(small, levels);
    tcase_set_timeout(whole, 120);
    tcase_add_loop_test(whole, every_allocation_fails, 0, sizeof models / sizeof models[0]);
    tcase_add_test(whole, dump_into_nowhere);
    suite_add_tcase(suite, small);
    suite_add_tcase(suite, whole);
    return run_tests(suite);
}
