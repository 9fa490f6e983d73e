/* Aligned columns of text. */
#include "tools/tool_table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/core/checked.h"
#include "runtime/core/grow.h"

#define MAX_CELL 160
#define LEAST 12 /* columns that a text keeps */

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

void mst_table_range(mst_table *t, double least, double most)
{
    if (least == most)
        mst_table_cell(t, "%.4g", least);
    else
        mst_table_cell(t, "%.3g..%.3g", least, most);
}

/* Columns that a terminal needs: UTF-8 continuation bytes take none. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* The longest start and end of s that fit: "/blocks/..fc1_if/Floor". Never inside a character of several bytes. */
static const char *shorten(const char *s, size_t width, char *out, size_t n)
{
    if (width_of(s) <= width || width < 4 || strlen(s) >= n)
        return s;
    size_t end = (width - 2) * 2 / 3, start = width - 2 - end, at = 0, k = 0;
    for (; at < start || ((unsigned char)s[k] & 0xc0) == 0x80; k++)
        at += ((unsigned char)s[k + 1] & 0xc0) != 0x80;
    const char *rest = s + strlen(s);
    for (at = 0; at < end; at += ((unsigned char)*rest & 0xc0) != 0x80)
        rest--;
    snprintf(out, n, "%.*s..%s", (int)k, s, rest);
    return out;
}

static void print_row(const mst_table *t, size_t shown, const char *const *row, const size_t *width, bool head, FILE *f)
{
    for (size_t c = 0; c < shown; c++) {
        char cut[MAX_CELL];
        bool right = t->heads[c][0] == '>';
        const char *text = right && head ? row[c] + 1 : right ? row[c]
                                                              : shorten(row[c], width[c], cut, sizeof cut);
        int pad = (int)(width[c] - width_of(text));
        const char *gap = c != 0 ? "  " : "";
        if (right)
            fprintf(f, "%s%*s%s", gap, pad, "", text);
        else
            fprintf(f, "%s%s%*s", gap, text, c + 1 < shown ? pad : 0, "");
    }
    fputc('\n', f);
}

/* Columns of the terminal that f is; SIZE_MAX: it is none. */
static size_t room_of(FILE *f)
{
    struct winsize w;
    int fd = fileno(f);
    return fd >= 0 && isatty(fd) && ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col != 0 ? w.ws_col : SIZE_MAX;
}

/* Take from the widest column of texts, one after another, until the table fits or all are short; then leave out
 * columns from the right. Returns how many stay. */
static size_t fit(const mst_table *t, size_t room, size_t *width)
{
    size_t all = 2 * (t->columns - 1), shown = t->columns;
    for (size_t c = 0; c < t->columns; c++)
        all += width[c];
    while (all > room) {
        size_t widest = t->columns;
        for (size_t c = 0; c < t->columns; c++)
            if (t->heads[c][0] != '>' && width[c] > LEAST && (widest == t->columns || width[c] > width[widest]))
                widest = c;
        if (widest == t->columns)
            break;
        width[widest]--;
        all--;
    }
    for (; all > room && shown > 2; shown--)
        all -= 2 + width[shown - 1];
    return shown;
}

static void print_left_out(const mst_table *t, size_t shown, FILE *f)
{
    if (shown == t->columns)
        return;
    fputs("(a wider terminal, or a file, has", f);
    for (size_t c = shown; c < t->columns; c++)
        fprintf(f, "%s %s", c != shown ? "," : "", t->heads[c] + (t->heads[c][0] == '>'));
    fputs(")\n", f);
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
        size_t shown = fit(t, room_of(f), width);
        print_row(t, shown, t->heads, width, true, f);
        for (size_t i = 0; i + t->columns <= t->cells; i += t->columns)
            print_row(t, shown, t->text + i, width, false, f);
        print_left_out(t, shown, f);
    }
    mst_arena_release(&t->arena);
    return st;
}
