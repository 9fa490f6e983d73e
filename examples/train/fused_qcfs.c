/* QCFS and the noise of mst.torch.timesteps, forward and backward, one pass over memory each; see fused.py.
   bfloat16 values travel as 16-bit words, arithmetic is in float. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float wide(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint16_t narrow(float f)
{ /* round to nearest even; no NaN arises here that was not one before */
    uint32_t u;
    memcpy(&u, &f, 4);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float level(float x, float scale, float levels)
{
    float n = floorf(x * scale + 0.5f);
    n = n > 0.0f ? n : 0.0f;
    return n < levels ? n : levels;
}

/* gradient of one element to x; *part grows by theta/L of its gradient to theta, times L^2/theta */
static inline float slope(float x, float g, float scale, float levels, float *part)
{
    float t = x * scale;
    float gx = t > -0.5f && t < levels - 0.5f ? g : 0.0f;
    *part += g * level(x, scale, levels) - gx * t;
    return gx;
}

#define CHUNK 4096
/* Sums within a chunk in float, over chunks in double. */
#define DEFINE(NAME, TYPE, LOAD, STORE) \
    void NAME##_forward(const TYPE *x, TYPE *a, int64_t n, float scale, float step, float levels) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < n; i++) a[i] = \
            STORE(level(LOAD(x[i]), scale, levels) * step); \
    } \
    double NAME##_backward(const TYPE *x, const TYPE *g, TYPE *gx, int64_t n, float scale, float levels) \
    { \
        double total = 0; \
        _Pragma("omp parallel for schedule(static) reduction(+ : total)") for (int64_t begin = 0; begin < n; \
                                                                               begin += CHUNK) \
        { \
            int64_t end = begin + CHUNK < n ? begin + CHUNK : n; \
            float part = 0; \
            for (int64_t i = begin; i < end; i++) \
                gx[i] = STORE(slope(LOAD(x[i]), LOAD(g[i]), scale, levels, &part)); \
            total += part; \
        } \
        return total; \
    }

DEFINE(f32, float, (float), (float))
DEFINE(bf16, uint16_t, wide, narrow)

/* ---- noise ----------------------------------------------------------------------------------------- */

/* 32 bits for element i: MurmurHash3's finalizer, so that the backward pass draws what the forward one drew. */
static inline uint32_t draw(uint32_t i, uint32_t seed)
{
    uint32_t h = i * 0x9e3779b9u + seed;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static inline float exponential(uint32_t h) { return -logf((float)(h >> 8) * 0x1p-24f + 0x1p-25f); }

/* Mean 0 and variance 1, the sum of four bytes. */
static inline float normal(uint32_t h)
{
    int sum = (int)(h & 255u) + (int)(h >> 8 & 255u) + (int)(h >> 16 & 255u) + (int)(h >> 24);
    return (float)(sum - 510) * (1.0f / 147.7994f);
}

/* root of x^2 + 2*variance*exponential */
static inline float spread(float x, float variance, uint32_t h)
{
    return sqrtf(x * x + 2.0f * variance * exponential(h) + 1e-12f);
}

/* n elements in rows of as many as there are variances; what is left of y where a mask thins it: thin() of layers.py */
#define DEFINE_NOISE(NAME, TYPE, LOAD, STORE) \
    void NAME##_largest_forward(const TYPE *x, const float *v, TYPE *y, int64_t rows, int64_t n, uint32_t seed) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t r = 0; r < rows; r++) for (int64_t i = 0; i < n; \
                                                                                             i++) \
        { \
            float at = LOAD(x[r * n + i]); \
            y[r * n + i] = STORE((at + spread(at, v[i], draw((uint32_t)(r * n + i), seed))) * 0.5f); \
        } \
    } \
    void NAME##_largest_backward(const TYPE *x, const float *v, const TYPE *g, TYPE *gx, int64_t rows, int64_t n, \
                                 uint32_t seed) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t r = 0; r < rows; r++) for (int64_t i = 0; i < n; \
                                                                                             i++) \
        { \
            float at = LOAD(x[r * n + i]); \
            float root = spread(at, v[i], draw((uint32_t)(r * n + i), seed)); \
            gx[r * n + i] = STORE(LOAD(g[r * n + i]) * (0.5f + 0.5f * at / root)); \
        } \
    } \
    void NAME##_thin_forward(const TYPE *x, TYPE *y, int64_t n, float keep, float scatter, uint32_t seed) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < n; i++) \
        { \
            float at = LOAD(x[i]), kept = at * keep + sqrtf(at * scatter) * normal(draw((uint32_t)i, seed)); \
            kept = kept > 0.0f ? kept : 0.0f; \
            y[i] = STORE(kept < at ? kept : at); \
        } \
    } \
    void NAME##_thin_backward(const TYPE *x, const TYPE *g, TYPE *gx, int64_t n, float keep, float scatter, \
                              uint32_t seed) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < n; i++) \
        { \
            float at = LOAD(x[i]), kept = at * keep + sqrtf(at * scatter) * normal(draw((uint32_t)i, seed)); \
            gx[i] = STORE(LOAD(g[i]) * (kept < 0.0f ? 0.0f : kept > at ? 1.0f \
                                                                       : keep)); \
        } \
    }

DEFINE_NOISE(f32, float, (float), (float))
DEFINE_NOISE(bf16, uint16_t, wide, narrow)

/* ---- binomial draws --------------------------------------------------------------------------------- */

#define BLOCK 256 /* elements */

/* For each element 32 bits, each of them 1 with probability keep/65536: compares the digits of 32 random numbers with
   those of `keep`, the last digit first; digits behind its last 1 do not matter. */
static void kept_bits(uint32_t *bits, int64_t begin, int count, uint32_t keep, uint32_t seed)
{
    memset(bits, 0, BLOCK * sizeof *bits);
    for (int d = __builtin_ctz(keep); d < 16; d++) {
        uint32_t one = 0u - (keep >> d & 1u), of = seed + (uint32_t)d * 0x632be5abu;
        for (int i = 0; i < count; i++) {
            uint32_t h = draw((uint32_t)(begin + i), of);
            bits[i] = (bits[i] & h) | (one & (bits[i] | h));
        }
    }
}

/* n of x = quantum * n, 0..levels (at most 32), becomes a draw of Binomial(n, keep/65536): the kept ones of n spikes */
#define DEFINE_BINOMIAL(NAME, TYPE, LOAD, STORE) \
    void NAME##_binomial(const TYPE *x, TYPE *y, int64_t size, float quantum, int32_t levels, uint32_t keep, \
                         uint32_t seed) \
    { \
        _Pragma("omp parallel for schedule(static)") for (int64_t begin = 0; begin < size; begin += BLOCK) \
        { \
            uint32_t bits[BLOCK]; \
            int count = size - begin < BLOCK ? (int)(size - begin) : BLOCK; \
            kept_bits(bits, begin, count, keep, seed); \
            for (int i = 0; i < count; i++) { \
                int n = (int)level(LOAD(x[begin + i]), 1.0f / quantum, (float)levels), half = n / 2; \
                uint32_t kept = bits[i] >> (16 - half) >> (16 - (n - half)); /* n of the bits, n = 0 and 32 too */ \
                y[begin + i] = STORE(quantum * (float)__builtin_popcount(kept)); \
            } \
        } \
    }

DEFINE_BINOMIAL(f32, float, (float), (float))
DEFINE_BINOMIAL(bf16, uint16_t, wide, narrow)
