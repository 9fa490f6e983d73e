/* Aligned columns of text. */
#include "tools/tool_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/grow.h"
#include "tools/tool_names.h"
#include "tools/tool_term.h"

#define MAX_CELL 160
#define LEAST 12 /* columns that a text keeps */

static bool is_right(const mst_table *t, size_t c) { return t->heads[c][0] == '>'; }

/* Is it among the first to be left out? */
static bool is_minor(const mst_table *t, size_t c) { return is_right(t, c) && t->heads[c][1] == '~'; }

static const char *head_of(const mst_table *t, size_t c) { return t->heads[c] + is_right(t, c) + is_minor(t, c); }

/* The column that says what a row is of. */
static size_t name_column(const mst_table *t)
{
    size_t c = 0;
    while (c + 1 < t->columns && (is_right(t, c) || t->heads[c][0] == '\0'))
        c++;
    return c;
}

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

static void print_row(const mst_table *t, const char *const *row, const size_t *width, FILE *f)
{
    size_t last = t->columns;
    bool marked = row != NULL && t->heads[0][0] == '\0' && row[0][0] != '\0';
    if (row == NULL || marked)
        fputs(mst_term_color(f, row == NULL ? MST_COLOR_HEAD : MST_COLOR_WORST), f);
    while (!t->shown[last - 1])
        last--;
    for (size_t c = 0; c < last; c++) {
        char cut[MAX_CELL];
        if (!t->shown[c])
            continue;
        const char *text = row == NULL ? head_of(t, c) : row[c];
        text = is_right(t, c) ? text : shorten(text, width[c], cut, sizeof cut);
        int pad = (int)(width[c] - width_of(text));
        const char *gap = c != 0 ? "  " : "";
        if (is_right(t, c))
            fprintf(f, "%s%*s%s", gap, pad, "", text);
        else
            fprintf(f, "%s%s%*s", gap, text, c + 1 < last ? pad : 0, "");
    }
    if (row == NULL || marked)
        fputs(mst_term_color(f, MST_COLOR_END), f);
    fputc('\n', f);
}

static size_t measure(const mst_table *t, size_t *width)
{
    size_t all = 2 * (t->columns - 1);
    for (size_t c = 0; c < t->columns; c++)
        width[c] = width_of(head_of(t, c));
    for (size_t i = 0; i < t->cells; i++) {
        size_t w = width_of(t->text[i]);
        width[i % t->columns] = w > width[i % t->columns] ? w : width[i % t->columns];
    }
    for (size_t c = 0; c < t->columns; c++)
        all += width[c];
    return all;
}

static void shorten_names(mst_table *t, size_t column)
{
    size_t rows = t->cells / t->columns;
    const char **names = mst_arena_array(&t->arena, rows + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < rows; i++)
        names[i] = t->text[i * t->columns + column];
    const char **out = names != NULL ? mst_short_names(names, rows, &t->arena) : NULL;
    for (size_t i = 0; out != NULL && i < rows; i++) {
        t->brief = t->brief || out[i] != names[i];
        t->text[i * t->columns + column] = out[i];
    }
}

/* Take from the widest text but the names until the table fits or all are short. */
static size_t cut_texts(const mst_table *t, size_t all, size_t room, size_t names, size_t *width)
{
    while (all > room) {
        size_t widest = t->columns;
        for (size_t c = 0; c < t->columns; c++)
            if (c != names && !is_right(t, c) && width[c] > LEAST && (widest == t->columns || width[c] > width[widest]))
                widest = c;
        if (widest == t->columns)
            break;
        width[widest]--;
        all--;
    }
    return all;
}

/* From the right: minor columns, then others; two stay. */
static size_t leave_out(mst_table *t, size_t all, size_t room, size_t names, const size_t *width)
{
    for (int minor = 1; minor >= 0; minor--)
        for (size_t c = t->columns; c-- > 0 && all > room;) {
            size_t others = 0;
            for (size_t i = 0; i < t->columns; i++)
                others += t->shown[i] && i != names && t->heads[i][0] != '\0';
            if (c == names || !t->shown[c] || t->heads[c][0] == '\0' || others < 2 || (minor == 1 && !is_minor(t, c)))
                continue;
            t->shown[c] = false;
            all -= 2 + width[c];
        }
    return all;
}

/* Short names, short texts, fewer columns, and at last names that are cut: until it fits. */
static void fit(mst_table *t, size_t room, size_t *width)
{
    size_t names = name_column(t), all = measure(t, width);
    if (all <= room)
        return;
    shorten_names(t, names);
    all = cut_texts(t, measure(t, width), room, names, width);
    all = leave_out(t, all, room, names, width);
    while (all > room && width[names] > LEAST && !is_right(t, names)) {
        width[names]--;
        all--;
    }
}

static void print_left_out(const mst_table *t, FILE *f)
{
    char text[MST_TABLE_MAX_COLUMNS * 40] = "";
    size_t used = t->brief ? (size_t)snprintf(text, sizeof text, " whole names") : 0;
    for (size_t c = 0; c < t->columns; c++)
        if (!t->shown[c])
            used += (size_t)snprintf(text + used, sizeof text - used, "%s %.36s", used != 0 ? "," : "", head_of(t, c));
    if (used != 0)
        mst_term_print(f, 1, "(a wider terminal, or a file, has%s)\n", text);
}

mst_status mst_table_end(mst_table *t, FILE *f, mst_err *err)
{
    mst_status st = t->status;
    size_t width[MST_TABLE_MAX_COLUMNS];
    for (size_t c = 0; c < t->columns; c++)
        t->shown[c] = true;
    if (st != MST_OK) {
        mst_fail(err, st, "out of memory for a table");
    } else {
        fit(t, mst_term_width(f), width);
        print_row(t, NULL, width, f);
        for (size_t i = 0; i + t->columns <= t->cells; i += t->columns)
            print_row(t, t->text + i, width, f);
        print_left_out(t, f);
    }
    mst_arena_release(&t->arena);
    return st;
}
