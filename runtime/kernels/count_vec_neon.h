/* Vectors of 4 floats for count_body.h, on 64-bit ARM. */
#ifndef MST_COUNT_VEC_NEON_H
#define MST_COUNT_VEC_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/count_set.h"

#define VW 4
typedef float32x4_t VF;
typedef int32x4_t VI;
typedef size_t VM; /* lanes that there are, the first ones */

ALWAYS VF v_set(float x) { return vdupq_n_f32(x); }
ALWAYS VF v_add(VF a, VF b) { return vaddq_f32(a, b); }
ALWAYS VF v_mul(VF a, VF b) { return vmulq_f32(a, b); }
ALWAYS VF v_div(VF a, VF b) { return vdivq_f32(a, b); }
ALWAYS VF v_max(VF a, VF b) { return vbslq_f32(vcgtq_f32(a, b), a, b); } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
ALWAYS VM v_live(size_t n) { return n < VW ? n : VW; }
ALWAYS VF v_float(VI x) { return vcvtq_f32_s32(x); }
ALWAYS VI v_trunc(VF x) { return vcvtq_s32_f32(x); }

ALWAYS VF v_load(const float *x, VM live)
{
    float some[VW] = {0};
    if (live == VW)
        return vld1q_f32(x);
    memcpy(some, x, live * sizeof *x);
    return vld1q_f32(some);
}

ALWAYS VI v_ints(const int32_t *x, VM live)
{
    int32_t some[VW] = {0};
    if (live == VW)
        return vld1q_s32(x);
    memcpy(some, x, live * sizeof *x);
    return vld1q_s32(some);
}

ALWAYS VI v_counts(const uint8_t *x, VM live)
{
    uint32_t four = 0;
    if (live == VW)
        memcpy(&four, x, VW);
    else
        memcpy(&four, x, live);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}

ALWAYS void v_store(float *y, VF x, VM live)
{
    float some[VW];
    if (live == VW) {
        vst1q_f32(y, x);
        return;
    }
    vst1q_f32(some, x);
    memcpy(y, some, live * sizeof *y);
}

/* n0 and n1 hold 0..255. */
ALWAYS uint8x8_t v_bytes(VI n0, VI n1)
{
    return vmovn_u16(vcombine_u16(vmovn_u32(vreinterpretq_u32_s32(n0)), vmovn_u32(vreinterpretq_u32_s32(n1))));
}

ALWAYS void v_store_counts(uint8_t *y, VI n, VM live)
{
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(v_bytes(n, n)), 0);
    if (live == VW)
        memcpy(y, &four, VW);
    else
        memcpy(y, &four, live);
}

ALWAYS void v_store_both(uint8_t *y, VI n0, VI n1) { vst1_u8(y, v_bytes(n0, n1)); }

#endif
