/* Random layers of counts, and what loops that know nothing of panels, tiles and vectors make of
 * them. For the tests of the kernels on counts. */
#ifndef MST_TEST_COUNT_TRIAL_H
#define MST_TEST_COUNT_TRIAL_H

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/count_kernels.h"
#include "runtime/kernels/kernels.h"

enum { TRIALS = 400,
       BYTES = 1 << 16,
       GUARD = 64 };

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
    bytes += more;
    uint8_t *x = own(t, bytes);
    bool full = rnd(t, 4) == 0;
    for (size_t i = 0; i < bytes; i++)
        x[i] = (uint8_t)(full ? l->in.most : rnd(t, l->in.most + 1));
    l->in.x = x;
}

static void make_weights(trial *t, layer *l)
{
    size_t per = l->in.n_taps * l->k, size = mstc_panels_size(l->n, l->in.n_taps, l->k);
    int8_t *panels = memset(own(t, size), 0, size);
    int kind = (int)rnd(t, 4), most = (int)l->w.most; /* all largest, all least, alternating, any */
    l->plain = own(t, l->n * per * sizeof *l->plain);
    for (size_t at = 0; at < l->n * per; at++) {
        size_t o = at / per, i = at % per;
        int any = (int)rnd(t, 2 * (uint32_t)most + 1) - most;
        int w = kind == 0 ? most : kind == 1 ? -most
                               : kind == 2   ? (o % 2 ? most : -most)
                                             : any;
        w = w > 127 ? 127 : w;
        l->plain[at] = (int)l->w.lift + w;
        panels[mstc_weight_at(o, i / l->k, i % l->k, l->in.n_taps, l->k)] = (int8_t)w;
    }
    l->w.panels = panels;
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
    float *c = constants(t, l->n, false, 0.01f, 1.0f), *theta;
    for (size_t o = 0; ties && o < l->n; o++)
        c[o] = coin(t) ? 1.0f : 0.5f;
    l->a.c = c;
    l->a.b_step = per_row ? l->n + rnd(t, 3) : 0;
    l->a.b = constants(t, per_row ? l->rows * l->a.b_step : l->n, ties, -reach / 4, reach);
    l->q.levels = (float)PICK(t, 1, 2, 3, 4, 7, 8, 15, 16, 64, 255);
    l->q.back = coin(t) ? 0.0f : MSTK_EVEN;
    l->q.shift = l->q.back != 0 ? MSTK_EVEN : coin(t) ? 0.5f
                                                      : 0.0f;
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
    l->more.theta = constants(t, 1, coin(t), 0, 300)[0];
    l->more.levels = (float)PICK(t, 1, 1, 3, 16, 255);
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
    make_counts(t, &l);
    make_weights(t, &l);
    make_epilogue(t, &l);
    if (rnd(t, 3) == 0)
        make_more(t, &l);
    if (l.more.ld == 0 && rnd(t, 3) == 0) { /* what they say is to be done, equal to the other constants or not */
        float most = (float)(l.in.most * l.in.n_taps * l.k) * 256;
        l.a.quick_k = constants(t, l.n, false, 0, 500 / most);
        l.a.quick_d = constants(t, l.n, coin(t), -200, 200);
    }
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
        for (size_t i = 0; i < l->k; i++)
            sum += (int64_t)x[l->in.taps[t] + i] * l->plain[(o * l->in.n_taps + t) * l->k + i];
    return sum;
}

/* volatile: each operation rounded on its own, whatever the compiler would like */
static float more_of(const mstc_more *m, size_t r, size_t o)
{
    size_t at = index_at(m->index, r) * m->ld + o;
    volatile float more;
    if (m->floats != NULL)
        return m->floats[at];
    more = (float)m->counts[at];
    more = more / m->levels;
    more = m->theta * more;
    return more;
}

static float current_of(const layer *l, size_t r, size_t o)
{
    volatile float x = (float)sum_of(l, r, o);
    x = l->a.c[o] * x;
    x = x + l->a.b[r * l->a.b_step + o];
    if (l->more.ld != 0)
        x = x + more_of(&l->more, r, o);
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
    float n = q->back != 0 ? rintf(x) : floorf(x + q->shift);
    return (uint8_t)(n >= q->levels ? q->levels : n > 0 ? n
                                                        : 0);
}

static uint8_t quick_of(const layer *l, size_t r, size_t o)
{
    volatile float z = (float)sum_of(l, r, o);
    z = l->a.quick_k[o] * z;
    z = z + l->a.quick_d[o];
    float n = floorf(z);
    return (uint8_t)(n >= l->q.levels ? l->q.levels : n > 0 ? n
                                                            : 0);
}

#endif
