/* See calib_search_pool.h. */
#include "tools/calib_search_pool.h"

#include <stdlib.h>
#include <string.h>

const mst_search_state *mst_search_pool_find(const mst_search_pool *p, const size_t *value)
{
    for (size_t i = 0; i < p->n; i++)
        if (memcmp(p->states[i]->value, value, p->n_groups * sizeof *value) == 0)
            return p->states[i];
    return NULL;
}

static bool make_room(mst_search_pool *p)
{
    if (p->n < p->room)
        return true;
    size_t room = p->room != 0 ? 2 * p->room : 64;
    mst_search_state **states = mst_arena_array(&p->arena, room, sizeof(mst_search_state *));
    if (states == NULL)
        return false;
    if (p->n != 0)
        memcpy(states, p->states, p->n * sizeof *states);
    p->states = states;
    p->room = room;
    return true;
}

mst_status mst_search_pool_add(mst_search_pool *p, const size_t *value, const mst_trial *fit, double cost,
                               const mst_search_state **out, mst_err *err)
{
    mst_search_state *s = mst_arena_array(&p->arena, 1, sizeof *s);
    size_t *own = mst_arena_array(&p->arena, p->n_groups, sizeof *own);
    if (s == NULL || own == NULL || !make_room(p))
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu networks", p->n + 1);
    memcpy(own, value, p->n_groups * sizeof *own);
    *s = (mst_search_state){own, *fit, cost, p->n};
    p->states[p->n++] = s;
    *out = s;
    return MST_OK;
}

static int by_cost(const void *a, const void *b)
{
    const mst_search_state *x = *(mst_search_state *const *)a, *y = *(mst_search_state *const *)b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->fit.kl != y->fit.kl)
        return x->fit.kl < y->fit.kl ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

size_t mst_search_pool_front(const mst_search_pool *p, const mst_search_state **out)
{
    size_t n = 0;
    memcpy(out, p->states, p->n * sizeof *out);
    qsort(out, p->n, sizeof *out, by_cost);
    for (size_t i = 0; i < p->n && out[i]->cost < p->states[0]->cost; i++)
        if (n == 0 || out[i]->fit.kl < out[n - 1]->fit.kl)
            out[n++] = out[i];
    for (size_t i = 0; i < n / 2; i++) {
        const mst_search_state *other = out[n - 1 - i];
        out[n - 1 - i] = out[i];
        out[i] = other;
    }
    return n;
}
