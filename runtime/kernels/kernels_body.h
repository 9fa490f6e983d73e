/* The source of all kernels, compiled once per instruction set. The including
 * file defines MSTK_SET (its name) and MSTK_WIDTH (floats per vector), and
 * MSTK_OWN_SCAN if it brings its own scan. No include guard: meant for one
 * inclusion per kernels_<set>.c, and for nothing else.
 *
 * Loops are written so that compilers vectorize them over outputs; gather alone
 * spells its vectors out, to hold the accumulators in registers over the list.
 */
#include <math.h>
#include <string.h>

#include "mst/graph.h"
#include "runtime/core/half.h"
#include "runtime/kernels/integrate_fire.h"
#include "runtime/kernels/kernels.h"

#define MSTK_CAT_(name, set) mstk_##name##__##set
#define MSTK_CAT(name, set) MSTK_CAT_(name, set)
#define FN(name) MSTK_CAT(name, MSTK_SET)

#ifndef MSTK_OWN_SCAN
/* Branch-free: at 10 % density a branch is mispredicted at every spike. */
static size_t FN(scan_f32)(const float *x, size_t n, uint32_t *idx, float *val)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        idx[k] = (uint32_t)i;
        val[k] = x[i];
        k += x[i] != 0.0f;
    }
    return k;
}
#endif

/* ---- gather ---------------------------------------------------------- */

typedef float vec __attribute__((vector_size(MSTK_WIDTH * 4), aligned(4), may_alias));
typedef float vec4 __attribute__((vector_size(16), aligned(4), may_alias));

#define AT(type, p, j) (((const type *)(const void *)(p))[j])
#define TO(type, p, j) (((type *)(void *)(p))[j])

#define GATHER_MOST (MSTK_STRIP_VECS * MSTK_WIDTH)
#define GATHER_UNROLLED _Pragma("GCC unroll 8")

/* Sums of m vectors of outputs stay in registers over the list. Where n is no multiple of a vector's width, the last
 * one lies over the n's last outputs: some are computed twice, to the same bits. Constant where inlined: m. */
static inline __attribute__((always_inline)) void gather_vecs(const mstk_list *list, const float *w, size_t ldw,
                                                              const float *b, float *y, size_t n, const size_t m)
{
    const size_t last = n - MSTK_WIDTH;
    vec a[MSTK_STRIP_VECS];
    GATHER_UNROLLED
    for (size_t j = 0; j < m; j++)
        a[j] = b != NULL ? AT(vec, b + (j + 1 < m ? j * MSTK_WIDTH : last), 0) : (vec){0};
    for (size_t i = 0; i < list->n; i++) {
        const float *row = w + list->idx[i] * ldw;
        const float v = list->val[i];
        GATHER_UNROLLED
        for (size_t j = 0; j < m; j++)
            a[j] += v * AT(vec, row + (j + 1 < m ? j * MSTK_WIDTH : last), 0);
    }
    GATHER_UNROLLED
    for (size_t j = 0; j < m; j++)
        TO(vec, y + (j + 1 < m ? j * MSTK_WIDTH : last), 0) = a[j];
}

/* 4..8 outputs. */
static inline void gather_few(const mstk_list *list, const float *w, size_t ldw, const float *b, float *y, size_t n)
{
    const size_t last = n - 4;
    vec4 a0 = b != NULL ? AT(vec4, b, 0) : (vec4){0}, a1 = b != NULL ? AT(vec4, b + last, 0) : (vec4){0};
    for (size_t i = 0; i < list->n; i++) {
        const float *row = w + list->idx[i] * ldw;
        a0 += list->val[i] * AT(vec4, row, 0);
        a1 += list->val[i] * AT(vec4, row + last, 0);
    }
    TO(vec4, y, 0) = a0;
    TO(vec4, y + last, 0) = a1;
}

static inline void gather_one(const mstk_list *list, const float *w, size_t ldw, const float *b, float *y)
{
    float a = b != NULL ? b[0] : 0.0f;
    for (size_t i = 0; i < list->n; i++)
        a += list->val[i] * w[list->idx[i] * ldw];
    *y = a;
}

#define GATHER_CASE(m) \
    case m: gather_vecs(list, w, ldw, b, y, n, m); break;

/* n: 1..MSTK_STRIP_VECS vectors, the last one full or not. */
static void gather_some(const mstk_list *list, const float *w, size_t ldw, const float *b, float *y, size_t n)
{
    switch ((n + MSTK_WIDTH - 1) / MSTK_WIDTH) {
        GATHER_CASE(1)
        GATHER_CASE(2)
        GATHER_CASE(3)
        GATHER_CASE(4)
        GATHER_CASE(5)
        GATHER_CASE(6)
        GATHER_CASE(7)
        GATHER_CASE(8)
    }
}

