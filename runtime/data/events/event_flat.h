/* What AEDAT 4 has of FlatBuffers: a table behind a size and an identifier, its fields, vectors of bytes and structs.
 * Every offset is checked against the buffer. Private to runtime/data/events.
 */
#ifndef MST_EVENT_FLAT_H
#define MST_EVENT_FLAT_H

#include <stdbool.h>
#include <string.h>

#include "runtime/core/bytes.h"

typedef struct mst_flat {
    const uint8_t *p; /* behind the size */
    size_t n;
    size_t table, fields; /* where the root table and its list of fields lie */
} mst_flat;

static inline bool mst_flat_is(const uint8_t *p, size_t n, const char *identifier)
{
    return n >= 12 && memcmp(p + 8, identifier, 4) == 0;
}

/* Of n bytes that begin with the buffer's size. */
static inline bool mst_flat_open(mst_flat *f, const uint8_t *p, size_t n, const char *identifier)
{
    if (!mst_flat_is(p, n, identifier) || mst_get_u32(p) > n - 4)
        return false;
    *f = (mst_flat){.p = p + 4, .n = mst_get_u32(p)};
    if (f->n < 8 || mst_get_u32(f->p) > f->n - 4)
        return false;
    f->table = mst_get_u32(f->p);
    int64_t fields = (int64_t)f->table - (int32_t)mst_get_u32(f->p + f->table);
    if (fields < 0 || fields > (int64_t)f->n - 4)
        return false;
    f->fields = (size_t)fields;
    return mst_get_u16(f->p + f->fields) <= f->n - f->fields;
}

/* Field k of the root table, of so many bytes; NULL: it is not there, or not in the buffer. */
static inline const uint8_t *mst_flat_field(const mst_flat *f, unsigned k, size_t bytes)
{
    if (4 + 2 * k + 2 > mst_get_u16(f->p + f->fields))
        return NULL;
    size_t offset = mst_get_u16(f->p + f->fields + 4 + 2 * k);
    return offset != 0 && f->table + offset <= f->n && f->n - f->table - offset >= bytes ? f->p + f->table + offset
                                                                                         : NULL;
}

/* A vector in field k whose items have so many bytes: their number into *items. NULL: it has none, or is damaged. */
static inline const uint8_t *mst_flat_vector(const mst_flat *f, unsigned k, size_t item, size_t *items, bool *damaged)
{
    const uint8_t *field = mst_flat_field(f, k, 4);
    *items = 0;
    *damaged = false;
    if (field == NULL)
        return NULL;
    size_t at = (size_t)(field - f->p), to = mst_get_u32(field);
    *damaged = to > f->n - at || f->n - at - to < 4 || mst_get_u32(field + to) > (f->n - at - to - 4) / item;
    if (*damaged)
        return NULL;
    *items = mst_get_u32(field + to);
    return field + to + 4;
}

#endif
