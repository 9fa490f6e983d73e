/* The calls that put a file on disk, taken over for a test program that includes this once: recorded while
 * io.on, failed or cut short on demand, or the process killed in one. They reach whatever the program is
 * linked with, but not what libc does by itself (stdio's own writes). */
#ifndef MST_TESTS_FAULTY_IO_H
#define MST_TESTS_FAULTY_IO_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    int on;
    char log[256]; /* a letter a call: w(rite), f(sync), c(lose), r(ename) */
    unsigned calls;
    char fail_kind;    /* the calls of this letter fail, */
    unsigned fail_nth; /* from the nth on (1: all), but where once is set only that */
    int once;
    int fail_errno;
    unsigned kill_at; /* SIGKILL in this call, before it has done anything; 0: none */
    int cut;          /* writes take one byte less than half of what they are given, every third is interrupted */
} io;

/* 0, or -1 with errno set: this call is to fail. */
static int io_call(char kind)
{
    unsigned n = 1;
    if (!io.on)
        return 0;
    for (unsigned i = 0; i < io.calls && i < sizeof io.log - 1; i++)
        n += io.log[i] == kind;
    if (io.calls < sizeof io.log - 1)
        io.log[io.calls] = kind;
    if (++io.calls == io.kill_at)
        (void)raise(SIGKILL);
    if (kind != io.fail_kind || n < io.fail_nth || (io.once && n != io.fail_nth))
        return 0;
    errno = io.fail_errno;
    return -1;
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (io_call('w') != 0)
        return -1;
    if (io.on && io.cut && io.calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, p, io.on && io.cut && n > 3 ? n / 2 - 1 : n);
}

int fsync(int fd)
{
    return io_call('f') != 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
    int bad = io_call('c'); /* a close that fails has closed */
    int why = errno, done = (int)syscall(SYS_close, fd);
    if (bad != 0)
        errno = why;
    return bad != 0 ? -1 : done;
}

int rename(const char *from, const char *to)
{
    return io_call('r') != 0 ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return io_call('r') != 0 ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

/* The files of a folder; returns how many there were. */
static unsigned remove_all(const char *folder)
{
    unsigned n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (e->d_name[0] != '.') {
            n++;
            unlinkat(dirfd(d), e->d_name, 0);
        }
    closedir(d);
    return n;
}

#endif
