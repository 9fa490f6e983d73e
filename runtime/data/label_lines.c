/* Labels out of texts, as people and their tools write them. */
#include "runtime/data/label_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SHOWN 100 /* bytes of a line in an error */

mst_status mst_label_lines_open(mst_label_lines *l, const char *path, mst_err *err)
{
    uint64_t size;
    memset(l, 0, sizeof *l);
    l->path = path;
    MST_TRY(mst_data_file_size(path, &size, err));
    if ((l->f = fopen(path, "rbe")) == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    return MST_OK;
}

void mst_label_lines_close(mst_label_lines *l)
{
    if (l->f != NULL)
        fclose(l->f);
    l->f = NULL;
}

/* The next line without its end and its byte order mark. */
static mst_status take_line(mst_label_lines *l, bool *got, mst_err *err)
{
    size_t n = 0;
    int c;
    l->offset = l->next;
    while ((c = getc(l->f)) != EOF && c != '\n') {
        if (c == '\0')
            return mst_fail(err, MST_EFORMAT, "%s: offset %" PRIu64 ": expected text, found a zero byte", l->path,
                            l->offset + n);
        if (n == sizeof l->line - 1)
            return mst_fail(err, MST_EFORMAT,
                            "%s: offset %" PRIu64 ": expected a line of at most %zu bytes, found more", l->path,
                            l->offset, n);
        l->line[n++] = (char)c;
    }
    if (c == EOF && ferror(l->f))
        return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": cannot be read: %s", l->path, l->offset + n,
                        strerror(errno));
    l->line[n] = '\0';
    l->next = l->offset + n + 1;
    *got = c != EOF || n != 0;
    if (l->offset == 0 && strncmp(l->line, "\xef\xbb\xbf", 3) == 0)
        memmove(l->line, l->line + 3, n - 2);
    return MST_OK;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Without spaces around it, in place. */
static char *trimmed(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && is_space(text[n - 1]))
        text[--n] = '\0';
    return text + strspn(text, " \t\r");
}

/* A field without the quotes around it, those in it halved, in place. */
static char *unquoted(char *text)
{
    size_t n = strlen(text);
    if (n < 2 || text[0] != '"' || text[n - 1] != '"')
        return text;
    char *out = text;
    for (const char *p = text + 1; p < text + n - 1; p++) {
        *out++ = *p;
        if (p[0] == '"' && p[1] == '"' && p + 1 < text + n - 1)
            p++;
    }
    *out = '\0';
    return text;
}

bool mst_label_number(const char *text, int64_t *v)
{
    *v = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || *v > INT32_MAX)
            return false;
        *v = *v * 10 + (*text - '0');
    }
    return true;
}

/* A number or a class; text is unquoted where it is one. */
static bool is_label(const mst_data *d, char *text, int64_t *label)
{
    char field[MST_LABEL_LINE];
    size_t n = strlen(text);
    memcpy(field, text, n + 1);
    const char *plain = unquoted(field);
    if (mst_label_number(plain, label))
        return true;
    *label = *plain != '\0' ? mst_data_class_of(d, plain) : -1;
    return *label >= 0;
}

/* Is what is behind `at`, a separator in the line, a label? Then what is before it is the name. */
static bool split_at(mst_label_lines *l, const mst_data *d, char *line, char *at, int64_t *label)
{
    if (at == NULL || at == line || !is_label(d, trimmed(at + 1), label))
        return false;
    *at = '\0';
    l->name = unquoted(trimmed(line));
    return true;
}

static char *last_of(char *line, const char *set)
{
    for (char *p = line + strlen(line); p > line; p--)
        if (strchr(set, p[-1]) != NULL)
            return p - 1;
    return NULL;
}

/* Names may have spaces, and names of classes too: a comma parts before a space does. */
static bool split(mst_label_lines *l, const mst_data *d, char *line, int64_t *label)
{
    l->name = NULL;
    return is_label(d, line, label) || split_at(l, d, line, last_of(line, ",;"), label) ||
           split_at(l, d, line, last_of(line, "\t"), label) || split_at(l, d, line, last_of(line, " "), label);
}

/* The title of a column of labels. */
static bool is_title(char *line)
{
    static const char *const words[] = {"label", "labels", "class", "class_id",
                                        "class_index", "category", "target", "y"};
    const char *separator = last_of(line, ",;\t ");
    const char *word = separator != NULL ? separator + 1 : line;
    size_t n = strlen(word);
    if (n > 1 && word[0] == '"' && word[n - 1] == '"') {
        word++;
        n -= 2;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == n && strncasecmp(words[i], word, n) == 0)
            return true;
    return false;
}

mst_status mst_label_lines_wrong(const mst_label_lines *l, const char *what, mst_err *err)
{
    char found[SHOWN + 1];
    if (l->name != NULL)
        snprintf(found, sizeof found, "%.*s %" PRId32, SHOWN - 12, l->name, l->label);
    else
        snprintf(found, sizeof found, "%.*s", SHOWN, l->line);
    return mst_fail(err, MST_EFORMAT, "%s: offset %" PRIu64 ": expected %s, found '%s'", l->path, l->offset, what,
                    found);
}

mst_status mst_label_lines_next(mst_label_lines *l, const mst_data *d, const char *what, bool *got, mst_err *err)
{
    for (bool first = l->next == 0;; first = false) {
        int64_t label;
        MST_TRY(take_line(l, got, err));
        if (!*got)
            return MST_OK;
        char *line = trimmed(l->line);
        if (*line == '\0' || (first && is_title(line)))
            continue;
        if (!split(l, d, line, &label))
            return mst_label_lines_wrong(l, what, err);
        MST_TRY(mst_data_check_label(d, l->path, l->given++, l->offset, label, err));
        l->label = (int32_t)label;
        return MST_OK;
    }
}
