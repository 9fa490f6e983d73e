/* What the kernel benchmarks share: a clock, medians, random bits. Knows no kernel. */
#ifndef MST_BENCH_TIME_H
#define MST_BENCH_TIME_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_MAX_RUNS 15

/* The thread's own time: others on the machine do not count. */
static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline double bench_median(double *x, unsigned n)
{
    qsort(x, n, sizeof *x, bench_compare);
    return n % 2 != 0 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* Seconds of one call of fn(ctx): median of `runs` runs of at least `least` seconds. */
static inline double bench_time(void (*fn)(void *ctx), void *ctx, unsigned runs, double least)
{
    double times[BENCH_MAX_RUNS];
    unsigned long calls = 1;
    fn(ctx);
    for (unsigned r = 0; r < runs && r < BENCH_MAX_RUNS;) {
        double start = bench_now(), took;
        for (unsigned long i = 0; i < calls; i++)
            fn(ctx);
        took = bench_now() - start;
        if (took < least && r == 0)
            calls = took > least / 16 ? (unsigned long)((double)calls * least / took * 1.2) + 1 : calls * 16;
        else
            times[r++] = took / (double)calls;
    }
    return bench_median(times, runs < BENCH_MAX_RUNS ? runs : BENCH_MAX_RUNS);
}

/* xorshift64*, the same numbers each run */
static inline double bench_uniform(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)(*state * 2685821657736338717u >> 11) * 0x1p-53;
}

/* Zeroed, aligned to 64 bytes; ends the program when there is no memory. */
static inline void *bench_alloc(size_t n)
{
    n = (n + 63) / 64 * 64;
    void *p = aligned_alloc(64, n);
    if (p == NULL) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    return memset(p, 0, n);
}

#endif
