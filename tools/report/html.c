/* See html.h. */
#include "tools/report/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/utf8.h"
#include "tools/report/html_mark.h"
#include "tools/report/html_style.h"
#include "tools/tool_output.h"

#define NOT_KNOWN "\xe2\x80\x93" /* a dash */

/* ---- text ---- */

/* Bytes of the UTF-8 character at s, of n left; 0: none there, or one that XML has no place for. */
static size_t allowed(const unsigned char *s, size_t n)
{
    size_t length = mst_utf8_length(s, n);
    if (length == 1 && (s[0] < 0x20 || s[0] == 0x7f))
        return 0;
    return length == 3 && s[0] == 0xef && s[1] == 0xbf && s[2] > 0xbd ? 0 : length;
}

static void escape(FILE *f, const char *text)
{
    static const char special[] = "<>&\"'";
    static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
    const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);
    while (s < end) {
        size_t n = allowed(s, (size_t)(end - s));
        const char *found = n == 1 ? strchr(special, *s) : NULL;
        if (found != NULL)
            fputs(names[found - special], f);
        else if (n == 0)
            fputc('?', f);
        else
            fwrite(s, 1, n, f);
        s += n != 0 ? n : 1;
    }
}

/* One conversion, which fmt stands at, as printf has it. Returns what follows it. */
static const char *convert(FILE *f, const char *fmt, va_list *list)
{
    char spec[32];
    size_t n = strcspn(fmt + 1, "diuxfgesc%") + 2;
    char kind = fmt[n - 1];
    const char *longs = memchr(fmt, 'l', n), *size = memchr(fmt, 'z', n);
    if (n >= sizeof spec || kind == '%') {
        fputc('%', f);
        return fmt + n;
    }
    memcpy(spec, fmt, n);
    spec[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (kind == 's') {
        const char *text = va_arg(*list, const char *);
        escape(f, text != NULL ? text : "");
    } else if (strchr("fge", kind) != NULL) {
        double v = va_arg(*list, double);
        if (isfinite(v))
            fprintf(f, spec, v);
        else
            fputs(NOT_KNOWN, f);
    } else if (size != NULL) {
        fprintf(f, spec, va_arg(*list, size_t));
    } else if (longs != NULL && longs[1] == 'l') {
        fprintf(f, spec, va_arg(*list, unsigned long long));
    } else if (longs != NULL) {
        fprintf(f, spec, va_arg(*list, unsigned long));
    } else {
        fprintf(f, spec, va_arg(*list, int));
    }
#pragma GCC diagnostic pop
    return fmt + n;
}

static void print(FILE *f, const char *fmt, va_list *list)
{
    while (*fmt != '\0') {
        size_t plain = strcspn(fmt, "%");
        fwrite(fmt, 1, plain, f);
        fmt += plain;
        if (*fmt == '%')
            fmt = convert(f, fmt, list);
    }
}

void mst_html(FILE *f, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    print(f, fmt, &list);
    va_end(list);
}

const char *mst_html_si(double v, char *out, size_t n)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t u = 0;
    if (!isfinite(v))
        return snprintf(out, n, NOT_KNOWN) < 0 ? "" : out;
    while (fabs(v) >= 999.5 && u + 1 < sizeof units / sizeof units[0]) {
        v /= 1000;
        u++;
    }
    snprintf(out, n, u == 0 && v == floor(v) ? "%.0f%s" : "%.3g%s", v, units[u]);
    return out;
}

/* ---- document ---- */

void mst_html_begin(FILE *f, const char *tool, const char *title, const char *kind)
{
    mst_html(f,
             MST_HTML_MARK "\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                           "<meta name=\"color-scheme\" content=\"light dark\">\n"
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                           "img-src data:; style-src 'unsafe-inline'\">\n"
                           "<title>%s: %s</title>\n<style>\n",
             tool, title);
    for (size_t i = 0; i < sizeof mst_html_style / sizeof mst_html_style[0]; i++)
        fputs(mst_html_style[i], f);
    mst_html(f, "</style>\n</head>\n<body>\n<header>\n<p class=\"kind\">%s</p>\n<h1>%s</h1>\n</header>\n<main>\n",
             kind, title);
}

