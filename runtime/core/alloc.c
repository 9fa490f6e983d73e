/* Memory: allocator hook, aligned blocks, arenas. Knows nothing of graphs. */
#include "mst/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/checked.h"

#define ALIGN 64u
#define SMALL_ALIGN 16u
#define CHUNK_MIN (64u * 1024u)

static void *default_fn(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx;
    (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

const mst_allocator mst_default_allocator = {default_fn, NULL};

static const mst_allocator *allocator_or_default(const mst_allocator *a)
{
    return a != NULL ? a : &mst_default_allocator;
}

void *mst_alloc(const mst_allocator *a, size_t n)
{
    a = allocator_or_default(a);
    void *p = a->fn(a->ctx, NULL, 0, n != 0 ? n : 1);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void mst_free(const mst_allocator *a, void *p, size_t n)
{
    a = allocator_or_default(a);
    if (p != NULL)
        a->fn(a->ctx, p, n != 0 ? n : 1, 0);
}

void *mst_alloc_array(const mst_allocator *a, size_t n, size_t size)
{
    size_t bytes;
    return mst_mul_size(n, size, &bytes) ? mst_alloc(a, bytes) : NULL;
}

void mst_free_array(const mst_allocator *a, void *p, size_t n, size_t size)
{
    mst_free(a, p, n * size);
}

void *mst_alloc_aligned(const mst_allocator *a, size_t n)
{
    void *p = mst_alloc_aligned_raw(a, n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

/* The block's own address is kept in the word in front of the aligned one. */
void *mst_alloc_aligned_raw(const mst_allocator *a, size_t n)
{
    size_t bytes;
    if (!mst_add_size(n, ALIGN + sizeof(void *), &bytes))
        return NULL;
    a = allocator_or_default(a);
    char *raw = a->fn(a->ctx, NULL, 0, bytes);
    if (raw == NULL)
        return NULL;
    uintptr_t at = ((uintptr_t)raw + sizeof(void *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    memcpy((char *)at - sizeof(void *), &raw, sizeof raw);
    return (void *)at;
}

void mst_free_aligned(const mst_allocator *a, void *p, size_t n)
{
    if (p == NULL)
        return;
    char *raw;
    memcpy(&raw, (char *)p - sizeof(void *), sizeof raw);
    mst_free(a, raw, n + ALIGN + sizeof(void *));
}

struct mst_arena_chunk {
    struct mst_arena_chunk *next;
    size_t size, used; /* of the whole block, header included */
};

/* Offset of the next aligned byte of c that can hold n; 0 when none. */
static size_t chunk_place(const struct mst_arena_chunk *c, size_t n, size_t align)
{
    uintptr_t base = (uintptr_t)c;
    size_t at = (size_t)(((base + c->used + align - 1) & ~(uintptr_t)(align - 1)) - base);
    return at <= c->size && n <= c->size - at ? at : 0;
}

static bool chunk_add(mst_arena *a, size_t n)
{
    size_t size;
    if (!mst_add_size(n, sizeof(struct mst_arena_chunk) + ALIGN, &size))
        return false;
    size_t chunk_min = a->chunk != 0 ? a->chunk : a->used < CHUNK_MIN ? 4096
                                                                      : CHUNK_MIN;
    if (size < chunk_min)
        size = chunk_min;
    size_t total;
    if (!mst_add_size(a->used, size, &total) || (a->limit != 0 && total > a->limit))
        return false;
    struct mst_arena_chunk *c = mst_alloc(a->alloc, size);
    if (c == NULL)
        return false;
    c->size = size;
    c->used = sizeof *c;
    c->next = a->head;
    a->head = c;
    a->used = total;
    return true;
}

void *mst_arena_alloc(mst_arena *a, size_t n)
{
    size_t align = n >= ALIGN ? ALIGN : SMALL_ALIGN;
    if (n == 0)
        n = 1;
    size_t at = a->head != NULL ? chunk_place(a->head, n, align) : 0;
    if (at == 0) {
        if (!chunk_add(a, n))
            return NULL;
        at = chunk_place(a->head, n, align);
    }
    a->head->used = at + n;
    return (char *)a->head + at;
}

void *mst_arena_array(mst_arena *a, size_t n, size_t size)
{
    size_t bytes;
    return mst_mul_size(n, size, &bytes) ? mst_arena_alloc(a, bytes) : NULL;
}

void *mst_arena_copy(mst_arena *a, const void *p, size_t n)
{
    void *q = mst_arena_alloc(a, n);
    if (q != NULL && n != 0)
        memcpy(q, p, n);
    return q;
}

char *mst_arena_strdup(mst_arena *a, const char *s)
{
    return mst_arena_copy(a, s, strlen(s) + 1);
}

char *mst_arena_printf(mst_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *s = mst_arena_alloc(a, (size_t)n + 1);
    if (s == NULL)
        return NULL;
    va_start(args, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, args);
    va_end(args);
    return s;
}

void mst_arena_release(mst_arena *a)
{
    struct mst_arena_chunk *c = a->head;
    while (c != NULL) {
        struct mst_arena_chunk *next = c->next;
        mst_free(a->alloc, c, c->size);
        c = next;
    }
    a->head = NULL;
    a->used = 0;
}
