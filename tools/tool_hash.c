/* See tool_hash.h. */
#include "tools/tool_hash.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t mst_hash(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

const char *mst_hash_digits(uint64_t h, char out[MST_HASH_DIGITS])
{
    snprintf(out, MST_HASH_DIGITS, "%016" PRIx64, h);
    return out;
}
