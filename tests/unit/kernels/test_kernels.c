/* Every kernel of every instruction set against scalar, bit for bit: kernels.def
 * calls try_<kernel> below for each, so that a kernel without one does not build.
 * What scalar computes is checked by the tests of runtime/ops. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mst/graph.h"
#include "mst/isa.h"
#include "runtime/kernels/kernels.h"
#include "tests/support/run_tests.h"

enum { MAX_N = 300,
       MAX_OUT = 8192,
       GUARD = 32 };

/* One case: random inputs, and outputs with a guard behind them. */
typedef struct trial {
    uint64_t seed;
    size_t n, m; /* sizes, at the edges of blocks */
    float a[MAX_N], b[MAX_N], c[MAX_N], w[64 * MAX_N];
    float out[MAX_OUT]; /* what the kernel writes: compared */
    uint64_t result;    /* what it returns: compared */
} trial;

static uint32_t rnd(trial *t)
{
    t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t->seed >> 33);
}

static float rnd_float(trial *t)
{
    return (float)rnd(t) / 1073741824.0f - 1.0f;
}

/* Values of which about a share of 1/16th parts are not zero; some of them special. */
static void fill(trial *t, float *x, size_t n, uint32_t share)
{
    static const float special[] = {INFINITY, -INFINITY, -0.0f, 1e-42f, 3e38f};
    for (size_t i = 0; i < n; i++) {
        x[i] = rnd(t) % 16 < share ? rnd_float(t) : 0.0f;
        if (share != 16 && rnd(t) % 200 == 0)
            x[i] = special[rnd(t) % 5];
    }
}

static size_t size_of(trial *t)
{
    static const size_t edges[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128,
                                   129, 160, 255, 257, 300};
    return edges[rnd(t) % (sizeof edges / sizeof edges[0])];
}

static trial *new_trial(uint64_t seed)
{
    static const uint32_t shares[] = {0, 1, 2, 8, 16};
    trial *t = calloc(1, sizeof *t);
    t->seed = seed * 7919 + 1;
    t->n = size_of(t);
    t->m = rnd(t) % 9;
    uint32_t share = shares[rnd(t) % 5];
    fill(t, t->a, MAX_N, share);
    fill(t, t->b, MAX_N, share);
    fill(t, t->c, MAX_N, 16);
    fill(t, t->w, 64 * MAX_N, 16);
    for (size_t i = 0; i < MAX_OUT; i++)
        t->out[i] = 0.25f * (float)i;
    return t;
}

/* ---- one per kernel ------------------------------------------------------- */

static void try_scan_f32(const mst_kernels *k, trial *t)
{
    uint32_t idx[MAX_N + MSTK_SLACK];
    float val[MAX_N + MSTK_SLACK];
    t->a[rnd(t) % MAX_N] = NAN;
    size_t n = k->scan_f32(t->a, t->n, idx, val);
    t->result = n;
    memcpy(t->out, idx, n * sizeof *idx); /* entries behind n are free to differ */
    memcpy(t->out + MAX_N, val, n * sizeof *val);
    for (size_t i = 0; i < n; i++)
        ck_assert(t->a[idx[i]] != 0 && memcmp(&t->a[idx[i]], &val[i], sizeof val[i]) == 0 &&
                  (i == 0 || idx[i] > idx[i - 1]));
}

static void try_gather_f32(const mst_kernels *k, trial *t)
{
    uint32_t idx[48 + MSTK_SLACK];
    float val[48 + MSTK_SLACK];
    mstk_list list = {idx, val, k->scan_f32(t->a, 48, idx, val)};
    size_t ld = t->n + t->m; /* rows longer than what is added */
    const float *begin[] = {NULL, t->b, t->out};
    k->gather_f32(&list, t->w, ld, begin[rnd(t) % 3], t->out, t->n);
}

