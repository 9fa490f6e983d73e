/* Kernels on counts: every set against scalar, bit for bit (count_kernels.def calls try_<kernel>
 * for each, so that a kernel without one does not build), and scalar against loops that
 * know nothing of panels, tiles and vectors. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/count_kernels.h"
#include "tests/support/run_tests.h"

enum { TRIALS = 400, BYTES = 1 << 16, GUARD = 64 };

/* ck_assert_msg writes to a pipe each time that all is well */
#define EXPECT(ok, ...) \
    do { \
        if (!(ok)) \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)

/* One case. Everything is drawn from the seed, so that two sets see the same. */
typedef struct trial {
    uint64_t seed;
    uint8_t *out; /* [BYTES], what the kernel writes: compared between sets */
    bool check;   /* and with the loops here */
    void *owned[32];
    size_t n_owned;
} trial;

static uint32_t rnd(trial *t, uint32_t below)
{
    t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t->seed >> 33) % below;
}

static bool coin(trial *t) { return rnd(t, 2) != 0; }

/* Memory of this many bytes and no more, so that ASan sees reads behind it. */
static void *own(trial *t, size_t n)
{
    EXPECT(t->n_owned < 32 && posix_memalign(&t->owned[t->n_owned], 64, n) == 0, "no room");
    return t->owned[t->n_owned++];
}

static size_t pick(trial *t, const size_t *from, size_t n) { return from[rnd(t, (uint32_t)n)]; }
#define PICK(t, ...) \
    pick(t, (const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t))

/* ---- a layer ------------------------------------------------------------------ */

typedef struct layer {
    size_t rows, n, k;
    mstc_input in;
    mstc_weights w;
    int32_t *plain; /* [n][n_taps][k] */
    mstc_affine a;
    mstc_more more;
    mstc_neuron q;
    uint32_t *to; /* where rows go, or NULL */
    size_t ld;    /* of the result, in elements */
} layer;

/* Some shuffled order of 0..n-1. */
static uint32_t *shuffled(trial *t, size_t n)
{
    uint32_t *index = own(t, n * sizeof *index);
    for (uint32_t i = 0; i < n; i++)
        index[i] = i;
    for (uint32_t i = (uint32_t)n; i > 1; i--) {
        uint32_t j = rnd(t, i), x = index[j];
        index[j] = index[i - 1];
        index[i - 1] = x;
    }
    return index;
}

static unsigned digits_of(unsigned digits) { return digits > 1 ? digits : 1; }

static void make_counts(trial *t, layer *l)
{
    size_t reach = l->in.n_taps * l->k; /* taps overlap, as a convolution's do */
    size_t *taps = own(t, l->in.n_taps * sizeof *taps);
    for (size_t i = 0; i < l->in.n_taps; i++)
        taps[i] = i == 0 ? reach - l->k : rnd(t, (uint32_t)(reach - l->k + 1));
    l->in.taps = taps;
    l->in.ld = reach + rnd(t, 3) * 5;
    l->in.index = coin(t) ? shuffled(t, l->rows) : NULL;
    size_t bytes = (l->rows - 1) * l->in.ld + reach, more = (4 - l->k % 4) % 4;
    l->in.digit_apart = bytes + rnd(t, 5);
    bytes += (digits_of(l->in.digits) - 1) * l->in.digit_apart + more;
    uint8_t *x = own(t, bytes);
    bool full = rnd(t, 4) == 0;
    for (size_t i = 0; i < bytes; i++)
        x[i] = (uint8_t)(full ? l->in.most : rnd(t, l->in.most + 1));
    l->in.x = x;
}

