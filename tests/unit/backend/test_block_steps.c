/* How many time steps a block has, for caches of many sizes, and that memory stays within bounds. */
#include <check.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/unit/backend/block_graphs.h"
#include "tests/support/run_tests.h"

static mst_err err_;
enum { KB = 1024,
       MB = 1024 * KB };

START_TEST(caches)
{
    static const struct {
        cpu_caches c;
        cpu_need need;
        uint32_t steps;
    } cases[] = {
        {{32 * KB, 1 * MB}, {0, 0, 0}, 64},
        {{32 * KB, 1 * MB}, {512, 16 * KB, 128 * KB}, 64}, /* all full */
        {{32 * KB, 1 * MB}, {513, 0, 0}, 32},
        {{32 * KB, 1 * MB}, {0, 16 * KB + 1, 20 * KB}, 32},
        {{32 * KB, 1 * MB}, {0, 0, 128 * KB + 1}, 32},
        {{48 * KB, 2 * MB}, {772, 20 * KB, 40 * KB}, 32},
        {{32 * KB, 1 * MB}, {5000, 0, 0}, 16}, /* too much for any block */
        {{32 * KB, 1 * MB}, {0, 100 * MB, 200 * MB}, 16},
        {{1, 1}, {100, 100, 100}, 16},
        {{32 * KB, 512 * MB}, {0, 200 * KB, 300 * KB}, 16}, /* more memory than is taken for longer blocks */
        {{SIZE_MAX, SIZE_MAX}, {SIZE_MAX, SIZE_MAX, SIZE_MAX}, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(cpu_steps_for(cases[i].c, cases[i].need) == cases[i].steps, "case %zu", i);
}
END_TEST

/* A program that chooses has what one that is told the same number has. */
START_TEST(programs)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        mst_graph *g = block_net(seed);
        mst_program *chosen = NULL, *told = NULL;
        mst_run_opts o = {.schedule = MST_SCHEDULE_BLOCK};
        ck_assert(mst_program_create(g, &o, &chosen, &err_) == MST_OK);
        o.block_steps = mst_program_block_steps(chosen);
        ck_assert_uint_ge(o.block_steps, 16);
        ck_assert_uint_le(o.block_steps, RT_MAX_STEPS);
        ck_assert_uint_eq(o.block_steps & (o.block_steps - 1), 0);
        ck_assert(mst_program_create(g, &o, &told, &err_) == MST_OK);
        ck_assert_uint_eq(mst_program_session_bytes(chosen), mst_program_session_bytes(told));
        mst_program_destroy(chosen);
        mst_program_destroy(told);
        mst_graph_destroy(g);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block steps");
    TCase *t = tcase_create("steps");
    tcase_add_test(t, caches);
    tcase_add_test(t, programs);
    suite_add_tcase(s, t);
    return run_tests(s);
}
