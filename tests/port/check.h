/* What the tests use of libcheck, for machines that have none (`make port-check`): each test in a process of its own
 * where there is fork, else one after the other, and the first that fails ends the program. Time limits are not kept,
 * CK_RUN_CASE and CK_FORK not obeyed; of a loop test MST_PORT_ROUNDS rounds are run, the last ones (all without it:
 * emulated machines are slow). */
#ifndef MST_TESTS_PORT_CHECK_H
#define MST_TESTS_PORT_CHECK_H

#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

#define PORT_MOST_TESTS 64

typedef struct port_test {
    void (*fn)(int);
    const char *name;
    int from, to;
    void (*setup)(void), (*teardown)(void);
} port_test;

typedef struct Suite {
    const char *name;
    port_test tests[PORT_MOST_TESTS];
    size_t n;
    int failed;
} Suite;

typedef struct TCase {
    void (*setup)(void), (*teardown)(void);
} TCase;

typedef Suite SRunner;

enum { CK_NORMAL };

/* A program has one suite; tests are its, whatever their case. */
static Suite port_suite;

static inline Suite *suite_create(const char *name)
{
    port_suite.name = name;
    return &port_suite;
}

static inline TCase *tcase_create(const char *name)
{
    (void)name;
    TCase *t = calloc(1, sizeof *t);
    if (t == NULL)
        abort();
    return t;
}

static inline void port_add(const TCase *t, void (*fn)(int), const char *name, int from, int to)
{
    if (port_suite.n == PORT_MOST_TESTS)
        abort();
    port_suite.tests[port_suite.n++] = (port_test){fn, name, from, to, t->setup, t->teardown};
}

#define tcase_add_test(t, fn) port_add(t, fn, #fn, 0, 1)
#define tcase_add_loop_test(t, fn, from, to) port_add(t, fn, #fn, from, to)
#define tcase_add_checked_fixture(t, before, after) ((t)->setup = (before), (t)->teardown = (after))
#define tcase_set_timeout(t, seconds) ((void)(t), (void)(seconds))
#define suite_add_tcase(s, t) ((void)(s), free(t))
#define srunner_create(s) (s)
#define srunner_free(r) ((void)(r))
#define srunner_ntests_failed(r) ((r)->failed)

static inline void port_run(const port_test *t, int i)
{
    if (t->setup != NULL)
        t->setup();
    t->fn(i);
    if (t->teardown != NULL)
        t->teardown();
    fflush(stdout);
}

#ifdef _WIN32
#define port_run_apart(t, i) (port_run(t, i), 0)
#else
/* 0, or 1 where it failed or crashed. */
static inline int port_run_apart(const port_test *t, int i)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        port_run(t, i);
        _exit(0);
    }
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}
#endif

static inline void srunner_run_all(SRunner *r, int how)
{
    const char *rounds = getenv("MST_PORT_ROUNDS");
    int ran = 0, most = rounds != NULL ? atoi(rounds) : INT_MAX;
    (void)how;
    for (const port_test *t = r->tests; t < r->tests + r->n; t++)
        for (int i = t->to - t->from > most ? t->to - most : t->from; i < t->to; i++, ran++) {
            fflush(stdout);
            if (port_run_apart(t, i) != 0) {
                printf("%s: %s %d FAILED\n", r->name, t->name, i);
                r->failed++;
            }
        }
    printf("%s: %d tests, %d failed\n", r->name, ran, r->failed);
}

#define START_TEST(name) static void name(int _i __attribute__((unused)))
#define END_TEST

#define ck_abort_msg(...) \
    do { \
        printf("%s:%d: ", __FILE__, __LINE__); \
        printf(__VA_ARGS__); \
        printf("\n"); \
        fflush(stdout); \
        exit(1); \
    } while (0)
#define ck_assert_msg(x, ...) \
    do { \
        if (!(x)) \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)
#define ck_assert(x) ck_assert_msg(x, "not true: %s", #x)

#define PORT_COMPARE(type, format, a, op, b) \
    do { \
        const type port_a = (a), port_b = (b); \
        ck_assert_msg(port_a op port_b, "not true: %s %s %s: %" format ", %" format, #a, #op, #b, port_a, port_b); \
    } while (0)
#define ck_assert_int_eq(a, b) PORT_COMPARE(intmax_t, PRIdMAX, a, ==, b)
#define ck_assert_int_ne(a, b) PORT_COMPARE(intmax_t, PRIdMAX, a, !=, b)
#define ck_assert_int_ge(a, b) PORT_COMPARE(intmax_t, PRIdMAX, a, >=, b)
#define ck_assert_uint_eq(a, b) PORT_COMPARE(uintmax_t, PRIuMAX, a, ==, b)
#define ck_assert_uint_ge(a, b) PORT_COMPARE(uintmax_t, PRIuMAX, a, >=, b)
#define ck_assert_uint_gt(a, b) PORT_COMPARE(uintmax_t, PRIuMAX, a, >, b)
#define ck_assert_uint_le(a, b) PORT_COMPARE(uintmax_t, PRIuMAX, a, <=, b)
#define ck_assert_uint_lt(a, b) PORT_COMPARE(uintmax_t, PRIuMAX, a, <, b)
#define ck_assert_ptr_null(p) ck_assert_msg((p) == NULL, "not NULL: %s", #p)
#define ck_assert_ptr_nonnull(p) ck_assert_msg((p) != NULL, "NULL: %s", #p)
#define ck_assert_str_eq(a, b) ck_assert_msg(strcmp(a, b) == 0, "%s is '%s', %s is '%s'", #a, a, #b, b)
#define ck_assert_str_ne(a, b) ck_assert_msg(strcmp(a, b) != 0, "%s and %s are '%s'", #a, #b, a)
#define ck_assert_mem_eq(a, b, n) ck_assert_msg(memcmp(a, b, n) == 0, "%s and %s differ", #a, #b)

#endif
