/* snn.bin in memory, for tests: encode into a block, load from a copy. */
#ifndef MST_TESTS_SNN_MEMORY_H
#define MST_TESTS_SNN_MEMORY_H

#include "runtime/format/snn.h"

/* The bytes of g, in a 64-byte aligned block from aligned_alloc; free() it. */
mst_status snn_to_memory(const mst_graph *g, uint8_t **bytes, size_t *n, mst_err *err);

/* A file as such a block. EIO. */
mst_status snn_read_file(const char *path, uint8_t **bytes, size_t *n, mst_err *err);

/* An aligned block for n bytes (never NULL: exits the test program). */
uint8_t *snn_block(size_t n);

/* Make the checksums of a snn.bin right again, as far as its table can be followed. */
void snn_fix_checksums(uint8_t *bytes, size_t n);

#endif