static void make_weights(trial *t, layer *l)
{
    size_t per = l->in.n_taps * l->k, apart = mstc_panels_size(l->n, l->in.n_taps, l->k);
    unsigned digits = digits_of(l->w.digits);
    int8_t *panels = memset(own(t, apart * digits), 0, apart * digits);
    int kind = (int)rnd(t, 4), most = (int)l->w.most; /* all largest, all least, alternating, any */
    l->plain = own(t, l->n * per * sizeof *l->plain);
    for (size_t at = 0; at < l->n * per; at++) {
        size_t o = at / per, i = at % per;
        l->plain[at] = (int)l->w.lift;
        for (unsigned d = 0; d < digits; d++) {
            int any = (int)rnd(t, 2 * (uint32_t)most + 1) - most;
            int w = kind == 0 ? most : kind == 1 ? -most : kind == 2 ? (o % 2 ? most : -most) : any;
            w = w > 127 ? 127 : w;
            l->plain[at] += w * (1 << 8 * d);
            panels[d * apart + mstc_weight_at(o, i / l->k, i % l->k, l->in.n_taps, l->k)] = (int8_t)w;
        }
    }
    l->w.panels = panels;
    l->w.digit_apart = apart;
    l->w.n = l->n;
}

/* Whole numbers and powers of two where ties are wanted; otherwise anything. */
static float *constants(trial *t, size_t n, bool ties, float lo, float hi)
{
    float *x = own(t, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = lo + (hi - lo) * (float)rnd(t, 1 << 20) * 0x1p-20f;
        x[i] = ties ? rintf(x[i]) : x[i];
    }
    return x;
}

static void make_epilogue(trial *t, layer *l)
{
    bool ties = coin(t), per_row = coin(t);
    float reach = (float)(l->in.most * l->in.n_taps * l->k) * 16; /* sums of about this size */
    reach = ldexpf(reach, 8 * (int)(digits_of(l->in.digits) + digits_of(l->w.digits) - 2));
    float *c = constants(t, l->n, false, 0.01f, 1.0f), *theta;
    for (size_t o = 0; ties && o < l->n; o++)
        c[o] = coin(t) ? 1.0f : 0.5f;
    l->a.c = c;
    l->a.b_step = per_row ? l->n + rnd(t, 3) : 0;
    l->a.b = constants(t, per_row ? l->rows * l->a.b_step : l->n, ties, -reach / 4, reach);
    l->q.levels = (float)PICK(t, 1, 2, 3, 4, 7, 8, 15, 16, 64, 255);
    l->q.shift = coin(t) ? 0.5f : 0.0f;
    l->q.theta = theta = constants(t, l->n, ties, 1.0f, reach + 2);
    if (rnd(t, 8) == 0)
        theta[rnd(t, (uint32_t)l->n)] = 1e-30f; /* infinite quotients */
    l->q.gain = l->q.bias = NULL;
    if (coin(t)) {
        l->q.gain = constants(t, l->n, ties, -3, 3);
        l->q.bias = constants(t, l->n, ties, -reach / 4, reach / 4);
    }
    if (rnd(t, 8) == 0)
        c[rnd(t, (uint32_t)l->n)] = NAN;
}

static void make_more(trial *t, layer *l)
{
    l->more.ld = l->n + rnd(t, 4);
    l->more.index = coin(t) ? shuffled(t, l->rows) : NULL;
    size_t size = (l->rows - 1) * l->more.ld + l->n;
    if (coin(t)) {
        l->more.floats = constants(t, size, coin(t), -1000, 1000);
        return;
    }
    uint8_t *counts = own(t, size);
    for (size_t i = 0; i < size; i++)
        counts[i] = (uint8_t)rnd(t, 256);
    l->more.counts = counts;
    l->more.worth = constants(t, l->n, coin(t), 0, 20);
}

