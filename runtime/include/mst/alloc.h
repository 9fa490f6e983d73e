/* Memory: the allocator hook and the arena that graphs are built in. */
#ifndef MST_ALLOC_H
#define MST_ALLOC_H

#include <stddef.h>

#include "mst/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One function does it all, as in Lua: p == NULL allocates n bytes, n == 0
 * frees p, otherwise p is resized from old to n bytes. Returns NULL on failure
 * (and for n == 0). Blocks are aligned as malloc's. Must be thread safe if
 * objects made with it are used in several threads. */
typedef struct mst_allocator {
    void *(*fn)(void *ctx, void *p, size_t old, size_t n);
    void *ctx;
} mst_allocator;

/* The C library's realloc and free. Used where NULL is passed. */
MST_API extern const mst_allocator mst_default_allocator;

MST_API void *mst_alloc(const mst_allocator *a, size_t n); /* zeroed */
MST_API void mst_free(const mst_allocator *a, void *p, size_t n);

/* n * size without overflow; NULL on overflow or out of memory. Zeroed. */
MST_API void *mst_alloc_array(const mst_allocator *a, size_t n, size_t size);
MST_API void mst_free_array(const mst_allocator *a, void *p, size_t n, size_t size);

/* Aligned (64 bytes, for SIMD loads), zeroed. Free with the same n. */
MST_API void *mst_alloc_aligned(const mst_allocator *a, size_t n);
/* Not zeroed: pages that are never touched cost nothing. */
MST_API void *mst_alloc_aligned_raw(const mst_allocator *a, size_t n);
MST_API void mst_free_aligned(const mst_allocator *a, void *p, size_t n);

/* A region: many small allocations, one release. Memory is zeroed and aligned
 * to 64 bytes for blocks of 64 bytes and more, to 16 below. Zero-initialise
 * (or {.alloc = &a, .limit = bytes}); limit 0 means none. */
typedef struct mst_arena {
    const mst_allocator *alloc; /* NULL: default */
    size_t limit;               /* refuse to grow past this many bytes */
    size_t used;
    size_t chunk; /* least bytes to take at once; 0: as it is suits what lives long */
    struct mst_arena_chunk *head;
} mst_arena;

MST_API void *mst_arena_alloc(mst_arena *a, size_t n);              /* NULL: failed */
MST_API void *mst_arena_array(mst_arena *a, size_t n, size_t size); /* checked n*size */
MST_API void *mst_arena_copy(mst_arena *a, const void *p, size_t n);
MST_API char *mst_arena_strdup(mst_arena *a, const char *s);
MST_API char *mst_arena_printf(mst_arena *a, const char *fmt, ...) MST_PRINTF(2, 3);
MST_API void mst_arena_release(mst_arena *a); /* back to empty */

#ifdef __cplusplus
}
#endif
#endif
