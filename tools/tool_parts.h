/* Results of the parts of a run (--shard), as files of JSON: put together they are that of the run. Knows nothing of
 * what is added up.
 */
#ifndef MST_TOOL_PARTS_H
#define MST_TOOL_PARTS_H

#include <jansson.h>
#include <stdint.h>

#include "tools/tool_outcome.h"

/* The run k of a file: of one that has several, an entry of "runs". Lent; NULL: there is none. */
json_t *mst_part_run(json_t *root, size_t k);

/* What is done with each part, the first being number 0. */
typedef mst_status (*mst_part_add)(void *ctx, json_t *root, size_t number, mst_err *err);
/* Results of that tool and this version, of n files in any order: each of 1..N once, given to add one after another.
 * *from: where they come from, a list, the caller's to release in any case. EIO, EFORMAT, EINVAL, ENOMEM name the file,
 * or the part that is missing or there twice. */
mst_status mst_parts_add(const char *const *paths, size_t n, const char *tool, mst_part_add add, void *ctx,
                         json_t **from, mst_err *err);

/* EINVAL: what a run is differs from what the first is, and in what. Both are taken; NULL: out of memory. */
mst_status mst_part_same(json_t *run, json_t *first, mst_err *err);
/* The outcome that parts are added to, by the first of them; more samples of the same, those of the next, which must
 * have gone to its end; and what it is in the end: of so many samples, some of which could be used. EFORMAT, EINVAL,
 * ENOMEM. Release it in any case. */
mst_status mst_part_outcome_make(mst_outcome *o, const json_t *run, mst_err *err);
mst_status mst_part_outcome_plan(mst_outcome *o, const json_t *run, mst_err *err);
mst_status mst_part_outcome_check(const mst_outcome *o, uint64_t selected, mst_err *err);

#endif
