/* How many time steps a block has: as many as the caches have room for. */
#include "runtime/backend/cpu/cpu.h"
#include "runtime/core/platform.h"

/* Where a processor has none of these, or the system does not tell. */
#define FIRST_CACHE ((size_t)32 << 10)
#define SECOND_CACHE ((size_t)512 << 10)
/* What passes between layers takes no more memory than this to make blocks longer. */
#define MOST_PASSED ((size_t)8 << 20)
/* A membrane is read and written once a block, 64/steps bits a step; its spikes are 2 bits a step, one written and
 * one read. Shorter blocks lose more with membranes than they can win with spikes, wherever those lie. */
#define LEAST_STEPS 16

cpu_caches cpu_find_caches(void)
{
    size_t first = sys_cache(1), second = sys_cache(2);
    return (cpu_caches){first != 0 ? first : FIRST_CACHE, second != 0 ? second : SECOND_CACHE};
}

static bool fits(cpu_caches c, cpu_need need, uint32_t steps)
{
    return need.hot <= c.first / steps && need.passed <= c.second / steps && need.most_passed <= MOST_PASSED / steps;
}

uint32_t cpu_steps_for(cpu_caches c, cpu_need need)
{
    uint32_t steps = RT_MAX_STEPS;
    while (steps > LEAST_STEPS && !fits(c, need, steps))
        steps /= 2;
    return steps;
}

/* Buffers have the size of one step. */
mst_status cpu_choose_steps(lowering *lo, uint32_t *steps)
{
    mst_program *p = lo->p;
    cpu_need need = {0};
    double alive = 0; /* bytes, summed over operations */
    MST_TRY(plan_memory(p->bufs, p->n_bufs, (uint32_t)p->n_ops + 1, lo->tmp, &need.most_passed, lo->err));
    for (size_t i = 0; i < p->n_bufs; i++)
        alive += (double)p->bufs[i].bytes * (p->bufs[i].last - p->bufs[i].first + 1);
    need.passed = (size_t)(alive / (double)(p->n_ops + 1));
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].kind == RT_OP_LAYER && cpu_layer_hot(p->ops[i].expr) > need.hot)
            need.hot = cpu_layer_hot(p->ops[i].expr);
    *steps = cpu_steps_for(cpu_find_caches(), need);
    return MST_OK;
}
