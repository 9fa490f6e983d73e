/* QCFS forward and backward, one pass over memory each; see fused.py.
   bfloat16 values travel as 16-bit words, arithmetic is in float. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float wide(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint16_t narrow(float f) { /* round to nearest even; no NaN arises here that was not one before */
    uint32_t u;
    memcpy(&u, &f, 4);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float level(float x, float scale, float levels) {
    float n = floorf(x * scale + 0.5f);
    n = n > 0.0f ? n : 0.0f;
    return n < levels ? n : levels;
}

/* gradient of one element to x; *part grows by theta/L of its gradient to theta, times L^2/theta */
static inline float slope(float x, float g, float scale, float levels, float *part) {
    float t = x * scale;
    float gx = t > -0.5f && t < levels - 0.5f ? g : 0.0f;
    *part += g * level(x, scale, levels) - gx * t;
    return gx;
}

#define CHUNK 4096
/* Sums within a chunk in float, over chunks in double. */
#define DEFINE(NAME, TYPE, LOAD, STORE)                                                                     \
    void NAME##_forward(const TYPE *x, TYPE *a, int64_t n, float scale, float step, float levels) {         \
        _Pragma("omp parallel for schedule(static)")                                                        \
        for (int64_t i = 0; i < n; i++) a[i] = STORE(level(LOAD(x[i]), scale, levels) * step);              \
    }                                                                                                       \
    double NAME##_backward(const TYPE *x, const TYPE *g, TYPE *gx, int64_t n, float scale, float levels) {  \
        double total = 0;                                                                                   \
        _Pragma("omp parallel for schedule(static) reduction(+ : total)")                                   \
        for (int64_t begin = 0; begin < n; begin += CHUNK) {                                                \
            int64_t end = begin + CHUNK < n ? begin + CHUNK : n;                                            \
            float part = 0;                                                                                 \
            for (int64_t i = begin; i < end; i++)                                                           \
                gx[i] = STORE(slope(LOAD(x[i]), LOAD(g[i]), scale, levels, &part));                         \
            total += part;                                                                                  \
        }                                                                                                   \
        return total;                                                                                       \
    }

DEFINE(f32, float, (float), (float))
DEFINE(bf16, uint16_t, wide, narrow)
