/* The terminal that a stream is: how wide, and text that fits it. */
#ifndef MST_TOOL_TERM_H
#define MST_TOOL_TERM_H

#include <stdio.h>

#include "mst/status.h"

/* Columns of the terminal that f is; SIZE_MAX: it is none. */
size_t mst_term_width(FILE *f);

/* --color: "always", "never"; "auto" or NULL: on terminals that have colours, not where NO_COLOR is set and not empty,
 * nor where TERM is empty or dumb. */
extern const char *mst_term_colors;
/* What begins and ends text of a colour; "" where none are wanted. */
typedef enum mst_color { MST_COLOR_ERROR,
                         MST_COLOR_WARNING,
                         MST_COLOR_HEAD,
                         MST_COLOR_WORST,
                         MST_COLOR_END } mst_color;
const char *mst_term_color(FILE *f, mst_color c);

/* "TOOL: error: text" or "TOOL: warning: text" on stderr; text ends its line. */
void mst_term_error(const char *tool, const char *fmt, ...) MST_PRINTF(2, 3);
void mst_term_warn(const char *tool, const char *fmt, ...) MST_PRINTF(2, 3);

/* Words of text in lines of at most `width` columns, or those of the terminal, if these are fewer; those behind the
 * first begin at column `indent`. Ends the last line. Control characters become '?'. */
void mst_term_flow(const char *text, size_t width, size_t indent, FILE *f);

/* On a terminal, text in lines that fit it; elsewhere as it is, its own line ends with it. */
void mst_term_print(FILE *f, size_t indent, const char *fmt, ...) MST_PRINTF(3, 4);

/* Lines that are written to what ..._hold returns go to f when they are released: on a terminal broken where they do
 * not fit, what follows from column `indent` on. Elsewhere it is f itself. */
typedef struct mst_term_lines {
    FILE *to, *held;
    char *text;
    size_t n;
} mst_term_lines;
FILE *mst_term_hold(mst_term_lines *l, FILE *f);
void mst_term_release(mst_term_lines *l, size_t indent);

#endif
