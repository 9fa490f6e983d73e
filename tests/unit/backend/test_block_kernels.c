/* Every block kernel of every instruction set against scalar, bit for bit:
 * block_kernels.def calls try_<kernel> below for each, so that a kernel without one
 * does not build. Sizes lie at, above, below and across strips and vectors. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/block_kernels.h"
#include "runtime/kernels/kernels.h"
#include "tests/support/run_tests.h"

enum { STEPS = 9,
       K = 300,
       ROWS = STEPS * MSTB_COLS,
       OUT = 40000 };

typedef struct trial {
    uint64_t seed;
    size_t n, steps, words; /* columns 1..64, steps 1..9 */
    uint64_t bits[K];
    float x[ROWS], v[MSTB_COLS], theta[MSTB_COLS], gain[MSTB_COLS], bias[MSTB_COLS];
    float w[K * MSTB_COLS], values[K];
    uint16_t idx[STEPS * K];
    float val[STEPS * K];
    uint32_t start[STEPS * 2 + 1];
    unsigned char out[OUT]; /* what the kernel writes: compared */
    uint64_t result;        /* what it returns: compared */
} trial;

static uint32_t rnd(trial *t)
{
    t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t->seed >> 33);
}

static float rnd_float(trial *t) { return (float)rnd(t) / 1073741824.0f - 1.0f; }

/* Bits of which about share/16 are set: none, few, half, all. */
static uint64_t rnd_bits(trial *t, uint32_t share)
{
    uint64_t word = 0;
    for (int i = 0; i < 64; i++)
        word |= (uint64_t)(rnd(t) % 16 < share) << i;
    return word;
}

static void fill(trial *t, float *x, size_t n, float lo)
{
    static const float special[] = {INFINITY, -INFINITY, -0.0f, 0.0f, 1e-42f, 3e38f};
    for (size_t i = 0; i < n; i++)
        x[i] = lo > 0 ? lo + fabsf(rnd_float(t)) : rnd(t) % 200 == 0 ? special[rnd(t) % 6]
                                                                     : rnd_float(t);
}

static trial *new_trial(uint64_t seed)
{
    static const uint32_t shares[] = {0, 1, 3, 8, 16};
    static const uint32_t columns[] = {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64};
    trial *t = calloc(1, sizeof *t);
    t->seed = seed * 7919 + 1;
    t->n = columns[rnd(t) % (sizeof columns / sizeof columns[0])];
    t->steps = 1 + rnd(t) % STEPS;
    t->words = rnd(t) % 6;
    uint32_t share = shares[rnd(t) % 5], at = 0;
    for (size_t i = 0; i < K; i++)
        t->bits[i] = rnd_bits(t, share);
    fill(t, t->x, ROWS, 0);
    fill(t, t->v, MSTB_COLS, 0);
    fill(t, t->theta, MSTB_COLS, 0.1f);
    fill(t, t->gain, MSTB_COLS, 0);
    fill(t, t->bias, MSTB_COLS, 0);
    fill(t, t->w, K * MSTB_COLS, 0);
    for (size_t j = 0; j < MSTB_COLS; j += 5) { /* just at theta, which fires */
        t->v[j] = 0;
        t->x[j] = t->theta[j];
    }
    fill(t, t->values, K, 0);
    for (size_t i = 0; i < K; i++)
        t->values[i] = (t->bits[i / 64] >> i % 64 & 1) != 0 ? t->values[i] : 0.0f;
    for (size_t i = 0; i < 2 * STEPS; i++) { /* lists at stride 2: every other one is not looked at */
        t->start[i] = at;
        for (uint32_t k = 0; k < K; k++)
            if (at < STEPS * K && rnd(t) % 16 < share) {
                t->idx[at] = (uint16_t)k;
                t->val[at++] = rnd_float(t);
            }
    }
    t->start[2 * STEPS] = at;
    return t;
}

