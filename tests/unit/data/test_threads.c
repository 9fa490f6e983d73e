/* Reading ahead: every sample arrives once and unchanged for any number of workers, the
 * first failure is the one told, and no end leaves a thread behind. Run with MODE=tsan.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool_feed.h"
#include "tools/tool_parallel.h"
#include "tests/support/run_tests.h"

#define SAMPLES 200u
#define VALUES 6u

static char path[64];

/* SAMPLES times [1,2,3], value k of sample i is 10*i + k; sample bad (if any) has an infinity. */
static void write_samples(uint32_t bad)
{
    char head[128];
    strcpy(path, "/tmp/mst-feed-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    ck_assert_ptr_nonnull(f);
    int n = snprintf(head, sizeof head,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%u, 1, 2, 3), }\n", SAMPLES);
    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fputc(n, f);
    fputc(0, f);
    fwrite(head, 1, (size_t)n, f);
    for (uint32_t i = 0; i < SAMPLES; i++)
        for (uint32_t k = 0; k < VALUES; k++) {
            float v = i == bad ? (float)HUGE_VAL : (float)(10 * i + k);
            fwrite(&v, sizeof v, 1, f);
        }
    ck_assert_int_eq(fclose(f), 0);
}

static mst_data *open_samples(void)
{
    mst_data_want want = {.channels = 1, .height = 2, .width = 3};
    mst_data *d = NULL;
    mst_err err = {0};
    ck_assert_msg(mst_data_open(path, &want, &d, &err) == MST_OK, "%s", err.text);
    return d;
}

static void tear_down(void)
{
    unlink(path);
}

typedef struct job {
    mst_feed *feed;
    float x[16][VALUES]; /* of each worker */
    size_t next;         /* sample to commit */
    double sum;
    size_t fail; /* this sample's work fails */
} job;

static mst_status work(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    job *j = ctx;
    int label = 0;
    MST_TRY(mst_feed_get(j->feed, i, j->x[worker], &label, err));
    if (i == j->fail)
        return mst_fail(err, MST_EINVAL, "work on %zu", i);
    for (uint32_t k = 0; k < VALUES; k++)
        if (j->x[worker][k] != (float)(10 * i + k) || label != -1)
            return mst_fail(err, MST_ECORRUPT, "sample %zu arrived changed", i);
    return MST_OK;
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    job *j = ctx;
    (void)err;
    ck_assert_uint_eq(i, j->next++);
    j->sum = 0.5 * j->sum + (double)j->x[worker][5];
    return MST_OK;
}

/* All samples, in order. */
static const uint32_t *places(void)
{
    static uint32_t at[SAMPLES];
    for (uint32_t i = 0; i < SAMPLES; i++)
        at[i] = i;
    return at;
}

static mst_status run(job *j, unsigned threads, mst_err *err)
{
    mst_data *d = open_samples();
    mst_parallel p = {.n = SAMPLES, .threads = threads, .ctx = j, .work = work, .commit = commit};
    ck_assert_int_eq(mst_feed_create(d, places(), SAMPLES, threads, &j->feed, err), MST_OK);
    mst_status st = mst_parallel_run(&p, err);
    mst_feed_destroy(j->feed);
    mst_data_close(d);
    return st;
}

static const unsigned threads[] = {1, 2, 3, 16};

START_TEST(samples_arrive)
{
    write_samples(SAMPLES);
    job one = {.fail = SAMPLES}, many = {.fail = SAMPLES};
    mst_err err = {0};
    ck_assert_int_eq(run(&one, 1, &err), MST_OK);
    ck_assert_msg(run(&many, threads[_i], &err) == MST_OK, "%s", err.text);
    ck_assert(many.next == SAMPLES && many.sum == one.sum);
}
END_TEST

START_TEST(failures_are_the_first)
{
    mst_err err = {0};
    write_samples(77);
    job read = {.fail = SAMPLES};
    ck_assert_int_eq(run(&read, threads[_i], &err), MST_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "sample 77: expected a finite value"));
    ck_assert_uint_eq(read.next, 77);
    job worked = {.fail = 40}; /* the reader may be ahead at 77 or not there yet */
    ck_assert_int_eq(run(&worked, threads[_i], &err), MST_EINVAL);
    ck_assert_str_eq(err.text, "work on 40");
    ck_assert_uint_eq(worked.next, 40);
}
END_TEST

START_TEST(ends_early)
{
    float x[VALUES];
    int label;
    mst_feed *feed = NULL;
    mst_err err = {0};
    write_samples(SAMPLES);
    mst_data *d = open_samples();
    for (size_t taken = 0; taken < 12; taken++) {
        ck_assert_int_eq(mst_feed_create(d, places(), SAMPLES, threads[_i], &feed, &err), MST_OK);
        for (size_t i = 0; i < taken; i++)
            ck_assert_int_eq(mst_feed_get(feed, i, x, &label, &err), MST_OK);
        mst_feed_destroy(feed);
    }
    ck_assert_int_eq(mst_feed_create(d, places(), 2, 16, &feed, &err), MST_OK); /* fewer samples than workers */
    ck_assert_int_eq(mst_feed_get(feed, 1, x, &label, &err), MST_OK);
    ck_assert(x[0] == 10.0f);
    mst_feed_destroy(feed);
    ck_assert_int_eq(mst_feed_create(d, places(), 0, 1, &feed, &err), MST_EINVAL);
    ck_assert_ptr_null(feed);
    mst_feed_destroy(NULL);
    mst_data_close(d);
}
END_TEST

int main(void)
{
    int n = (int)(sizeof threads / sizeof threads[0]);
    Suite *s = suite_create("reading ahead");
    TCase *t = tcase_create("feed");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, tear_down);
    tcase_add_loop_test(t, samples_arrive, 0, n);
    tcase_add_loop_test(t, failures_are_the_first, 0, n);
    tcase_add_loop_test(t, ends_early, 0, n);
    suite_add_tcase(s, t);
    return run_tests(s);
}
