/* What libmst asks of Windows. */
#include "runtime/core/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <sys/stat.h>
#include <windows.h>

#define MOST_PATH 4096         /* UTF-16 units, with the zero */
#define MOST_AT_ONCE (1 << 30) /* bytes that one call reads or writes: it counts in int */

/* -1, and errno for what a call of Windows's own has found. */
static int failed(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: errno = ENOENT; break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:                       /* another program has it open .. */
    case ERROR_USER_MAPPED_FILE: errno = EACCES; break; /* .. or mapped */
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_COMMITMENT_LIMIT: errno = ENOMEM; break;
    case ERROR_DISK_FULL: errno = ENOSPC; break;
    default: errno = EIO;
    }
    return -1;
}

/* path, which is UTF-8, as Windows takes it. */
static bool widen(const char *path, wchar_t wide[MOST_PATH])
{
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MOST_PATH) > 0)
        return true;
    errno = GetLastError() == ERROR_INSUFFICIENT_BUFFER ? ENAMETOOLONG : EILSEQ;
    return false;
}

static int open_file(const char *path, int how)
{
    wchar_t wide[MOST_PATH];
    return widen(path, wide) ? _wopen(wide, how | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE) : -1;
}

int sys_open(const char *path) { return open_file(path, _O_RDONLY); }

int sys_create(const char *path) { return open_file(path, _O_WRONLY | _O_CREAT | _O_EXCL); }

int sys_close(int fd) { return _close(fd); }

int sys_size(int fd, bool *regular, uint64_t *bytes)
{
    struct _stati64 st;
    if (_fstati64(fd, &st) != 0)
        return -1;
    *regular = (st.st_mode & _S_IFMT) == _S_IFREG;
    *bytes = (uint64_t)st.st_size;
    return 0;
}

bool sys_may_replace(const char *path)
{
    wchar_t wide[MOST_PATH];
    struct _stati64 st;
    return !widen(path, wide) || _wstati64(wide, &st) != 0 || (st.st_mode & _S_IFMT) == _S_IFREG;
}

static unsigned at_once(size_t n) { return n < MOST_AT_ONCE ? (unsigned)n : MOST_AT_ONCE; }

ptrdiff_t sys_read(int fd, void *to, size_t n) { return _read(fd, to, at_once(n)); }

ptrdiff_t sys_write(int fd, const void *from, size_t n) { return _write(fd, from, at_once(n)); }

int sys_flush(int fd) { return _commit(fd); }

int sys_replace(char *from, const char *to)
{
    wchar_t old[MOST_PATH], wanted[MOST_PATH];
    if (!widen(from, old) || !widen(to, wanted))
        return -1;
    return MoveFileExW(old, wanted, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) ? 0 : failed();
}

void sys_remove(const char *path)
{
    wchar_t wide[MOST_PATH];
    if (widen(path, wide))
        (void)_wunlink(wide);
}

unsigned long sys_process(void) { return (unsigned long)_getpid(); }

void *sys_map(int fd, size_t n)
{
    HANDLE map = CreateFileMappingW((HANDLE)_get_osfhandle(fd), NULL, PAGE_READONLY, 0, 0, NULL);
    if (map == NULL)
        return (void)failed(), NULL;
    void *pages = MapViewOfFile(map, FILE_MAP_READ, 0, 0, n);
    if (pages == NULL)
        (void)failed();
    CloseHandle(map); /* the view holds what it needs */
    return pages;
}

void *sys_pages(size_t n)
{
    void *pages = VirtualAlloc(NULL, n, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (pages == NULL)
        (void)failed();
    return pages;
}

void sys_unmap(void *pages, size_t n, bool of_file)
{
    (void)n;
    if (of_file)
        UnmapViewOfFile(pages);
    else
        VirtualFree(pages, 0, MEM_RELEASE);
}

/* Pages that are not locked leave the working set. */
void sys_forget(void *from, size_t n) { (void)VirtualUnlock(from, n); }

size_t sys_cache(int level)
{
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION found[512];
    DWORD bytes = sizeof found;
    if (!GetLogicalProcessorInformation(found, &bytes))
        return 0;
    for (size_t i = 0; i < bytes / sizeof *found; i++)
        if (found[i].Relationship == RelationCache && found[i].Cache.Level == level &&
            found[i].Cache.Type != CacheInstruction)
            return found[i].Cache.Size;
    return 0;
}

/* Nobody has seen how Windows gives them. */
bool sys_grants_tiles(void) { return false; }

bool sys_has_dotprod(void) { return false; }
