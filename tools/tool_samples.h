/* The samples that a run takes, in their order: on the threads of one process, or shared by ranks (tool_chunks.h); with
 * a journal to go on from (tool_journal.h), a progress bar, and an end where it is asked to stop. Knows nothing of what
 * a sample is, or of what is added up.
 */
#ifndef MST_TOOL_SAMPLES_H
#define MST_TOOL_SAMPLES_H

#include <jansson.h>

#include "tools/tool_outcome.h"
#include "tools/tool_output.h"

/* Of a job: what it does, in its own sums. A state is an object with "done" and all of mst_outcome_json, and what else
 * add makes of it; NULL: out of memory. */
typedef struct mst_samples_calls {
    /* Any rank, before all. */
    mst_status (*begin)(void *ctx, mst_err *err);
    /* Run n of those that are picked, from the first on, and add each to the sums in order (mst_samples_did then), or
     * fail with nothing of it added. Fewer are done, and OK returned, where it was asked to stop. */
    mst_status (*run)(void *ctx, size_t first, size_t n, mst_err *err);
    /* The same into sums that are apart: how many are done, and these as a state. */
    mst_status (*run_apart)(void *ctx, size_t first, size_t n, size_t *done, json_t **state, mst_err *err);
    /* Rank 0: the next in order, done elsewhere or before. EFORMAT, ENOMEM: some of it may be added. */
    mst_status (*add)(void *ctx, const json_t *state, mst_err *err);
    /* Rank 0: of all that is added. */
    json_t *(*state)(void *ctx);
    /* Rank 0, where there is a journal: what it says is added before all else; NULL: it knows of nothing. */
    mst_status (*resume)(void *ctx, const json_t *state, mst_err *err);
    /* What lies beside a journal is on disk, before that is written. EIO. NULL: nothing does. */
    mst_status (*sync)(void *ctx, mst_err *err);
    /* Rank 0: nothing is there to report, whatever was added. */
    void (*forget)(void *ctx);
} mst_samples_calls;

typedef struct mst_samples {
    const char *doing;    /* of the progress bar */
    mst_outcome *outcome; /* of all; where it is made, it knows how many are planned */
    unsigned threads;
    bool quiet;
    uint64_t identity;           /* of what is run: the same on all ranks */
    struct mst_journal *journal; /* of rank 0; NULL: none */
    uint32_t levels;             /* what the journal knows it by */
    const mst_samples_calls *calls;
    void *ctx;
    /* zero */
    size_t first; /* those before were done by the run that is resumed */
    bool torn;    /* of what was to be added some is: neither to be kept nor reported */
    mst_progress progress;
} mst_samples;

/* All ranks. EIO where it was stopped; what was done before an error is in the sums, on rank 0. */
mst_status mst_samples_run(mst_samples *s, mst_err *err);
/* Sample i of those that are picked is added. Writes the journal now and then. */
mst_status mst_samples_did(mst_samples *s, size_t i, mst_err *err);

#endif