void mst_html_end(FILE *f) { fputs("</body>\n</html>\n", f); }

void mst_html_section(FILE *f, const char *id, const char *heading)
{
    mst_html(f, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, heading);
}

void mst_html_section_end(FILE *f) { fputs("</section>\n", f); }

/* ---- tables ---- */

static const char *align(const mst_html_table *t, size_t column)
{
    return t->heads[column][0] == '>' ? " class=\"n\"" : "";
}

void mst_html_table_begin(mst_html_table *t, FILE *f, const char *caption, size_t columns, const char *const *heads)
{
    *t = (mst_html_table){.f = f, .heads = heads, .columns = columns};
    mst_html(f, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n<table>\n<thead><tr>",
             caption);
    for (size_t i = 0; i < columns; i++) {
        const char *text = heads[i][0] == '>' ? heads[i] + 1 : heads[i];
        fprintf(f, "<th scope=\"col\"%s>", align(t, i));
        mst_html(f, "%s</th>", text);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
}

static void cell_begin(const mst_html_table *t)
{
    size_t column = t->cells % t->columns;
    if (column == 0)
        fputs("<tr><th scope=\"row\"", t->f);
    else
        fputs("<td", t->f);
    fprintf(t->f, "%s>", align(t, column));
}

static void cell_end(mst_html_table *t)
{
    fputs(t->cells % t->columns == 0 ? "</th>" : "</td>", t->f);
    if (++t->cells % t->columns == 0)
        fputs("</tr>\n", t->f);
}

void mst_html_cell(mst_html_table *t, const char *fmt, ...)
{
    va_list list;
    cell_begin(t);
    va_start(list, fmt);
    print(t->f, fmt, &list);
    va_end(list);
    cell_end(t);
}

void mst_html_scaled(mst_html_table *t, double v, double scale, int digits)
{
    cell_begin(t);
    if (isfinite(v))
        fprintf(t->f, "<data value=\"%.*g\">%.*f</data>", MST_JSON_DIGITS, v, digits, v * scale);
    else
        fputs(NOT_KNOWN, t->f);
    cell_end(t);
}

void mst_html_real(mst_html_table *t, double v, int digits) { mst_html_scaled(t, v, 1, digits); }

void mst_html_whole(mst_html_table *t, uint64_t v)
{
    cell_begin(t);
    fprintf(t->f, "<data value=\"%" PRIu64 "\">%" PRIu64 "</data>", v, v);
    cell_end(t);
}

void mst_html_table_end(mst_html_table *t) { fputs("</tbody>\n</table>\n</div>\n", t->f); }

void mst_html_details(FILE *f, const char *summary) { mst_html(f, "<details>\n<summary>%s</summary>\n", summary); }

void mst_html_details_end(FILE *f) { fputs("</details>\n", f); }

/* ---- pictures ---- */

static void base64(FILE *f, const unsigned char *b, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)b[i] << 16 | (i + 1 < n ? (unsigned)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        fputc(digits[v >> 18], f);
        fputc(digits[v >> 12 & 63], f);
        fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', f);
        fputc(i + 2 < n ? digits[v & 63] : '=', f);
    }
}

mst_status mst_html_picture(FILE *f, const mst_image *im, const char *alt, mst_err *err)
{
    char *bytes = NULL;
    size_t n = 0;
    FILE *png = open_memstream(&bytes, &n);
    if (png == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a picture");
    mst_status st = mst_png_write(im, png, "a picture of the report", err);
    if (fclose(png) != 0 && st == MST_OK)
        st = mst_fail(err, MST_ENOMEM, "out of memory for a picture");
    if (st == MST_OK) {
        mst_html(f, "<img width=\"%u\" height=\"%u\" alt=\"%s\" src=\"data:image/png;base64,", im->width, im->height,
                 alt);
        base64(f, (const unsigned char *)bytes, n);
        fputs("\">", f);
    }
    free(bytes);
    return st;
}
