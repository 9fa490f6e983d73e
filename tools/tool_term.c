/* See tool_term.h. */
#include "tools/tool_term.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TEXT 8192

const char *mst_term_colors;

size_t mst_term_width(FILE *f)
{
    struct winsize w;
    int fd = fileno(f);
    return fd >= 0 && isatty(fd) && ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col != 0 ? w.ws_col : SIZE_MAX;
}

const char *mst_term_color(FILE *f, mst_color c)
{
    static const char *const codes[] = {[MST_COLOR_ERROR] = "\033[1;31m",
                                        [MST_COLOR_WARNING] = "\033[33m",
                                        [MST_COLOR_HEAD] = "\033[1m",
                                        [MST_COLOR_WORST] = "\033[33m",
                                        [MST_COLOR_END] = "\033[0m"};
    if (mst_term_colors != NULL && strcmp(mst_term_colors, "auto") != 0)
        return strcmp(mst_term_colors, "always") == 0 ? codes[c] : "";
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
    int fd = fileno(f);
    bool on = fd >= 0 && isatty(fd) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0 &&
              (none == NULL || none[0] == '\0');
    return on ? codes[c] : "";
}

static void say(const char *tool, const char *what, mst_color c, const char *fmt, va_list args)
{
    fprintf(stderr, "%s: %s%s:%s ", tool, mst_term_color(stderr, c), what, mst_term_color(stderr, MST_COLOR_END));
    vfprintf(stderr, fmt, args);
}

void mst_term_error(const char *tool, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(tool, "error", MST_COLOR_ERROR, fmt, args);
    va_end(args);
}

void mst_term_warn(const char *tool, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(tool, "warning", MST_COLOR_WARNING, fmt, args);
    va_end(args);
}

/* Names are of the file's making. UTF-8 continuation bytes take no column. */
static size_t print_word(const char *word, size_t n, FILE *f)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)word[i];
        columns += (c & 0xc0) != 0x80;
        fputc(c < 0x20 || c == 0x7f ? '?' : c, f);
    }
    return columns;
}

void mst_term_flow(const char *text, size_t width, size_t indent, FILE *f)
{
    size_t room = mst_term_width(f), column = 0;
    room = room < width ? room : width;
    while (*text != '\0') {
        size_t gap = strspn(text, " \n"), word = strcspn(text + gap, " \n");
        if (column != 0 && word != 0 && column + gap + word > room)
            column = (size_t)fprintf(f, "\n%*s", (int)indent, "") - 1;
        else if (word != 0)
            column += (size_t)fprintf(f, "%*s", (int)gap, "");
        column += print_word(text + gap, word, f);
        text += gap + word;
    }
    fputc('\n', f);
}

void mst_term_print(FILE *f, size_t indent, const char *fmt, ...)
{
    char text[TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (mst_term_width(f) == SIZE_MAX)
        fputs(text, f);
    else
        mst_term_flow(text, SIZE_MAX, indent, f);
}

FILE *mst_term_hold(mst_term_lines *l, FILE *f)
{
    *l = (mst_term_lines){.to = f};
    if (mst_term_width(f) != SIZE_MAX)
        l->held = open_memstream(&l->text, &l->n);
    return l->held != NULL ? l->held : f; /* without memory: as they are */
}

void mst_term_release(mst_term_lines *l, size_t indent)
{
    if (l->held == NULL)
        return;
    fclose(l->held);
    for (char *line = l->text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        mst_term_flow(line, SIZE_MAX, indent, l->to);
        line = end != NULL ? end + 1 : NULL;
    }
    free(l->text);
}
