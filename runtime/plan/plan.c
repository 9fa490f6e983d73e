/* The memory planner: first fit in order of time. Knows blocks, not tensors. */
#include "runtime/plan/plan.h"

#include <string.h>

#include "runtime/core/checked.h"

/* Holes that are remembered. A graph has few at a time; one that has more wastes
 * its smallest holes instead of making the planner slow. */
#define MAX_HOLES 256

typedef struct hole {
    size_t at, bytes;
} hole;

typedef struct planner {
    hole holes[MAX_HOLES]; /* sorted by offset, not touching each other */
    size_t n_holes;
    size_t end; /* of the arena so far */
} planner;

static void hole_remove(planner *p, size_t i)
{
    memmove(&p->holes[i], &p->holes[i + 1], (p->n_holes - i - 1) * sizeof p->holes[0]);
    p->n_holes--;
}

static void hole_drop_smallest(planner *p)
{
    size_t least = 0;
    for (size_t i = 1; i < p->n_holes; i++)
        if (p->holes[i].bytes < p->holes[least].bytes)
            least = i;
    hole_remove(p, least);
}

static void give_back(planner *p, size_t at, size_t bytes)
{
    if (bytes == 0)
        return;
    if (p->n_holes == MAX_HOLES)
        hole_drop_smallest(p);
    size_t i = 0;
    while (i < p->n_holes && p->holes[i].at < at)
        i++;
    memmove(&p->holes[i + 1], &p->holes[i], (p->n_holes - i) * sizeof p->holes[0]);
    p->holes[i] = (hole){at, bytes};
    p->n_holes++;
    if (i + 1 < p->n_holes && at + bytes == p->holes[i + 1].at) {
        p->holes[i].bytes += p->holes[i + 1].bytes;
        hole_remove(p, i + 1);
    }
    if (i > 0 && p->holes[i - 1].at + p->holes[i - 1].bytes == at) {
        p->holes[i - 1].bytes += p->holes[i].bytes;
        hole_remove(p, i);
    }
}

static bool take(planner *p, size_t bytes, size_t *at)
{
    for (size_t i = 0; i < p->n_holes; i++) {
        if (p->holes[i].bytes < bytes)
            continue;
        *at = p->holes[i].at;
        p->holes[i].at += bytes;
        p->holes[i].bytes -= bytes;
        if (p->holes[i].bytes == 0)
            hole_remove(p, i);
        return true;
    }
    /* grow; a hole at the end of the arena is the start of the new block */
    size_t from = p->end;
    if (p->n_holes != 0) {
        hole *h = &p->holes[p->n_holes - 1];
        if (h->at + h->bytes == p->end) {
            from = h->at;
            p->n_holes--;
        }
    }
    *at = from;
    return mst_add_size(from, bytes, &p->end);
}

mst_status plan_memory(plan_buf *blocks, size_t n, uint32_t n_steps, mst_arena *tmp, size_t *total,
                       mst_err *err)
{
    /* per step, a linked list of the blocks that die there */
    size_t *dying = mst_arena_array(tmp, (size_t)n_steps + 1, sizeof *dying); /* block + 1; 0: none */
    size_t *next = mst_arena_array(tmp, n, sizeof *next);
    planner *p = mst_arena_alloc(tmp, sizeof *p);
    if (dying == NULL || next == NULL || p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: planning %zu blocks", n);
    size_t b = 0;
    for (uint32_t step = 0; step < n_steps; step++) {
        for (; b < n && blocks[b].first == step; b++) {
            size_t bytes;
            if (!mst_add_size(blocks[b].bytes, PLAN_ALIGN - 1, &bytes) ||
                !take(p, bytes / PLAN_ALIGN * PLAN_ALIGN, &blocks[b].at))
                return mst_fail(err, MST_ELIMIT, "the graph needs more memory than can be addressed");
            uint32_t last = blocks[b].last < n_steps ? blocks[b].last : n_steps;
            next[b] = dying[last];
            dying[last] = b + 1;
        }
        for (size_t d = dying[step]; d != 0; d = next[d - 1])
            give_back(p, blocks[d - 1].at, (blocks[d - 1].bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN);
    }
    *total = p->end;
    return MST_OK;
}
