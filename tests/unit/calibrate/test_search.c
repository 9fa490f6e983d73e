/* The search's decisions: which neurons share a value, what it may be, in which order values are taken. */
#include <check.h>
#include <string.h>

#include "mst/search.h"
#include "tests/support/run_tests.h"

static const double values[] = {0, 1, 2, 3};

static mst_search_group group(mst_search_point *points, size_t n)
{
    return (mst_search_group){.n_values = n, .values = values, .points = points, .loss_scale = 1, .saved_scale = 1};
}

static void assert_moves(const mst_search_move *found, size_t n, const size_t (*expected)[2], size_t n_expected)
{
    ck_assert_uint_eq(n, n_expected);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(found[i].group, expected[i][0]);
        ck_assert_uint_eq(found[i].value, expected[i][1]);
    }
}

START_TEST(best_worth_first)
{
    mst_search_point a[] = {{0, 0}, {1, 10}, {4, 20}}, b[] = {{0, 0}, {1, 2}, {2, 9}}, c[] = {{0, 0}, {0, 1}, {9, 1}};
    mst_search_group groups[] = {group(a, 3), group(b, 3), group(c, 3)};
    mst_search_move path[6];
    /* what loses nothing, then 10 a unit, 9/2 past a worse value, 10/3; the last of c saves nothing */
    static const size_t expected[][2] = {{2, 1}, {0, 1}, {1, 2}, {0, 2}};
    assert_moves(path, mst_search_path(groups, 3, path), expected, 4);
}
END_TEST

START_TEST(scales_move_what_they_cost)
{
    mst_search_point a[] = {{0, 0}, {1, 10}}, b[] = {{0, 0}, {1, 9}};
    mst_search_group groups[] = {group(a, 2), group(b, 2)};
    mst_search_move path[2];
    static const size_t plain[][2] = {{0, 1}, {1, 1}}, scaled[][2] = {{1, 1}, {0, 1}};
    assert_moves(path, mst_search_path(groups, 2, path), plain, 2);
    groups[0].loss_scale = 2;
    assert_moves(path, mst_search_path(groups, 2, path), scaled, 2);
    groups[1].saved_scale = 0.25;
    assert_moves(path, mst_search_path(groups, 2, path), plain, 2);
}
END_TEST

START_TEST(nothing_saves)
{
    mst_search_point a[] = {{0, 0}, {1, 0}, {2, -3}};
    mst_search_group groups[] = {group(a, 3)};
    mst_search_move path[2];
    ck_assert_uint_eq(mst_search_path(groups, 1, path), 0);
    ck_assert_uint_eq(mst_search_path(NULL, 0, path), 0);
}
END_TEST

/* ---- groups ---- */

static mst_graph *graph;

static void make(void) { ck_assert_int_eq(mst_graph_create(NULL, &graph, NULL), MST_OK); }
static void destroy(void) { mst_graph_destroy(graph); }

static uint32_t tensor(void)
{
    static const uint32_t dims[] = {1, 4};
    uint32_t id;
    ck_assert_int_eq(mst_graph_add_tensor(graph, "t", MST_F32, 2, dims, NULL, &id, NULL), MST_OK);
    return id;
}

/* A NEURON of 8 levels, and behind it a MASK unless ratio is below 0. */
static void neuron(const char *name, mst_site site, int block, int levels, float ratio)
{
    mst_node *n;
    uint32_t in = tensor(), out = tensor(), masked = tensor();
    ck_assert_int_eq(mst_graph_add_node(graph, MST_OP_NEURON, name, 1, &in, out, &n, NULL), MST_OK);
    n->ip[MST_NEURON_LEVELS] = 8;
    n->ip[MST_NEURON_TOP] = levels;
    n->ip[MST_NEURON_SITE] = (int32_t)site;
    n->ip[MST_NEURON_BLOCK] = block;
    if (ratio < 0)
        return;
    ck_assert_int_eq(mst_graph_add_node(graph, MST_OP_MASK, name, 1, &out, masked, &n, NULL), MST_OK);
    n->fp[MST_MASK_RATIO] = ratio;
}

static mst_status find(mst_search_what what, const double *ladder, size_t n_ladder, mst_arena *arena,
                       mst_search_group **groups, size_t *n, mst_err *err)
{
    const mst_search_opts opts = {.size = sizeof opts, .what = what, .ladder = ladder, .n_ladder = n_ladder};
    return mst_search_groups(graph, &opts, arena, groups, n, err);
}

