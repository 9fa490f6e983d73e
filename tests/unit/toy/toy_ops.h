/* What the toy operators tell the test. */
#ifndef TEST_TOY_OPS_H
#define TEST_TOY_OPS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* What prepare leaves out or does too much. */
enum toy_keeps { TOY_AS_TOLD,
                 TOY_STATE_ONLY,
                 TOY_RESET_ONLY,
                 TOY_STATE_AND_RESET,
                 TOY_NOTHING };

enum { TOY_CALLS = 1024 };

typedef struct toy_log {
    atomic_uint n; /* calls of all nodes; those from TOY_CALLS on are not noted */
    struct {
        uint32_t node, time;
        pthread_t thread;
    } call[TOY_CALLS];
} toy_log;

extern toy_log toy_calls;

#endif