/* Rows of one or more segments, in any order, that begin with a bias or with what is there. */
static void try_dense_f32(const mst_kernels *k, trial *t)
{
    enum { MAX_ROWS = 27 };
    uint32_t index[MAX_ROWS];
    const size_t rows = rnd(t) % (MAX_ROWS + 1), n = 1 + rnd(t) % MSTK_DENSE, taps[] = {0, 7, 40};
    const bool adds = rnd(t) % 2 != 0, indexed = rnd(t) % 2 != 0;
    const mstk_rows in = {.x = t->w,
                          .ld = 1 + rnd(t) % 64,
                          .index = indexed ? index : NULL,
                          .taps = taps,
                          .n_taps = 1 + rnd(t) % 3,
                          .k = 1 + rnd(t) % 30};
    const mstk_sums y = {adds ? t->out : t->b, adds ? 20 : rnd(t) % 2 * n, t->out, 20};
    for (size_t i = 0; i < MAX_ROWS; i++)
        index[i] = rnd(t) % 100;
    k->dense_f32(&in, rows, t->w + 8000, &y, n);
}

/* Bytes of any value but -128, sums past 16 bits: many rows of 127 where share is full. */
static void try_gather_i8(const mst_kernels *k, trial *t)
{
    enum { ROWS = 700 };
    static int8_t w[ROWS * (MAX_N + 9)];
    uint32_t idx[ROWS];
    mstk_list list = {idx, NULL, 0};
    size_t ld = t->n + t->m, rows = rnd(t) % 2 != 0 ? ROWS : rnd(t) % 9;
    bool full = rnd(t) % 4 == 0;
    for (size_t i = 0; i < rows * ld; i++)
        w[i] = (int8_t)(full ? 127 : (int)(rnd(t) % 255) - 127);
    for (uint32_t i = 0; i < rows; i++)
        if (full || rnd(t) % 3 == 0)
            idx[list.n++] = i;
    k->gather_i8(&list, w, ld, t->c, rnd(t) % 2 != 0 ? t->b : NULL, t->out, t->n);
}

/* All 2^16 halves, a part at a time. */
static void try_widen_f16(const mst_kernels *k, trial *t)
{
    uint16_t w[MAX_N];
    uint32_t first = rnd(t);
    for (size_t i = 0; i < MAX_N; i++)
        w[i] = (uint16_t)(first + i);
    k->widen_f16(w, t->out, t->n);
    for (size_t i = 0; i < t->n; i++) {
        int e = w[i] >> 10 & 31, m = w[i] & 1023;
        float want = ldexpf((float)(e != 0 ? 1024 + m : m), (e != 0 ? e : 1) - 25);
        want = e != 31 ? want : m == 0 ? INFINITY
                                       : NAN;
        ck_assert(isnan(want) ? isnan(t->out[i]) : t->out[i] == ((w[i] & 0x8000) != 0 ? -want : want));
    }
}

static void try_widen_i8(const mst_kernels *k, trial *t)
{
    int8_t w[MAX_N];
    for (size_t i = 0; i < MAX_N; i++)
        w[i] = (int8_t)(rnd(t) % 256);
    k->widen_i8(w, t->c, t->out, t->n);
}

static void try_pack_rows_u64(const mst_kernels *k, trial *t)
{
    size_t bits = t->n < 64 ? t->n : 64;
    k->pack_rows_u64(t->a, 40, 6, bits < 64 && bits != 0 ? bits : 64, (uint64_t *)(void *)t->out);
}

static void try_pack_cols_u64(const mst_kernels *k, trial *t)
{
    size_t cols = t->n < 33 ? t->n : 33;
    k->pack_cols_u64(t->a, cols, cols, t->m, (uint64_t *)(void *)t->out);
}

static void try_coincide_u64(const mst_kernels *k, trial *t)
{
    static uint64_t a[4 * 3], b[4 * MAX_N];
    size_t words = 1 + t->m % 4;
    for (size_t i = 0; i < words * 3; i++)
        a[i] = (uint64_t)rnd(t) << 40 ^ (uint64_t)rnd(t) << 20 ^ rnd(t);
    for (size_t i = 0; i < words * t->n; i++)
        b[i] = (uint64_t)rnd(t) << 40 ^ (uint64_t)rnd(t) << 20 ^ rnd(t);
    mstk_bits ab = {a, b, words, 3, t->n};
    t->result = k->coincide_u64(&ab, 2, t->c[0], t->out);
}

static mstk_neuron neurons(trial *t)
{
    for (size_t i = 0; i < MAX_N; i++)
        t->c[i] = fabsf(t->c[i]) + 0.01f; /* thresholds */
    bool gain = rnd(t) % 2 != 0, even = rnd(t) % 2 != 0;
    return (mstk_neuron){t->c, gain ? t->w : NULL, gain ? t->w + MAX_N : NULL,
                         7, even ? MSTK_EVEN : 0.5f, even ? MSTK_EVEN : 0.0f};
}

