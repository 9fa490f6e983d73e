/* Counter-based random numbers: Philox 4x32-10 of Random123. */
#ifndef MST_CORE_PHILOX_H
#define MST_CORE_PHILOX_H

#include <Random123/philox.h>
#include <stdint.h>

/* Four words of the counter; key: low word of seed, then its high word. */
static inline void mst_philox(const uint32_t counter[4], uint64_t seed, uint32_t word[4])
{
    philox4x32_ctr_t at = {{counter[0], counter[1], counter[2], counter[3]}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t r = philox4x32_R(10, at, key);
    for (int i = 0; i < 4; i++)
        word[i] = r.v[i];
}

#endif
