/* Growing byte buffers. Knows nothing of graphs. */
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/format/snn.h"

static bool bytes_reserve(mst_bytes *b, size_t n)
{
    size_t need, cap;
    if (b->failed || !mst_add_size(b->n, n, &need)) {
        b->failed = true;
        return false;
    }
    if (need <= b->cap)
        return true;
    if (!mst_add_size(need, need / 2 + 256, &cap)) {
        b->failed = true;
        return false;
    }
    uint8_t *grown = mst_alloc(b->alloc, cap);
    if (grown == NULL) {
        b->failed = true;
        return false;
    }
    if (b->n != 0)
        memcpy(grown, b->p, b->n);
    mst_free(b->alloc, b->p, b->cap);
    b->p = grown;
    b->cap = cap;
    return true;
}

void mst_bytes_put(mst_bytes *b, const void *p, size_t n)
{
    if (n == 0 || !bytes_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void mst_bytes_u8(mst_bytes *b, unsigned v)
{
    uint8_t raw = (uint8_t)v;
    mst_bytes_put(b, &raw, 1);
}

void mst_bytes_u16(mst_bytes *b, unsigned v)
{
    mst_bytes_u8(b, v & 0xff);
    mst_bytes_u8(b, v >> 8 & 0xff);
}

void mst_bytes_u32(mst_bytes *b, uint32_t v)
{
    uint8_t raw[4];
    mst_set_u32(raw, v);
    mst_bytes_put(b, raw, sizeof raw);
}

void mst_bytes_u64(mst_bytes *b, uint64_t v)
{
    uint8_t raw[8];
    mst_set_u64(raw, v);
    mst_bytes_put(b, raw, sizeof raw);
}

void mst_bytes_f32(mst_bytes *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    mst_bytes_u32(b, bits);
}

void mst_bytes_free(mst_bytes *b)
{
    mst_free(b->alloc, b->p, b->cap);
    *b = (mst_bytes){.alloc = b->alloc};
}
