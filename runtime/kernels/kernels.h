/* Kernels: plain functions on pointers, sizes and strides. No allocation, no
 * errors, no globals; they know nothing of graphs or sessions.
 *
 * All instruction sets give the same bits: lanes run over outputs, so that each
 * output keeps the scalar order of operations, and nothing is contracted.
 * Pointers need the alignment of their type only. Inputs and outputs do not
 * overlap unless it says so.
 *
 * scan      idx/val: the positions and values of x that are not zero, ascending;
 *           returns how many. Both arrays need room for n + MSTK_SLACK.
 * gather    y[0..n) = b[0..n) (0 without b); then for each list entry in order
 *           y[j] += val * w[idx*ldw + j]. y may be b
 * gather_i8 y[j] = c[j] * sum + b[j] (0 without b), product and sum rounded; sum: w[idx*ldw + j]
 *           over the list, an exact integer below 2^31. val is not looked at
 * dense     n <= 16 outputs j of row r: to[r*ld + j] = from[r*ld_from + j], then for all of the row's inputs in order,
 *           zero or not, += x * w[16*i + j], i the number of the input among those of all taps. from may be to
 * widen     y = w as float32: exact from f16, scale[j]*w[j] rounded from int8
 * pack_rows bits[r] = bit k is x[r*ld + k] != 0, for k < 64 bits of a row
 * pack_cols bits[c] = bit k is x[k*ld + c] != 0
 * coincide  row m of products of spikes: y[j] = c * |{k: a and b both set}|;
 *           returns the sum of the counts
 * fire      integrate and fire: u = v + I, out theta where u >= theta, v = u - out;
 *           returns how many fired. I = gain*x + bias, or x without gain.
 * stair     QCFS: theta * (clip(floor(I*levels/theta + shift - back), 0, levels) / levels);
 *           returns how many are not zero
 * level     the same staircase as counts: how many of 1..levels are <= I*levels/theta + shift - back;
 *           levels at most 255, 0 for NaN
 * count     the same as numbers, and y: what they are worth; returns their sum
 * worth     y = theta*(x/levels) of counts x; add_worth: y += that
 * affine    y = g*x + h
 * binary    y = fn(a, b), enum mst_binary_fn; stride[0], stride[1] are 0 or 1
 * clip      y = x < lo ? lo : x > hi ? hi : x
 * add_to    y += x;  max_to  y = y < x ? x : y;  scale  y *= c
 * softmax   of a row, n >= 1, by the exponential and the order of sums of docs/EXECUTION.md;
 *           y may be x
 * layernorm of a row, n >= 1, likewise
 *
 * "each": one constant per element; "same": the first constant for all.
 */
#ifndef MST_KERNELS_H
#define MST_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

#define MSTK_SLACK 16 /* entries that scan may write behind its last */

typedef struct mstk_list {
    const uint32_t *idx;
    const float *val;
    size_t n;
} mstk_list;

#define MSTK_DENSE 16 /* outputs of a panel of weights for `dense` */

/* Rows of inputs: row r starts at x + ld*index[r], or x + ld*r without index; its n_taps segments of k
 * floats start taps[t] floats behind that. */
typedef struct mstk_rows {
    const float *x;
    size_t ld;
    const uint32_t *index;
    const size_t *taps;
    size_t n_taps, k;
} mstk_rows;

/* Sums of rows: what they begin with (ld_from 0: the same for all), and where they go. */
typedef struct mstk_sums {
    const float *from;
    size_t ld_from;
    float *to;
    size_t ld;
} mstk_sums;

typedef struct mstk_bits {
    const uint64_t *a, *b; /* [words][lda], [words][n] */
    size_t words, lda, n;
} mstk_bits;

/* Levels that round half to even have this added and taken away again: of numbers from 0 to 2^23 nothing but a whole
 * number is left, and what is below 0 does not become 1. */
#define MSTK_EVEN 0x1p23f

typedef struct mstk_neuron {
    const float *theta, *gain, *bias; /* gain and bias NULL: none */
    float levels, shift, back;        /* back: 0; or MSTK_EVEN, as shift then is */
} mstk_neuron;

typedef struct mstk_norm {
    const float *gain, *bias; /* [n] or NULL */
    double eps;
} mstk_norm;

/* Outputs that gather keeps in registers: n of more go through the list again. */
#define MSTK_STRIP_VECS 8
#define MSTK_MOST_STRIP 128

typedef struct mst_kernels {
    const char *isa;
    size_t strip; /* those outputs, MSTK_STRIP_VECS of the set's vectors */
#define MSTK_KERNEL(ret, name, args) ret(*name) args;
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
} mst_kernels;

/* One table per instruction set; NULL slots are taken from scalar. */
extern const mst_kernels mst_kernels_scalar;
#if defined(__x86_64__)
extern const mst_kernels mst_kernels_avx2, mst_kernels_avx512;
#elif defined(__aarch64__)
extern const mst_kernels mst_kernels_neon;
#endif

/* Fill *out with the kernels of isa (a name of mst/isa.h; NULL: the best
 * that this machine has). EINVAL for an unknown set, or one this machine lacks. */
mst_status mst_kernels_select(const char *isa, mst_kernels *out, mst_err *err);

#endif
