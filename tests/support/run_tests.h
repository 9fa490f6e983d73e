/* The end of every test program. */
#ifndef MST_TEST_RUN_TESTS_H
#define MST_TEST_RUN_TESTS_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* How many of n random cases are to be tried: all, but one in MST_PORT_SHARE where that is set (emulated machines). */
static inline uint64_t random_cases(uint64_t n)
{
    const char *share = getenv("MST_PORT_SHARE");
    int of = share != NULL ? atoi(share) : 1;
    return of > 1 ? (n + (uint64_t)of - 1) / (uint64_t)of : n;
}

/* Exit status of the suite (taken); CK_RUN_CASE and CK_FORK are obeyed. */
static inline int run_tests(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}

#endif
