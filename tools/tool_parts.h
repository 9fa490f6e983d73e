/* Results of the parts of a run (--shard), as files of JSON. Knows nothing of what is in them. */
#ifndef MST_TOOL_PARTS_H
#define MST_TOOL_PARTS_H

#include <jansson.h>
#include <stdint.h>

#include "mst/status.h"

typedef struct mst_part {
    const char *path;
    uint64_t shard, shards;
} mst_part;

/* The run k of a file: of one that has several, an entry of "runs". Lent; NULL: there is none. */
json_t *mst_part_run(json_t *root, size_t k);
/* Read a result of that tool and this version, with sums. EIO, EFORMAT, EINVAL. */
mst_status mst_part_load(const char *path, const char *tool, json_t **out, mst_err *err);
/* Look at all, whose paths are known, and put them in order: each of 1..N once. EINVAL names what is missing, there
 * twice, or no part; as mst_part_load. */
mst_status mst_parts_order(mst_part *parts, size_t n, const char *tool, mst_err *err);
/* Where a result comes from, at the end of a list (as mst_json_append). */
void mst_part_from(json_t **list, const mst_part *p, json_t *root);

#endif