static mstb_lists lists_of(const trial *t)
{
    return (mstb_lists){t->idx, rnd((trial *)(uintptr_t)t) % 2 != 0 ? t->val : NULL, t->start, 2};
}

static mstb_strip strip_of(trial *t, uint64_t *bits)
{
    mstb_strip s = {t->theta, NULL, NULL, t->v, rnd(t) % 2 != 0 ? t->v : t->values, t->n, t->steps, bits};
    if (rnd(t) % 2 != 0) {
        s.gain = t->gain;
        s.bias = t->bias;
    }
    return s;
}

/* Membranes past the last column must stay. */
static void keep_strip(trial *t, const uint64_t *bits)
{
    memcpy(t->out, bits, t->steps * sizeof *bits);
    memcpy(t->out + 1000, t->v, sizeof t->v);
    for (size_t i = 0; i < t->steps; i++)
        ck_assert(t->n == 64 || bits[i] >> t->n == 0);
}

/* The first n columns of each step. */
static void keep_rows(trial *t, const float *x, size_t n)
{
    for (size_t i = 0; i < t->steps; i++)
        memcpy(t->out + i * MSTB_COLS * sizeof *x, x + i * MSTB_COLS, n * sizeof *x);
}

/* ---- one per kernel ------------------------------------------------------- */

/* Two runs, of which the second may lie in a later chunk than the next. */
static void try_list(const mst_block_kernels *k, trial *t)
{
    uint32_t per = 1 + rnd(t) % 64, start[STEPS * 4];
    uint16_t idx[STEPS * 10 * 64 + MSTB_SLACK];
    mstb_run runs[2] = {{t->bits, (uint32_t)t->words, 100, per, rnd(t) % 2},
                        {t->bits + 7, (uint32_t)(t->words + 3) / 2, 1000, 64, 1 + rnd(t) % 2}};
    mstb_source in = {runs, rnd(t) % 3, 1 + rnd(t) % 20, t->steps, 3 + rnd(t) % 2};
    t->result = k->list(&in, 0, idx, start);
    memcpy(t->out, idx, t->result * sizeof *idx);
    memcpy(t->out + STEPS * 10 * 64 * sizeof *idx, start, in.steps * in.chunks * sizeof *start);
}

static void try_list_val(const mst_block_kernels *k, trial *t)
{
    uint16_t idx[K + MSTB_SLACK];
    float val[K + MSTB_SLACK];
    t->result = k->list_val(t->values, t->words * 50 + t->n % 50, 7, idx, val);
    memcpy(t->out, idx, t->result * sizeof *idx);
    memcpy(t->out + 2 * K, val, t->result * sizeof *val);
}

static void try_gather(const mst_block_kernels *k, trial *t)
{
    mstb_lists in = lists_of(t);
    float acc[ROWS];
    memcpy(acc, t->x, sizeof acc);
    k->gather(&in, t->steps, t->n, t->w, rnd(t) % 2 != 0 ? t->bias : NULL, acc);
    keep_rows(t, acc, t->n);
}

enum { BYTE_INPUTS = 1100 };

/* Lists of spikes and an int8 panel of 1 or 2 strips. */
typedef struct byte_rows {
    uint8_t w[BYTE_INPUTS * 2 * MSTB_COLS] __attribute__((aligned(64)));
    uint16_t idx[STEPS * BYTE_INPUTS];
    uint32_t start[STEPS + 1], kind; /* weights: all 127, all -127, anything */
    size_t strips;
    float c[2 * MSTB_COLS], b[2 * MSTB_COLS];
} byte_rows;

