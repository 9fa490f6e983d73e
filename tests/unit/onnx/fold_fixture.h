/* One ox_graph under test and its checks, for the tests of folding. Included by one file a binary. */
#ifndef TEST_FOLD_FIXTURE_H
#define TEST_FOLD_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"
#include "tests/support/onnx_build.h"
#include "tests/support/run_tests.h"

#define N_ OX_NONE

static ox_graph g;
static mst_err err;

static inline void setup(void)
{
    memset(&g, 0, sizeof g);
    memset(&err, 0, sizeof err);
    build_start(&g, 17);
}

static inline void teardown(void)
{
    ox_graph_free(&g);
}

static inline void fold_ok(void)
{
    mst_status s = ox_fold(&g, NULL, 0, &err);
    ck_assert_msg(s == MST_OK, "%s", err.text);
}

static inline void fold_fails(mst_status code, const char *text)
{
    mst_status s = ox_fold(&g, NULL, 0, &err);
    ck_assert_msg(s == code, "status %d (%s), expected %d", s, err.text, code);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' is not in: %s", text, err.text);
}

static inline void is_shape(uint32_t id, uint32_t rank, const int64_t *dims)
{
    ck_assert_uint_eq(g.values[id].rank, rank);
    for (uint32_t d = 0; d < rank; d++)
        ck_assert_int_eq(g.values[id].dims[d], dims[d]);
}
#define IS_SHAPE(id, ...) \
    is_shape(id, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})
#define INTS(...) \
    build_ints(&g, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

/* A graph of one node is refused with code and a message that has text in it. */
static inline void refuse_node(const char *op, const char *domain, uint32_t a, uint32_t b, mst_status code,
                               const char *text)
{
    build_output(&g, build_node(&g, op, a, b, N_, N_));
    g.nodes[g.n_nodes - 1].domain = domain;
    fold_fails(code, text);
}

static inline int run_suite(const char *name, TCase *t)
{
    Suite *s = suite_create(name);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return run_tests(s);
}

#endif
