/* What tools write: JSON, and a progress bar. Knows nothing of models. */
#ifndef MST_TOOL_OUTPUT_H
#define MST_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "mst/status.h"

#define MST_JSON_DIGITS 10 /* of real numbers */

/* JSON (jansson) values that any input can be put into: text that is not UTF-8 gets '?' for the
 * bytes that are not, a number that is not finite becomes null. NULL when out of memory. */
json_t *mst_json_text(const char *s);
json_t *mst_json_real(double v);
json_t *mst_json_whole(uint64_t v);
json_t *mst_json_real_if(bool known, double v); /* null where it is not known, or of no meaning in this mode */
json_t *mst_json_whole_if(bool known, uint64_t v);
/* The other way; false, *to 0: it is none. Those beyond 2^63 are read as they are written, rounded. */
bool mst_json_take_whole(const json_t *v, uint64_t *to);

/* What follows takes item (NULL: out of memory); on failure *to is released and NULL, and stays so.
 * Put it at the end of a list; into an object by that key; all that it holds into an object, objects of one key into
 * one another. */
void mst_json_append(json_t **to, json_t *item);
void mst_json_set(json_t **to, const char *key, json_t *item);
void mst_json_add(json_t **to, json_t *item);

/* Is each key of a the same in b? Else which one, and both values in words, in text. */
bool mst_json_same(const json_t *a, const json_t *b, char *text, size_t n);
/* A hash of what v says, and of the version. ENOMEM. */
mst_status mst_json_hash(const json_t *v, uint64_t *hash, mst_err *err);
/* v with the digits that files have: what is computed from it can be computed again from them. */
double mst_json_rounded(double v);

/* What every file of the tools begins with (docs/JSON.md): "tool", by which they are known; "schema", of the keys;
 * "provenance", the version, command line and date; "timing", the time since mst_json_command. */
#define MST_JSON_SCHEMA 1
void mst_json_command(int argc, char **argv); /* lent */
/* What stands there: "version", "date", "command", NULL: out of memory; seconds since mst_json_command. */
json_t *mst_json_provenance(void);
double mst_json_elapsed(void);
/* Print these and root (an object, taken; NULL: out of memory), which may have more for provenance and timing, to path,
 * an output of tool_paths.h. EIO, ENOMEM. */
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
