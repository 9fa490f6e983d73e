/* What a search found: a table, JSON, the lines on top of its policy. Knows nothing of how it was found. */
#ifndef MST_CALIB_SEARCH_REPORT_H
#define MST_CALIB_SEARCH_REPORT_H

#include <stdio.h>

#include "tools/calib_search.h"

typedef struct mst_search_facts {
    const char *onnx, *model, *data, *judge; /* as given; judge NULL: held out of data */
    const char *aim;                         /* in words */
    const char *out;                         /* the policy; not written where nothing was found */
    const mst_search_job *job;
    const mst_search_result *result;
} mst_search_facts;

extern const char *const mst_search_metrics[]; /* names, by mst_search_metric; ends with NULL */

mst_status mst_search_print(const mst_search_facts *c, FILE *f, mst_err *err);
mst_status mst_search_json(const mst_search_facts *c, const char *path, mst_err *err);
/* "levels for the least spikes, .5 points of top-1 to lose". NULL: out of memory. */
const char *mst_search_aim(const mst_search_job *job, mst_arena *arena);
/* Lines that begin with '#'. NULL: out of memory. */
const char *mst_search_about(const mst_search_facts *c, mst_arena *arena);

#endif
