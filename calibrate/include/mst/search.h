/* Search: mask ratios, or levels in count and radix mode, for each part of a network, that save the most for what they
 * lose. Here is what is decided; who runs the network measures.
 *
 * A group is what one rule of a policy selects: the neurons of a site of a block, or of a name. Its values are what
 * it is set to now and the rungs of a ladder that save more. Each value is measured alone, the others being as they
 * are: what it loses (a divergence from the network as it is, 0 for that) and what it saves (spikes, energy). A path
 * goes from the network as it is to all groups at their last value, by the moves that save the most for what they
 * lose, as if losses added up; how far to go on it, who measures decides. What a value costs in company of others may
 * be measured, too (the scales of a group), for another path.
 *
 *     mst_search_groups(graph, &opts, &arena, &groups, &n, &err);
 *     for each group, each value v behind the first:
 *         mst_search_set(graph, &opts, &groups[k], v);           compile graph, run it, fill groups[k].points[v]
 *         mst_search_set(graph, &opts, &groups[k], 0);
 *     moves = mst_search_path(groups, n, path);                      n groups, at most MST_SEARCH_MAX_GROUPS
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
    const double *values;           /* [n_values]: as it is, then those that save more, ascending in what they save */
    mst_search_point *points;       /* [n_values]: measured alone, by the caller; that of the first stays 0 */
    double loss_scale, saved_scale; /* what the points are multiplied with: in company of others; 1 at first */
} mst_search_group;

/* The groups of g in execution order: every neuron that has a MASK, or every NEURON. Those of a site and block share
 * one unless their values differ now. Neurons without block and name are left as they are. EINVAL names what is wrong
 * with the ladder; ELIMIT: more groups than that; ENOMEM. */
MST_API mst_status mst_search_groups(const mst_graph *g, const mst_search_opts *opts, mst_arena *arena,
                                     mst_search_group **out, size_t *n, mst_err *err);

/* Give the nodes of a group of g their value number v. Programs of g must be made anew. */
MST_API void mst_search_set(mst_graph *g, const mst_search_opts *opts, const mst_search_group *group, size_t v);

typedef struct mst_search_move {
    size_t group, value; /* that it goes to */
} mst_search_move;

/* Moves in order, [sum of n_values - 1] at most; returns how many. Each goes up its group's values, maybe past some,
 * and saves something; of those that there are the one that saves the most for what it loses more, of equals the
 * first. */
MST_API size_t mst_search_path(const mst_search_group *groups, size_t n, mst_search_move *out);

#ifdef __cplusplus
}
#endif
#endif