static void try_fire_each_f32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    t->result = k->fire_each_f32(&p, t->a, t->out, t->out + MAX_N + GUARD, t->n);
}

static void try_fire_same_f32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    t->result = k->fire_same_f32(&p, t->a, t->out, t->out + MAX_N + GUARD, t->n);
}

static void try_stair_each_f32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    t->result = k->stair_each_f32(&p, t->a, t->out, t->n);
}

static void try_stair_same_f32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    t->result = k->stair_same_f32(&p, t->a, t->out, t->n);
}

static void try_count_each_u32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    p.levels = (float)(1 + rnd(t) % 255);
    t->result = k->count_each_u32(&p, t->a, t->out, (uint32_t *)t->out + MAX_N + GUARD, t->n);
}

static void try_count_same_u32(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    p.levels = (float)(1 + rnd(t) % 255);
    t->result = k->count_same_u32(&p, t->a, t->out, (uint32_t *)t->out + MAX_N + GUARD, t->n);
}

static void try_level_each_u8(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    p.levels = (float)(1 + rnd(t) % 255);
    k->level_each_u8(&p, t->a, (uint8_t *)t->out, t->n);
}

static void try_level_same_u8(const mst_kernels *k, trial *t)
{
    mstk_neuron p = neurons(t);
    p.levels = (float)(1 + rnd(t) % 255);
    k->level_same_u8(&p, t->a, (uint8_t *)t->out, t->n);
}

static void try_worth_u8(const mst_kernels *k, trial *t)
{
    k->worth_u8(t->b[0], (float)(1 + rnd(t) % 255), (const uint8_t *)t->w, t->out, t->n);
}

static void try_add_worth_u8(const mst_kernels *k, trial *t)
{
    k->add_worth_u8(t->b[0], (float)(1 + rnd(t) % 255), (const uint8_t *)t->w, t->out, t->n);
}

static void try_affine_each_f32(const mst_kernels *k, trial *t)
{
    k->affine_each_f32(t->b, t->c, t->a, t->out, t->n);
}

static void try_affine_same_f32(const mst_kernels *k, trial *t)
{
    k->affine_same_f32(t->b, t->c, t->a, t->out, t->n);
}

static void try_binary_f32(const mst_kernels *k, trial *t)
{
    size_t stride[2] = {rnd(t) % 2, rnd(t) % 2};
    for (int fn = 0; fn < MST_BIN_COUNT; fn++)
        k->binary_f32(fn, t->a, t->b, stride, t->out + (size_t)fn * (MAX_N + GUARD), t->n);
}

static void try_clip_f32(const mst_kernels *k, trial *t)
{
    k->clip_f32(-0.5f, rnd(t) % 2 != 0 ? INFINITY : 0.25f, t->a, t->out, t->n);
}

static void try_add_to_f32(const mst_kernels *k, trial *t)
{
    k->add_to_f32(t->a, t->out, t->n);
}

static void try_max_to_f32(const mst_kernels *k, trial *t)
{
    for (size_t i = 0; i < MAX_N; i++)
        t->out[i] = t->b[i];
    k->max_to_f32(t->a, t->out, t->n);
}

static void try_scale_f32(const mst_kernels *k, trial *t)
{
    k->scale_f32(t->c[0], t->out, t->n);
}

static void try_softmax_f32(const mst_kernels *k, trial *t)
{
    k->softmax_f32(t->a, t->out, t->n + 1);
}

static void try_layernorm_f32(const mst_kernels *k, trial *t)
{
    mstk_norm norm = {rnd(t) % 2 != 0 ? t->b : NULL, rnd(t) % 2 != 0 ? t->c : NULL, 1e-5};
    k->layernorm_f32(&norm, t->a, t->out, t->n + 1);
}

static const struct {
    const char *name;
    void (*run)(const mst_kernels *k, trial *t);
} tries[] = {
#define MSTK_KERNEL(ret, name, args) {#name, try_##name},
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
};

/* ---- tests ------------------------------------------------------------------ */

