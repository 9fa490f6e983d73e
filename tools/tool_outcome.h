/* What became of the samples that a run was to take: which were skipped and why, what classes were seen, whether it
 * went to its end. Knows nothing of how they were run.
 */
#ifndef MST_TOOL_OUTCOME_H
#define MST_TOOL_OUTCOME_H

#include <jansson.h>

#include "tools/tool_pick.h"

#define MST_SKIPPED_LISTED 1000 /* by number and reason; more are only counted */

#define MST_OUTCOME_OPTIONS(skip) \
    { \
        "skip-bad", 0, MST_OPT_FLAG, &(skip), NULL, \
            "count and list samples that cannot be read or give no finite logits, and go on without them", 0, 0 \
    }

typedef struct mst_skipped {
    uint32_t sample; /* in the data set */
    const char *why;
} mst_skipped;

typedef struct mst_outcome {
    mst_arena arena;
    size_t planned, done; /* samples picked; those that were taken or skipped */
    size_t n_skipped;
    mst_skipped *skipped; /* [MST_SKIPPED_LISTED] */
    bool *seen;           /* [classes] labels of samples that were taken */
    size_t classes, classes_seen;
    bool spread; /* of the data set because labels were in order */
    const char *passed;
    size_t n_passed;
} mst_outcome;

/* ENOMEM. Release with mst_outcome_free in any case. */
mst_status mst_outcome_make(mst_outcome *o, const mst_pick *p, size_t classes, mst_err *err);
void mst_outcome_free(mst_outcome *o);

/* The next sample in order. ENOMEM. */
void mst_outcome_took(mst_outcome *o, int label);
mst_status mst_outcome_skip(mst_outcome *o, uint32_t sample, const char *why, mst_err *err);
/* May a sample that failed like this be skipped? Not for want of memory. */
bool mst_outcome_may_skip(mst_status why);

/* A label of one of them. */
void mst_outcome_saw(mst_outcome *o, int label);
/* The next samples in order: so many were taken, and those that mst_outcome_json says were skipped. EFORMAT, ENOMEM. */
mst_status mst_outcome_add(mst_outcome *o, const json_t *said, uint64_t taken, mst_err *err);

bool mst_outcome_partial(const mst_outcome *o);
/* EFORMAT: all were skipped. Of a part of a run (part) that is no failure, but the tool warns of it. */
mst_status mst_outcome_usable(const mst_outcome *o, mst_err *err);
void mst_outcome_warn_of_part(const char *tool, const mst_outcome *part);
/* Lines that a reader of the figures must have seen before them; none where all went as it should. */
void mst_outcome_print(const mst_outcome *o, FILE *f);
/* "planned", "partial", "classes_seen", "skipped", "passed_over", .. as an object; NULL: out of memory. */
json_t *mst_outcome_json(const mst_outcome *o);
/* The error of a run that was stopped: EINTR in words. */
mst_status mst_outcome_stopped(const mst_outcome *o, mst_err *err);

#endif
