/* See tool_list.h. */
#include "tools/tool_list.h"

#include <string.h>

#include "tools/tool_table.h"

void mst_list_names(const mst_list *l, char *out, size_t n)
{
    const char *cells[MST_LIST_COLUMNS];
    size_t used = 0;
    out[0] = '\0';
    for (size_t k = 0; used < n && l->row(k, cells); k++)
        used += (size_t)snprintf(out + used, n - used, "%s%s", k != 0 ? ", " : "", cells[0]);
}

mst_status mst_list_take(const mst_list *l, const char *option, const char *text, size_t *k, mst_err *err)
{
    char known[MST_LIST_TEXT];
    const char *cells[MST_LIST_COLUMNS];
    if (text == NULL)
        return MST_OK;
    for (*k = 0; l->row(*k, cells); ++*k)
        if (strcmp(text, cells[0]) == 0)
            return MST_OK;
    mst_list_names(l, known, sizeof known);
    return mst_fail(err, MST_EINVAL, "%s: expected one of %s, found '%s'", option, known, text);
}

const mst_list *mst_list_find(const mst_list *const *lists, const char *name, size_t len)
{
    for (; *lists != NULL; lists++)
        if (strlen((*lists)->name) == len && memcmp((*lists)->name, name, len) == 0)
            return *lists;
    return NULL;
}

void mst_lists_names(const mst_list *const *lists, char *out, size_t n)
{
    size_t used = 0;
    out[0] = '\0';
    for (const mst_list *const *l = lists; *l != NULL && used < n; l++)
        used += (size_t)snprintf(out + used, n - used, "%s%s", l != lists ? ", " : "", (*l)->name);
}

mst_status mst_list_print(const mst_list *l, FILE *f, mst_err *err)
{
    const char *cells[MST_LIST_COLUMNS];
    mst_table t;
    mst_table_begin(&t, l->columns, l->heads);
    for (size_t k = 0; l->row(k, cells); k++)
        for (size_t c = 0; c < l->columns; c++)
            mst_table_cell(&t, "%s", cells[c]);
    return mst_table_end(&t, f, err);
}
