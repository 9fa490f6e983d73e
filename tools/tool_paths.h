/* What a run reads and writes. Paths are told while the command line is parsed (tool_opts.c); then, before anything
 * is opened, each output is compared with each input, with the other outputs and with what stdout and stderr go to;
 * then temporary files are made for all outputs; and when the run has succeeded they take their places together.
 * Knows nothing of options, models or data.
 */
#ifndef MST_TOOL_PATHS_H
#define MST_TOOL_PATHS_H

#include <stdbool.h>
#include <stdio.h>

#include "mst/status.h"

/* What an output is, by how it begins: an existing file of another kind was written by someone else. */
typedef enum mst_path_kind { MST_PATH_MODEL,
                             MST_PATH_JSON, /* of one of the tools */
                             MST_PATH_TRACE,
                             MST_PATH_PICTURE,
                             MST_PATH_PREDICTIONS, /* as CSV or arrays */
                             MST_PATH_ARRAYS,
                             MST_PATH_PAGE, /* HTML */
                             MST_PATH_POLICY } mst_path_kind;

#define MST_POLICY_MARK "# A policy that mstcalib found" /* how one begins */

extern bool mst_paths_force; /* --force: files of others may be replaced; inputs never */

/* "-", or a name of the stream such as /dev/stdout; NULL: no. */
bool mst_is_stdout(const char *path);
/* EIO with the system's reason (errno): what was to go to path, or to stdout where that is meant, did not. */
mst_status mst_cannot_write(const char *path, mst_err *err);

/* A file or folder that is read, and all below it. A text that names several, as FORMAT:PATH,LABELS, or none (yet), may
 * be given, too. what: stands before it in messages. ENOMEM. */
mst_status mst_paths_input(const char *what, const char *text, mst_err *err);
/* One that became known while reading others (mst_import_opts.also_read): compared before anything is replaced. */
void mst_paths_also(void *ctx, const char *path);
/* A file that is written; path is lent. */
mst_status mst_paths_output(const char *what, const char *path, mst_path_kind kind, mst_err *err);
/* A file that someone else writes: compared, and nothing more. */
mst_status mst_paths_claim(const char *what, const char *path, mst_err *err);

/* EINVAL: an output that is an input, another output, where stdout goes, or a file that we did not write. */
mst_status mst_paths_check(mst_err *err);
/* EIO with the system's reason. */
mst_status mst_paths_open(mst_err *err);
/* Where to write, of a path told before; "-": stdout. From now on the output is one of the results. EINVAL. */
mst_status mst_paths_stream(const char *path, FILE **f, mst_err *err);
/* What was written to one is not whole: it takes no place, whatever becomes of the others. NULL: none. */
void mst_paths_spoil(const char *path);
/* stdout is flushed, then all outputs that were written to take their places: all, or none. EIO, EINVAL where an
 * input that became known later is one of them. */
mst_status mst_paths_commit(mst_err *err);
/* Results are worth having although the run failed: part of the samples was done, and they say so. */
void mst_paths_keep(void);
bool mst_paths_kept(void);
/* Remove temporary files, close what is open, forget all paths. */
void mst_paths_discard(void);
/* The first of it, in a signal handler. */
void mst_paths_sweep(void);

#endif