/* Lists longer than what 16 bits hold; none; few. */
static mstb_lists byte_lists(trial *t, byte_rows *q)
{
    static const uint32_t lengths[] = {0, 1, 2, 255, 256, 257, 258, 512, 513, BYTE_INPUTS};
    uint32_t at = 0;
    int8_t plain[2 * MSTB_COLS];
    q->kind = rnd(t) % 3;
    q->strips = 1 + t->n % 2;
    fill(t, q->c, 2 * MSTB_COLS, 0);
    fill(t, q->b, 2 * MSTB_COLS, 0);
    for (size_t i = 0; i < t->steps; i++) {
        uint32_t n = rnd(t) % 4 == 0 ? rnd(t) % BYTE_INPUTS : lengths[rnd(t) % 10];
        q->start[i] = at;
        for (uint32_t r = 0; r < BYTE_INPUTS; r++)
            if (at - q->start[i] < n && (BYTE_INPUTS - r <= n - (at - q->start[i]) || rnd(t) % BYTE_INPUTS < n))
                q->idx[at++] = (uint16_t)r;
    }
    q->start[t->steps] = at;
    for (size_t r = 0; r < BYTE_INPUTS; r++) {
        for (size_t j = 0; j < 2 * MSTB_COLS; j++)
            plain[j] = (int8_t)(q->kind == 0 ? 127 : q->kind == 1 ? -127
                                                                  : (int)(rnd(t) % 255) - 127);
        for (size_t j = 0; j < q->strips * MSTB_COLS; j++)
            q->w[r * q->strips * MSTB_COLS + j / MSTB_COLS * MSTB_COLS + mstb_byte_of(j % MSTB_COLS)] =
                (uint8_t)(plain[j] + mstb_bias_of(j % MSTB_COLS));
    }
    return (mstb_lists){q->idx, NULL, q->start, 1};
}

static void try_gather_bytes(const mst_block_kernels *k, trial *t)
{
    static byte_rows q;
    float acc[2 * ROWS];
    mstb_lists in = byte_lists(t, &q);
    k->gather_bytes(&in, t->steps, q.strips, q.w, q.c, q.b, acc, ROWS);
    for (size_t s = 0; s < q.strips; s++)
        memcpy(t->out + s * t->steps * MSTB_COLS * sizeof *acc, acc + s * ROWS,
               t->steps * MSTB_COLS * sizeof *acc);
    for (size_t i = 0; i < t->steps && q.kind != 2; i++) { /* what scalar must give, too */
        int32_t sum = (int32_t)(q.start[i + 1] - q.start[i]) * (q.kind == 0 ? 127 : -127);
        float want = q.c[3] * (float)sum + q.b[3];
        ck_assert(memcmp(&want, &acc[i * MSTB_COLS + 3], sizeof want) == 0 || want != want);
    }
}

/* Against gather_bytes and fire of the same set, too. */
static void try_gather_bytes_fire(const mst_block_kernels *k, trial *t)
{
    static byte_rows q;
    uint64_t bits[2][STEPS], want[2][STEPS];
    float acc[2 * ROWS], v[2][MSTB_COLS], same[2][MSTB_COLS];
    mstb_lists in = byte_lists(t, &q);
    for (size_t j = 0; j < 2 * MSTB_COLS; j++) { /* finite: a NaN may have any bits */
        q.c[j] = rnd_float(t) / 256;
        q.b[j] = rnd_float(t);
    }
    mstb_strip s[2] = {strip_of(t, bits[0]), {0}};
    for (size_t j = 0; j < 2 * MSTB_COLS; j++)
        v[j / MSTB_COLS][j % MSTB_COLS] = rnd_float(t);
    s[0].n = q.strips == 2 ? MSTB_COLS : t->n;
    s[0].from = s[0].v = v[0];
    s[1] = s[0];
    s[1].n = t->n;
    s[1].v = v[1];
    s[1].from = rnd(t) % 2 != 0 ? v[1] : t->theta;
    s[1].bits = bits[1];
    k->gather_bytes(&in, t->steps, q.strips, q.w, q.c, q.b, acc, ROWS);
    for (size_t i = 0; i < q.strips; i++) {
        mstb_strip one = s[i];
        memcpy(same[i], s[i].from, sizeof same[i]);
        one.from = one.v = same[i];
        one.bits = want[i];
        k->fire(&one, acc + i * ROWS);
    }
    k->gather_bytes_fire(&in, s, q.strips, q.w, q.c, q.b);
    for (size_t i = 0; i < q.strips; i++) {
        ck_assert(memcmp(want[i], bits[i], t->steps * sizeof want[i][0]) == 0);
        ck_assert(memcmp(same[i], v[i], s[i].n * sizeof same[i][0]) == 0);
        memcpy(t->out + 1000 * i, s[i].bits, t->steps * sizeof want[i][0]);
    }
    memcpy(t->out + 2000, v, sizeof v);
}

