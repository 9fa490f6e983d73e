/* Kernels on counts: every set against scalar, bit for bit (count_kernels.def calls try_<kernel>
 * for each, so that a kernel without one does not build), and scalar against loops. */
#include <Random123/philox.h>
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/count_kernels.h"
#include "tests/support/run_tests.h"
#include "tests/unit/kernels/count_trial.h"

extern const mst_count_kernels mst_count_kernels_amx_emulated; /* amx_emulated.c */

static void check_rest(const trial *t, size_t from)
{
    for (size_t i = from; i < from + GUARD; i++)
        EXPECT(t->out[i] == (uint8_t)(i * 7), "byte %zu behind the result was written", i - from);
}

/* ---- one per kernel ------------------------------------------------------------- */

static void try_fire(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    l.a.more = l.more.ld != 0 ? &l.more : NULL;
    mstc_bytes y = {t->out, l.ld, l.to};
    k->fire(&l.in, &l.w, l.rows, &l.a, &l.q, &y);
    for (size_t r = 0; t->check && r < l.rows; r++)
        for (size_t o = 0; o < l.ld; o++) {
            size_t at = index_at(l.to, r) * l.ld + o;
            uint8_t want = o >= l.n              ? (uint8_t)(at * 7)
                           : l.a.quick_k != NULL ? quick_of(&l, r, o)
                                                 : fire_of(&l.q, o, current_of(&l, r, o));
            EXPECT(t->out[at] == want, "row %zu output %zu: %d, not %d", r, o, t->out[at], want);
        }
    check_rest(t, l.rows * l.ld);
}

static void try_current(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    l.a.more = l.more.ld != 0 ? &l.more : NULL;
    float *out = (float *)(void *)t->out;
    for (size_t i = 0; i < l.rows * l.ld; i++)
        out[i] = (float)i;
    mstc_floats y = {out, l.ld};
    k->current(&l.in, &l.w, l.rows, &l.a, &y);
    for (size_t r = 0; r < l.rows; r++)
        for (size_t o = 0; o < l.ld; o++) {
            size_t at = r * l.ld + o;
            out[at] = isnan(out[at]) ? NAN : out[at];
            if (!t->check)
                continue;
            float want = o < l.n ? current_of(&l, r, o) : (float)at;
            EXPECT(isnan(want) ? isnan(out[at]) : out[at] == want, "row %zu output %zu: %a, not %a", r, o,
                   (double)out[at], (double)want);
        }
    check_rest(t, l.rows * l.ld * sizeof *out);
}

/* Two that are added, or one; stored, read by neurons, or both. */
static void try_sum(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    mstc_more b = {0};
    while (l.more.ld == 0 || (b.ld == 0 && coin(t))) { /* in l.more the first one */
        b = l.more;
        l.more = (mstc_more){0};
        make_more(t, &l);
    }
    bool fires = coin(t), keeps = !fires || coin(t);
    float *out = (float *)(void *)t->out;
    mstc_floats keep = {out, l.ld};
    size_t end = keeps ? l.rows * l.ld * sizeof *out : 0;
    for (size_t i = 0; keeps && i < l.rows * l.ld; i++)
        out[i] = (float)i;
    mstc_bytes y = {t->out + end, l.ld, l.to};
    k->sum(&l.more, b.ld != 0 ? &b : NULL, l.rows, l.n, fires ? &l.q : NULL, &y, keeps ? &keep : NULL);
    for (size_t r = 0; t->check && r < l.rows; r++)
        for (size_t o = 0; o < l.n; o++) {
            volatile float x = more_of(&l.more, r, o);
            x = b.ld != 0 ? x + more_of(&b, r, o) : x;
            EXPECT(!keeps || out[r * l.ld + o] == x, "row %zu column %zu: %a, not %a", r, o,
                   (double)out[r * l.ld + o], (double)x);
            uint8_t n = fires ? y.y[index_at(l.to, r) * l.ld + o] : 0;
            EXPECT(!fires || n == fire_of(&l.q, o, x), "row %zu column %zu fires %d", r, o, n);
        }
    check_rest(t, end + (fires ? l.rows * l.ld : 0));
}

/* Rows of any counts, some of them through an index. */
static layer make_rows(trial *t)
{
    layer l = {0};
    l.rows = PICK(t, 1, 2, 3, 4, 7, 8, 9, 16, 31, 32, 33, 49, 64, 300);
    l.k = PICK(t, 1, 3, 4, 5, 16, 31, 32, 33, 49, 64, 65, 100, 129, 384);
    l.in.n_taps = 1;
    l.in.k = l.k;
    l.in.most = coin(t) ? 127 : 255;
    make_counts(t, &l);
    return l;
}

