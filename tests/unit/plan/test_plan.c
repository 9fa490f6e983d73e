/* The memory planner on random lifetimes: no two blocks that live at the same
 * time overlap, offsets are aligned, memory is used again. */
#include "tests/unit/session/session_graphs.h"
#include "runtime/plan/plan.h"
#include "tests/support/run_tests.h"

enum { STEPS = 200,
       BLOCKS = 600 };

static size_t plan_random(rng *r, plan_buf *b, size_t n, uint32_t most_steps)
{
    mst_arena tmp = {0};
    size_t total = 0, k = 0;
    for (uint32_t step = 0; step < STEPS; step++)
        for (; k < n && k * STEPS / n <= step; k++) {
            uint32_t last = step + rng_below(r, most_steps);
            b[k] = (plan_buf){1 + rng_below(r, 5000), step, rng_below(r, 50) == 0 ? STEPS : last, 0};
        }
    OK(plan_memory(b, n, STEPS, &tmp, &total, &err_));
    mst_arena_release(&tmp);
    return total;
}

START_TEST(blocks_do_not_overlap)
{
    static plan_buf b[BLOCKS];
    rng r = {(uint64_t)_i};
    size_t total = plan_random(&r, b, BLOCKS, _i % 2 != 0 ? 5 : 150);
    for (size_t i = 0; i < BLOCKS; i++) {
        ck_assert(b[i].at % PLAN_ALIGN == 0 && b[i].at + b[i].bytes <= total);
        for (size_t j = 0; j < i; j++) {
            bool together = b[i].first <= b[j].last && b[j].first <= b[i].last;
            if (together && b[i].at < b[j].at + b[j].bytes && b[j].at < b[i].at + b[i].bytes)
                ck_abort_msg("blocks %zu and %zu overlap", i, j);
        }
    }
}
END_TEST

/* More holes at a time than the planner remembers: every second block dies, then larger ones come. */
START_TEST(very_many_holes)
{
    enum { MANY = 4000 };
    static plan_buf b[2 * MANY];
    mst_arena tmp = {0};
    size_t total = 0;
    for (uint32_t i = 0; i < MANY; i++)
        b[i] = (plan_buf){64 + 64 * (i % 3), 0, i % 2 == 0 ? 0 : 3, 0};
    for (uint32_t i = 0; i < MANY; i++)
        b[MANY + i] = (plan_buf){64, 1, 2, 0};
    OK(plan_memory(b, 2 * MANY, 4, &tmp, &total, &err_));
    for (uint32_t i = 1; i < MANY; i += 2) /* those that live on, and all that came */
        for (uint32_t j = MANY; j < 2 * MANY; j++)
            if (b[i].at < b[j].at + b[j].bytes && b[j].at < b[i].at + b[i].bytes)
                ck_abort_msg("blocks %u and %u overlap", i, j);
    size_t most = 0;
    for (uint32_t i = 0; i < 2 * MANY; i++)
        most = b[i].at + b[i].bytes > most ? b[i].at + b[i].bytes : most;
    ck_assert_uint_le(most, total);
    mst_arena_release(&tmp);
}
END_TEST

START_TEST(chain_needs_two_blocks)
{
    plan_buf b[STEPS];
    mst_arena tmp = {0};
    size_t total = 0;
    for (uint32_t i = 0; i < STEPS; i++)
        b[i] = (plan_buf){640, i, i + 1, 0};
    OK(plan_memory(b, STEPS, STEPS, &tmp, &total, &err_));
    ck_assert_uint_eq(total, 1280);
    mst_arena_release(&tmp);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    plan_buf b[2] = {{SIZE_MAX - 100, 0, 1, 0}, {SIZE_MAX - 100, 0, 1, 0}};
    mst_arena tmp = {0};
    size_t total = 0;
    ck_assert_int_eq(plan_memory(b, 2, 2, &tmp, &total, NULL), MST_ELIMIT);
    mst_arena_release(&tmp);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");
    tcase_add_loop_test(tc, blocks_do_not_overlap, 0, 8);
    tcase_add_test(tc, very_many_holes);
    tcase_add_test(tc, chain_needs_two_blocks);
    tcase_add_test(tc, sizes_that_overflow_are_refused);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
