/* LD_PRELOAD: the MST_FAIL_KTH-th call (from 1) of those of MST_FAIL_WHAT fails, once. "memory": malloc and its like;
 * "system": calls that open, read, write, put in place, map and look at files, and that start threads; "write": fwrite,
 * alone as there are so many; "kill": in the k-th of "system" the program is killed. How many there were is written to
 * MST_FAIL_COUNT, a file, at the end. Calls that libc makes by itself are not met (stdio's reads and writes), but for
 * fopen, fflush and fclose.
 */
/* all that is here takes libc's place */
#pragma GCC visibility push(default)

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

enum { MEMORY = 'm',
       SYSTEM = 's',
       WRITE = 'w' };

static atomic_long calls;
static long kth;
static char what;
static bool kills;

__attribute__((constructor)) static void begin(void)
{
    const char *k = getenv("MST_FAIL_KTH"), *w = getenv("MST_FAIL_WHAT");
    kth = k != NULL ? strtol(k, NULL, 10) : 0;
    kills = w != NULL && strcmp(w, "kill") == 0;
    what = kills ? SYSTEM : w != NULL ? w[0]
                                      : 0;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("MST_FAIL_COUNT");
    char text[32];
    if (path == NULL)
        return;
    what = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        abort();
    close(fd);
}

/* Is it this call's turn to fail, with this reason? */
static bool fails(char kind, int reason)
{
    if (kind != what || atomic_fetch_add(&calls, 1) + 1 != kth)
        return false;
    if (kills)
        (void)raise(SIGKILL);
    errno = reason;
    return true;
}

/* ---- memory ---- */

void *malloc(size_t n) { return fails(MEMORY, ENOMEM) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(MEMORY, ENOMEM) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails(MEMORY, ENOMEM) ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t align, size_t n) { return fails(MEMORY, ENOMEM) ? NULL : __libc_memalign(align, n); }
void *memalign(size_t align, size_t n);
void *memalign(size_t align, size_t n) { return fails(MEMORY, ENOMEM) ? NULL : __libc_memalign(align, n); }
int posix_memalign(void **out, size_t align, size_t n)
{
    void *p = fails(MEMORY, ENOMEM) ? NULL : __libc_memalign(align, n);
    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}

/* ---- the system ---- */

/* A call as libc has it behind this library; what it returns where it is its turn to fail. */
#define NEXT(name, ...) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))(__VA_ARGS__)
#define OR_FAIL(name, reason, failure, ...) (fails(SYSTEM, reason) ? (failure) : NEXT(name, __VA_ARGS__))

static mode_t mode_of(int flags, va_list more)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return fails(SYSTEM, EMFILE) ? -1 : NEXT(open, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return fails(SYSTEM, EMFILE) ? -1 : NEXT(openat, at, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return OR_FAIL(fopen, EMFILE, NULL, path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
    return OR_FAIL(fdopen, ENOMEM, NULL, fd, mode);
}

DIR *opendir(const char *path)
{
    return OR_FAIL(opendir, EMFILE, NULL, path);
}

ssize_t read(int fd, void *p, size_t n)
{
    return OR_FAIL(read, EIO, -1, fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    return OR_FAIL(pread, EIO, -1, fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    return OR_FAIL(write, ENOSPC, -1, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return OR_FAIL(pwrite, ENOSPC, -1, fd, p, n, at);
}

off_t lseek(int fd, off_t at, int from)
{
    return OR_FAIL(lseek, EIO, -1, fd, at, from);
}

int fsync(int fd)
{
    return OR_FAIL(fsync, EIO, -1, fd);
}

int fdatasync(int fd)
{
    return OR_FAIL(fdatasync, EIO, -1, fd);
}

int ftruncate(int fd, off_t n)
{
    return OR_FAIL(ftruncate, ENOSPC, -1, fd, n);
}

int rename(const char *from, const char *to)
{
    return OR_FAIL(rename, EACCES, -1, from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return OR_FAIL(renameat2, EACCES, -1, a, from, b, to, flags);
}

int renameat(int a, const char *from, int b, const char *to)
{
    return OR_FAIL(renameat, EACCES, -1, a, from, b, to);
}

int mkostemp(char *path, int flags)
{
    return OR_FAIL(mkostemp, EACCES, -1, path, flags);
}

int mkstemp(char *path)
{
    return OR_FAIL(mkstemp, EACCES, -1, path);
}

FILE *tmpfile(void)
{
    FILE *(*next)(void) = (FILE * (*)(void))(uintptr_t)dlsym(RTLD_NEXT, "tmpfile");
    return fails(SYSTEM, EMFILE) ? NULL : next();
}

int stat(const char *path, struct stat *out)
{
    return OR_FAIL(stat, EACCES, -1, path, out);
}

int lstat(const char *path, struct stat *out)
{
    return OR_FAIL(lstat, EACCES, -1, path, out);
}

int fstat(int fd, struct stat *out)
{
    return OR_FAIL(fstat, EIO, -1, fd, out);
}

int fstatat(int at, const char *path, struct stat *out, int flags)
{
    return OR_FAIL(fstatat, EACCES, -1, at, path, out, flags);
}

int fchmod(int fd, mode_t mode)
{
    return OR_FAIL(fchmod, EIO, -1, fd, mode);
}

void *mmap(void *at, size_t n, int how, int flags, int fd, off_t from)
{
    return OR_FAIL(mmap, ENOMEM, MAP_FAILED, at, n, how, flags, fd, from);
}

int pthread_create(pthread_t *out, const pthread_attr_t *how, void *(*run)(void *), void *arg)
{
    return OR_FAIL(pthread_create, EAGAIN, EAGAIN, out, how, run, arg);
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    if (!fails(WRITE, ENOSPC))
        return NEXT(fwrite, p, size, n, f);
    f->_flags |= _IO_ERR_SEEN; /* as it is where there is no room */
    return 0;
}

/* What they do is done, and then they fail: as where the last bytes find no room. */
int close(int fd)
{
    bool fail = fails(SYSTEM, EIO);
    int st = NEXT(close, fd);
    errno = fail ? EIO : errno;
    return fail ? -1 : st;
}

int fflush(FILE *f)
{
    bool fail = fails(SYSTEM, ENOSPC);
    int st = NEXT(fflush, f);
    errno = fail ? ENOSPC : errno;
    return fail ? EOF : st;
}

int fclose(FILE *f)
{
    bool fail = fails(SYSTEM, ENOSPC);
    int st = NEXT(fclose, f);
    errno = fail ? ENOSPC : errno;
    return fail ? EOF : st;
}
