/* Option parsing from a table. */
#include "tools/tool_opts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool_help.h"
#include "tools/tool_ranks.h"

bool mst_parse_uint(const char *text, uint64_t *out)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    if (base == 16 && !isxdigit((unsigned char)text[2]))
        return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, base);
    if (errno != 0 || *end != '\0')
        return false;
    *out = v;
    return true;
}

const char *mst_split_at(const char *text, char sign, char *left, size_t n)
{
    const char *at = strchr(text, sign);
    if (at == NULL || (size_t)(at - text) >= n)
        return NULL;
    memcpy(left, text, (size_t)(at - text));
    left[at - text] = '\0';
    return at + 1;
}

bool mst_parse_real(const char *text, double *out)
{
    const char *p = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (!isdigit((unsigned char)p[0]) && p[0] != '.')
        return false; /* no spaces, inf or nan */
    if (strpbrk(p, "xXpP") != NULL)
        return false;
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(v))
        return false;
    *out = v;
    return true;
}

int mst_opts_wrong(const mst_tool *tool, const char *fmt, ...)
{
    mst_err line;
    char text[sizeof line.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mst_fail(&line, MST_EINVAL, "%s", text); /* control characters out */
    mst_ranks_keep(line.text);
    mst_term_error(tool->name, "%s (%s --help lists the options)\n", line.text, tool->name);
    return MST_EXIT_USAGE;
}

int mst_opts_failed(const mst_tool *tool, const mst_err *err)
{
    mst_ranks_keep(err->text);
    mst_term_error(tool->name, "%s\n", err->text);
    return MST_EXIT_FAILED;
}

int mst_opts_refused(const mst_tool *tool, const mst_err *err)
{
    return err->code == MST_ENOMEM ? mst_opts_failed(tool, err) : mst_opts_wrong(tool, "%s", err->text);
}

static int list(const mst_tool *tool, const char *name)
{
    const mst_list *l = mst_list_find(tool->lists, name, strlen(name));
    mst_err err = {0};
    if (l != NULL)
        return mst_list_print(l, stdout, &err) == MST_OK ? MST_EXIT_DONE : mst_opts_failed(tool, &err);
    char names[MST_LIST_TEXT];
    mst_lists_names(tool->lists, names, sizeof names);
    return mst_opts_wrong(tool, "--list: expected one of %s, found '%s'", names, name);
}

static int help(const mst_tool *tool, const char *form)
{
    if (mst_help_print(tool, form))
        return MST_EXIT_DONE;
    return mst_opts_wrong(tool, "--help: expected one of %s behind =, found '%s'", mst_help_forms, form);
}

static const mst_opt *find_long(const mst_tool *tool, const char *name, size_t len)
{
    for (size_t i = 0; i < tool->n_opts; i++)
        if (tool->opts[i].name != NULL && strlen(tool->opts[i].name) == len &&
            memcmp(tool->opts[i].name, name, len) == 0)
            return &tool->opts[i];
    return NULL;
}

static const mst_opt *find_letter(const mst_tool *tool, char letter)
{
    for (size_t i = 0; i < tool->n_opts; i++)
        if (tool->opts[i].letter != 0 && tool->opts[i].letter == letter)
            return &tool->opts[i];
    return NULL;
}

/* Item k of "a,b,c" as its own string; false when there is none or it is too long. */
static bool list_item(const char **at, char *item, size_t cap)
{
    size_t n = strcspn(*at, ",");
    if (n == 0 || n >= cap)
        return false;
    memcpy(item, *at, n);
    item[n] = '\0';
    *at += n;
    return true;
}

static bool parse_list(const mst_opt *o, const char *text)
{
    size_t n = 0;
    for (const char *at = text;; at++) {
        char item[64];
        double real = 0;
        uint64_t whole = 0;
        if (n == MST_OPT_MAX_LIST || !list_item(&at, item, sizeof item))
            return false;
        if (o->kind == MST_OPT_REALS) {
            if (!mst_parse_real(item, &real))
                return false;
            ((mst_opt_reals *)o->dest)->values[n++] = real;
        } else {
            if (!mst_parse_uint(item, &whole) || whole < o->min || whole > o->max)
                return false;
            ((mst_opt_uints *)o->dest)->values[n++] = (uint32_t)whole;
        }
        if (*at == '\0')
            break;
    }
    if (o->kind == MST_OPT_REALS)
        ((mst_opt_reals *)o->dest)->n = n;
    else
        ((mst_opt_uints *)o->dest)->n = n;
    return true;
}

bool mst_parse_reals(const char *text, mst_opt_reals *out)
{
    return parse_list(&(mst_opt){.kind = MST_OPT_REALS, .dest = out}, text);
}

static int wrong_value(const mst_tool *tool, const mst_opt *o, const char *shown, const char *text)
{
    switch (o->kind) {
    case MST_OPT_UINT:
        return mst_opts_wrong(tool, "%s: expected a whole number %" PRIu64 "..%" PRIu64 ", found '%s'", shown,
                              o->min, o->max, text);
    case MST_OPT_REAL:
        return mst_opts_wrong(tool, "%s: expected a number of at least 0, found '%s'", shown, text);
    case MST_OPT_UINTS:
        return mst_opts_wrong(
            tool, "%s: expected at most %d whole numbers %" PRIu64 "..%" PRIu64 " with commas between, found '%s'",
            shown, MST_OPT_MAX_LIST, o->min, o->max, text);
    case MST_OPT_REALS:
        return mst_opts_wrong(tool, "%s: expected at most %d numbers with commas between, found '%s'", shown,
                              MST_OPT_MAX_LIST, text);
    case MST_OPT_WORD:
        return mst_opts_wrong(tool, "%s: expected %s, found '%s'", shown, o->value, text);
    case MST_OPT_LIST:
        return mst_opts_wrong(tool, "%s: given more than %d times", shown, MST_OPT_MAX_LIST);
    case MST_OPT_FLAG:
    case MST_OPT_STRING:
    case MST_OPT_INPUT:
    case MST_OPT_OUTPUT:
    case MST_OPT_MAYBE:
        break;
    }
    return mst_opts_wrong(tool, "%s: expected a value, found an empty one", shown);
}

/* Is it one of "a|b|c"? */
static bool is_word_of(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (const char *at = words; n != 0; at++) {
        size_t len = strcspn(at, "|");
        if (len == n && memcmp(at, text, n) == 0)
            return true;
        at += len;
        if (*at == '\0')
            break;
    }
    return false;
}

static bool set_value(const mst_opt *o, const char *text)
{
    switch (o->kind) {
    case MST_OPT_FLAG:
        *(bool *)o->dest = true;
        return true;
    case MST_OPT_STRING:
    case MST_OPT_INPUT:
    case MST_OPT_OUTPUT:
    case MST_OPT_MAYBE:
        *(const char **)o->dest = text;
        return text[0] != '\0';
    case MST_OPT_WORD:
        *(const char **)o->dest = text;
        return is_word_of(o->value, text);
    case MST_OPT_LIST: {
        mst_opt_list *list = o->dest;
        if (list->n == MST_OPT_MAX_LIST)
            return false;
        list->values[list->n++] = text;
        return true;
    }
    case MST_OPT_UINT: {
        mst_opt_uint *u = o->dest;
        u->set = true;
        return mst_parse_uint(text, &u->value) && u->value >= o->min && u->value <= o->max;
    }
    case MST_OPT_REAL: {
        mst_opt_real *r = o->dest;
        r->set = true;
        return mst_parse_real(text, &r->value) && r->value >= 0;
    }
    case MST_OPT_UINTS:
    case MST_OPT_REALS:
        return parse_list(o, text);
    }
    return false;
}

/* Options that were given, in order. */
static struct {
    size_t n;
    const mst_opt *opt[256];
} given;

const char *mst_opts_beside(const char *const *names)
{
    static char shown[64];
    for (size_t i = 0; i < given.n; i++) {
        const mst_opt *o = given.opt[i];
        const char *const *known = names;
        while (*known != NULL && (o->name == NULL || strcmp(*known, o->name) != 0))
            known++;
        if (*known != NULL)
            continue;
        if (o->name != NULL)
            snprintf(shown, sizeof shown, "--%s", o->name);
        else
            snprintf(shown, sizeof shown, "-%c", o->letter);
        return shown;
    }
    return NULL;
}

int mst_opts_merge(const mst_tool *tool, size_t n_args, const char *also)
{
    const char *const beside[] = {"merge", "json", "html", "quiet", "force", "color", also, NULL};
    const char *other = mst_opts_beside(beside);
    if (other != NULL)
        return mst_opts_wrong(tool, "--merge: not with %s, which is of the runs that are put together", other);
    return n_args != 0 ? -1 : mst_opts_wrong(tool, "--merge: expected the results of all shards, found nothing");
}

/* One option at argv[*i]; moves *i past a value in the next argument. -1 to go on. */
static int take_option(const mst_tool *tool, int argc, char **argv, int *i)
{
    char *arg = argv[*i];
    const mst_opt *o;
    const char *value = NULL;
    char shown[64];
    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        o = find_long(tool, arg + 2, len);
        value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
        snprintf(shown, sizeof shown, "--%.*s", (int)(len < 40 ? len : 40), arg + 2);
    } else {
        o = find_letter(tool, arg[1]);
        value = arg[2] == '=' ? arg + 3 : arg[2] != '\0' ? arg + 2
                                                         : NULL;
        snprintf(shown, sizeof shown, "-%c", arg[1]);
    }
    if (o == NULL)
        return mst_opts_wrong(tool, "unknown option '%s'", arg);
    if (o->kind == MST_OPT_FLAG) {
        if (value != NULL)
            return mst_opts_wrong(tool, "%s: takes no value, found '%s'", shown, value);
        value = "";
    } else if (value == NULL && o->kind == MST_OPT_MAYBE &&
               (*i + 1 >= argc || (argv[*i + 1][0] == '-' && argv[*i + 1][1] != '\0'))) {
        value = "-";
    } else if (value == NULL) {
        if (*i + 1 >= argc)
            return mst_opts_wrong(tool, "%s: expected %s behind it, found nothing", shown, o->value);
        value = argv[++*i];
    }
    if (given.n < sizeof given.opt / sizeof given.opt[0])
        given.opt[given.n++] = o;
    return set_value(o, value) ? -1 : wrong_value(tool, o, shown, value);
}

