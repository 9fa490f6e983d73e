/* The kernels on counts for 64-bit ARM: products of bytes in 16 bits, neighbours added in 32. */
#if defined(__aarch64__)
#define MSTC_SET neon
#define MSTC_TILE 2 /* x 8 vectors: 16 sums, 2 broadcasts, 4 weights and products in 32 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_vec_neon.h"

/* Lanes 2i and 2i + 1 of lo are output i, of hi output i + 2. */
typedef struct part {
    int32x4_t lo, hi;
} part;

/* The end keeps GCC to the order as written: it likes to have all products of a step at once, more than there are
 * registers. */
ALWAYS part part_add(part p, uint8x16_t x, uint8x16_t w, const int flip)
{
    int8x16_t y = vreinterpretq_s8_u8(x), u = vreinterpretq_s8_u8(w);
    if (flip) {
        uint16x8_t lo = vmull_u8(vget_low_u8(x), vget_low_u8(w)), hi = vmull_high_u8(x, w);
        p.lo = vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(p.lo), lo));
        p.hi = vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(p.hi), hi));
    } else {
        p.lo = vpadalq_s16(p.lo, vmull_s8(vget_low_s8(y), vget_low_s8(u)));
        p.hi = vpadalq_s16(p.hi, vmull_high_s8(y, u));
    }
    __asm__ volatile(""
                     : "+w"(p.lo), "+w"(p.hi));
    return p;
}

ALWAYS int32x4_t part_sums(part p) { return vpaddq_s32(p.lo, p.hi); }

#include "runtime/kernels/count_dot_neon.h"

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_neon_is_for_arm; /* an empty file is not C */
#endif
