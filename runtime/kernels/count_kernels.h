/* Kernels on counts: u8 counts x int8 weights -> int32 -> gain, bias, fire -> u8 counts.
 * Plain functions as in kernels.h: no allocation, no errors, no globals, the same bits from
 * every instruction set (docs/EXECUTION.md names every rounding). A count is 0..255.
 *
 * Products. All take rows of counts (mstc_input) and panels of weights (mstc_weights) and make
 * the exact int32 sums s[r][o] = sum over taps t and i < k of x[r][taps[t] + i] * w[o][t][i]. The
 * sums of absolute products must stay below 2^31: most * (w.most + w.lift) * n_taps * k < 2^31.
 * Each operation below is rounded to float32, nothing is contracted:
 *   f = (float)s;  x = c[o]*f;  x = x + b[r*b_step + o];  x = x + more (mstc_more), where there is
 *   fire: if there is a gain: x = gain[o]*x, x = x + bias[o];
 *         y = floor((x*levels)/theta[o] + shift - back), clipped to 0..levels, NaN gives 0; or, where quick_k is
 *         there, y = floor(quick_k[o]*f + quick_d[o]), clipped likewise: the caller knows that all sums that
 *         there are give the same, and that no number that is clipped reaches 2^31
 *
 * fire        counts y[r][o]
 * current     float32 y[r][o] = x
 *
 * Products of counts (attention): pack one factor into panels, then multiply as above. Weights are
 * signed: where counts above 127 are packed, lift is 128, and 0 otherwise. A part of a row (a head)
 * is x further on; in.taps and n_taps are not looked at.
 * pack_rows     panels of `rows` outputs with in.k weights: output o has row o (Q x K^T)
 * pack_columns  panels of in.k outputs with `rows` weights: output o has column o (A x V)
 *               then w = {panels, n, 127 or 128 (or the largest count, where lift is 0), lift}
 *
 * sum         x = a, or a + b where there is a b, of rows of n columns: floats in keep, if not NULL; where there
 *             are neurons q, what they fire in y
 *
 * Counting. bits 0: the sum of counts n, bits 1: of their set bits. Sums below 2^32.
 * total         of n counts behind each other
 * row_sums      sums[r] of a row's segments
 * column_sums   sums[i] of the rows' count i < k; taps are not looked at. The pairs of
 *               spikes of a product P = A B^T are sum over d of column_sums(A)[d] * column_sums(B)[d]
 *
 * Masks. thin: element e of a tensor, first <= e < first + n, keeps n' of its n <= levels spikes. Its
 * word is number e%4 of Philox 4x32-10 (Random123) with key (low, high word of seed) and counter
 * (sample, 1, index, (uint32)(e/4)). in and out may be the same.
 *   binomial (table):     n' = how many k < n have word >= less[n][k] (mstc_thin_table)
 *   systematic (no table): n' = (n*keep + word) / 2^32, whole numbers
 *
 * Memory. Outputs never overlap inputs. Only rows and columns that there are get written, any
 * alignment. Read behind a segment, where k is no multiple of 4: up to 3 bytes, of any value.
 */
#ifndef MST_COUNT_KERNELS_H
#define MST_COUNT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

#define MSTC_COLS 32u    /* outputs of a panel */
#define MSTC_LEVELS 255u /* the largest count */

/* Rows of counts: row r starts at x + ld*index[r], or x + ld*r without index. Its n_taps segments
 * of k counts start taps[t] bytes behind that.
 * Linear layers: one tap, {0}. A convolution over a bordered NHWC image [H][W][C]: ld = C,
 * index[r] = the pixel under the first tap of output pixel r, taps in the order of the weights;
 * neighbouring taps of a row (no dilation) are better given as one segment of kw*C. */
typedef struct mstc_input {
    const uint8_t *x;
    size_t ld;
    const uint32_t *index;
    const size_t *taps;
    size_t n_taps, k;
    unsigned most; /* no count is larger: the smaller, the faster on AVX2 (16, 32, 64, 128), on ARM up to 127 */
} mstc_input;

/* Weights of outputs o in panels [ceil(n/32)][n_taps][ceil(k/4)][32][4], 64-byte aligned: weight
 * i of tap t for output o is byte i%4 of [o/32][t][i/4][o%32]. Padding (outputs behind n,
 * weights behind k) is 0. A part of the panels is a layer of its own: advance panels by
 * mstc_panel_size and everything that runs over o by 32. */
typedef struct mstc_weights {
    const int8_t *panels;
    size_t n;
    unsigned most; /* no stored weight's absolute value is larger, 127 as a rule, 128 at most */
    unsigned lift; /* each weight is worth so much more than its byte: 0, or 128 where packed so */
} mstc_weights;

