/* Texts are flowed anew: a line end in a table counts as a space, two as a new paragraph. */
#include "tools/tool_help.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 26
#define TEXT 4096

const char mst_help_forms[] = "man, bash, zsh";

/* text with the names of its {LISTS} */
static void fill_in(const mst_tool *tool, const char *text, char *out, size_t n)
{
    size_t used = 0;
    while (*text != '\0' && used + 1 < n) {
        size_t len = text[0] == '{' ? strcspn(text, "}") : 0;
        const mst_list *l = len != 0 ? mst_list_find(tool->lists, text + 1, len - 1) : NULL;
        if (l == NULL) {
            out[used++] = *text++;
            continue;
        }
        mst_list_names(l, out + used, n - used);
        used += strlen(out + used);
        text += len + 1;
    }
    out[used] = '\0';
}

/* The texts that every tool has. */
static const char with_help[] = "print this and exit; =FORM: as man (a page), or what completes lines in bash, zsh";
static const char with_version[] = "print the version and exit";
static const char exit_status[] = "exit status: 0 done, 1 failed, 2 wrong usage";

static void with_list(const mst_tool *tool, char *out, size_t n)
{
    char names[MST_LIST_TEXT];
    mst_lists_names(tool->lists, names, sizeof names);
    snprintf(out, n, "what this build knows: %s", names);
}

/* ---- plain ---- */

/* Word by word from column on; lines that get too long go on at column `indent`. */
static void print_text(const mst_tool *tool, const char *text, size_t column, size_t indent)
{
    char filled[TEXT];
    fill_in(tool, text, filled, sizeof filled);
    bool first = true;
    for (const char *at = filled; *at != '\0'; first = false) {
        size_t gap = strspn(at, " \n"), word = strcspn(at + gap, " \n");
        if (gap >= 2 && at[0] == '\n' && at[1] == '\n') {
            printf("\n\n%*s", (int)indent, "");
            column = indent;
        } else if (!first && column + 1 + word > MST_HELP_WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (gap != 0 && !first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, at + gap);
        column += word;
        at += gap + word;
    }
}

static void print_row(const mst_tool *tool, const char *left, const char *text)
{
    int n = printf("%-*s ", COLUMN, left);
    if (n > COLUMN + 1)
        printf("\n%*s", COLUMN + 1, "");
    print_text(tool, text, COLUMN + 1, COLUMN + 1);
    putchar('\n');
}

static void plain(const mst_tool *tool)
{
    char left[80], lists[MST_LIST_TEXT + 32];
    printf("usage: %s %s\n\n", tool->name, tool->synopsis);
    print_text(tool, tool->about, 0, 0);
    printf("\n\noptions:\n");
    for (const mst_opt *o = tool->opts; o < tool->opts + tool->n_opts; o++) {
        int n = o->letter != 0 ? snprintf(left, sizeof left, "  -%c", o->letter) : snprintf(left, sizeof left, "  ");
        if (o->name != NULL)
            n += snprintf(left + n, sizeof left - (size_t)n, "%s--%s", o->letter != 0 ? ", " : "", o->name);
        if (o->value != NULL)
            snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
        print_row(tool, left, o->help);
    }
    with_list(tool, lists, sizeof lists);
    print_row(tool, "  --list WHAT", lists);
    print_row(tool, "  -h, --help[=FORM]", with_help);
    print_row(tool, "  -V, --version", with_version);
    if (tool->notes != NULL) {
        putchar('\n');
        print_text(tool, tool->notes, 0, 0);
        putchar('\n');
    }
    printf("\n%s\n", exit_status);
}

/* ---- man ---- */

static void roff(const mst_tool *tool, const char *text)
{
    char filled[TEXT];
    fill_in(tool, text, filled, sizeof filled);
    bool begins = true;
    for (const char *at = filled; *at != '\0'; at++) {
        if (at[0] == '\n' && at[1] == '\n') {
            fputs("\n.PP", stdout);
            begins = true;
            continue;
        }
        if (begins && (*at == '.' || *at == '\''))
            fputs("\\&", stdout);
        if (*at == '\\')
            fputs("\\e", stdout);
        else if (*at == '-')
            fputs("\\-", stdout);
        else
            putchar(*at);
        begins = *at == '\n';
    }
    putchar('\n');
}

static void man_option(const mst_tool *tool, char letter, const char *name, const char *value, const char *help)
{
    fputs(".TP\n.B ", stdout);
    if (letter != 0)
        printf("\\-%c%s", letter, name != NULL ? ", " : "");
    if (name != NULL)
        fputs("\\-\\-", stdout);
    for (const char *at = name; at != NULL && *at != '\0'; at++)
        printf(*at == '-' ? "\\-" : "%c", *at);
    printf("%s%s\n", value != NULL ? " " : "", value != NULL ? value : "");
    roff(tool, help);
}

static void see_also(const mst_tool *tool)
{
    static const char *const tools[] = {"mstconv", "mstrun", "mstcalib"};
    bool first = true;
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        if (strcmp(tools[i], tool->name) == 0)
            continue;
        printf("%s.BR %s (1)", first ? "" : ",\n", tools[i]);
        first = false;
    }
    putchar('\n');
}

