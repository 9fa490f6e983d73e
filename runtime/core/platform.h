/* What libmst asks of a system beyond the C library and threads: files by descriptor, pages of memory, facts about the
 * processor. Each kind of system has a file that answers: platform_posix.c, platform_windows.c; the Makefile takes one.
 *
 * What can fail gives -1 or NULL and says why in errno. Paths are the system's bytes; on Windows they are UTF-8. */
#ifndef RUNTIME_CORE_PLATFORM_H
#define RUNTIME_CORE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- files -------------------------------------------------------------- */

int sys_open(const char *path);   /* to read; waits for nobody who would write a FIFO */
int sys_create(const char *path); /* to write, and new: EEXIST where there is something */
int sys_close(int fd);

int sys_size(int fd, bool *regular, uint64_t *bytes); /* bytes: of a regular file */
bool sys_may_replace(const char *path);               /* is nothing there, or a regular file? */

/* As many of n > 0 bytes as pass at once; 0 where a file that is read ends; EINTR may be tried again. */
ptrdiff_t sys_read(int fd, void *to, size_t n);
ptrdiff_t sys_write(int fd, const void *from, size_t n);
int sys_flush(int fd); /* to the disk */

/* Give a file the name of another one, which goes, and make that last; where it has worked, from is another text. */
int sys_replace(char *from, const char *to);
void sys_remove(const char *path);

unsigned long sys_process(void); /* a number of this process that no other one has now */

/* ---- pages -------------------------------------------------------------- */

void *sys_map(int fd, size_t n); /* the first n bytes of a file, to read; fd may be closed then */
void *sys_pages(size_t n);       /* n bytes of no file, 0, to read and write */
void sys_unmap(void *pages, size_t n, bool of_file);
/* A hint: of n mapped bytes the pages may go; who looks at them has them read from the file again. */
void sys_forget(void *from, size_t n);

/* ---- the processor ------------------------------------------------------ */

size_t sys_cache(int level); /* bytes of the data cache of level 1 or 2; 0: the system does not tell */
bool sys_grants_tiles(void); /* x86: asked now, does it let this process use AMX? */
bool sys_has_dotprod(void);  /* aarch64: do all processors have dot products of bytes? */

#endif
