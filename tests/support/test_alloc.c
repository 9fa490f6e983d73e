/* See test_alloc.h. */
#include "tests/support/test_alloc.h"

#include <stdlib.h>

static void *test_fn(void *ctx, void *p, size_t old, size_t n)
{
    test_alloc *t = ctx;
    if (n == 0) {
        t->blocks -= p != NULL;
        t->bytes -= p != NULL ? old : 0;
        free(p);
        return NULL;
    }
    t->calls++;
    if (t->calls == t->fail_at || (t->fail_from != 0 && t->calls >= t->fail_from))
        return NULL;
    void *q = realloc(p, n);
    if (q == NULL)
        return NULL;
    t->resized += p != NULL;
    t->blocks += p == NULL;
    t->bytes += n - (p != NULL ? old : 0);
    t->largest = n > t->largest ? n : t->largest;
    return q;
}

mst_allocator test_allocator(test_alloc *t)
{
    return (mst_allocator){test_fn, t};
}