static layer make_layer(trial *t)
{
    layer l = {0};
    l.rows = PICK(t, 1, 2, 4, 5, 6, 7, 12, 13, 14, 25, 26, 27, 49, 53);
    l.n = PICK(t, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49, 64, 96, 100);
    l.in.n_taps = PICK(t, 1, 1, 1, 2, 3, 9);
    l.k = l.in.n_taps == 1 ? PICK(t, 1, 2, 3, 4, 5, 7, 8, 32, 49, 63, 64, 65, 96, 100, 384, 1021)
                           : PICK(t, 1, 3, 4, 8, 12, 17, 64);
    l.in.k = l.k;
    l.in.most = (unsigned)PICK(t, 1, 2, 4, 16, 31, 32, 64, 127, 128, 129, 130, 255);
    l.w.most = (unsigned)PICK(t, 127, 127, 127, 128, 16, 1);
    l.w.lift = rnd(t, 8) == 0 ? 128 : 0;
    if (l.w.lift == 0 && rnd(t, 4) == 0) {
        l.in.digits = rnd(t, 4);
        l.w.digits = rnd(t, 4);
    }
    make_counts(t, &l);
    make_weights(t, &l);
    make_epilogue(t, &l);
    if (rnd(t, 3) == 0)
        make_more(t, &l);
    l.to = coin(t) ? shuffled(t, l.rows) : NULL;
    l.ld = l.n + rnd(t, 3);
    return l;
}

static size_t index_at(const uint32_t *index, size_t r) { return index != NULL ? index[r] : r; }

static int64_t sum_of(const layer *l, size_t r, size_t o)
{
    const uint8_t *x = l->in.x + index_at(l->in.index, r) * l->in.ld;
    int64_t sum = 0;
    for (size_t t = 0; t < l->in.n_taps; t++)
        for (size_t i = 0; i < l->k; i++) {
            int64_t n = 0;
            for (unsigned d = 0; d < digits_of(l->in.digits); d++)
                n += (int64_t)x[l->in.taps[t] + i + d * l->in.digit_apart] << 8 * d;
            sum += n * l->plain[(o * l->in.n_taps + t) * l->k + i];
        }
    return sum;
}

/* volatile: each operation rounded on its own, whatever the compiler would like */
static float current_of(const layer *l, size_t r, size_t o)
{
    size_t at = index_at(l->more.index, r) * l->more.ld + o;
    volatile float x = (float)sum_of(l, r, o), more = 0;
    x = l->a.c[o] * x;
    x = x + l->a.b[r * l->a.b_step + o];
    if (l->more.floats != NULL)
        x = x + l->more.floats[at];
    if (l->more.counts != NULL) {
        more = (float)l->more.counts[at];
        more = l->more.worth[o] * more;
        x = x + more;
    }
    return x;
}

static uint8_t fire_of(const mstc_neuron *q, size_t o, float current)
{
    volatile float x = current;
    if (q->gain != NULL) {
        x = q->gain[o] * x;
        x = x + q->bias[o];
    }
    x = x * q->levels;
    x = x / q->theta[o];
    x = x + q->shift;
    float n = floorf(x);
    return (uint8_t)(n >= q->levels ? q->levels : n > 0 ? n : 0);
}

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
            uint8_t want = o < l.n ? fire_of(&l.q, o, current_of(&l, r, o)) : (uint8_t)(at * 7);
            EXPECT(t->out[at] == want, "row %zu output %zu: %d, not %d", r, o, t->out[at], want);
        }
    check_rest(t, l.rows * l.ld);
}

static void try_current(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    l.a.more = l.more.ld != 0 ? &l.more : NULL;
    float *out = (float *)(void *)t->out, was[1 << 14];
    for (size_t i = 0; i < l.rows * l.ld; i++)
        out[i] = (float)i;
    memcpy(was, out, l.rows * l.ld * sizeof *out);
    mstc_floats y = {out, l.ld, l.to, coin(t)};
    k->current(&l.in, &l.w, l.rows, &l.a, &y);
    for (size_t r = 0; r < l.rows; r++)
        for (size_t o = 0; o < l.ld; o++) {
            size_t at = index_at(l.to, r) * l.ld + o;
            out[at] = isnan(out[at]) ? NAN : out[at];
            if (!t->check)
                continue;
            volatile float x = o < l.n ? current_of(&l, r, o) : 0;
            float want = o < l.n && !y.add ? x : was[at] + x;
            EXPECT(isnan(want) ? isnan(out[at]) : out[at] == want, "row %zu output %zu: %a, not %a", r, o,
                          (double)out[at], (double)want);
        }
    check_rest(t, l.rows * l.ld * sizeof *out);
}

