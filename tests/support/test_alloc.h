/* An allocator that counts, and fails when told to. */
#ifndef MST_TESTS_TEST_ALLOC_H
#define MST_TESTS_TEST_ALLOC_H

#include "mst/alloc.h"

typedef struct test_alloc {
    size_t calls;         /* blocks asked for so far, resizing included */
    size_t fail_at;       /* the one that fails, counted from 1; 0: none */
    size_t fail_from;     /* the first of all that fail; 0: none */
    size_t blocks, bytes; /* alive */
    size_t largest;       /* bytes of one block, of all that were given */
    size_t resized;
} test_alloc;

/* The allocator behind t, which outlives all that was made with it. One thread at a time. */
mst_allocator test_allocator(test_alloc *t);

#endif
