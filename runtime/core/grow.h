/* Arrays that grow: what there is, copied into a larger one whose new elements are zero. */
#ifndef MST_CORE_GROW_H
#define MST_CORE_GROW_H

#include <string.h>

#include "mst/alloc.h"

/* Room for one element more than n: p as it is, or its n elements in a new array of twice the room (of
 * `first` elements where there was none), p freed. NULL: out of memory, p and *room stay. */
static inline void *mst_grow(const mst_allocator *a, void *p, size_t n, size_t *room, size_t first, size_t size)
{
    if (n < *room)
        return p;
    size_t more = *room == 0 ? first : 2 * *room;
    void *grown = mst_alloc_array(a, more, size);
    if (grown == NULL)
        return NULL;
    if (n != 0)
        memcpy(grown, p, n * size);
    mst_free_array(a, p, *room, size);
    *room = more;
    return grown;
}

/* The first n elements of p in a new array of `room` elements; p goes with the arena. NULL: out of memory. */
static inline void *mst_arena_grow(mst_arena *a, const void *p, size_t n, size_t room, size_t size)
{
    void *grown = mst_arena_array(a, room, size);
    if (grown != NULL && n != 0)
        memcpy(grown, p, n * size);
    return grown;
}

#endif
