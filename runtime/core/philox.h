/* Counter-based random numbers: Philox 4x32-10 of Random123; which of them a mask draws. */
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

/* Random Spike Masking: element e of the index-th mask has word e%4 of counter (sample, time, index, e/4).
 * group: the e/4 whose words are there; UINT64_MAX: none. */
typedef struct mst_draw {
    uint64_t seed, group;
    uint32_t sample, time, index, word[4];
} mst_draw;

/* Drawn in groups of four, so that only groups that hold a spike need their words. */
static inline uint32_t mst_draw_word(mst_draw *d, uint64_t e)
{
    if (e / 4 != d->group) {
        const uint32_t counter[4] = {d->sample, d->time, d->index, (uint32_t)(e / 4)};
        d->group = e / 4;
        mst_philox(counter, d->seed, d->word);
    }
    return d->word[e % 4];
}

/* threshold = ratio * 2^32: a spike survives with probability 1 - ratio. */
static inline uint32_t mst_survives(uint32_t word, uint32_t threshold) { return word >= threshold; }

#endif
