/* Bytes as a file that has a path, for code that opens paths. */
#ifndef MST_TESTS_MEMORY_FILE_H
#define MST_TESTS_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>

/* A file of n bytes in memory; its path in path. Close the descriptor; -1: none. */
int memory_file(const uint8_t *bytes, size_t n, char path[64]);

#endif