static void man(const mst_tool *tool)
{
    char lists[MST_LIST_TEXT + 32];
    printf(".TH %s 1 \"\" \"mst %s\" \"Masked Spiking Transformer tools\"\n", tool->name, MST_VERSION);
    printf(".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n%s ", tool->name, tool->brief, tool->name);
    for (const char *line = tool->synopsis; line != NULL;) {
        line += strspn(line, " \n");
        const char *end = strchr(line, '\n');
        printf("%.*s\n", end != NULL ? (int)(end - line) : (int)strlen(line), line);
        line = end;
    }
    printf(".fi\n.SH DESCRIPTION\n");
    roff(tool, tool->about);
    printf(".SH OPTIONS\n");
    for (const mst_opt *o = tool->opts; o < tool->opts + tool->n_opts; o++)
        man_option(tool, o->letter, o->name, o->value, o->help);
    with_list(tool, lists, sizeof lists);
    man_option(tool, 0, "list", "WHAT", lists);
    man_option(tool, 'h', "help[=FORM]", NULL, with_help);
    man_option(tool, 'V', "version", NULL, with_version);
    if (tool->notes != NULL) {
        printf(".SH NOTES\n");
        roff(tool, tool->notes);
    }
    printf(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage\n.SH SEE ALSO\n");
    see_also(tool);
}

/* ---- shells ---- */

/* "a, b" to "a b" */
static void drop_commas(char *names)
{
    while ((names = strchr(names, ',')) != NULL)
        memmove(names, names + 1, strlen(names));
}

/* Of a value "S|auto" the words that can be taken as they are: those in small letters. */
static bool value_words(const char *value, char *out, size_t n)
{
    size_t used = 0;
    for (const char *at = value; strchr(value, '|') != NULL && *at != '\0';) {
        size_t len = strcspn(at, "|");
        if (len != 0 && strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && used + len + 1 < n)
            used += (size_t)snprintf(out + used, n - used, "%s%.*s", used != 0 ? " " : "", (int)len, at);
        at += len + (at[len] == '|');
    }
    return used != 0;
}

/* The names that an option's value has, with spaces between: those of the first {LIST} in its help, or its own. */
static bool value_names(const mst_tool *tool, const mst_opt *o, char *out, size_t n)
{
    const char *open = strchr(o->help, '{');
    const mst_list *l = open != NULL ? mst_list_find(tool->lists, open + 1, strcspn(open + 1, "}")) : NULL;
    if (o->value == NULL || strchr(o->value, '=') != NULL)
        return false;
    if (l == NULL)
        return value_words(o->value, out, n);
    mst_list_names(l, out, n);
    drop_commas(out);
    return true;
}

static bool takes_file(const mst_opt *o)
{
    return o->kind == MST_OPT_INPUT || o->kind == MST_OPT_OUTPUT || o->kind == MST_OPT_MAYBE ||
           (o->value != NULL && strcmp(o->value, "DIR") == 0);
}

static void bash_pattern(const mst_opt *o)
{
    if (o->letter != 0)
        printf("-%c%s", o->letter, o->name != NULL ? "|" : "");
    if (o->name != NULL)
        printf("--%s", o->name);
}

static void bash_words(const char *words)
{
    printf("mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\") ;;\n", words);
}

static void bash(const mst_tool *tool)
{
    char names[MST_LIST_TEXT];
    printf("# completion of %s for bash: source it, or put it where bash-completion looks\n_%s() {\n"
           "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  [[ $cur == '=' ]] && cur=\n"
           "  [[ $prev == '=' ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
           "  COMPREPLY=()\n  case $prev in\n",
           tool->name, tool->name);
    for (const mst_opt *o = tool->opts; o < tool->opts + tool->n_opts; o++) {
        if (o->kind == MST_OPT_FLAG || takes_file(o))
            continue;
        fputs("    ", stdout);
        bash_pattern(o);
        fputs(") ", stdout);
        if (value_names(tool, o, names, sizeof names))
            bash_words(names);
        else
            puts(";;");
    }
    fputs("    --list) ", stdout);
    mst_lists_names(tool->lists, names, sizeof names);
    drop_commas(names);
    bash_words(names);
    fputs("    *) if [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W '", stdout);
    for (const mst_opt *o = tool->opts; o < tool->opts + tool->n_opts; o++)
        if (o->name != NULL)
            printf("--%s ", o->name);
        else
            printf("-%c ", o->letter);
    printf("--list --help --version' -- \"$cur\")\n"
           "       else compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); fi ;;\n"
           "  esac\n}\ncomplete -F _%s %s\n",
           tool->name, tool->name);
}

/* help as zsh takes it between [ and ] and in '' */
static void zsh_text(const mst_tool *tool, const char *help)
{
    char filled[TEXT];
    fill_in(tool, help, filled, sizeof filled);
    for (const char *at = filled; *at != '\0'; at++)
        if (*at == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *at) != NULL)
            printf("\\%c", *at);
        else
            putchar(*at == '\n' ? ' ' : *at);
}

