/* How a thread's scratch memory is laid out for a layer. */
#include "runtime/backend/cpu/cpu_tile.h"

static size_t take(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 63) / 64 * 64;
    return at;
}

static size_t words32(size_t k) { return (k + 31) / 32; }

size_t cpu_tile_layout(const mst_program *p, const rt_expr *e, char *base, cpu_tile *t)
{
    size_t total = 0, steps = p->steps, pairs = steps, idx = 0, val = 0, start = 0, row = 0, runs = 0, planes_a = 0,
           planes_b = 0;
    t->rows = 1;
    if (e->syn != NULL) {
        t->rows = CPU_PAIRS / steps != 0 ? CPU_PAIRS / steps : 1;
        t->rows = t->rows > e->rows ? e->rows : t->rows;
        pairs = t->rows * steps;
        size_t entries = pairs * cpu_of(e->syn)->k + MSTB_SLACK;
        idx = take(&total, entries * sizeof *t->idx);
        val = e->syn->has_bits ? 0 : take(&total, entries * sizeof *t->val);
        row = e->syn->from != NULL ? take(&total, steps * cpu_of(e->syn)->k * sizeof *t->row) : 0;
        runs = e->syn->has_bits ? take(&total, cpu_most_runs(e->syn) * sizeof *t->runs) : 0;
        start = take(&total, (pairs * cpu_of(e->syn)->chunks + 1) * sizeof *t->start);
    }
    if (e->prod != NULL) {
        size_t blocks = (e->prod->n + MSTB_COLS - 1) / MSTB_COLS;
        planes_a = take(&total, steps * words32(e->prod->k) * sizeof *t->a);
        planes_b = take(&total, steps * blocks * words32(e->prod->k) * MSTB_COLS * sizeof *t->b);
    }
    size_t lines = e->syn != NULL && cpu_of(e->syn)->panels8 != NULL ? 2 * steps : pairs;
    size_t x = take(&total, lines * MSTB_COLS * sizeof *t->x);
    if (base != NULL) {
        t->idx = (uint16_t *)(void *)(base + idx);
        t->val = (float *)(void *)(base + val);
        t->row = (float *)(void *)(base + row);
        t->runs = (mstb_run *)(void *)(base + runs);
        t->start = (uint32_t *)(void *)(base + start);
        t->a = (uint32_t *)(void *)(base + planes_a);
        t->b = (uint32_t *)(void *)(base + planes_b);
        t->x = (float *)(void *)(base + x);
    }
    return total;
}

size_t cpu_layer_scratch(const mst_program *p, const rt_expr *e)
{
    cpu_tile t;
    return cpu_tile_layout(p, e, NULL, &t);
}

size_t cpu_layer_hot(const rt_expr *e)
{
    size_t strip = MSTB_COLS * sizeof(float), words = e->prod != NULL ? words32(e->prod->k) : 0;
    if (e->syn != NULL) /* and as much of weights */
        return (cpu_of(e->syn)->panels8 != NULL ? 2 : 1) * 2 * strip;
    return strip + words * (strip + sizeof(uint32_t));
}
