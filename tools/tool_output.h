/* What tools write: JSON, and a progress bar. Knows nothing of models. */
#ifndef MST_TOOL_OUTPUT_H
#define MST_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "mst/status.h"

/* JSON values that any input can be put into: text that is not UTF-8 gets '?' for the
 * bytes that are not, a number that is not finite becomes null. NULL when out of memory. */
json_t *mst_json_text(const char *s);
json_t *mst_json_real(double v);
json_t *mst_json_whole(uint64_t v);
/* Put item (taken; NULL: out of memory) at the end of *list; on failure *list is released and NULL. */
void mst_json_append(json_t **list, json_t *item);
/* Print root (an object, taken; NULL: out of memory) to path, an output of tool_paths.h; its first key is "tool", by
 * which files of the tools are known. EIO, ENOMEM. */
mst_status mst_json_write(const char *tool, json_t *root, const char *path, mst_err *err);

/* A bar on stderr if that is a terminal and quiet is false, with rate and time left: drawn at most ten times a
 * second. */
typedef struct mst_progress {
    bool on;
    const char *what; /* lent */
    size_t total, first;
    double began, drawn; /* s; drawn 0: not yet */
} mst_progress;
void mst_progress_begin(mst_progress *p, const char *what, size_t total, bool quiet);
void mst_progress_at(mst_progress *p, size_t done);
void mst_progress_end(mst_progress *p);

#endif
