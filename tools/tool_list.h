/* Names that a table of a library holds, as --list prints them and help texts and messages name them.
 * Knows nothing of what they mean.
 */
#ifndef MST_TOOL_LIST_H
#define MST_TOOL_LIST_H

#include <stdbool.h>
#include <stdio.h>

#include "mst/status.h"

#define MST_LIST_COLUMNS 6
#define MST_LIST_TEXT 512 /* room for the names of a list in a message */

typedef struct mst_list {
    const char *name; /* --list NAME; {NAME} in help texts */
    size_t columns;
    const char *heads[MST_LIST_COLUMNS];
    bool (*row)(size_t k, const char **cells); /* [columns], cells[0] the name; false behind the last */
} mst_list;

/* "q, k, attn": cut where out [n] is full. */
void mst_list_names(const mst_list *l, char *out, size_t n);
/* Which row text names: *k, which stays where text is NULL. EINVAL names the option and those there are. */
mst_status mst_list_take(const mst_list *l, const char *option, const char *text, size_t *k, mst_err *err);
/* The list of that name, len characters, among lists (NULL ends them), or NULL. */
const mst_list *mst_list_find(const mst_list *const *lists, const char *name, size_t len);
/* "formats, isa": the names of lists themselves. */
void mst_lists_names(const mst_list *const *lists, char *out, size_t n);
/* The table. ENOMEM. */
mst_status mst_list_print(const mst_list *l, FILE *f, mst_err *err);

#endif
