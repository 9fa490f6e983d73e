/* The kernels on counts for 64-bit ARM with dot products (the Makefile gives this file its flags). */
#if defined(__aarch64__)
#define MSTC_SET dotprod
#define MSTC_TILE 5 /* x 4 vectors: 20 sums, 5 broadcasts, 4 weights in 32 registers */
#define MSTC_GROUP 262144u
#include "runtime/kernels/count_vec_neon.h"

/* Lane i is output i. */
typedef struct part {
    int32x4_t sums;
} part;

ALWAYS part part_add(part p, uint8x16_t x, uint8x16_t w, const int flip)
{
    if (flip)
        return (part){vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(p.sums), x, w))};
    return (part){vdotq_s32(p.sums, vreinterpretq_s8_u8(x), vreinterpretq_s8_u8(w))};
}

ALWAYS int32x4_t part_sums(part p) { return p.sums; }

#include "runtime/kernels/count_dot_neon.h"

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_dotprod_is_for_arm; /* an empty file is not C */
#endif