static void zsh(const mst_tool *tool)
{
    char names[MST_LIST_TEXT];
    printf("#compdef %s\n_arguments -s -S \\\n", tool->name);
    for (const mst_opt *o = tool->opts; o < tool->opts + tool->n_opts; o++) {
        bool flag = o->kind == MST_OPT_FLAG;
        const char *many = o->kind == MST_OPT_LIST ? "*" : "";
        fputs("  ", stdout);
        if (o->letter != 0 && o->name != NULL)
            printf("'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, flag ? "" : "+", o->name,
                   flag ? "" : "=");
        else if (o->name != NULL)
            printf("'%s--%s%s[", many, o->name, flag ? "" : "=");
        else
            printf("'%s-%c%s[", many, o->letter, flag ? "" : "+");
        zsh_text(tool, o->help);
        putchar(']');
        if (!flag) {
            putchar(':');
            zsh_text(tool, o->value);
            if (value_names(tool, o, names, sizeof names))
                printf(":(%s)", names);
            else
                fputs(takes_file(o) ? ":_files" : ": ", stdout);
        }
        puts("' \\");
    }
    mst_lists_names(tool->lists, names, sizeof names);
    drop_commas(names);
    printf("  '--list=[what this build knows]:WHAT:(%s)' \\\n  '(-h --help)'{-h,--help}'[print help and exit]' \\\n"
           "  '(-V --version)'{-V,--version}'[%s]' \\\n  '*:file:_files'\n",
           names, with_version);
}

bool mst_help_print(const mst_tool *tool, const char *form)
{
    static const struct {
        const char *name;
        void (*print)(const mst_tool *);
    } forms[] = {{"man", man}, {"bash", bash}, {"zsh", zsh}};
    if (form == NULL) {
        plain(tool);
        return true;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(form, forms[i].name) == 0) {
            forms[i].print(tool);
            return true;
        }
    return false;
}
