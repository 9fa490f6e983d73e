/* The source of the int8 kernels of the block schedule, compiled once per instruction
 * set. The including file defines MSTB_SET and MSTB_WIDTH (floats per vector). No
 * include guard: meant for one inclusion per block_int8_<set>.c, and for nothing else.
 *
 * A panel row has 64 bytes a strip: byte 2i is column i plus 128, byte 2i+1 column i+32.
 * So a lane of 16 bits holds two columns (the machine is little-endian, as snn.bin is),
 * and three operations add a row of both: the lanes to one accumulator, the lanes shifted
 * right by 8, which is the upper column, to another. The lower column is what is left.
 */
#include "runtime/kernels/block_kernels.h"

#define MSTB_CAT_(name, set) mstb_##name##__##set
#define MSTB_CAT(name, set) MSTB_CAT_(name, set)
#define FN(name) MSTB_CAT(name, MSTB_SET)
#define LANES (MSTB_WIDTH * 2) /* of 16 bits in a vector */
#define VECS (MSTB_COLS / 2 / LANES) /* in a strip */
#define MOST 256 /* rows whose sums fit into 16 bits: 127 * 256, 255 * 256 */

typedef int16_t lanes __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));
typedef uint16_t ulanes __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias)); /* wrap around */
typedef int16_t shorts __attribute__((vector_size(MSTB_WIDTH * 2), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));
typedef float floats __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));

#define ALWAYS static inline __attribute__((always_inline))

/* At most MOST rows; sum: [strips][64], columns in order. */
ALWAYS void add_rows(const uint16_t *idx, const uint16_t *end, size_t strips, const uint8_t *w, int16_t *sum)
{
    ulanes both[2 * VECS];
    lanes high[2 * VECS];
    uint16_t biases = (uint16_t)(128 * (size_t)(end - idx));
    for (size_t j = 0; j < strips * VECS; j++) {
        both[j] = (ulanes){0};
        high[j] = (lanes){0};
    }
    for (; idx < end; idx++) {
        const lanes *row = (const lanes *)(const void *)(w + (size_t)*idx * strips * MSTB_COLS);
        for (size_t j = 0; j < strips * VECS; j++) {
            both[j] += (ulanes)row[j];
            high[j] += row[j] >> 8;
        }
    }
    for (size_t j = 0; j < strips * VECS; j++) {
        lanes *to = (lanes *)(void *)(sum + j / VECS * MSTB_COLS + j % VECS * LANES);
        to[0] = (lanes)(both[j] - ((ulanes)high[j] << 8) - biases);
        to[VECS] = high[j];
    }
}

/* acc = c*sum + b, for a strip; the vectors are spelled out: compilers would ask whether acc overlaps the rest. */
#define FINISH(name, number, sums)                                                                 \
    ALWAYS void name(const number *sum, const float *c, const float *b, float *acc)                \
    {                                                                                              \
        for (size_t j = 0; j < MSTB_COLS; j += MSTB_WIDTH) {                                       \
            floats x = __builtin_convertvector(                                                    \
                __builtin_convertvector(*(const sums *)(const void *)(sum + j), ints), floats);    \
            *(floats *)(void *)(acc + j) = *(const floats *)(const void *)(c + j) * x +            \
                                           *(const floats *)(const void *)(b + j);                 \
        }                                                                                          \
    }
FINISH(finish_short, int16_t, shorts)
FINISH(finish_long, int32_t, ints)

ALWAYS void gather_strips(const mstb_lists *in, size_t n, size_t strips, const uint8_t *w, const float *c,
                          const float *b, float *acc, size_t apart)
{
    for (size_t i = 0; i < n; i++, acc += MSTB_COLS) {
        const uint16_t *idx = in->idx + in->start[i * in->stride], *end = in->idx + in->start[i * in->stride + 1];
        int16_t sum[2 * MSTB_COLS] __attribute__((aligned(64)));
        if (end - idx <= MOST) {
            add_rows(idx, end, strips, w, sum);
            for (size_t s = 0; s < strips; s++)
                finish_short(sum + s * MSTB_COLS, c + s * MSTB_COLS, b + s * MSTB_COLS, acc + s * apart);
            continue;
        }
        int32_t total[2 * MSTB_COLS] __attribute__((aligned(64))) = {0};
        for (const uint16_t *stop; idx < end; idx = stop) {
            stop = end - idx < MOST ? end : idx + MOST;
            add_rows(idx, stop, strips, w, sum);
            for (size_t j = 0; j < strips * MSTB_COLS; j++)
                total[j] += sum[j];
        }
        for (size_t s = 0; s < strips; s++)
            finish_long(total + s * MSTB_COLS, c + s * MSTB_COLS, b + s * MSTB_COLS, acc + s * apart);
    }
}

void FN(gather_bytes)(const mstb_lists *in, size_t n, size_t strips, const uint8_t *w, const float *c, const float *b,
                      float *acc, size_t apart)
{
    if (strips == 2)
        gather_strips(in, n, 2, w, c, b, acc, apart);
    else
        gather_strips(in, n, 1, w, c, b, acc, apart);
}