/* No output is read after one of another call is written: b may be y. */
static void FN(gather_f32)(const mstk_list *list, const float *w, size_t ldw, const float *b, float *y, size_t n)
{
    size_t take;
    for (; n >= MSTK_WIDTH; n -= take, w += take, b = b != NULL ? b + take : NULL, y += take) {
        /* a rest of less than a vector would be a pass of its own */
        take = n <= GATHER_MOST ? n : n >= GATHER_MOST + MSTK_WIDTH ? GATHER_MOST
                                                                    : GATHER_MOST - MSTK_WIDTH;
        gather_some(list, w, ldw, b, y, take);
    }
    for (; n >= 4; n -= take, w += take, b = b != NULL ? b + take : NULL, y += take) {
        take = n <= 8 ? n : 4;
        gather_few(list, w, ldw, b, y, take);
    }
    for (size_t j = 0; j < n; j++)
        gather_one(list, w + j, ldw, b != NULL ? b + j : NULL, y + j);
}

/* ---- narrow weights -------------------------------------------------- */

typedef int32_t ivec __attribute__((vector_size(MSTK_WIDTH * 4), aligned(4), may_alias));
typedef int16_t shorts __attribute__((vector_size(MSTK_WIDTH * 2), aligned(2), may_alias));
typedef int8_t bytes __attribute__((vector_size(MSTK_WIDTH), aligned(1), may_alias));

/* Eight vectors of outputs, and one. */
#define EACH8(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define EACH1(M) M(0)