static void try_gather_fire(const mst_block_kernels *k, trial *t)
{
    mstb_lists in = lists_of(t);
    uint64_t bits[STEPS];
    mstb_strip s = strip_of(t, bits);
    in.val = NULL;
    k->gather_fire(&in, &s, t->w, rnd(t) % 2 != 0 ? t->bias : NULL, t->x);
    keep_strip(t, bits);
}

static void try_dense(const mst_block_kernels *k, trial *t)
{
    float acc[ROWS];
    mstb_run runs[2] = {{t->bits, 1, rnd(t) % 60, 64, 0}, {t->bits + 7, 2, 124, 64, 0}};
    mstb_source in = {runs, rnd(t) % 3, 1 + rnd(t) % 20, t->steps, 1};
    k->dense(&in, t->w, t->bias, acc);
    keep_rows(t, acc, t->n);
    uint16_t idx[STEPS * 3 * 64 + MSTB_SLACK]; /* lists must give the same */
    uint32_t start[STEPS + 1];
    float sums[ROWS];
    start[in.steps] = (uint32_t)k->list(&in, 0, idx, start);
    mstb_lists lists = {idx, NULL, start, 1};
    k->gather(&lists, in.steps, MSTB_COLS, t->w, t->bias, sums);
    for (size_t i = 0; i < in.steps * MSTB_COLS; i++)
        ck_assert((isnan(sums[i]) && isnan(acc[i])) || memcmp(&sums[i], &acc[i], sizeof *acc) == 0);
}

static void try_fire(const mst_block_kernels *k, trial *t)
{
    uint64_t bits[STEPS];
    mstb_strip s = strip_of(t, bits);
    k->fire(&s, t->x);
    keep_strip(t, bits);
}

static void try_sum(const mst_block_kernels *k, trial *t)
{
    mstb_term terms[5];
    for (size_t i = 0; i < 5; i++)
        terms[i] = (mstb_term){t->bits + 20 * i, 1 + i % 2, t->theta[i]};
    k->sum(terms, 1 + t->words % 5, t->steps, (int)(rnd(t) % 2), t->x);
    keep_rows(t, t->x, MSTB_COLS);
}

static void try_coincide(const mst_block_kernels *k, trial *t)
{
    enum { WORDS = 5 };
    uint32_t a[STEPS * WORDS], b[STEPS * WORDS * MSTB_COLS] = {0};
    size_t words = 1 + t->words % WORDS;
    for (size_t i = 0; i < STEPS * WORDS; i++) {
        a[i] = (uint32_t)t->bits[i];
        for (size_t j = 0; j < t->n; j++)
            b[i * MSTB_COLS + j] = (uint32_t)(t->bits[(i + j) % K] >> 20);
    }
    mstb_planes p = {a, b, WORDS, WORDS * MSTB_COLS, MSTB_COLS, words, t->steps};
    t->result = k->coincide(&p, t->n, t->theta[0], t->x);
    keep_rows(t, t->x, t->n);
}

static void try_columns(const mst_block_kernels *k, trial *t)
{
    uint32_t planes[10 * MSTB_COLS];
    size_t rows = t->words * 20 + t->n / 4;
    for (size_t i = 0; i < K; i++)
        t->bits[i] &= t->n == 64 ? UINT64_MAX : ((uint64_t)1 << t->n) - 1;
    k->columns(t->bits, 2, rows, t->n, planes);
    memcpy(t->out, planes, (rows + 31) / 32 * MSTB_COLS * sizeof *planes);
}

