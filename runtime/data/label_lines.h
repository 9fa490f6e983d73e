/* A text of labels, line by line: "name label" with spaces, tabs, commas or semicolons between, or a label alone.
 * Knows nothing of the samples that names stand for. Private to runtime/data.
 */
#ifndef MST_LABEL_LINES_H
#define MST_LABEL_LINES_H

#include <stdio.h>

#include "runtime/data/data_format.h"

#define MST_LABEL_LINE 8192u /* bytes of a line, its end included */

typedef struct mst_label_lines {
    const char *path; /* lent */
    FILE *f;
    uint64_t offset, next;     /* of the line, and of the one behind it */
    size_t given;              /* lines with labels until now */
    char line[MST_LABEL_LINE]; /* without its end */
    char *name;                /* in line; NULL: the line is a label alone */
    int32_t label;
} mst_label_lines;

/* EIO. path must live on. */
mst_status mst_label_lines_open(mst_label_lines *l, const char *path, mst_err *err);
void mst_label_lines_close(mst_label_lines *l); /* zero-initialised allowed */

/* The next label, and what is named by it. Passed over are a byte order mark, empty lines, and a first line that ends
 * in "label" or another word for it. A label is a number or the name of one of d's classes, and checked against these.
 * *got false: there is none left. `what` says in an error what a line may be. EFORMAT, EINVAL, EIO. */
mst_status mst_label_lines_next(mst_label_lines *l, const mst_data *d, const char *what, bool *got, mst_err *err);

/* EFORMAT: the line that was read last is none that is expected here. */
mst_status mst_label_lines_wrong(const mst_label_lines *l, const char *what, mst_err *err);

/* Digits and nothing else, as many as an int32 may have; the number may be beyond it. False past that. */
bool mst_label_number(const char *text, int64_t *v);

#endif
