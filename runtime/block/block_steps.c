/* How many time steps a block has: as many as the caches have room for. Knows sizes, not layers. */
#include <unistd.h>

#include "runtime/block/block.h"

/* Where a processor has none of these, or the system does not tell. */
#define FIRST_CACHE ((size_t)32 << 10)
#define SECOND_CACHE ((size_t)512 << 10)
/* What passes between layers takes no more memory than this to make blocks longer. */
#define MOST_PASSED ((size_t)8 << 20)
/* A membrane is read and written once a block, 64/steps bits a step; its spikes are 2 bits a step, one written and
 * one read. Shorter blocks lose more with membranes than they can win with spikes, wherever those lie. */
#define LEAST_STEPS 16

static size_t told(int name, size_t otherwise)
{
    long n = sysconf(name);
    return n > 0 ? (size_t)n : otherwise;
}

blk_caches blk_find_caches(void)
{
    blk_caches c = {FIRST_CACHE, SECOND_CACHE};
#ifdef _SC_LEVEL1_DCACHE_SIZE
    c.first = told(_SC_LEVEL1_DCACHE_SIZE, FIRST_CACHE);
    c.second = told(_SC_LEVEL2_CACHE_SIZE, SECOND_CACHE);
#endif
    return c;
}

static bool fits(blk_caches c, blk_need need, uint32_t steps)
{
    return need.hot <= c.first / steps && need.passed <= c.second / steps && need.most_passed <= MOST_PASSED / steps;
}

uint32_t blk_choose_steps(blk_caches c, blk_need need)
{
    uint32_t steps = BLK_MAX_STEPS;
    while (steps > LEAST_STEPS && !fits(c, need, steps))
        steps /= 2;
    return steps;
}
