/* The end of every test program. */
#ifndef MST_TEST_RUN_TESTS_H
#define MST_TEST_RUN_TESTS_H

#include <check.h>

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
