/* See tool_main.h. */
#include "tools/tool_main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool_output.h"
#include "tools/tool_paths.h"
#include "tools/tool_ranks.h"
#include "tools/tool_term.h"

/* The number of a closed stream must not go to a file that is opened later: what is printed would land there.
 * Each gets a place that refuses what the stream is for. */
static void hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return; /* out of numbers: whatever is opened next says so */
}

volatile sig_atomic_t mst_stop_asked;
static volatile sig_atomic_t armed;
static const char *tool_name;

void mst_stop_arm(bool on) { armed = on; }

static void on_signal(int number)
{
    if (armed && !mst_stop_asked) {
        mst_stop_asked = 1;
        return;
    }
    mst_paths_sweep();
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* delivered when this returns */
}

/* A file that is mapped was cut: what is behind its end now cannot be read. */
static void on_bus_error(int number)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&told)) /* by another thread, which ends the program */
        pause();
    static const char text[] = "a file was cut off while it was in use: there is no result\n";
    (void)number;
    mst_paths_sweep();
    for (const char *const *part = (const char *const[]){tool_name, ": error: ", text, NULL}; *part != NULL; part++)
        if (write(STDERR_FILENO, *part, strlen(*part)) < 0)
            break;
    _exit(1);
}

static void catch_signals(void)
{
    struct sigaction bus = {.sa_handler = on_bus_error};
    sigaction(SIGBUS, &bus, NULL);
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
    struct sigaction now = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigfillset(&now.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) /* nohup's stays */
            sigaction(ending[i], &now, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

int mst_tool_main(const char *name, int (*work)(int, char **), int argc, char **argv)
{
    static char buffer[1 << 16]; /* so that a failed write is found where its reason is known */
    mst_err err;
    tool_name = name;
    mst_json_command(argc, argv);
    hold_streams();
    catch_signals();
    setvbuf(stdout, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof buffer);
    int code = work(argc, argv);
    bool bad = (code == 0 || mst_paths_kept()) && mst_paths_commit(&err) != MST_OK;
    mst_paths_discard();
    errno = 0;
    if (fclose(stdout) != 0 && code == 0 && !bad) {
        mst_cannot_write("-", &err);
        bad = true;
    }
    if (bad && code == 0) /* else what failed first has been told */
        mst_term_error(name, "%s\n", err.text);
    return bad && code == 0 ? 1 : code;
}

static int (*shared_work)(int, char **);

static int work_of_a_rank(int argc, char **argv)
{
    mst_err err;
    int code = 1;
    if (mst_ranks_begin(&err) == MST_OK)
        code = shared_work(argc, argv);
    else
        mst_term_error(tool_name, "%s\n", err.text);
    return mst_ranks_end(tool_name, code);
}

int mst_tool_main_ranks(const char *name, int (*work)(int, char **), int argc, char **argv)
{
    shared_work = work;
    return mst_tool_main(name, work_of_a_rank, argc, argv);
}
