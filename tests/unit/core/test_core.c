/* Arenas, aligned blocks, error texts. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mst/alloc.h"
#include "mst/status.h"
#include "tests/support/run_tests.h"

/* Counts what is alive and fails the n-th allocation. */
typedef struct counter {
    size_t alive, calls, fail_at;
} counter;

static void *counting(void *ctx, void *p, size_t old, size_t n)
{
    counter *c = ctx;
    if (n == 0) {
        c->alive -= old;
        free(p);
        return NULL;
    }
    if (++c->calls == c->fail_at)
        return NULL;
    c->alive += n - (p != NULL ? old : 0);
    return realloc(p, n);
}

START_TEST(arena_aligns_zeroes_and_releases)
{
    counter c = {0};
    mst_allocator a = {counting, &c};
    mst_arena arena = {.alloc = &a};
    static const size_t sizes[] = {1, 3, 16, 63, 64, 65, 4095, 4096, 70000, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = mst_arena_alloc(&arena, sizes[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % (sizes[i] >= 64 ? 64 : 16), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            ck_assert_uint_eq(p[k], 0);
        memset(p, 0xAA, sizes[i]);
    }
    ck_assert_uint_ge(arena.used, 4096 + 70000);
    mst_arena_release(&arena);
    ck_assert_uint_eq(c.alive, 0);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_ptr_nonnull(mst_arena_alloc(&arena, 8)); /* usable again */
    mst_arena_release(&arena);
}
END_TEST

START_TEST(arena_keeps_its_limit)
{
    mst_arena arena = {.limit = 100000};
    ck_assert_ptr_nonnull(mst_arena_alloc(&arena, 50000));
    ck_assert_ptr_null(mst_arena_alloc(&arena, 60000));
    ck_assert_ptr_nonnull(mst_arena_alloc(&arena, 20000));
    ck_assert_ptr_null(mst_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(mst_arena_array(&arena, SIZE_MAX / 2, 3));
    mst_arena_release(&arena);
}
END_TEST

START_TEST(failed_allocations_are_null)
{
    for (size_t fail = 1; fail < 4; fail++) {
        counter c = {.fail_at = fail};
        mst_allocator a = {counting, &c};
        mst_arena arena = {.alloc = &a};
        size_t got = 0;
        for (int i = 0; i < 3; i++)
            got += mst_arena_alloc(&arena, 100000) != NULL;
        ck_assert_uint_eq(got, 2);
        mst_arena_release(&arena);
        ck_assert_uint_eq(c.alive, 0);
    }
    ck_assert_ptr_null(mst_alloc_array(NULL, SIZE_MAX / 4, 8));
}
END_TEST

START_TEST(aligned_blocks)
{
    counter c = {0};
    mst_allocator a = {counting, &c};
    for (size_t n = 0; n < 200; n += 7) {
        unsigned char *p = mst_alloc_aligned(&a, n);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        memset(p, 1, n);
        mst_free_aligned(&a, p, n);
    }
    ck_assert_uint_eq(c.alive, 0);
}
END_TEST

START_TEST(errors_are_one_line)
{
    mst_err err = {0};
    ck_assert_int_eq(mst_fail(&err, MST_EIO, "%s: cannot open", "a\nb\x1b[31m"), MST_EIO);
    ck_assert_str_eq(err.text, "a?b?[31m: cannot open");
    ck_assert_int_eq(mst_fail_in(&err, MST_ECORRUPT, "file %d: ", 7), MST_ECORRUPT);
    ck_assert_str_eq(err.text, "file 7: a?b?[31m: cannot open");
    ck_assert_int_eq(err.code, MST_ECORRUPT);
    ck_assert_int_eq(mst_fail(NULL, MST_ENOMEM, "nobody listens"), MST_ENOMEM);
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    mst_fail(&err, MST_EINVAL, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    mst_fail_in(&err, MST_EINVAL, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    for (int code = MST_OK; code <= MST_ELIMIT; code++)
        ck_assert_str_ne(mst_status_text((mst_status)code), "unknown status");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core");
    TCase *t = tcase_create("core");
    tcase_add_test(t, arena_aligns_zeroes_and_releases);
    tcase_add_test(t, arena_keeps_its_limit);
    tcase_add_test(t, failed_allocations_are_null);
    tcase_add_test(t, aligned_blocks);
    tcase_add_test(t, errors_are_one_line);
    suite_add_tcase(s, t);
    return run_tests(s);
}