/* ---- residual streams ----------------------------------------------------------- */

/* A stream of l->n columns that neurons read, and where their counts go; all in t->out. */
typedef struct pool {
    mstc_stream x;
    mstc_neuron q;
    mstc_bytes y;
    mstc_reader next;
    int32_t *was; /* x before */
    bool read;
} pool;

static void make_pool(trial *t, pool *p, size_t rows, size_t n)
{
    size_t ld = n + rnd(t, 3), size = rows * ld;
    int32_t *x = (int32_t *)(void *)t->out, *worth = own(t, n * sizeof *worth);
    p->was = own(t, size * sizeof *x);
    for (size_t i = 0; i < size; i++)
        p->was[i] = x[i] = (int32_t)rnd(t, 1 << 30);
    for (size_t o = 0; o < n; o++)
        worth[o] = (int32_t)rnd(t, 1 << 21);
    p->x = (mstc_stream){x, ld, coin(t) ? shuffled(t, rows) : NULL, worth, coin(t)};
    p->q = (mstc_neuron){.theta = constants(t, n, false, 1000, 5000), .levels = 16, .shift = 0.5f};
    if (coin(t)) {
        p->q.gain = constants(t, n, false, -2, 2);
        p->q.bias = constants(t, n, false, -1000, 1000);
    }
    p->y = (mstc_bytes){t->out + size * sizeof *x, n + rnd(t, 3), coin(t) ? shuffled(t, rows) : NULL};
    p->next = (mstc_reader){0x1p-20f * (float)(1 + rnd(t, 9)), &p->q, &p->y};
    p->read = coin(t);
}

/* That row r and column o hold what n counts make of them. */
static void check_pool(const pool *p, size_t r, size_t o, int32_t n, bool added)
{
    size_t at = index_at(p->x.index, r) * p->x.ld + o;
    int32_t sum = p->was[at];
    if (added)
        sum = (p->x.start ? 0 : sum) + p->x.worth[o] * n;
    EXPECT(p->x.x[at] == sum, "stream %zu,%zu: %d, not %d", r, o, p->x.x[at], sum);
    if (!p->read)
        return;
    volatile float x = (float)sum;
    x = x * p->next.unit;
    int got = p->y.y[index_at(p->y.index, r) * p->y.ld + o], want = fire_of(&p->q, o, x);
    EXPECT(got == want, "read %zu,%zu: %d, not %d", r, o, got, want);
}

/* Behind the last row of what was written. */
static size_t end_of_pool(const pool *p, const trial *t, size_t rows)
{
    return (size_t)(p->y.y - t->out) + (p->read ? rows * p->y.ld : 0);
}