static const uint8_t *row_of(const layer *l, size_t r)
{
    return l->in.x + index_at(l->in.index, r) * l->in.ld;
}

/* Panels of n outputs whose weight i is count(o, i). */
static void check_panels(trial *t, const layer *l, size_t n, size_t k, bool columns, unsigned lift)
{
    size_t size = mstc_panels_size(n, 1, k);
    for (size_t o = 0; t->check && o < (n + 31) / 32 * 32; o++)
        for (size_t i = 0; i < (k + 3) / 4 * 4; i++) {
            bool there = o < n && i < k;
            int want = there ? (columns ? row_of(l, i)[o] : row_of(l, o)[i]) - (int)lift : 0;
            int got = (int8_t)t->out[mstc_weight_at(o, 0, i, 1, k)];
            EXPECT(got == want, "output %zu weight %zu: %d, not %d", o, i, got, want);
        }
    check_rest(t, size);
}

static void try_pack_rows(const mst_count_kernels *k, trial *t)
{
    layer l = make_rows(t);
    unsigned lift = l.in.most > 127 ? 128 : 0;
    l.rows = l.rows > 64 ? 64 : l.rows;
    k->pack_rows(&l.in, l.rows, lift, (int8_t *)t->out);
    check_panels(t, &l, l.rows, l.k, false, lift);
}

static void try_pack_columns(const mst_count_kernels *k, trial *t)
{
    layer l = make_rows(t);
    unsigned lift = l.in.most > 127 ? 128 : 0;
    l.rows = l.rows > 64 ? 64 : l.rows;
    k->pack_columns(&l.in, l.rows, lift, (int8_t *)t->out);
    check_panels(t, &l, l.k, l.rows, true, lift);
}

static uint32_t worth(uint8_t n, int bits) { return bits ? (uint32_t)__builtin_popcount(n) : n; }

static void try_total(const mst_count_kernels *k, trial *t)
{
    enum { N = 40000 };
    size_t n = PICK(t, 0, 1, 15, 16, 17, 63, 64, 65, 8192, 8193, N);
    uint8_t *x = own(t, n);
    int bits = coin(t);
    uint64_t want = 0;
    bool full = coin(t);
    for (size_t i = 0; i < n; i++) {
        x[i] = full ? 255 : (uint8_t)rnd(t, 256);
        want += worth(x[i], bits);
    }
    uint64_t got = k->total(x, n, bits);
    EXPECT(got == want, "total of %zu: %llu", n, (unsigned long long)got);
}

static void try_row_sums(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    l.a.more = l.more.ld != 0 ? &l.more : NULL;
    uint32_t *sums = (uint32_t *)(void *)t->out;
    int bits = coin(t);
    k->row_sums(&l.in, l.rows, bits, sums);
    for (size_t r = 0; t->check && r < l.rows; r++) {
        uint32_t want = 0;
        for (size_t i = 0; i < l.in.n_taps * l.k; i++)
            want += worth(row_of(&l, r)[l.in.taps[i / l.k] + i % l.k], bits);
        EXPECT(sums[r] == want, "row %zu: %u, not %u", r, sums[r], want);
    }
    check_rest(t, l.rows * sizeof *sums);
}

static void try_column_sums(const mst_count_kernels *k, trial *t)
{
    layer l = make_rows(t);
    uint32_t *sums = (uint32_t *)(void *)t->out;
    int bits = coin(t);
    k->column_sums(&l.in, l.rows, bits, sums);
    for (size_t i = 0; t->check && i < l.k; i++) {
        uint32_t want = 0;
        for (size_t r = 0; r < l.rows; r++)
            want += worth(row_of(&l, r)[i], bits);
        EXPECT(sums[i] == want, "column %zu: %u, not %u", i, sums[i], want);
    }
    check_rest(t, l.k * sizeof *sums);
}

/* ---- masks ------------------------------------------------------------------------ */

static uint32_t word_of(const mstc_thin *m, uint64_t e)
{
    philox4x32_key_t key = {{(uint32_t)m->seed, (uint32_t)(m->seed >> 32)}};
    philox4x32_ctr_t at = {{m->sample, 1, m->index, (uint32_t)(e / 4)}};
    return philox4x32_R(10, at, key).v[e % 4];
}

static unsigned thinned_of(const mstc_thin *m, unsigned n, uint32_t word)
{
    unsigned kept = 0;
    if (m->table == NULL)
        return (unsigned)(((uint64_t)n * m->keep + word) >> 32);
    for (unsigned k = 0; k < n; k++)
        kept += word >= m->table[k * mstc_thin_row(m->levels) + n - 1];
    return kept;
}