/* NaN payloads and signs are not part of the contract: one NaN is like another. */
static void settle_nans(trial *t)
{
    for (size_t i = 0; i < MAX_OUT; i++)
        if (isnan(t->out[i]))
            t->out[i] = NAN;
}

static void compare(const mst_kernels *scalar, const mst_kernels *k, size_t kernel)
{
    for (uint64_t seed = 0; seed < random_cases(120); seed++) {
        trial *a = new_trial(seed), *b = new_trial(seed);
        tries[kernel].run(scalar, a);
        tries[kernel].run(k, b);
        bool bits = strstr(tries[kernel].name, "u64") != NULL || strstr(tries[kernel].name, "scan") != NULL;
        if (!bits) {
            settle_nans(a);
            settle_nans(b);
        }
        if (a->result != b->result || memcmp(a->out, b->out, sizeof a->out) != 0)
            ck_abort_msg("%s of %s differs from scalar: seed %llu, n %zu", tries[kernel].name, k->isa,
                         (unsigned long long)seed, a->n);
        free(a);
        free(b);
    }
}

static void compare_set(const char *isa)
{
    mst_kernels scalar, k;
    mst_err err = {0};
    ck_assert_int_eq(mst_kernels_select("scalar", &scalar, NULL), MST_OK);
    if (mst_kernels_select(isa, &k, &err) != MST_OK) {
        printf("skipped: %s\n", err.text);
        return;
    }
    ck_assert_str_eq(k.isa, isa);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        compare(&scalar, &k, i);
}

START_TEST(sets_equal_scalar)
{
    for (size_t k = 1; mst_isa_at(k, NULL) != NULL; k++)
        compare_set(mst_isa_at(k, NULL));
}
END_TEST

START_TEST(sets_have_names)
{
    mst_kernels best, k;
    bool here = false;
    ck_assert_int_eq(mst_kernels_select(NULL, &best, NULL), MST_OK);
    ck_assert_str_eq(mst_isa_at(0, &here), "scalar");
    ck_assert(here);
    size_t last = 0;
    for (size_t i = 0; mst_isa_at(i, &here) != NULL; i++) {
        ck_assert_int_eq(mst_kernels_select(mst_isa_at(i, NULL), &k, NULL), here ? MST_OK : MST_EINVAL);
        last = here && strcmp(mst_isa_at(i, NULL), "amx") != 0 ? i : last; /* that one must be asked for */
    }
    ck_assert_str_eq(best.isa, mst_isa_at(last, NULL));
}
END_TEST

START_TEST(select_best_and_unknown)
{
    mst_kernels k;
    mst_err err = {0};
    ck_assert_int_eq(mst_kernels_select(NULL, &k, &err), MST_OK);
    ck_assert_ptr_nonnull(k.isa);
#define MSTK_KERNEL(ret, name, args) ck_assert(k.name != NULL);
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
    ck_assert_int_eq(mst_kernels_select("mmx", &k, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "mmx"));
}
END_TEST

/* The block that fills a vector by going over outputs twice must not reach back
 * before y, nor behind it. */
START_TEST(gather_stays_inside)
{
    enum { N = 150 };
    float w[2 * N], y[N + 2];
    uint32_t idx[2] = {0, 1};
    float val[2] = {1, 2};
    mstk_list list = {idx, val, 2};
    for (size_t i = 0; i < 2 * N; i++)
        w[i] = (float)i;
    for (size_t set = 0; mst_isa_at(set, NULL) != NULL; set++) {
        mst_kernels k;
        if (mst_kernels_select(mst_isa_at(set, NULL), &k, NULL) != MST_OK)
            continue;
        for (size_t n = 0; n < N; n++) {
            y[0] = y[n + 1] = -7;
            k.gather_f32(&list, w, N, NULL, y + 1, n);
            ck_assert(y[0] == -7 && y[n + 1] == -7);
            for (size_t j = 0; j < n; j++)
                if (y[j + 1] != w[j] + 2 * w[N + j])
                    ck_abort_msg("%s: n %zu output %zu", k.isa, n, j);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tc = tcase_create("sets");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, sets_equal_scalar);
    tcase_add_test(tc, sets_have_names);
    tcase_add_test(tc, select_best_and_unknown);
    tcase_add_test(tc, gather_stays_inside);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
