/* Aligned columns of text. */
#include "tools/tool_table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/grow.h"

#define MAX_CELL 160

void mst_table_begin(mst_table *t, size_t columns, const char *const *heads)
{
    columns = columns < MST_TABLE_MAX_COLUMNS ? columns : MST_TABLE_MAX_COLUMNS;
    *t = (mst_table){.columns = columns, .heads = heads};
}

static bool grow(mst_table *t)
{
    if (t->cells < t->cap)
        return true;
    size_t cap = t->cap == 0 ? 256 : 2 * t->cap;
    const char **text = mst_arena_grow(&t->arena, t->text, t->cells, cap, sizeof *text);
    if (text == NULL)
        return false;
    t->text = text;
    t->cap = cap;
    return true;
}

void mst_table_cell(mst_table *t, const char *fmt, ...)
{
    char cell[MAX_CELL];
    va_list args;
    va_start(args, fmt);
    vsnprintf(cell, sizeof cell, fmt, args);
    va_end(args);
    for (char *p = cell; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    char *copy = grow(t) ? mst_arena_strdup(&t->arena, cell) : NULL;
    if (copy == NULL)
        t->status = MST_ENOMEM;
    else
        t->text[t->cells++] = copy;
}

void mst_table_real(mst_table *t, double v, int digits)
{
    if (isfinite(v))
        mst_table_cell(t, "%.*f", digits, v);
    else
        mst_table_cell(t, "-");
}

/* Columns that a terminal needs: UTF-8 continuation bytes take none. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_row(const mst_table *t, const char *const *row, const size_t *width, bool head, FILE *f)
{
    for (size_t c = 0; c < t->columns; c++) {
        bool right = t->heads[c][0] == '>';
        const char *text = head && right ? row[c] + 1 : row[c];
        int pad = (int)(width[c] - width_of(text));
        const char *gap = c != 0 ? "  " : "";
        if (right)
            fprintf(f, "%s%*s%s", gap, pad, "", text);
        else
            fprintf(f, "%s%s%*s", gap, text, c + 1 < t->columns ? pad : 0, "");
    }
    fputc('\n', f);
}

mst_status mst_table_end(mst_table *t, FILE *f, mst_err *err)
{
    mst_status st = t->status;
    if (st != MST_OK) {
        mst_fail(err, st, "out of memory for a table");
    } else {
        size_t width[MST_TABLE_MAX_COLUMNS] = {0};
        for (size_t c = 0; c < t->columns; c++)
            width[c] = width_of(t->heads[c]) - (t->heads[c][0] == '>');
        for (size_t i = 0; i < t->cells; i++) {
            size_t w = width_of(t->text[i]);
            if (w > width[i % t->columns])
                width[i % t->columns] = w;
        }
        print_row(t, t->heads, width, true, f);
        for (size_t i = 0; i + t->columns <= t->cells; i += t->columns)
            print_row(t, t->text + i, width, false, f);
    }
    mst_arena_release(&t->arena);
    return st;
}
