/* What tools write: files that appear whole or not at all, JSON, and a
 * progress bar. Knows nothing of models.
 */
#ifndef MST_TOOL_OUTPUT_H
#define MST_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "mst/status.h"

/* A file under a temporary name beside path; commit renames it. "-" is stdout. A link stays a link to what
 * is replaced; a device or a pipe is written into, as it is. */
bool mst_is_stdout(const char *path); /* NULL: no */
typedef struct mst_outfile {
    FILE *f;
    const char *path;     /* lent */
    char target[4096];    /* what path names in the end */
    char temporary[4096]; /* "": f is not renamed */
} mst_outfile;
mst_status mst_outfile_open(mst_outfile *o, const char *path, mst_err *err);
mst_status mst_outfile_commit(mst_outfile *o, mst_err *err);
void mst_outfile_discard(mst_outfile *o); /* after commit, or on a zeroed one: nothing */

/* What a main returns: what work returned, but 1 after a line on stderr where that is 0 and stdout could not
 * be written. stdin, stdout and stderr that are closed never become a file that work opens. */
int mst_tool_main(const char *name, int (*work)(int, char **), int argc, char **argv);

/* JSON values that any input can be put into: text that is not UTF-8 gets '?' for the
 * bytes that are not, a number that is not finite becomes null. NULL when out of memory. */
json_t *mst_json_text(const char *s);
json_t *mst_json_real(double v);
json_t *mst_json_whole(uint64_t v);
/* Put item (taken; NULL: out of memory) at the end of *list; on failure *list is released and NULL. */
void mst_json_append(json_t **list, json_t *item);
/* Print root (taken; NULL: out of memory) to path or, for "-", stdout. */
mst_status mst_json_write(json_t *root, const char *path, mst_err *err);

/* A bar on stderr if that is a terminal and quiet is false. */
typedef struct mst_progress {
    bool on;
    const char *what; /* lent */
    size_t total;
    int shown; /* per mille drawn last */
} mst_progress;
void mst_progress_begin(mst_progress *p, const char *what, size_t total, bool quiet);
void mst_progress_at(mst_progress *p, size_t done);
void mst_progress_end(mst_progress *p);

#endif
