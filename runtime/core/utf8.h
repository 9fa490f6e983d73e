/* Text from files: is it UTF-8? NUL bytes are characters like others. */
#ifndef MST_UTF8_H
#define MST_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at p, of n > 0 left; 0: none is there. */
size_t mst_utf8_length(const uint8_t *p, size_t n);
/* Offset of the first byte that is not UTF-8; n if all is. */
size_t mst_utf8_check(const uint8_t *p, size_t n);

#endif