static void try_fire_into(const mst_count_kernels *k, trial *t)
{
    layer l = make_layer(t);
    l.a.more = l.more.ld != 0 ? &l.more : NULL;
    pool p;
    make_pool(t, &p, l.rows, l.n);
    size_t end = end_of_pool(&p, t, l.rows);
    mstc_bytes y = {t->out + end, l.ld, l.to};
    mstc_into into = {coin(t) ? &y : NULL, &p.x, p.read ? &p.next : NULL};
    k->fire_into(&l.in, &l.w, l.rows, &l.a, &l.q, &into);
    for (size_t r = 0; t->check && r < l.rows; r++)
        for (size_t o = 0; o < l.n; o++) {
            uint8_t n = fire_of(&l.q, o, current_of(&l, r, o));
            EXPECT(into.y == NULL || y.y[index_at(l.to, r) * l.ld + o] == n, "row %zu output %zu", r, o);
            check_pool(&p, r, o, n, true);
        }
    check_rest(t, end + (into.y != NULL ? l.rows * l.ld : 0));
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

static void try_stream(const mst_count_kernels *k, trial *t)
{
    layer l = make_rows(t);
    pool p;
    l.rows = l.rows > 33 ? 33 : l.rows;
    make_pool(t, &p, l.rows, l.k);
    bool add = coin(t);
    p.read = p.read || !add;
    k->stream(add ? &l.in : NULL, l.rows, l.k, &p.x, p.read ? &p.next : NULL);
    for (size_t r = 0; t->check && r < l.rows; r++)
        for (size_t o = 0; o < l.k; o++)
            check_pool(&p, r, o, row_of(&l, r)[o], add);
    check_rest(t, end_of_pool(&p, t, l.rows));
}

static void try_stream_bytes(const mst_count_kernels *k, trial *t)
{
    pool p;
    size_t rows = PICK(t, 1, 2, 9), n = PICK(t, 1, 31, 32, 33, 100), ld = n + rnd(t, 3);
    make_pool(t, &p, rows, n);
    mstc_planes y = {p.y.y, ld, rows * ld + rnd(t, 3), 1 + rnd(t, 4)};
    k->stream_bytes(&p.x, rows, n, &y);
    for (size_t i = 0; t->check && i < rows * n * y.digits; i++) {
        size_t d = i / (rows * n), r = i / n % rows, o = i % n;
        int got = y.y[d * y.apart + r * ld + o];
        EXPECT(got == (p.was[index_at(p.x.index, r) * p.x.ld + o] >> 8 * d & 255), "digit %zu: %d", d, got);
    }
    check_rest(t, (size_t)(y.y - t->out) + (y.digits - 1) * y.apart + rows * ld);
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

static void compare_set(const char *set)
{
    mst_count_kernels scalar, k;
    mst_err err = {0};
    ck_assert_int_eq(mst_count_kernels_select("scalar", &scalar, NULL), MST_OK);
    if (mst_count_kernels_select(set, &k, &err) != MST_OK) {
        printf("skipped: %s\n", err.text);
        return;
    }
    ck_assert_str_eq(k.isa, set);
    uint8_t *a = aligned_alloc(64, BYTES), *b = aligned_alloc(64, BYTES);
    for (size_t kernel = 0; kernel < sizeof tries / sizeof tries[0]; kernel++)
        for (uint64_t seed = 0; seed < TRIALS; seed++) {
            one(&scalar, kernel, seed, false, a);
            one(&k, kernel, seed, false, b);
            for (size_t i = 0; i < BYTES; i++)
                EXPECT(a[i] == b[i], "%s of %s differs from scalar: seed %d byte %zu", tries[kernel].name,
                              set, (int)seed, i);
        }
    free(a);
    free(b);
}

START_TEST(scalar_equals_loops)
{
    mst_count_kernels k;
    uint8_t *out = aligned_alloc(64, BYTES);
    ck_assert_int_eq(mst_count_kernels_select("scalar", &k, NULL), MST_OK);
    for (size_t kernel = 0; kernel < sizeof tries / sizeof tries[0]; kernel++)
        for (uint64_t seed = 0; seed < TRIALS; seed++)
            one(&k, kernel, seed, true, out);
    free(out);
}
END_TEST

START_TEST(avx2_equals_scalar) { compare_set("avx2"); }
END_TEST

START_TEST(avxvnni_equals_scalar) { compare_set("avxvnni"); }
END_TEST

START_TEST(vnni_equals_scalar) { compare_set("vnni"); }
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
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("count_kernels");
    TCase *tc = tcase_create("sets");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, scalar_equals_loops);
    tcase_add_test(tc, avx2_equals_scalar);
    tcase_add_test(tc, avxvnni_equals_scalar);
    tcase_add_test(tc, vnni_equals_scalar);
    tcase_add_test(tc, select_best_and_unknown);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
