/* Samples over threads, results in sample order: sums come out the same for
 * every number of threads. Knows nothing of what a sample is.
 */
#ifndef MST_TOOL_PARALLEL_H
#define MST_TOOL_PARALLEL_H

#include <signal.h>
#include <stddef.h>

#include "mst/status.h"
#include "tools/tool_opts.h"

#define MST_MAX_THREADS 1024u

typedef struct mst_parallel {
    size_t n;                          /* samples 0..n-1 */
    unsigned threads;                  /* 1..MST_MAX_THREADS; each has its own worker number below this */
    const volatile sig_atomic_t *stop; /* once it is not 0 no more samples are begun; NULL: never */
    void *ctx;
    /* Any order, several at a time, each on its own worker. */
    mst_status (*work)(void *ctx, unsigned worker, size_t i, mst_err *err);
    /* One at a time, in the order of i, by the worker that did the work. */
    mst_status (*commit)(void *ctx, unsigned worker, size_t i, mst_err *err);
} mst_parallel;

/* Run all, or those before the stop; the error is that of the first sample that failed, and nothing is committed behind
 * it. */
mst_status mst_parallel_run(const mst_parallel *job, mst_err *err);

/* --threads: as many as this process may use at once where no number is set, but no more than samples. */
unsigned mst_thread_count(size_t samples, const mst_opt_uint *threads);

#endif