START_TEST(neurons_that_share_a_rule)
{
    static const double ladder[] = {0.75, 0.25, 0.5, 0.25};
    mst_arena arena = {0};
    mst_search_group *g;
    size_t n;
    neuron("a", MST_SITE_Q, 0, 0, 0.25f);
    neuron("b", MST_SITE_K, 0, 0, 0);
    neuron("c", MST_SITE_Q, 0, 0, 0.25f); /* with a */
    neuron("d", MST_SITE_V, 0, 0, 0);     /* no mask site: by name */
    neuron("e", MST_SITE_Q, -1, 0, 0.5f); /* of no block: by name */
    neuron("f", MST_SITE_CONV, 1, 0, 0);  /* two of a place that differ: by name */
    neuron("g", MST_SITE_CONV, 1, 0, 0.5f);
    neuron("h", MST_SITE_CONV, 2, 0, -1); /* no mask */
    neuron("", MST_SITE_OTHER, -1, 0, 0); /* no name */
    ck_assert_int_eq(find(MST_SEARCH_RATIOS, ladder, 4, &arena, &g, &n, NULL), MST_OK);
    ck_assert_uint_eq(n, 6);
    static const char *const names[] = {NULL, NULL, "d", "e", "f", "g"};
    static const size_t n_values[] = {3, 4, 4, 2, 4, 2};
    for (size_t k = 0; k < n; k++) {
        ck_assert_pstr_eq(g[k].name, names[k]);
        ck_assert_uint_eq(g[k].n_values, n_values[k]);
        ck_assert_uint_eq(g[k].n_nodes, k == 0 ? 2 : 1);
        for (size_t v = 1; v < g[k].n_values; v++)
            ck_assert(g[k].values[v] > g[k].values[v - 1]);
    }
    ck_assert(g[0].site == MST_SITE_Q && g[0].block == 0 && g[0].values[0] == 0.25 && g[0].values[1] == 0.5);
    mst_search_set(graph, &(mst_search_opts){.what = MST_SEARCH_RATIOS}, &g[0], 2);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op == MST_OP_MASK &&
            (strcmp(graph->nodes[i].name, "a") == 0 || strcmp(graph->nodes[i].name, "c") == 0))
            ck_assert(graph->nodes[i].fp[MST_MASK_RATIO] == 0.75f);
    ck_assert(graph->nodes[3].fp[MST_MASK_RATIO] == 0);
    mst_arena_release(&arena);
}
END_TEST

START_TEST(levels_of_all_neurons)
{
    static const double ladder[] = {2, 12, 6};
    mst_arena arena = {0};
    mst_search_group *g;
    size_t n;
    neuron("a", MST_SITE_V, 0, 0, -1);
    neuron("b", MST_SITE_OTHER, 0, 4, -1);
    ck_assert_int_eq(find(MST_SEARCH_LEVELS, ladder, 3, &arena, &g, &n, NULL), MST_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert(g[0].n_values == 3 && g[0].values[0] == 8 && g[0].values[1] == 6 && g[0].values[2] == 2);
    ck_assert(g[1].n_values == 2 && g[1].values[0] == 4 && g[1].values[1] == 2);
    mst_search_set(graph, &(mst_search_opts){.what = MST_SEARCH_LEVELS}, &g[0], 1);
    ck_assert(graph->nodes[0].ip[MST_NEURON_TOP] == 6 && graph->nodes[1].ip[MST_NEURON_TOP] == 4);
    mst_arena_release(&arena);
}
END_TEST

START_TEST(refuses)
{
    static const double bad_ratios[] = {0.5, 1}, bad_levels[] = {2, 2.5}, fine[] = {2};
    mst_arena arena = {0};
    mst_search_group *g;
    size_t n;
    mst_err err;
    ck_assert_int_eq(find(MST_SEARCH_RATIOS, bad_ratios, 2, &arena, &g, &n, &err), MST_EINVAL);
    ck_assert_pstr_ne(strstr(err.text, "ratios in [0,1), found 1"), NULL);
    ck_assert_int_eq(find(MST_SEARCH_LEVELS, bad_levels, 2, &arena, &g, &n, &err), MST_EINVAL);
    ck_assert_pstr_ne(strstr(err.text, "whole numbers of levels, 1 to 255, found 2.5"), NULL);
    ck_assert_int_eq(find(MST_SEARCH_LEVELS, NULL, 0, &arena, &g, &n, &err), MST_EINVAL);
    for (int i = 0; i <= MST_SEARCH_MAX_GROUPS; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        neuron(mst_arena_strdup(&graph->arena, name), MST_SITE_OTHER, -1, 0, -1);
    }
    ck_assert_int_eq(find(MST_SEARCH_LEVELS, fine, 1, &arena, &g, &n, &err), MST_ELIMIT);
    mst_arena_release(&arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("search");
    TCase *path = tcase_create("path"), *groups = tcase_create("groups");
    tcase_add_test(path, best_worth_first);
    tcase_add_test(path, scales_move_what_they_cost);
    tcase_add_test(path, nothing_saves);
    tcase_add_checked_fixture(groups, make, destroy);
    tcase_add_test(groups, neurons_that_share_a_rule);
    tcase_add_test(groups, levels_of_all_neurons);
    tcase_add_test(groups, refuses);
    suite_add_tcase(s, path);
    suite_add_tcase(s, groups);
    return run_tests(s);
}
