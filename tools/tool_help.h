/* What a tool's table of options says, as people read it (--help, a man page) and as shells do (completion). */
#ifndef MST_TOOL_HELP_H
#define MST_TOOL_HELP_H

#include "tools/tool_opts.h"

/* Where --help breaks its lines. */
#define MST_HELP_WIDTH 80u

/* Print it in the form of --help=FORM; NULL: the plain text. False: there is no such form. */
bool mst_help_print(const mst_tool *tool, const char *form);
/* "man, bash, zsh" */
extern const char mst_help_forms[];

#endif
