/* Samples over ranks (tool_ranks.h): each takes the next few from a counter that all share whenever it is through with
 * those it had, so that slow ones hold nobody up. What came of them goes to rank 0 as JSON, which adds it in the order
 * of samples. Knows nothing of what a sample is, or of what is added.
 */
#ifndef MST_TOOL_CHUNKS_H
#define MST_TOOL_CHUNKS_H

#include <jansson.h>
#include <signal.h>

#include "mst/status.h"

typedef struct mst_chunks {
    size_t first, n;  /* samples first..n-1 */
    unsigned threads; /* of this rank */
    const volatile sig_atomic_t *stop;
    void *ctx;
    /* Any rank: run from..to-1. Out: how many of these were done, in order, and what came of them, the caller's. What
     * failed behind those, or OK where they are fewer because of the stop. */
    mst_status (*run)(void *ctx, size_t from, size_t to, size_t *done, json_t **out, mst_err *err);
    /* Rank 0, one at a time, in the order of samples. */
    mst_status (*add)(void *ctx, const json_t *part, mst_err *err);
    /* Rank 0, with it: so many are done, in whatever order. */
    void (*progress)(void *ctx, size_t done);
    /* Rank 0: a stop was asked for; what is added so far may be all. */
    mst_status (*stopping)(void *ctx, mst_err *err);
} mst_chunks;

/* All ranks. The error is that of the first sample that failed, and nothing is added behind it: on rank 0, others leave
 * that to it. */
mst_status mst_chunks_run(const mst_chunks *job, mst_err *err);

#endif