#define SUM_ZERO(j) ivec s##j = {0};
/* in two steps: GCC 12 takes one step of four times the width element by element */
#define SUM_ADD(j) s##j += __builtin_convertvector(__builtin_convertvector(AT(bytes, row, j), shorts), ivec);
#define SUM_STORE(j) \
    TO(vec, y, j) = \
        AT(vec, c, j) * __builtin_convertvector(s##j, vec) + (b != NULL ? AT(vec, b, j) : (vec){0});

#define GATHER_I8_BLOCK(name, EACH) \
    static inline void name(const mstk_list *list, const int8_t *w, size_t ldw, const float *c, \
                            const float *b, float *y) \
    { \
        EACH(SUM_ZERO) \
        for (size_t i = 0; i < list->n; i++) { \
            const int8_t *row = w + (size_t)list->idx[i] * ldw; \
            EACH(SUM_ADD) \
        } \
        EACH(SUM_STORE) \
    }

GATHER_I8_BLOCK(gather_i8_block8, EACH8)
GATHER_I8_BLOCK(gather_i8_block1, EACH1)

static inline void gather_i8_one(const mstk_list *list, const int8_t *w, size_t ldw, const float *c, const float *b,
                                 float *y)
{
    int32_t sum = 0;
    for (size_t i = 0; i < list->n; i++)
        sum += w[(size_t)list->idx[i] * ldw];
    *y = *c * (float)sum + (b != NULL ? *b : 0.0f);
}

static void FN(gather_i8)(const mstk_list *list, const int8_t *w, size_t ldw, const float *c, const float *b,
                          float *y, size_t n)
{
    size_t j = 0;
    for (; n - j >= 8 * MSTK_WIDTH; j += 8 * MSTK_WIDTH)
        gather_i8_block8(list, w + j, ldw, c + j, b != NULL ? b + j : NULL, y + j);
    for (; n - j >= MSTK_WIDTH; j += MSTK_WIDTH)
        gather_i8_block1(list, w + j, ldw, c + j, b != NULL ? b + j : NULL, y + j);
    for (; j < n; j++)
        gather_i8_one(list, w + j, ldw, c + j, b != NULL ? b + j : NULL, y + j);
}

static void FN(widen_f16)(const uint16_t *w, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = mst_half_to_float(w[i]);
}

static void FN(widen_i8)(const int8_t *w, const float *scale, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = scale[i] * (float)w[i];
}

/* ---- products of spikes ---------------------------------------------- */

static void FN(pack_rows_u64)(const float *x, size_t ld, size_t rows, size_t k, uint64_t *bits)
{
    for (size_t r = 0; r < rows; r++) {
        uint64_t word = 0;
        for (size_t i = 0; i < k; i++)
            word |= (uint64_t)(x[r * ld + i] != 0.0f) << i;
        bits[r] = word;
    }
}

static void FN(pack_cols_u64)(const float *x, size_t ld, size_t cols, size_t k, uint64_t *bits)
{
    memset(bits, 0, cols * sizeof *bits);
    for (size_t i = 0; i < k; i++)
        for (size_t c = 0; c < cols; c++)
            bits[c] |= (uint64_t)(x[i * ld + c] != 0.0f) << i;
}

static inline uint32_t popcount(uint64_t x)
{
#if defined(__POPCNT__) || !defined(__x86_64__)
    return (uint32_t)__builtin_popcountll(x);
#else
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
#endif
}

static uint64_t FN(coincide_u64)(const mstk_bits *ab, size_t m, float c, float *y)
{
    uint64_t total = 0;
    for (size_t j = 0; j < ab->n; j++) {
        uint32_t count = popcount(ab->a[m] & ab->b[j]);
        for (size_t w = 1; w < ab->words; w++)
            count += popcount(ab->a[w * ab->lda + m] & ab->b[w * ab->n + j]);
        y[j] = c * (float)count;
        total += count;
    }
    return total;
}

/* ---- neurons ---------------------------------------------------------- */

static inline size_t fire_loop(const mstk_neuron *p, const float *restrict x, float *restrict v,
                               float *restrict y, size_t n, size_t step, int gain)
{
    const float *theta = p->theta, *g = p->gain, *h = p->bias;
    uint32_t fired = 0;
    for (size_t i = 0; i < n; i++) {
        float current = gain ? g[i * step] * x[i] + h[i * step] : x[i];
        float th = theta[i * step];
        uint32_t on = mstk_fire_one(&v[i], current, th);
        fired += on;
        y[i] = mstk_keep_if(th, on);
    }
    return fired;
}

static size_t FN(fire_each_f32)(const mstk_neuron *p, const float *x, float *v, float *y, size_t n)
{
    return p->gain != NULL ? fire_loop(p, x, v, y, n, 1, 1) : fire_loop(p, x, v, y, n, 1, 0);
}

static size_t FN(fire_same_f32)(const mstk_neuron *p, const float *x, float *v, float *y, size_t n)
{
    return p->gain != NULL ? fire_loop(p, x, v, y, n, 0, 1) : fire_loop(p, x, v, y, n, 0, 0);
}

static inline size_t stair_loop(const mstk_neuron *p, const float *restrict x, float *restrict y, size_t n,
                                size_t step, int gain)
{
    const float *theta = p->theta, *g = p->gain, *h = p->bias;
    const float levels = p->levels, shift = p->shift, back = p->back;
    uint32_t on = 0;
    for (size_t i = 0; i < n; i++) {
        float current = gain ? g[i * step] * x[i] + h[i * step] : x[i];
        float th = theta[i * step];
        float q = floorf(current * levels / th + shift - back);
        q = q < 0.0f ? 0.0f : q > levels ? levels
                                         : q;
        float out = th * (q / levels);
        on += out != 0.0f;
        y[i] = out;
    }
    return on;
}

static size_t FN(stair_each_f32)(const mstk_neuron *p, const float *x, float *y, size_t n)
{
    return p->gain != NULL ? stair_loop(p, x, y, n, 1, 1) : stair_loop(p, x, y, n, 1, 0);
}

static size_t FN(stair_same_f32)(const mstk_neuron *p, const float *x, float *y, size_t n)
{
    return p->gain != NULL ? stair_loop(p, x, y, n, 0, 1) : stair_loop(p, x, y, n, 0, 0);
}

static inline float level_of(const mstk_neuron *p, float x, size_t i, int gain)
{
    float current = gain ? p->gain[i] * x + p->bias[i] : x;
    float z = current * p->levels / p->theta[i] + p->shift - p->back;
    z = z < p->levels ? z : p->levels; /* NaN becomes levels here */
    return current == current && z >= 1.0f ? z : 0.0f;
}

static inline void level_loop(const mstk_neuron *p, const float *restrict x, uint8_t *restrict y, size_t n, size_t step,
                              int gain)
{
    const mstk_neuron q = *p;
    for (size_t i = 0; i < n; i++)
        y[i] = (uint8_t)(int32_t)level_of(&q, x[i], i * step, gain);
}

/* By way of bytes, which compilers vectorize. */
static inline uint64_t count_loop(const mstk_neuron *p, const float *restrict x, float *restrict y,
                                  uint32_t *restrict counts, size_t n, size_t step, int gain)
{
    enum { AT_ONCE = 64 };
    mstk_neuron q = *p;
    uint8_t level[AT_ONCE];
    uint64_t sum = 0;
    for (size_t i = 0, take; i < n; i += take) {
        take = n - i < AT_ONCE ? n - i : AT_ONCE;
        uint32_t part = 0;
        level_loop(&q, x + i, level, take, step, gain);
        for (size_t j = 0; j < take; j++) {
            counts[i + j] = level[j];
            part += level[j];
            y[i + j] = q.theta[j * step] * ((float)level[j] / q.levels);
        }
        q.theta += take * step;
        if (gain) {
            q.gain += take * step;
            q.bias += take * step;
        }
        sum += part;
    }
    return sum;
}

static uint64_t FN(count_each_u32)(const mstk_neuron *p, const float *x, float *y, uint32_t *counts, size_t n)
{
    return p->gain != NULL ? count_loop(p, x, y, counts, n, 1, 1) : count_loop(p, x, y, counts, n, 1, 0);
}

static uint64_t FN(count_same_u32)(const mstk_neuron *p, const float *x, float *y, uint32_t *counts, size_t n)
{
    return p->gain != NULL ? count_loop(p, x, y, counts, n, 0, 1) : count_loop(p, x, y, counts, n, 0, 0);
}

static void FN(level_each_u8)(const mstk_neuron *p, const float *x, uint8_t *y, size_t n)
{
    p->gain != NULL ? level_loop(p, x, y, n, 1, 1) : level_loop(p, x, y, n, 1, 0);
}

static void FN(level_same_u8)(const mstk_neuron *p, const float *x, uint8_t *y, size_t n)
{
    p->gain != NULL ? level_loop(p, x, y, n, 0, 1) : level_loop(p, x, y, n, 0, 0);
}

static void FN(worth_u8)(float theta, float levels, const uint8_t *restrict x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = theta * ((float)x[i] / levels);
}

static void FN(add_worth_u8)(float theta, float levels, const uint8_t *restrict x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += theta * ((float)x[i] / levels);
}

/* ---- elementwise ------------------------------------------------------ */

static void FN(affine_each_f32)(const float *g, const float *h, const float *x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = g[i] * x[i] + h[i];
}

static void FN(affine_same_f32)(const float *g, const float *h, const float *x, float *restrict y, size_t n)
{
    const float g0 = *g, h0 = *h;
    for (size_t i = 0; i < n; i++)
        y[i] = g0 * x[i] + h0;
}

/* Constant strides in each call let the compiler vectorize every pairing. */
#define BINARY_LOOP(sa, sb, expr) \
    for (size_t i = 0; i < n; i++) { \
        float p = a[i * (sa)], q = b[i * (sb)]; \
        y[i] = (expr); \
    }
#define BINARY_CASE(fn, expr) \
    case fn: \
        if (stride[0] == 1 && stride[1] == 1) \
            BINARY_LOOP(1, 1, expr) \
        else if (stride[0] == 1) \
            BINARY_LOOP(1, 0, expr) \
        else if (stride[1] == 1) \
            BINARY_LOOP(0, 1, expr) \
        else \
            BINARY_LOOP(0, 0, expr) \
        break;

static void FN(binary_f32)(int fn, const float *a, const float *b, const size_t *stride, float *restrict y,
                           size_t n)
{
    switch (fn) {
        BINARY_CASE(MST_BIN_ADD, p + q)
        BINARY_CASE(MST_BIN_SUB, p - q)
        BINARY_CASE(MST_BIN_MUL, p * q)
        BINARY_CASE(MST_BIN_DIV, p / q)
        BINARY_CASE(MST_BIN_MIN, p > q ? q : p)
        BINARY_CASE(MST_BIN_MAX, p < q ? q : p)
        BINARY_CASE(MST_BIN_POW, (float)pow((double)p, (double)q))
    }
}

static void FN(clip_f32)(float lo, float hi, const float *x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] < lo ? lo : x[i]; /* lo <= hi: the same as the nested choice */
        y[i] = v > hi ? hi : v;
    }
}

static void FN(add_to_f32)(const float *x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void FN(max_to_f32)(const float *x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = y[i] < x[i] ? x[i] : y[i];
}

static void FN(scale_f32)(float c, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = c * y[i];
}

#include "runtime/kernels/kernels_dense.h"
#include "runtime/kernels/kernels_rows.h"

#define MSTK_TABLE_(set) mst_kernels_##set
#define MSTK_TABLE(set) MSTK_TABLE_(set)
#define MSTK_TEXT_(set) #set
#define MSTK_TEXT(set) MSTK_TEXT_(set)

const mst_kernels MSTK_TABLE(MSTK_SET) = {
    .isa = MSTK_TEXT(MSTK_SET),
    .strip = MSTK_STRIP_VECS * MSTK_WIDTH,
#define MSTK_KERNEL(ret, name, args) .name = FN(name),
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
};