/* What of the command line is read, and what written: here, so that no option can be forgotten. */
static int tell_paths(const mst_tool *tool, const char *const *args, size_t n_args)
{
    mst_err err;
    mst_status st = MST_OK;
    for (size_t i = 0; i < n_args && st == MST_OK; i++)
        st = mst_paths_input("", args[i], &err);
    for (size_t i = 0; i < tool->n_opts && st == MST_OK; i++) {
        const mst_opt *o = &tool->opts[i];
        bool in = o->kind == MST_OPT_INPUT, out = o->kind == MST_OPT_OUTPUT || o->kind == MST_OPT_MAYBE;
        const char *path = in || out ? *(const char **)o->dest : NULL;
        char what[40];
        if (path == NULL)
            continue;
        if (o->name != NULL)
            snprintf(what, sizeof what, "--%s%s", o->name, in ? " " : "");
        else
            snprintf(what, sizeof what, "-%c%s", o->letter, in ? " " : "");
        st = in ? mst_paths_input(what, path, &err) : mst_paths_output(what, path, (mst_path_kind)o->min, &err);
    }
    return st == MST_OK ? -1 : mst_opts_refused(tool, &err);
}

int mst_opts_parse(const mst_tool *tool, int argc, char **argv, const char **args, size_t cap, size_t *n_args)
{
    bool only_args = false;
    *n_args = 0;
    for (int i = 1; i < argc; i++) {
        if (!only_args && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (strcmp(argv[i], "--") == 0) {
                only_args = true;
            } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
                mst_help_print(tool, NULL);
                return MST_EXIT_DONE;
            } else if (strncmp(argv[i], "--help=", 7) == 0) {
                return help(tool, argv[i] + 7);
            } else if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
                printf("%s %s\n", tool->name, MST_VERSION);
                return MST_EXIT_DONE;
            } else if (strncmp(argv[i], "--list", 6) == 0 && (argv[i][6] == '=' || argv[i][6] == '\0')) {
                return list(tool, argv[i][6] == '=' ? argv[i] + 7 : i + 1 < argc ? argv[i + 1]
                                                                                 : "");
            } else {
                int code = take_option(tool, argc, argv, &i);
                if (code >= 0)
                    return code;
            }
            continue;
        }
        if (*n_args == cap)
            return mst_opts_wrong(tool, "expected %zu arguments, found '%s' beyond them", cap, argv[i]);
        args[(*n_args)++] = argv[i];
    }
    return tell_paths(tool, args, *n_args);
}

int mst_opts_open(const mst_tool *tool)
{
    mst_err err;
    if (mst_rank() != 0)
        return -1; /* rank 0 writes */
    mst_status st = mst_paths_check(&err);
    if (st != MST_OK)
        return st == MST_EINVAL ? mst_opts_wrong(tool, "%s", err.text) : mst_opts_failed(tool, &err);
    return mst_paths_open(&err) == MST_OK ? -1 : mst_opts_failed(tool, &err);
}
