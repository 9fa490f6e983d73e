/* A hash that tells runs apart (FNV-1a, 64 bits): not against someone who means to deceive. */
#ifndef MST_TOOL_HASH_H
#define MST_TOOL_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MST_HASH_START 0xcbf29ce484222325u
#define MST_HASH_DIGITS 17 /* and the end of a string */

uint64_t mst_hash(uint64_t h, const void *bytes, size_t n);
const char *mst_hash_digits(uint64_t h, char out[MST_HASH_DIGITS]); /* returns out */

#endif