static void try_mask(const mst_block_kernels *k, trial *t)
{
    uint64_t out[6];
    mstb_mask m = {((uint64_t)rnd(t) << 32) + rnd(t), rnd(t), rnd(t), rnd(t),
                   rnd(t) % 4 == 0 ? 0 : rnd(t) * 2};
    size_t n = t->words * 64 + t->n % 64;
    t->bits[n / 64] &= ((uint64_t)1 << n % 64) - 1;
    k->mask(&m, rnd(t) % 100000, n, t->bits, out);
    memcpy(t->out, out, (n + 63) / 64 * sizeof *out);
    k->mask(&m, 5, n, t->bits, t->bits); /* in place */
    memcpy(t->out + 100, t->bits, (n + 63) / 64 * sizeof *out);
}

static void try_count(const mst_block_kernels *k, trial *t)
{
    t->result = k->count(t->bits, t->words * 40 + t->n);
}

static void try_add(const mst_block_kernels *k, trial *t)
{
    k->add(t->w, rnd(t) % 2 * 77, t->n, t->steps, (int)(rnd(t) % 2), t->x);
    keep_rows(t, t->x, t->n);
}

static void try_affine(const mst_block_kernels *k, trial *t)
{
    k->affine(t->gain, t->bias, t->steps, t->x);
    keep_rows(t, t->x, MSTB_COLS);
}

/* ---- all of them ------------------------------------------------------------ */

static const struct set {
    const char *name, *isa;
    const mst_block_kernels *table;
} sets[] = {
    {"scalar", "scalar", &mst_block_kernels_scalar},
#if defined(__x86_64__)
    {"avx2", "avx2", &mst_block_kernels_avx2},
    {"avx512", "avx512", &mst_block_kernels_avx512},
    {"avx512 with VBMI2 and VPOPCNTDQ", "avx512", &mst_block_kernels_avx512_more},
#elif defined(__aarch64__)
    {"neon", "neon", &mst_block_kernels_neon},
#endif
};

static int here(const struct set *set)
{
    mst_kernels k;
    if (mst_kernels_select(set->isa, &k, NULL) != MST_OK)
        return 0;
#if defined(__x86_64__)
    if (set->table == &mst_block_kernels_avx512_more)
        return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return 1;
}

typedef void (*attempt)(const mst_block_kernels *k, trial *t);

static void compare(const struct set *set, const char *name, attempt try)
{
    for (uint64_t seed = 0; seed < random_cases(400); seed++) {
        trial *want = new_trial(seed), *got = new_trial(seed);
        try(&mst_block_kernels_scalar, want);
        try(set->table, got);
        ck_assert_msg(want->result == got->result && memcmp(want->out, got->out, OUT) == 0,
                      "%s of %s differs from scalar: seed %u, n %zu, steps %zu, words %zu", name, set->name,
                      (unsigned)seed, want->n, want->steps, want->words);
        free(want);
        free(got);
    }
}

START_TEST(equals_scalar)
{
    const struct set *set = &sets[_i];
    if (!here(set)) {
        printf("SKIP: this machine has no %s\n", set->name);
        return;
    }
#define MSTB_KERNEL(ret, kernel, args) \
    if (set->table->kernel != NULL) \
        compare(set, #kernel, try_##kernel);
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
}
END_TEST

START_TEST(selection_is_complete)
{
    mst_block_kernels k = {0};
    mst_block_kernels_select(sets[_i].isa, &k);
#define MSTB_KERNEL(ret, kernel, args) ck_assert(k.kernel != NULL);
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block kernels");
    TCase *t = tcase_create("bits");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, equals_scalar, 0, (int)(sizeof sets / sizeof sets[0]));
    tcase_add_loop_test(t, selection_is_complete, 0, (int)(sizeof sets / sizeof sets[0]));
    suite_add_tcase(s, t);
    return run_tests(s);
}
