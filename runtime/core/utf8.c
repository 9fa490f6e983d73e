/* Second bytes are narrowed so that overlong forms, surrogates and values past U+10FFFF fail. */
#include "runtime/core/utf8.h"

size_t mst_utf8_length(const uint8_t *p, size_t n)
{
    uint8_t c = p[0], lo = 0x80, hi = 0xbf;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3
                                         : 4;
    if (len > n)
        return 0;
    if (c == 0xe0)
        lo = 0xa0;
    else if (c == 0xed)
        hi = 0x9f;
    else if (c == 0xf0)
        lo = 0x90;
    else if (c == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

size_t mst_utf8_check(const uint8_t *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        size_t len = mst_utf8_length(p + at, n - at);
        if (len == 0)
            return at;
        at += len;
    }
    return n;
}
