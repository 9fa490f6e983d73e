/* The search's decisions: which neurons share a value, what it may be, which is taken at a price. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "mst/search.h"
#include "tests/support/run_tests.h"

static const double values[] = {0, 1, 2, 3};

static bool sure[8][4];

/* Number k of a network, in a block of its own. */
static mst_search_group group(size_t k, mst_search_point *points, size_t n)
{
    memset(sure[k], 0, sizeof sure[k]);
    return (mst_search_group){.block = (int)k, .n_values = n, .values = values, .points = points, .sure = sure[k]};
}

/* ---- at a price ---- */

typedef struct world {
    void (*network)(const size_t *value, mst_search_point *out);
    unsigned runs, quick_runs;
    mst_status fails;
} world;

static mst_status measure(void *ctx, const size_t *value, bool quick, mst_search_point *out, mst_err *err)
{
    world *w = ctx;
    if (w->fails != MST_OK)
        return mst_fail(err, w->fails, "no network");
    *(quick ? &w->quick_runs : &w->runs) += 1;
    w->network(value, out);
    return MST_OK;
}

static mst_status descend(world *w, mst_search_group *groups, size_t n, double price, size_t *value, mst_err *err)
{
    const mst_search_descent d = {.size = sizeof d, .price = price, .sweeps = 5, .measure = measure, .ctx = w};
    mst_search_point now;
    w->network(value, &now);
    return mst_search_descend(groups, n, &d, value, &now, err);
}

/* What each does adds up. */
static void alone(const size_t *value, mst_search_point *out)
{
    static const double loss[][4] = {{0, 1, 4, 9}, {0, 2, 3, 40}}, saved[][4] = {{0, 2, 4, 6}, {0, 1, 5, 6}};
    *out = (mst_search_point){0};
    for (size_t k = 0; k < 2; k++) {
        out->loss += loss[k][value[k]];
        out->saved += saved[k][value[k]];
    }
}

/* Two layers of which either alone kills what the other is for: the second goes for nothing. */
static void either(const size_t *value, mst_search_point *out)
{
    out->loss = value[0] != 0 || value[1] != 0 ? 3 : 0;
    out->saved = (value[0] != 0 ? 4 : 0) + (value[1] != 0 ? 1 : 0);
}

/* Two layers that stand in for each other: both are needed, or neither. */
static void both(const size_t *value, mst_search_point *out)
{
    out->loss = value[0] != 0 && value[1] != 0 ? 20 : 0;
    out->saved = (value[0] != 0 ? 4 : 0) + (value[1] != 0 ? 6 : 0);
}

START_TEST(each_value_that_is_worth_its_price)
{
    mst_search_point a[4] = {{0, 0}, {1, 2}, {4, 4}, {9, 6}}, b[4] = {{0, 0}, {2, 1}, {3, 5}, {40, 6}};
    static const struct {
        double price;
        size_t value[2];
    } expected[] = {{.4, {0, 0}}, {.55, {1, 0}}, {1, {1, 2}}, {2, {2, 2}}, {3, {3, 2}}, {50, {3, 3}}, {2, {2, 2}}};
    size_t value[2] = {0, 0};
    world w = {.network = alone};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) { /* up, and at last down again */
        mst_search_group groups[] = {group(0, a, 4), group(1, b, 4)};
        ck_assert_int_eq(descend(&w, groups, 2, expected[i].price, value, NULL), MST_OK);
        ck_assert_msg(value[0] == expected[i].value[0] && value[1] == expected[i].value[1], "price %g: %zu %zu",
                      expected[i].price, value[0], value[1]);
    }
}
END_TEST

START_TEST(what_is_dead_goes_for_nothing)
{
    mst_search_point a[2] = {{0, 0}, {3, 4}}, b[2] = {{0, 0}, {3, 1}};
    mst_search_group groups[] = {group(0, a, 2), group(1, b, 2)};
    size_t value[2] = {0, 0};
    world w = {.network = either};
    ck_assert_int_eq(descend(&w, groups, 2, 1, value, NULL), MST_OK);
    ck_assert(value[0] == 1 && value[1] == 1);
    value[0] = value[1] = 0; /* alone the second is worth a third of its price: it must be tried */
    b[1] = (mst_search_point){3, 1}, a[1] = (mst_search_point){3, 4};
    ck_assert_int_eq(descend(&w, groups, 2, .8, value, NULL), MST_OK);
    ck_assert(value[0] == 1 && value[1] == 1);
}
END_TEST

