/* Search: mask ratios, or levels in count and radix mode, for each part of a network, that save the most for what they
 * lose. Here is what is decided; who runs the network measures.
 *
 * A group is what one rule of a policy selects: the neurons of a site of a block, or of a name. Its values are what
 * it is set to now and the rungs of a ladder that save more. Each value is measured alone, the others being as they
 * are: what it loses (a divergence from the network as it is, 0 for that) and what it saves (spikes, energy). Losses
 * do not add up: what is behind a dead layer may be dropped for nothing, and of two layers that do the same work
 * either may go, but not both. So what counts is measured in company: at a price of what is lost, in what is saved,
 * each group takes the value that is worth the most while the others have theirs, up or down, again and again until
 * none has a better one. A ladder of prices, each from where the one before ended, leads from the network as it is to
 * the least that is left of it.
 *
 *     mst_search_groups(graph, &opts, &arena, &groups, &n, &err);
 *     for each group, each value v behind the first:
 *         mst_search_set(graph, &opts, &groups[k], v);           compile graph, run it, fill groups[k].points[v]
 *         mst_search_set(graph, &opts, &groups[k], 0);
 *     for each price:
 *         mst_search_descend(groups, n, &descent, value, &now, &err);    calls back to measure
 *
 * Nothing here depends on threads or time: equal figures give equal decisions.
 */
#ifndef MST_SEARCH_H
#define MST_SEARCH_H

#include "mst/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mst_search_what {
    MST_SEARCH_RATIOS, /* of MASK nodes, which must be there: a ratio of 0 is one */
    MST_SEARCH_LEVELS  /* of NEURONs in count and radix mode */
} mst_search_what;

typedef struct mst_search_opts {
    size_t size; /* sizeof(mst_search_opts): mst/status.h */
    mst_search_what what;
    const double *ladder; /* ratios in [0,1), or whole numbers of levels, 1..MST_MAX_RUN_LEVELS; any order */
    size_t n_ladder;
} mst_search_opts;

#define MST_SEARCH_MAX_GROUPS 256

/* Of one value against the network as it is. */
typedef struct mst_search_point {
    double loss, saved;
} mst_search_point;

/* Groups and all in them are in the caller's arena. */
typedef struct mst_search_group {
    mst_site site; /* which rule selects it: of a site and block, */
    int block;
    const char *name; /* or of a name, where this is not NULL */
    uint32_t n_nodes;
    const uint32_t *nodes; /* MASKs or NEURONs of the graph */
    size_t n_values;
    const double *values;     /* [n_values]: as it is, then those that save more, ascending in what they save */
    mst_search_point *points; /* [n_values]: measured alone, by the caller; that of the first stays 0 */
    bool *sure;               /* [n_values]: nothing of its block moved since the point was measured; false at first */
} mst_search_group;

/* The groups of g in execution order: every neuron that has a MASK, or every NEURON. Those of a site and block share
 * one unless their values differ now. Neurons without block and name are left as they are. EINVAL names what is wrong
 * with the ladder; ELIMIT: more groups than that; ENOMEM. */
MST_API mst_status mst_search_groups(const mst_graph *g, const mst_search_opts *opts, mst_arena *arena,
                                     mst_search_group **out, size_t *n, mst_err *err);

/* Give the nodes of a group of g their value number v. Programs of g must be made anew. */
MST_API void mst_search_set(mst_graph *g, const mst_search_opts *opts, const mst_search_group *group, size_t v);

typedef struct mst_search_descent {
    size_t size;     /* sizeof(mst_search_descent): mst/status.h */
    double price;    /* loss that saving one unit is worth, > 0 */
    unsigned sweeps; /* over all groups, at most; >= 1 */
    /* Set groups as value [n] says, run, and tell what that network loses and saves against the network as it is.
     * quick: on a few of the samples. */
    mst_status (*measure)(void *ctx, const size_t *value, bool quick, mst_search_point *out, mst_err *err);
    void *ctx;
} mst_search_descent;

/* From value [n], which loses and saves what *now says, to where no group alone has a better value at that price, or
 * the sweeps end; value and *now become what is found there. What is measured on the way goes to the points. A value of
 * which they say that it is worth less than a quarter of its price is not tried; nor one worth less than the price, if
 * nothing of its block moved since that was measured; nor on all samples what is no better on a few. EINVAL: price,
 * sweeps; ENOMEM; what measure fails with. */
MST_API mst_status mst_search_descend(mst_search_group *groups, size_t n, const mst_search_descent *d, size_t *value,
                                      mst_search_point *now, mst_err *err);

#ifdef __cplusplus
}
#endif
#endif
