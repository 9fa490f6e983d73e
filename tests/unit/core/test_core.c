/* Arenas, aligned blocks, growing arrays, error texts. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mst/session.h"
#include "runtime/core/grow.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

START_TEST(arena_aligns_zeroes_and_releases)
{
    test_alloc c = {0};
    mst_allocator a = test_allocator(&c);
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
    ck_assert_uint_eq(c.bytes, 0);
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
        test_alloc c = {.fail_at = fail};
        mst_allocator a = test_allocator(&c);
        mst_arena arena = {.alloc = &a};
        size_t got = 0;
        for (int i = 0; i < 3; i++)
            got += mst_arena_alloc(&arena, 100000) != NULL;
        ck_assert_uint_eq(got, 2);
        mst_arena_release(&arena);
        ck_assert_uint_eq(c.bytes, 0);
    }
    ck_assert_ptr_null(mst_alloc_array(NULL, SIZE_MAX / 4, 8));
}
END_TEST

START_TEST(aligned_blocks)
{
    test_alloc c = {0};
    mst_allocator a = test_allocator(&c);
    for (size_t n = 0; n < 200; n += 7) {
        unsigned char *p = mst_alloc_aligned(&a, n);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        memset(p, 1, n);
        mst_free_aligned(&a, p, n);
    }
    ck_assert_uint_eq(c.bytes, 0);
}
END_TEST

START_TEST(arrays_grow)
{
    test_alloc c = {0};
    mst_allocator a = test_allocator(&c);
    int *p = NULL;
    size_t room = 0;
    for (int i = 0; i < 100; i++) {
        int *grown = mst_grow(&a, p, (size_t)i, &room, 3, sizeof *p);
        ck_assert_ptr_nonnull(grown);
        p = grown;
        p[i] = i;
    }
    ck_assert_uint_eq(room, 192);
    ck_assert(p[99] == 99 && p[2] == 2 && p[191] == 0);
    ck_assert_uint_eq(c.blocks, 1);
    c.fail_at = c.calls + 1;
    ck_assert_ptr_null(mst_grow(&a, p, 192, &room, 3, sizeof *p));
    ck_assert(room == 192 && p[99] == 99);
    mst_free_array(&a, p, room, sizeof *p);
    ck_assert_uint_eq(c.blocks, 0);
}
END_TEST

START_TEST(argmax_is_the_first_of_equals)
{
    static const float x[] = {-1, 3, 2, 3, -7};
    ck_assert_uint_eq(mst_argmax(x, 5), 1);
    ck_assert_uint_eq(mst_argmax(x + 2, 3), 1);
    ck_assert_uint_eq(mst_argmax(x, 1), 0);
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
    tcase_add_test(t, arrays_grow);
    tcase_add_test(t, argmax_is_the_first_of_equals);
    tcase_add_test(t, errors_are_one_line);
    suite_add_tcase(s, t);
    return run_tests(s);
}