/* What is added, a shortcut: theta*((float)counts[r][o]/levels), both rounded, or floats[r][o]; row r is row
 * index[r], or r without index, ld elements apart. One of counts and floats is NULL. Levels of 1 are not divided by. */
typedef struct mstc_more {
    const uint8_t *counts;
    float theta, levels;
    const float *floats;
    size_t ld;
    const uint32_t *index;
} mstc_more;

typedef struct mstc_affine {
    const float *c, *b; /* [n]; [n], or a matrix with rows b_step apart (0: the same for all rows) */
    size_t b_step;
    const mstc_more *more;          /* or NULL */
    const float *quick_k, *quick_d; /* [n]; or NULL */
} mstc_affine;

typedef struct mstc_neuron {
    const float *theta, *gain, *bias; /* [n]; gain and bias: both NULL or neither */
    float levels, shift, back;        /* levels: a whole number, 1..255; back: as in mstk_neuron (kernels.h) */
} mstc_neuron;

/* Where row r of a result goes: y + ld*index[r], or y + ld*r without index. */
typedef struct mstc_bytes {
    uint8_t *y;
    size_t ld;
    const uint32_t *index;
} mstc_bytes;

/* Row r of floats goes to y + ld*r. */
typedef struct mstc_floats {
    float *y;
    size_t ld;
} mstc_floats;

typedef struct mstc_thin {
    uint64_t seed;
    uint32_t sample, index;
    unsigned levels;
    const uint32_t *table; /* of mstc_thin_table, or NULL */
    uint32_t keep;         /* without a table: the share that is kept, of 2^32 */
} mstc_thin;

typedef struct mst_count_kernels {
    const char *isa;
#define MSTC_KERNEL(ret, name, args) ret(*name) args;
#include "runtime/kernels/count_kernels.def"
#undef MSTC_KERNEL
} mst_count_kernels;

/* Bytes of one panel. */
static inline size_t mstc_panel_size(size_t n_taps, size_t k)
{
    return n_taps * ((k + 3) / 4) * 4 * MSTC_COLS;
}

/* Bytes of all panels of n outputs. */
static inline size_t mstc_panels_size(size_t n, size_t n_taps, size_t k)
{
    return (n + MSTC_COLS - 1) / MSTC_COLS * mstc_panel_size(n_taps, k);
}

/* Where weight i of tap t for output o lies. */
static inline size_t mstc_weight_at(size_t o, size_t t, size_t i, size_t n_taps, size_t k)
{
    size_t step = (o / MSTC_COLS * n_taps + t) * ((k + 3) / 4) + i / 4;
    return (step * MSTC_COLS + o % MSTC_COLS) * 4 + i % 4;
}

/* Thresholds of binomial thinning; less[n][k] is table[k*mstc_thin_row(levels) + n - 1], for
 * n = 1..levels and k < n the chance of at most k, in parts of 2^32; UINT32_MAX where k >= n. Float64,
 * each operation rounded, r = ratio, s = 1 - r: F(n,k) = r*F(n-1,k) + s*F(n-1,k-1), F(n,k) = 1 for k >= n, of
 * which k = 0 has the first term only; less = round(F*2^32), half away from zero, at most 2^32 - 1. ratio: 0..1. */
void mstc_thin_table(unsigned levels, double ratio, uint32_t *table);

/* Entries of a row of the table, which has `levels` rows. */
static inline size_t mstc_thin_row(unsigned levels) { return (levels + 15) / 16 * 16; }

#if defined(__x86_64__) && !defined(_WIN32) /* GCC's intrinsics pass strides of tiles as long, there of 32 bits */
#define MSTC_HAS_AMX 1
#else
#define MSTC_HAS_AMX 0
#endif

/* One table per instruction set; NULL slots are taken from scalar. */
extern const mst_count_kernels mst_count_kernels_scalar;
#if defined(__x86_64__)
extern const mst_count_kernels mst_count_kernels_avx2, mst_count_kernels_avxvnni, mst_count_kernels_vnni,
    mst_count_kernels_amx;
#elif defined(__aarch64__)
extern const mst_count_kernels mst_count_kernels_neon, mst_count_kernels_dotprod;
#endif

/* Fill *out with the kernels of a set: "amx" (with AVX-512 VNNI), "vnni" (AVX-512 VNNI), "avxvnni"
 * (256 bits), "avx2" or "scalar", on ARM "dotprod" (its dot products) or "neon"; NULL: the best that this
 * machine has. EINVAL for an unknown set, or one that this machine lacks. */
mst_status mst_count_kernels_select(const char *set, mst_count_kernels *out, mst_err *err);

bool mst_count_kernels_here(const char *set); /* does this machine have it? */

/* The best set of this machine that an instruction set of mst_kernels_select may use. */
const char *mst_count_kernels_of(const char *isa);

#endif