static void try_thin(const mst_count_kernels *k, trial *t)
{
    static const double ratios[] = {0.0, 0.01, 0.25, 0.5, 0.75, 1.0};
    mstc_thin m = {(uint64_t)rnd(t, 1u << 31) << 33 | rnd(t, 1u << 31), rnd(t, 1000), rnd(t, 1000),
                   (unsigned)PICK(t, 1, 2, 7, 8, 15, 16, 17, 64, 255), NULL, rnd(t, 1u << 31) << 1};
    uint64_t first = (uint64_t)rnd(t, 9) + (coin(t) ? (uint64_t)1 << 34 : 0); /* groups past 2^32 wrap */
    size_t n = PICK(t, 0, 1, 3, 5, 31, 32, 33, 63, 64, 65, 200, 1000);
    uint8_t *in = own(t, n), *was = own(t, n), *out = coin(t) ? t->out : in; /* or in place */
    uint32_t *table = own(t, m.levels * mstc_thin_row(m.levels) * sizeof *table), share = rnd(t, 4);
    if (rnd(t, 4) != 0) {
        mstc_thin_table(m.levels, ratios[rnd(t, 6)], table);
        m.table = table;
    }
    for (size_t i = 0; i < n; i++)
        in[i] = was[i] = (uint8_t)(rnd(t, 4) > share ? 0 : rnd(t, m.levels + 1));
    for (size_t i = 0; m.table != NULL && i < n; i += 17) /* thresholds that are just reached */
        for (unsigned j = 0; j < in[i]; j++)
            table[j * mstc_thin_row(m.levels) + in[i] - 1] = word_of(&m, first + i);
    k->thin(&m, first, n, in, out);
    for (size_t i = 0; t->check && i < n; i++) {
        unsigned want = thinned_of(&m, was[i], word_of(&m, first + i));
        EXPECT(out[i] == want, "element %zu: %u of %u, not %u", i, out[i], was[i], want);
    }
    memcpy(t->out, out, n);
    check_rest(t, n);
}

static const struct {
    const char *name;
    void (*run)(const mst_count_kernels *k, trial *t);
} tries[] = {
#define MSTC_KERNEL(ret, name, args) {#name, try_##name},
#include "runtime/kernels/count_kernels.def"
#undef MSTC_KERNEL
};

/* ---- tests ----------------------------------------------------------------------- */

static void one(const mst_count_kernels *k, size_t kernel, uint64_t seed, bool check, uint8_t *out)
{
    trial t = {.seed = seed * 7919 + kernel, .out = out, .check = check};
    for (size_t i = 0; i < BYTES; i++)
        out[i] = (uint8_t)(i * 7);
    tries[kernel].run(k, &t);
    while (t.n_owned > 0)
        free(t.owned[--t.n_owned]);
}

static void compare(const mst_count_kernels *k)
{
    mst_count_kernels scalar;
    ck_assert_int_eq(mst_count_kernels_select("scalar", &scalar, NULL), MST_OK);
    uint8_t *a = aligned_alloc(64, BYTES), *b = aligned_alloc(64, BYTES);
    for (size_t kernel = 0; kernel < sizeof tries / sizeof tries[0]; kernel++)
        for (uint64_t seed = 0; seed < random_cases(TRIALS); seed++) {
            one(&scalar, kernel, seed, false, a);
            one(k, kernel, seed, false, b);
            for (size_t i = 0; i < BYTES; i++)
                EXPECT(a[i] == b[i], "%s of %s differs from scalar: seed %d byte %zu", tries[kernel].name,
                       k->isa, (int)seed, i);
        }
    free(a);
    free(b);
}

static void compare_set(const char *set)
{
    mst_count_kernels k;
    mst_err err = {0};
    ck_assert_int_eq(mst_count_kernels_here(set), mst_count_kernels_select(set, &k, &err) == MST_OK);
    if (!mst_count_kernels_here(set)) {
        printf("skipped: %s\n", err.text);
        return;
    }
    ck_assert_str_eq(k.isa, set);
    compare(&k);
}

START_TEST(scalar_equals_loops)
{
    mst_count_kernels k;
    uint8_t *out = aligned_alloc(64, BYTES);
    ck_assert_int_eq(mst_count_kernels_select("scalar", &k, NULL), MST_OK);
    for (size_t kernel = 0; kernel < sizeof tries / sizeof tries[0]; kernel++)
        for (uint64_t seed = 0; seed < random_cases(TRIALS); seed++)
            one(&k, kernel, seed, true, out);
    free(out);
}
END_TEST

#if defined(__aarch64__)
static const char *const sets[] = {"neon", "dotprod"};
#else
static const char *const sets[] = {"avx2", "avxvnni", "vnni"};
#endif

START_TEST(sets_equal_scalar)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        compare_set(sets[i]);
}
END_TEST

START_TEST(amx_equals_scalar) { compare_set("amx"); }
END_TEST

