/* What a session may take: 4 GiB, added up without wrapping around. */
#include "runtime/ops/op.h"
#include "tests/support/run_tests.h"
#include "tests/unit/session/naive_run.h"

#define GIB ((size_t)1 << 30)

START_TEST(adding_up)
{
    static const struct {
        size_t before, n, size;
        bool fits;
    } cases[] = {
        {0, 4 * GIB, 1, true},
        {0, 4 * GIB + 1, 1, false},
        {0, GIB, 4, true},
        {0, GIB + 1, 4, false},
        {3 * GIB, GIB, 1, true},
        {3 * GIB + 1, GIB, 1, false}, /* after rounding up */
        {4 * GIB, 0, 1, true},
        {4 * GIB, 1, 1, false},
        {0, SIZE_MAX, 1, false},
        {0, SIZE_MAX / 2 + 2, 2, false},
        {PLAN_ALIGN, SIZE_MAX - PLAN_ALIGN + 1, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t at = 1, total = cases[i].before;
        mst_err err = {0};
        mst_status st = op_add_bytes(&err, cases[i].n, cases[i].size, &at, &total);
        ck_assert_msg(st == (cases[i].fits ? MST_OK : MST_ELIMIT), "case %zu: status %d", i, (int)st);
        if (st == MST_OK)
            ck_assert(at % PLAN_ALIGN == 0 && at >= cases[i].before && total == at + cases[i].n * cases[i].size);
        else
            ck_assert(total == cases[i].before && strstr(err.text, "more than 4294967296 bytes") != NULL);
    }
}
END_TEST

/* A chain of neurons of half a GiB of membranes each: one is planned (nothing is taken for that), sixteen are
 * more than a session may have, in both schedules. */
START_TEST(programs)
{
    for (unsigned n = 1; n <= 16; n *= 16) {
        mst_graph *g = graph_with_input(DIMS(1, 1u << 27));
        uint32_t x = g->input, theta = add_value(g, 1);
        for (unsigned i = 0; i < n; i++) {
            x = add_neuron(g, x, theta, 0.5f);
        }
        ck_assert_int_eq(mst_graph_validate(g, NULL), MST_OK);
        for (int step = 0; step < 2; step++) {
            mst_err err = {0};
            mst_program *p = NULL;
            mst_run_opts o = {
                .size = sizeof o, .schedule = step ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK, .block_steps = 1};
            mst_status st = mst_program_create(g, &o, &p, &err);
            ck_assert_msg(st == (n == 1 ? MST_OK : MST_ELIMIT), "%u neurons, step %d: %d %s", n, step, (int)st,
                          err.text);
            ck_assert(st == MST_OK || p == NULL);
            mst_program_destroy(p);
        }
        mst_graph_destroy(g);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory of operators");
    TCase *t = tcase_create("limit");
    tcase_add_test(t, adding_up);
    tcase_add_test(t, programs);
    suite_add_tcase(s, t);
    return run_tests(s);
}
