/* One file that takes the place of another whole, or not at all. Knows nothing of what is in it, nor of other files.
 *
 * What is written goes to a temporary file in the same folder, which is locked while its writer lives: one that is
 * not was left by a run that was killed, and is swept by the next that writes the same path. A symbolic link stays
 * a link to what is replaced (or made). Character devices and pipes are written into as they are; folders, block
 * devices and sockets are refused, and files that may not be written.
 */
#ifndef MST_TOOL_OUTFILE_H
#define MST_TOOL_OUTFILE_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "mst/status.h"

typedef enum mst_outfile_state {
    MST_OUTFILE_NONE,    /* nothing on disk, or nothing more to do */
    MST_OUTFILE_DIRECT,  /* a device or a pipe */
    MST_OUTFILE_WRITING, /* the temporary file is there */
    MST_OUTFILE_MADE,    /* it has its name, where there was none */
    MST_OUTFILE_SWAPPED, /* likewise, and the temporary name is the old file's */
    MST_OUTFILE_REPLACED /* likewise, and the old one is lost: a file system that cannot exchange names */
} mst_outfile_state;

typedef struct mst_outfile {
    const char *path; /* lent, for messages */
    FILE *f;
    int folder;                 /* where it lies, links followed */
    struct stat folder_is, was; /* was.st_nlink 0: there is no file yet */
    char name[256], temporary[256];
    volatile sig_atomic_t state; /* mst_outfile_state */
} mst_outfile;

/* Find where path leads; opens nothing but folders. EIO with the system's reason. Release with mst_outfile_close. */
mst_status mst_outfile_find(mst_outfile *o, const char *path, mst_err *err);
/* Open what was found for writing. EIO. */
mst_status mst_outfile_open(mst_outfile *o, mst_err *err);
/* All that was written is on disk (or with the reader of a pipe): nothing can fail any more but a rename. EIO. */
mst_status mst_outfile_flush(mst_outfile *o, mst_err *err);
/* Give it its name; undo gives that back to what had it. EIO. */
mst_status mst_outfile_place(mst_outfile *o, mst_err *err);
void mst_outfile_undo(mst_outfile *o);
/* Remove what has a temporary name: the new file, or the old one once that is placed. Safe in signal handlers. */
void mst_outfile_sweep(mst_outfile *o);
void mst_outfile_close(mst_outfile *o); /* sweeps; on a zeroed one, or twice: nothing */

#endif