START_TEST(emulated_amx_equals_scalar) { compare(&mst_count_kernels_amx_emulated); }
END_TEST

/* Of weights of 1 rows may be so long that 128 times the sum of their counts is beyond 2^31. */
static void check_long_rows(const mst_count_kernels *k)
{
    enum { K = 70001,
           ROWS = 3,
           N = 33 };
    static const size_t taps[] = {0};
    static uint8_t x[ROWS * K + 3];
    static float c[N], b[N], y[ROWS * N];
    size_t size = mstc_panels_size(N, 1, K);
    int8_t *panels = memset(aligned_alloc(64, size), 0, size);
    memset(x, 255, sizeof x);
    const float sum = 255.0f * (float)K;
    for (size_t o = 0; o < N; o++) {
        c[o] = 1;
        for (size_t i = 0; i < K; i++)
            panels[mstc_weight_at(o, 0, i, 1, K)] = o % 2 == 0 ? 1 : -1;
    }
    const mstc_input in = {.x = x, .ld = K, .taps = taps, .n_taps = 1, .k = K, .most = 255};
    k->current(&in, &(mstc_weights){panels, N, 1, 0}, ROWS, &(mstc_affine){.c = c, .b = b}, &(mstc_floats){y, N});
    for (size_t at = 0; at < ROWS * N; at++)
        EXPECT(y[at] == (at % N % 2 == 0 ? sum : -sum), "%s: output %zu: %g", k->isa, at, (double)y[at]);
    free(panels);
}

START_TEST(rows_may_be_long)
{
    mst_count_kernels k;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (mst_count_kernels_select(sets[i], &k, NULL) == MST_OK)
            check_long_rows(&k);
    ck_assert_int_eq(mst_count_kernels_select("scalar", &k, NULL), MST_OK);
    check_long_rows(&k);
    check_long_rows(&mst_count_kernels_amx_emulated);
}
END_TEST

/* Against factorials in logarithms: a thousandth of a millionth is four parts of 2^32. */
START_TEST(thin_table_is_binomial)
{
    static const double ratios[] = {0.01, 0.25, 0.5, 0.75, 0.99};
    static uint32_t table[MSTC_LEVELS * 256];
    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
        double r = ratios[i];
        mstc_thin_table(MSTC_LEVELS, r, table);
        EXPECT(table[0] == (uint32_t)round(r * 0x1p32), "one spike: the threshold of MASK");
        for (unsigned n = 1; n <= MSTC_LEVELS; n++) {
            double sum = 0;
            for (unsigned k = 0; k < n; k++) {
                double ways = lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0), got = table[k * 256 + n - 1];
                sum += exp(ways + k * log(1 - r) + (n - k) * log(r));
                EXPECT(fabs(got * 0x1p-32 - sum) < 1e-9, "ratio %g n %u k %u: %.12f, not %.12f", r, n, k,
                       got * 0x1p-32, sum);
            }
            for (unsigned k = n; k < MSTC_LEVELS; k++)
                EXPECT(table[k * 256 + n - 1] == UINT32_MAX, "n %u k %u", n, k);
        }
    }
    mstc_thin_table(16, 0.0, table);
    for (unsigned n = 1; n <= 16; n++)
        for (unsigned k = 0; k < 16; k++)
            EXPECT(table[k * 16 + n - 1] == (k < n ? 0 : UINT32_MAX), "ratio 0 keeps all");
}
END_TEST

START_TEST(select_best_and_unknown)
{
    mst_count_kernels k;
    mst_err err = {0};
    ck_assert_int_eq(mst_count_kernels_select(NULL, &k, &err), MST_OK);
#define MSTC_KERNEL(ret, name, args) ck_assert(k.name != NULL);
#include "runtime/kernels/count_kernels.def"
#undef MSTC_KERNEL
    ck_assert_int_eq(mst_count_kernels_select("mmx", &k, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "mmx"));
    ck_assert_str_eq(mst_count_kernels_of("scalar"), "scalar");
    ck_assert_int_eq(mst_count_kernels_select(mst_count_kernels_of("avx2"), &k, &err), MST_OK);
    ck_assert_int_eq(mst_count_kernels_select(mst_count_kernels_of("avx512"), &k, &err), MST_OK);
    ck_assert_int_eq(mst_count_kernels_select(mst_count_kernels_of("neon"), &k, &err), MST_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("count_kernels");
    TCase *tc = tcase_create("sets");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, scalar_equals_loops);
    tcase_add_test(tc, sets_equal_scalar);
    tcase_add_test(tc, amx_equals_scalar);
    tcase_add_test(tc, emulated_amx_equals_scalar);
    tcase_add_test(tc, rows_may_be_long);
    tcase_add_test(tc, thin_table_is_binomial);
    tcase_add_test(tc, select_best_and_unknown);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
