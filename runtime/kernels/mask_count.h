/* How many lanes an AVX-512 mask has. Private to the AVX-512 kernels. */
#ifndef MST_MASK_COUNT_H
#define MST_MASK_COUNT_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* The move is spelled out: GCC 12 spills such a mask as 16 bits and reads it back
 * as 32 for the count. */
static inline size_t mstk_mask_count(__mmask16 on)
{
    uint32_t bits;
    __asm__("kmovw %1, %0"
            : "=r"(bits)
            : "k"(on));
    return (size_t)__builtin_popcount(bits);
}

#endif
