/* See mst/search.h: which moves are worth the most. Pure arithmetic. */
#include "mst/search.h"

static double saved(const mst_search_group *g, size_t v) { return g->points[v].saved * g->saved_scale; }
static double loss(const mst_search_group *g, size_t v) { return g->points[v].loss * g->loss_scale; }

typedef struct worth {
    double saves, loses; /* loses nothing: better than whatever loses something */
} worth;

/* Does a save more than b, for what they lose? */
static bool better(const worth *a, const worth *b)
{
    if (a->loses <= 0 || b->loses <= 0)
        return a->loses <= 0 && (b->loses > 0 || a->saves > b->saves);
    return a->saves * b->loses > b->saves * a->loses;
}

size_t mst_search_path(const mst_search_group *groups, size_t n, mst_search_move *out)
{
    size_t moves = 0, at[MST_SEARCH_MAX_GROUPS] = {0};
    for (;;) {
        worth best = {0};
        mst_search_move move = {0};
        for (size_t k = 0; k < n; k++) {
            const mst_search_group *g = &groups[k];
            for (size_t v = at[k] + 1; v < g->n_values; v++) {
                worth w = {saved(g, v) - saved(g, at[k]), loss(g, v) - loss(g, at[k])};
                if (w.saves > 0 && (best.saves <= 0 || better(&w, &best))) {
                    best = w;
                    move = (mst_search_move){k, v};
                }
            }
        }
        if (best.saves <= 0)
            return moves;
        at[move.group] = move.value;
        out[moves++] = move;
    }
}
