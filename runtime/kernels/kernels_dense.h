/* Products of rows in which most inputs are not zero. Included by kernels_body.h only: a tile of
 * rows x 16 outputs stays in registers while the inputs pass by, in their order. */
#ifndef MST_KERNELS_DENSE_H
#define MST_KERNELS_DENSE_H

#define DENSE_VECS (MSTK_DENSE / MSTK_WIDTH)
#define DENSE_ROWS (12 / DENSE_VECS) /* 12 sums; the rest of 16 registers are weights, an input, a product */

/* Early enough for GCC to keep all sums in registers. */
#define DENSE_UNROLLED _Pragma("GCC unroll 12")

/* Where a row of sums begins, and where it goes; all MSTK_DENSE of both are there. */
typedef struct dense_row {
    const float *x, *from;
    float *to;
} dense_row;

typedef vec dense_sums[DENSE_ROWS][DENSE_VECS];

/* One input of each row. Constant where inlined: height. */
static inline __attribute__((always_inline)) void dense_add(const float *const *x, size_t i, const size_t height,
                                                            const float *w, dense_sums a)
{
    DENSE_UNROLLED
    for (size_t r = 0; r < height; r++) {
        const float v = x[r][i];
        DENSE_UNROLLED
        for (size_t j = 0; j < DENSE_VECS; j++)
            a[r][j] += v * AT(vec, w, j);
    }
}

static inline __attribute__((always_inline)) void dense_tile(const mstk_rows *in, const dense_row *row,
                                                             const size_t height, const float *w)
{
    dense_sums a;
    const float *x[DENSE_ROWS];
    DENSE_UNROLLED
    for (size_t r = 0; r < height; r++) {
        x[r] = row[r].x;
        DENSE_UNROLLED
        for (size_t j = 0; j < DENSE_VECS; j++)
            a[r][j] = AT(vec, row[r].from, j);
    }
    for (size_t t = 0; t < in->n_taps; t++)
        for (size_t i = in->taps[t], end = i + in->k; i < end; i++, w += MSTK_DENSE)
            dense_add(x, i, height, w, a);
    DENSE_UNROLLED
    for (size_t r = 0; r < height; r++) {
        DENSE_UNROLLED
        for (size_t j = 0; j < DENSE_VECS; j++)
            TO(vec, row[r].to, j) = a[r][j];
    }
}

#define DENSE_CASE(h) \
    case h: \
        if (h <= DENSE_ROWS) \
            dense_tile(in, row, h <= DENSE_ROWS ? h : 1, w); \
        break;

static void dense_rows(const mstk_rows *in, const dense_row *row, size_t height, const float *w)
{
    switch (height) {
        DENSE_CASE(1)
        DENSE_CASE(2)
        DENSE_CASE(3)
        DENSE_CASE(4)
        DENSE_CASE(5)
        DENSE_CASE(6)
        DENSE_CASE(7)
        DENSE_CASE(8)
        DENSE_CASE(9)
        DENSE_CASE(10)
        DENSE_CASE(11)
        DENSE_CASE(12)
    }
}

/* Fewer outputs than a panel has. */
static void dense_edge(const mstk_rows *in, const dense_row *row, size_t height, const float *w, size_t n)
{
    float sums[DENSE_ROWS][MSTK_DENSE] = {{0}};
    dense_row own[DENSE_ROWS];
    for (size_t r = 0; r < height; r++) {
        memcpy(sums[r], row[r].from, n * sizeof *sums[r]);
        own[r] = (dense_row){row[r].x, sums[r], sums[r]};
    }
    dense_rows(in, own, height, w);
    for (size_t r = 0; r < height; r++)
        memcpy(row[r].to, sums[r], n * sizeof *sums[r]);
}

static void FN(dense_f32)(const mstk_rows *in, size_t rows, const float *w, const mstk_sums *y, size_t n)
{
    size_t tiles = (rows + DENSE_ROWS - 1) / DENSE_ROWS;
    for (size_t i = 0, at = 0; i < tiles; i++) {
        dense_row row[DENSE_ROWS];
        size_t height = rows * (i + 1) / tiles - at;
        for (size_t r = 0; r < height; r++, at++)
            row[r] = (dense_row){in->x + (in->index != NULL ? in->index[at] : at) * in->ld, y->from + at * y->ld_from,
                                 y->to + at * y->ld};
        if (n == MSTK_DENSE)
            dense_rows(in, row, height, w);
        else
            dense_edge(in, row, height, w, n);
    }
}

#endif