START_TEST(what_is_taken_may_be_given_back)
{
    mst_search_point a[2] = {{0, 0}, {0, 4}}, b[2] = {{0, 0}, {0, 6}};
    mst_search_group groups[] = {group(0, a, 2), group(1, b, 2)};
    size_t value[2] = {1, 1};
    world w = {.network = both};
    b[1] = (mst_search_point){20, 6}; /* the first was taken before */
    a[1] = (mst_search_point){20, 4};
    ck_assert_int_eq(descend(&w, groups, 2, 1, value, NULL), MST_OK);
    ck_assert(value[0] == 0 && value[1] == 1);
}
END_TEST

START_TEST(what_is_hopeless_is_not_run)
{
    mst_search_point a[2] = {{0, 0}, {41, 4}}, b[2] = {{0, 0}, {0, -1}};
    mst_search_group groups[] = {group(0, a, 2), group(1, b, 2)};
    size_t value[2] = {0, 0};
    world w = {.network = either};
    ck_assert_int_eq(descend(&w, groups, 2, 2.5, value, NULL), MST_OK);
    ck_assert(w.runs == 0 && w.quick_runs == 1);
}
END_TEST

START_TEST(what_was_measured_is_not_measured_again)
{
    mst_search_point a[2] = {{0, 0}, {3, 4}}, b[2] = {{0, 0}, {3, 1}};
    mst_search_group groups[] = {group(0, a, 2), group(1, b, 2)};
    size_t value[2] = {0, 0};
    world w = {.network = either};
    ck_assert_int_eq(descend(&w, groups, 2, .7, value, NULL), MST_OK); /* neither is worth it: 3 for 4, 3 for 1 */
    ck_assert(value[0] == 0 && value[1] == 0 && w.quick_runs == 2);    /* the first of where it begins */
    ck_assert_int_eq(descend(&w, groups, 2, .74, value, NULL), MST_OK);
    ck_assert_uint_eq(w.quick_runs, 4); /* nearly worth it: looked at again; the other still not */
    ck_assert_int_eq(descend(&w, groups, 2, .6, value, NULL), MST_OK);
    ck_assert_uint_eq(w.quick_runs, 5);
    ck_assert_uint_eq(w.runs, 0);
    groups[1].block = 0; /* a move in its block makes the second worth a look, though it was measured */
    groups[1].sure[1] = true;
    ck_assert_int_eq(descend(&w, groups, 2, .8, value, NULL), MST_OK);
    ck_assert(value[0] == 1 && value[1] == 1);
}
END_TEST

START_TEST(descents_that_cannot_be)
{
    mst_search_point a[2] = {{0, 0}, {1, 4}};
    mst_search_group groups[] = {group(0, a, 2)};
    size_t value[2] = {0, 0};
    world w = {.network = either};
    mst_err err;
    ck_assert_int_eq(descend(&w, groups, 1, 0, value, &err), MST_EINVAL);
    ck_assert_pstr_ne(strstr(err.text, "a price above 0"), NULL);
    ck_assert_int_eq(descend(&w, groups, 1, NAN, value, &err), MST_EINVAL);
    ck_assert_int_eq(descend(&w, NULL, 0, 1, value, NULL), MST_OK);
    w.fails = MST_EIO;
    ck_assert_int_eq(descend(&w, groups, 1, 1, value, &err), MST_EIO);
    ck_assert(value[0] == 0);
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
    TCase *price = tcase_create("price"), *groups = tcase_create("groups");
    tcase_add_test(price, each_value_that_is_worth_its_price);
    tcase_add_test(price, what_is_dead_goes_for_nothing);
    tcase_add_test(price, what_is_taken_may_be_given_back);
    tcase_add_test(price, what_is_hopeless_is_not_run);
    tcase_add_test(price, what_was_measured_is_not_measured_again);
    tcase_add_test(price, descents_that_cannot_be);
    tcase_add_checked_fixture(groups, make, destroy);
    tcase_add_test(groups, neurons_that_share_a_rule);
    tcase_add_test(groups, levels_of_all_neurons);
    tcase_add_test(groups, refuses);
    suite_add_tcase(s, price);
    suite_add_tcase(s, groups);
    return run_tests(s);
}
