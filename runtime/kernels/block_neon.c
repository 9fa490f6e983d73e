/* Block kernels for 64-bit ARM. What is not here is scalar's: compilers make the same vectors of 128 bits of it. */
#if defined(__aarch64__)
#include <arm_neon.h>

#define MSTB_SET neon
#define MSTB_WIDTH 4
#include "runtime/kernels/block_body.h"

/* ---- neurons --------------------------------------------------------------- */

/* Four neurons: all ones in the lanes of those that fire. */
ALWAYS uint32x4_t fire_vec(const mstb_strip *s, const float *x, float *v, size_t j, int gain)
{
    float32x4_t current = vld1q_f32(x + j), theta = vld1q_f32(s->theta + j);
    if (gain)
        current = vaddq_f32(vmulq_f32(vld1q_f32(s->gain + j), current), vld1q_f32(s->bias + j));
    float32x4_t u = vaddq_f32(vld1q_f32(v + j), current);
    uint32x4_t on = vcgeq_f32(u, theta);
    vst1q_f32(v + j, vsubq_f32(u, vreinterpretq_f32_u32(vandq_u32(on, vreinterpretq_u32_f32(theta)))));
    return on;
}

/* A bit for each of 16 lanes. */
ALWAYS uint64_t bits_of_lanes(const uint32x4_t on[4])
{
    const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint16x8_t lo = vcombine_u16(vmovn_u32(on[0]), vmovn_u32(on[1]));
    uint16x8_t hi = vcombine_u16(vmovn_u32(on[2]), vmovn_u32(on[3]));
    uint8x16_t bits = vandq_u8(vcombine_u8(vmovn_u16(lo), vmovn_u16(hi)), bit);
    return vaddv_u8(vget_low_u8(bits)) | (uint64_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

ALWAYS uint64_t fire_step(const mstb_strip *s, const float *x, float *v, int gain)
{
    uint64_t word = 0;
    for (size_t j = 0; j < MSTB_COLS; j += 16) {
        uint32x4_t on[4];
        for (size_t i = 0; i < 4; i++)
            on[i] = fire_vec(s, x, v, j + 4 * i, gain);
        word |= bits_of_lanes(on) << j;
    }
    return word;
}

/* the int8 panels of both sets are read alike */
#define mstb_gather_bytes__neon mstb_gather_bytes__scalar
#include "runtime/kernels/block_strips.h"

static void FN(sum)(const mstb_term *terms, size_t n_terms, size_t steps, int add, float *x)
{
    const uint32x4_t bit = {1, 2, 4, 8};
    for (size_t t = 0; t < steps; t++, x += MSTB_COLS)
        for (size_t k = 0; k < n_terms; k++) {
            uint64_t word = terms[k].bits[t * terms[k].step];
            uint32x4_t theta = vreinterpretq_u32_f32(vdupq_n_f32(terms[k].theta));
            for (size_t j = 0; j < MSTB_COLS; j += 4) {
                uint32x4_t on = vtstq_u32(vdupq_n_u32((uint32_t)(word >> j & 15)), bit);
                float32x4_t y = vreinterpretq_f32_u32(vandq_u32(on, theta));
                vst1q_f32(x + j, k == 0 && !add ? y : vaddq_f32(vld1q_f32(x + j), y));
            }
        }
}

/* ---- products of spikes ------------------------------------------------------ */

static uint64_t FN(coincide)(const mstb_planes *p, size_t n, float c, float *x)
{
    uint64_t total = 0;
    const float32x4_t factor = vdupq_n_f32(c);
    for (size_t t = 0; t < p->steps; t++, x += MSTB_COLS)
        for (size_t j = 0; j < (n + 15) / 16 * 16; j += 4) {
            const uint32_t *a = p->a + t * p->a_step, *b = p->b + t * p->b_step + j;
            uint32x4_t count = vdupq_n_u32(0);
            for (size_t w = 0; w < p->words; w++) {
                uint8x16_t both = vreinterpretq_u8_u32(vandq_u32(vdupq_n_u32(a[w]), vld1q_u32(b + w * p->ld)));
                count = vpadalq_u16(count, vpaddlq_u8(vcntq_u8(both)));
            }
            total += vaddlvq_u32(count);
            vst1q_f32(x + j, vmulq_f32(factor, vcvtq_f32_u32(count)));
        }
    return total;
}

const mst_block_kernels mst_block_kernels_neon = {.list = FN(list),
                                                  .gather = FN(gather),
                                                  .dense = FN(dense),
                                                  .gather_bytes = FN(gather_bytes),
                                                  .gather_bytes_fire = FN(gather_bytes_fire),
                                                  .gather_fire = FN(gather_fire),
                                                  .fire = FN(fire),
                                                  .sum = FN(sum),
                                                  .coincide = FN(coincide),
                                                  .count = FN(count),
                                                  .add = FN(add),
                                                  .affine = FN(affine)};
#else
typedef int mstb_neon_is_for_arm; /* an empty file is not C */
#endif
