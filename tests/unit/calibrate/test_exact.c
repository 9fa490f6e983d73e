/* Sums without rounding: against GSL's running statistics, in every order, in parts, as text. */
#include <gsl/gsl_rstat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/calib.h"
#include "tests/support/run_tests.h"

static uint64_t state = 1;

static double draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    double v = (double)(int64_t)(state >> 11) / 9007199254740992.0 - .5;
    return ldexp(v, (int)(state >> 5 & 127) - 64);
}

static bool same(const mst_exact *a, const mst_exact *b)
{
    char x[MST_EXACT_TEXT], y[MST_EXACT_TEXT];
    mst_exact_text(a, x, sizeof x);
    mst_exact_text(b, y, sizeof y);
    return strcmp(x, y) == 0;
}

START_TEST(values)
{
    static const double all[] = {0, 1, -1, 0x1p-1074, -0x1p-1074, 0x1.fffffffffffffp1023,
                                 0x1p-40, -0x1p900, 0.1, 1e300, -123456789, 0x1.8p-1022};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        mst_exact s = {0};
        mst_exact_add(&s, all[i]);
        ck_assert(mst_exact_value(&s) == all[i] && signbit(mst_exact_value(&s)) == signbit(all[i]));
        ck_assert_double_eq(mst_exact_rest(&s), 0);
    }
    mst_exact s = {0};
    mst_exact_add(&s, 0x1p1000);
    mst_exact_add(&s, 0x1p-1000);
    mst_exact_add(&s, -0x1p1000);
    ck_assert_double_eq(mst_exact_value(&s), 0x1p-1000);
    mst_exact_add(&s, -0x1p-1000);
    ck_assert_double_eq(mst_exact_value(&s), 0);
    mst_exact_add(&s, INFINITY);
    ck_assert(isinf(mst_exact_value(&s)));
    mst_exact_add(&s, -INFINITY);
    ck_assert(isnan(mst_exact_value(&s)));
}
END_TEST

/* Ties to even, and what lies far below a tie. */
START_TEST(rounding)
{
    mst_exact s = {0};
    mst_exact_add(&s, 1);
    mst_exact_add(&s, 0x1p-53);
    ck_assert_double_eq(mst_exact_value(&s), 1);
    ck_assert_double_eq(mst_exact_rest(&s), 0x1p-53);
    mst_exact_add(&s, 0x1p-1074);
    ck_assert_double_eq(mst_exact_value(&s), 1 + 0x1p-52);
    mst_exact_add(&s, -0x1p-1073);
    ck_assert_double_eq(mst_exact_value(&s), 1);
    mst_exact_add_square(&s, 1 + 0x1p-30);
    ck_assert_double_eq(mst_exact_rest(&s), 0x1p-60 - 0x1p-1074 + 0x1p-53);
}
END_TEST

#define N 400

START_TEST(order_and_parts)
{
    double x[N];
    mst_exact all = {0}, back = {0}, parts = {0};
    for (size_t i = 0; i < N; i++)
        mst_exact_add(&all, x[i] = draw());
    for (size_t i = N; i-- > 0;)
        mst_exact_add(&back, x[i]);
    for (size_t from = 0, to; from < N; from = to) {
        char text[MST_EXACT_TEXT + 2];
        mst_exact part = {0};
        to = from + 1 + (size_t)(state >> 20) % 90;
        to = to < N ? to : N;
        for (size_t i = from; i < to; i++)
            mst_exact_add(&part, x[i]);
        size_t n = mst_exact_text(&part, text, sizeof text);
        strcpy(text + n, " 7");
        ck_assert(mst_exact_add_text(&parts, text));
    }
    ck_assert(same(&all, &back) && same(&all, &parts));
    ck_assert_double_eq(mst_exact_value(&all), mst_exact_value(&parts));
}
END_TEST

START_TEST(no_texts)
{
    static const char *const bad[] = {
        "", "-", "1", ":1", "1:", "1:x", "1:100", "g:1", "1:68", "80000000:67", "100000000:67", "+1:0", " 1:0",
        "1:0x", "1:012", "infi", "1.5", "0x1:1"};
    mst_exact s = {0}, zero = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!mst_exact_add_text(&s, bad[i]), "%s", bad[i]);
    ck_assert(same(&s, &zero));
    ck_assert(mst_exact_add_text(&s, "-1:0 x") && mst_exact_value(&s) == -0x1p-1074);
}
END_TEST

