/* The frame of a tool: streams, signals, and results that take their places when all went well. */
#ifndef MST_TOOL_MAIN_H
#define MST_TOOL_MAIN_H

#include <signal.h>
#include <stdbool.h>

/* While armed, the first such signal only asks to stop: what is done so far is a result. */
extern volatile sig_atomic_t mst_stop_asked;
void mst_stop_arm(bool on);

/* What a main returns: what work returned, but 1 after a line on stderr where that is 0 and its results could not be
 * written; unless 0 is returned all outputs (tool_paths.h) are as they were. stdin, stdout and stderr that are closed
 * never become a file that work opens. SIGINT, SIGTERM, SIGHUP and SIGXCPU remove temporary files on their way; a
 * broken pipe and a file that may not grow are errors like others. */
int mst_tool_main(const char *name, int (*work)(int, char **), int argc, char **argv);
/* The same of a tool that several processes may share (tool_ranks.h). */
int mst_tool_main_ranks(const char *name, int (*work)(int, char **), int argc, char **argv);

#endif
