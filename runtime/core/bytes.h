/* Numbers in the bytes of a file: little-endian, and big-endian (_be). */
#ifndef MST_CORE_BYTES_H
#define MST_CORE_BYTES_H

#include <stdint.h>
#include <string.h>

/* Weights are used where they lie in the file, panels of bytes are read in lanes of 16 bits. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mst needs a little-endian machine: snn.bin and the kernels are (docs/PORTING.md)"
#endif

static inline uint16_t mst_get_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static inline uint32_t mst_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t mst_get_u32_be(const uint8_t *p)
{
    return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline uint64_t mst_get_u64(const uint8_t *p)
{
    return mst_get_u32(p) | (uint64_t)mst_get_u32(p + 4) << 32;
}

static inline float mst_get_f32(const uint8_t *p)
{
    uint32_t bits = mst_get_u32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline void mst_set_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static inline void mst_set_u64(uint8_t *p, uint64_t v)
{
    mst_set_u32(p, (uint32_t)v);
    mst_set_u32(p + 4, (uint32_t)(v >> 32));
}

#endif
