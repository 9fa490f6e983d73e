/* Kernels of the block schedule: one strip of at most 64 neighbouring outputs
 * over a block of time steps. Plain functions as in kernels.h: no allocation, no
 * errors, no globals, the same bits from every instruction set.
 *
 * A strip's values x are rows of MSTB_COLS floats, one row a time step. Spikes
 * are words of 64 bits, bit i is column i; bits past the last column are 0.
 * Pointers to rows of MSTB_COLS floats and to panels are 64-byte aligned.
 *
 * list        for each step and, in it, each chunk, where its list starts in idx, which holds n
 *             entries: start[step*chunks + chunk]; and the entries, the inputs of the source's
 *             set bits, run after run. Returns how many idx then holds. Room for MSTB_SLACK
 *             more is needed.
 * list_val    idx: first + position of each value that is not zero, ascending, and val: the
 *             values; returns how many. Room for MSTB_SLACK more is needed
 * gather      acc of n lists: b (the same for all) or, b NULL, acc itself; plus the
 *             panel rows of the list in order, times val if there is one. w: [..][MSTB_COLS];
 *             columns past cols may stay as they are
 * gather_bytes of n lists of spikes, for 1 or 2 neighbouring strips: c*sum + b, c and b
 *             [strips][MSTB_COLS], sum the panel rows of the list as integers. w: rows of
 *             strips*MSTB_COLS bytes as mstb_byte_of puts them; strip s of acc lies s*apart on
 * gather_bytes_fire gather_bytes for the strips' steps, then fire: s[0] and, of 2 strips, s[1]
 * gather_fire gather for the strip's steps, then fire; starts from b or, b NULL, from acc
 * dense       gather of the source's steps that goes through all inputs: acc[step] = b plus the panel
 *             rows of the inputs that are set, in order; w is the panel of input 0
 * fire        integrate and fire over the steps: u = v + I, spikes where u >= theta,
 *             v = u - theta there. I = x, or gain*x + bias
 * sum         x = sum of the terms' theta*bit in order (add 0), or x += (add 1)
 * coincide    x[t][j] = c * |{bits of a(t) and b(t, j)}|, j < n at least; planes
 *             hold 64 columns, those past n are 0; returns the sum of the counts
 * columns     k rows of n <= 64 bits, ld words apart, to planes [ceil(k/32)][MSTB_COLS]:
 *             bit k%32 of planes[k/32][j] is bit j of row k
 * add         x = the n floats at from + t*step (add 0), or x += them (add 1)
 * affine      x = g*x + h, g, h: [MSTB_COLS]
 * count       bits set in consecutive words
 * mask        Random Spike Masking of n bits whose first is element `first` of its
 *             tensor; in and out may be the same
 */
#ifndef MST_BLOCK_KERNELS_H
#define MST_BLOCK_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

#define MSTB_COLS 64u
#define MSTB_SLACK 64u

/* Words of the same step behind each other: bit b of word w is input first + w*per + b. Inputs
 * ascend from run to run, and so do chunks, to which runs belong as a whole. */
typedef struct mstb_run {
    const uint64_t *bits; /* of step 0 */
    uint32_t words, first, per, chunk;
} mstb_run;

typedef struct mstb_source {
    const mstb_run *runs;
    size_t n_runs, step, steps, chunks; /* step: words between time steps */
} mstb_source;

/* List i: idx[start[i*stride] .. start[i*stride + 1]). val NULL: spikes; else what each panel
 * row is multiplied by (gather only). */
typedef struct mstb_lists {
    const uint16_t *idx;
    const float *val;
    const uint32_t *start;
    size_t stride;
} mstb_lists;

typedef struct mstb_strip {
    const float *theta, *gain, *bias; /* [MSTB_COLS]; gain and bias NULL: none */
    float *v;                         /* [n] */
    const float *from;                /* [n], v before the first of the steps; v itself, or elsewhere */
    size_t n, steps;
    uint64_t *bits; /* [steps] */
} mstb_strip;

typedef struct mstb_term {
    const uint64_t *bits; /* of step 0 */
    size_t step;          /* words between steps */
    float theta;
} mstb_term;

typedef struct mstb_planes {
    const uint32_t *a; /* [words] of step 0 */
    const uint32_t *b; /* [words][ld] of step 0 */
    size_t a_step, b_step, ld, words, steps;
} mstb_planes;

typedef struct mstb_mask {
    uint64_t seed;
    uint32_t sample, time, index, threshold;
} mstb_mask;

typedef struct mst_block_kernels {
#define MSTB_KERNEL(ret, name, args) ret(*name) args;
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
} mst_block_kernels;

/* The kernels of one set of mst_kernels_select; machines of one set may still differ
 * (VBMI2, VPOPCNTDQ). isa: what mst_kernels.isa says. */
void mst_block_kernels_select(const char *isa, mst_block_kernels *out);

/* Where column j of a strip lies in a row of an int8 panel, and what is added to its weight
 * (block_int8_body.h tells why). */
static inline size_t mstb_byte_of(size_t j) { return j < MSTB_COLS / 2 ? 2 * j : 2 * j - MSTB_COLS + 1; }
static inline int mstb_bias_of(size_t j) { return j < MSTB_COLS / 2 ? 128 : 0; }

/* Those of block_int8_<set>.c, for the tables. */
#define MSTB_INT8(set) \
    void mstb_gather_bytes__##set(const mstb_lists *in, size_t n, size_t strips, const uint8_t *w, const float *c, \
                                  const float *b, float *acc, size_t apart);
MSTB_INT8(scalar)
#if defined(__x86_64__)
MSTB_INT8(avx2)
MSTB_INT8(avx512)
void mstb_gather_bytes_fire__avx512(const mstb_lists *in, const mstb_strip *s, size_t strips, const uint8_t *w,
                                    const float *c, const float *b);
#endif
#undef MSTB_INT8

/* Tables of the sets; NULL slots are taken from scalar. */
extern const mst_block_kernels mst_block_kernels_scalar;
#if defined(__x86_64__)
extern const mst_block_kernels mst_block_kernels_avx2, mst_block_kernels_avx512;
extern const mst_block_kernels mst_block_kernels_avx512_more; /* over avx512 where the machine has it */
#elif defined(__aarch64__)
extern const mst_block_kernels mst_block_kernels_neon;
#endif

#endif
