/* What the tests use of POSIX and Windows lacks, included before anything else there. */
#ifndef MST_TESTS_PORT_WINDOWS_H
#define MST_TESTS_PORT_WINDOWS_H

#include <direct.h>
#include <io.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define mkdtemp(name) (_mktemp(name) != NULL && _mkdir(name) == 0 ? (name) : NULL)

/* Memory that is aligned has its own way back: all memory takes it, and so the names are replaced, not the calls. */
#define PORT_ALIGN 64 /* of all: _aligned_realloc wants the one that it was before */

static inline void *port_malloc(size_t n) { return _aligned_malloc(n != 0 ? n : 1, PORT_ALIGN); }

static inline void *port_calloc(size_t n, size_t size)
{
    void *p = size == 0 || n <= SIZE_MAX / size ? port_malloc(n * size) : NULL;
    return p != NULL ? memset(p, 0, n * size) : NULL;
}

static inline void *port_realloc(void *p, size_t n) { return _aligned_realloc(p, n, PORT_ALIGN); }

static inline void *port_aligned(size_t align, size_t n) { return align <= PORT_ALIGN ? port_malloc(n) : NULL; }

static inline int port_memalign(void **p, size_t align, size_t n)
{
    *p = port_aligned(align, n);
    return *p == NULL;
}

#define malloc port_malloc
#define calloc port_calloc
#define realloc port_realloc
#define aligned_alloc port_aligned
#define posix_memalign port_memalign
#define free _aligned_free

#endif
