/* What libmst asks of a POSIX system. */
#include "runtime/core/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#elif defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

int sys_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The process's umask decides its mode. */
int sys_create(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int sys_close(int fd) { return close(fd); }

int sys_size(int fd, bool *regular, uint64_t *bytes)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    *regular = S_ISREG(st.st_mode);
    *bytes = (uint64_t)st.st_size;
    return 0;
}

bool sys_may_replace(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

ptrdiff_t sys_read(int fd, void *to, size_t n) { return read(fd, to, n); }

ptrdiff_t sys_write(int fd, const void *from, size_t n) { return write(fd, from, n); }

int sys_flush(int fd) { return fsync(fd); }

/* Some file systems cannot sync a folder; the file itself is safe there. */
static void flush_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    const char *folder = slash == NULL ? "." : slash == path ? "/"
                                                             : path;
    if (slash != NULL && slash != path)
        *slash = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int sys_replace(char *from, const char *to)
{
    if (rename(from, to) != 0)
        return -1;
    flush_folder_of(from);
    return 0;
}

void sys_remove(const char *path) { (void)unlink(path); }

unsigned long sys_process(void) { return (unsigned long)getpid(); }

static void *mapped(void *pages) { return pages != MAP_FAILED ? pages : NULL; }

void *sys_map(int fd, size_t n) { return mapped(mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0)); }

void *sys_pages(size_t n)
{
    return mapped(mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void sys_unmap(void *pages, size_t n, bool of_file)
{
    (void)of_file;
    munmap(pages, n);
}

void sys_forget(void *from, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)from;
    uintptr_t first = (at + page - 1) / page * page, end = (at + n) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

size_t sys_cache(int level)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    long n = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
    return n > 0 ? (size_t)n : 0;
#else
    (void)level;
    return 0;
#endif
}

/* Linux 5.16 and newer give the tiles' state away, to each process that asks for it. */
bool sys_grants_tiles(void)
{
#if defined(__linux__) && defined(__x86_64__)
    enum { ASK_FOR_STATE = 0x1023, /* ARCH_REQ_XCOMP_PERM */
           TILES = 18 };
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILES) == 0;
#else
    return false;
#endif
}

bool sys_has_dotprod(void)
{
#if defined(__linux__) && defined(__aarch64__)
    enum { DOT_PRODUCTS = 1 << 20 }; /* HWCAP_ASIMDDP, which not every system's headers name */
    return (getauxval(AT_HWCAP) & DOT_PRODUCTS) != 0;
#else
    return false;
#endif
}
