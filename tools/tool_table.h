/* A table of text cells with aligned columns. Knows nothing of what it shows. */
#ifndef MST_TOOL_TABLE_H
#define MST_TOOL_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "mst/alloc.h"

#define MST_TABLE_MAX_COLUMNS 24

typedef struct mst_table {
    mst_arena arena;
    size_t columns, cells, cap;
    const char **text; /* [cap], rows of [columns] */
    const char *const *heads;
    bool shown[MST_TABLE_MAX_COLUMNS]; /* once printed: there was room for it */
    bool brief;                        /* once printed: names of nodes are short */
    mst_status status;                 /* first failure; printing then says so */
} mst_table;

/* heads [columns]: a '>' in front aligns to the right, a ">~" also says that it is left out first where there is no
 * room for all. The first column of text that has a head says what rows are of. Lent. */
void mst_table_begin(mst_table *t, size_t columns, const char *const *heads);
/* The next cell, row by row. Control characters become '?'. */
void mst_table_cell(mst_table *t, const char *fmt, ...) MST_PRINTF(2, 3);
/* A number with that many digits behind the point; "-" if it is not finite (not known). */
void mst_table_real(mst_table *t, double v, int digits);
/* A range: "1.5", or "0.8..1.5" where its ends differ. */
void mst_table_range(mst_table *t, double least, double most);
/* Print and release. Where there are colours (tool_term.h), heads have one, and rows whose first cell, of a column
 * without head, is not empty. On a terminal that is too narrow for it, names of nodes become short (tool_names.h),
 * other texts are cut in their middle, then columns are left out from the right, and names are cut at last; a line
 * below says what a file has instead. ENOMEM if a cell could not be kept. */
mst_status mst_table_end(mst_table *t, FILE *f, mst_err *err);

#endif
