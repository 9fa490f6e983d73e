/* The source of the int8 kernels of the block schedule, compiled once per instruction
 * set. The including file defines MSTB_SET and MSTB_WIDTH (floats per vector), and
 * MSTB_OWN_WIDEN, the body of widen, where compilers need help with it. No include
 * guard: meant for one inclusion per block_int8_<set>.c, and for nothing else.
 *
 * A panel row has 64 bytes a strip: byte 2i is column i plus 128, byte 2i+1 column i+32.
 * So a lane of 16 bits holds two columns (the machine is little-endian, as snn.bin is),
 * and three operations add a row of both: the lanes to one accumulator, the lanes shifted
 * right by 8, which is the upper column, to another. The lower column is what is left.
 */
#include <string.h>

#include "runtime/kernels/block_set.h"

#define LANES (MSTB_WIDTH * 2)       /* of 16 bits in a vector */
#define VECS (MSTB_COLS / 2 / LANES) /* in a strip */
#define MOST 256                     /* rows whose sums fit into 16 bits: 127 * 256, 255 * 256 */

typedef int16_t lanes __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));
typedef uint16_t ulanes __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias)); /* wrap around */
typedef int32_t ints __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));
typedef float floats __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));

/* The sums of a strip: lane i of low[v] is column v*LANES + i, of high[v] the one 32 further on. */
typedef struct sums {
    lanes low[VECS], high[VECS];
} sums;

/* At most MOST rows. */
ALWAYS void add_rows(const uint16_t *idx, const uint16_t *end, size_t strips, const uint8_t *w, sums *to)
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
        to[j / VECS].low[j % VECS] = (lanes)(both[j] - ((ulanes)high[j] << 8) - biases);
        to[j / VECS].high[j % VECS] = high[j];
    }
}

/* The lower and the upper half of the lanes. */
ALWAYS void widen(lanes x, ints to[2])
{
#ifdef MSTB_OWN_WIDEN
    MSTB_OWN_WIDEN
#else
    typedef int16_t half __attribute__((vector_size(MSTB_WIDTH * 2), aligned(4), may_alias));
    half parts[2];
    memcpy(parts, &x, sizeof x);
    to[0] = __builtin_convertvector(parts[0], ints);
    to[1] = __builtin_convertvector(parts[1], ints);
#endif
}

#define AT(type, p, j) (((const type *)(const void *)(p))[j])
#define TO(type, p, j) (((type *)(void *)(p))[j])

/* c*sum + b for vector v of a strip's columns. */
ALWAYS floats finish(ints sum, size_t v, const float *c, const float *b)
{
    return AT(floats, c, v) * __builtin_convertvector(sum, floats) + AT(floats, b, v);
}

/* The strip's lower columns and, if `all`, the upper ones. */
ALWAYS void finish_strip(const sums *s, int all, const float *c, const float *b, floats x[4 * VECS])
{
    for (size_t v = 0; v < VECS; v++) {
        ints low[2], high[2];
        widen(s->low[v], low);
        widen(s->high[v], high);
        for (size_t h = 0; h < 2; h++) {
            x[2 * v + h] = finish(low[h], 2 * v + h, c, b);
            if (all)
                x[2 * (VECS + v) + h] = finish(high[h], 2 * (VECS + v) + h, c, b);
        }
    }
}

/* A list of more rows: parts of it, added up in 32 bits. */
static __attribute__((noinline)) /* rare, and its sums would take its callers' registers */
void
gather_long(const uint16_t *idx, const uint16_t *end, size_t strips, const uint8_t *w, const float *c,
            const float *b, float *acc, size_t apart)
{
    ints total[2][4 * VECS];
    memset(total, 0, sizeof total);
    for (const uint16_t *stop; idx < end; idx = stop) {
        sums part[2];
        stop = end - idx < MOST ? end : idx + MOST;
        if (strips == 2)
            add_rows(idx, stop, 2, w, part);
        else
            add_rows(idx, stop, 1, w, part);
        for (size_t j = 0; j < strips * VECS; j++) {
            ints low[2], high[2], *to = total[j / VECS] + j % VECS * 2;
            widen(part[j / VECS].low[j % VECS], low);
            widen(part[j / VECS].high[j % VECS], high);
            for (size_t h = 0; h < 2; h++) {
                to[h] += low[h];
                to[2 * VECS + h] += high[h];
            }
        }
    }
    for (size_t s = 0; s < strips; s++)
        for (size_t v = 0; v < 4 * VECS; v++)
            TO(floats, acc + s * apart, v) = finish(total[s][v], v, c + s * MSTB_COLS, b + s * MSTB_COLS);
}

ALWAYS void gather_strips(const mstb_lists *in, size_t n, size_t strips, const uint8_t *w, const float *c,
                          const float *b, float *acc, size_t apart)
{
    for (size_t i = 0; i < n; i++, acc += MSTB_COLS) {
        const uint16_t *idx = in->idx + in->start[i * in->stride], *end = in->idx + in->start[i * in->stride + 1];
        sums sum[2];
        if (end - idx > MOST) {
            gather_long(idx, end, strips, w, c, b, acc, apart);
            continue;
        }
        add_rows(idx, end, strips, w, sum);
        for (size_t s = 0; s < strips; s++) {
            floats x[4 * VECS];
            finish_strip(&sum[s], 1, c + s * MSTB_COLS, b + s * MSTB_COLS, x);
            for (size_t v = 0; v < 4 * VECS; v++)
                TO(floats, acc + s * apart, v) = x[v];
        }
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