/* Many of one sign: digits are carried in time. */
START_TEST(carries)
{
    mst_exact s = {.adds = (1u << 30) - 5};
    for (int i = 0; i < 40; i++)
        mst_exact_add(&s, -0x1.fffffffffffffp31);
    ck_assert_double_eq(mst_exact_value(&s), -40 * 0x1.fffffffffffffp31);
    ck_assert_uint_lt(s.adds, 100);
}
END_TEST

START_TEST(as_gsl_has_it)
{
    mst_calib_sums *s;
    mst_calib_report r;
    mst_err err;
    gsl_rstat_workspace *w = gsl_rstat_alloc();
    ck_assert(mst_calib_sums_create(1, 1, &s, &err) == MST_OK);
    ck_assert(mst_calib_report_begin(&r, 1, 1, &err) == MST_OK);
    r.points[0].t = 1;
    for (size_t i = 0; i < N; i++) {
        double x = 5 + fabs(draw()) * 0x1p-40;
        gsl_rstat_add(x, w);
        mst_exact_add(&s->totals[0].mae, x);
        mst_exact_add_square(&s->totals[0].mae_sq, x);
        s->samples++;
    }
    mst_calib_sums_report(s, &r);
    ck_assert_double_eq_tol(r.layers[0].mae, gsl_rstat_mean(w), 1e-12 * r.layers[0].mae);
    ck_assert_double_eq_tol(r.layers[0].mae_se, gsl_rstat_sd_mean(w), 1e-9 * r.layers[0].mae_se);
    ck_assert_double_gt(r.layers[0].mae_se, 0);
    s->samples = 1;
    mst_calib_sums_report(s, &r);
    ck_assert(isnan(r.layers[0].mae_se));
    mst_calib_report_free(&r);
    mst_calib_sums_destroy(s);
    gsl_rstat_free(w);
}
END_TEST

/* Against sums of binomial terms: of 10, 8 or more one way. A share's interval ends where the tail is 2.5 %. */
static double tail(unsigned k, unsigned n, double p)
{
    double sum = 0;
    for (unsigned i = k; i <= n; i++)
        sum += exp(lgamma(n + 1.) - lgamma(i + 1.) - lgamma(n - i + 1.) + i * log(p) + (n - i) * log1p(-p));
    return sum;
}

START_TEST(shares)
{
    static const unsigned all[][2] = {{1, 10}, {9, 10}, {37, 60}, {4993, 5000}, {48123, 50000}, {25000, 50000}};
    ck_assert_double_eq_tol(mst_paired_p(8, 2), 2 * 56 / 1024., 1e-12);
    ck_assert_double_eq(mst_paired_p(2, 8), mst_paired_p(8, 2));
    ck_assert_double_eq_tol(mst_paired_p(140, 97), 2 * tail(140, 237, .5), 1e-10);
    ck_assert(mst_paired_p(0, 0) == 1 && mst_paired_p(5, 5) == 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        mst_interval x = mst_share_interval(all[i][0], all[i][1]);
        ck_assert_double_eq_tol(tail(all[i][0], all[i][1], x.low), .025, 1e-7);
        ck_assert_double_eq_tol(1 - tail(all[i][0] + 1, all[i][1], x.high), .025, 1e-7);
    }
    ck_assert(mst_share_interval(0, 60).low == 0 && mst_share_interval(60, 60).high == 1);
    ck_assert_double_eq_tol(mst_share_interval(0, 60).high, 1 - pow(.025, 1 / 60.), 1e-12);
    ck_assert(isnan(mst_share_interval(0, 0).low) && isnan(mst_share_interval(0, 0).high));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exact sums");
    TCase *t = tcase_create("exact sums");
    tcase_add_test(t, values);
    tcase_add_test(t, rounding);
    tcase_add_test(t, order_and_parts);
    tcase_add_test(t, no_texts);
    tcase_add_test(t, carries);
    tcase_add_test(t, as_gsl_has_it);
    tcase_add_test(t, shares);
    suite_add_tcase(s, t);
    return run_tests(s);
}
