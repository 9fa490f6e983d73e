/* Counts into panels of weights by transposing in vectors of 256 bits. For the sets that have
 * AVX2. */
#ifndef MST_COUNT_PACK_AVX2_H
#define MST_COUNT_PACK_AVX2_H

#include <immintrin.h>

#define MSTC_OWN_PACK
#include "runtime/kernels/count_pack.h"

/* 32 counts of row r; nothing where there is no such row. */
ALWAYS __m256i row_part(const mstc_input *in, size_t rows, size_t r, size_t from, __m256i lift)
{
    if (r >= rows)
        return _mm256_setzero_si256();
    return _mm256_sub_epi8(_mm256_loadu_si256((const void *)(in->x + row_at(in->index, r) * in->ld + from)), lift);
}

/* Eight rows of 8 fours: to[s] of all rows, s the step. */
ALWAYS void transpose_fours(__m256i v[8])
{
    __m256i t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

/* Eight rows at a time, 8 steps at a time. */
static void FN(pack_rows)(const mstc_input *in, size_t rows, unsigned lift, int8_t *panels)
{
    const size_t steps = (in->k + 3) / 4, whole = in->k / 32 * 8;
    const __m256i by = _mm256_set1_epi8((char)lift);
    for (size_t o = 0; o < (rows + MSTC_COLS - 1) / MSTC_COLS * MSTC_COLS; o += 8) {
        int8_t *to = panels + o / MSTC_COLS * steps * 4 * MSTC_COLS + o % MSTC_COLS * 4;
        for (size_t s = 0; s < whole; s += 8) {
            __m256i v[8];
            for (size_t i = 0; i < 8; i++)
                v[i] = row_part(in, rows, o + i, 4 * s, by);
            transpose_fours(v);
            for (size_t i = 0; i < 8; i++)
                _mm256_store_si256((void *)(to + (s + i) * 4 * MSTC_COLS), v[i]);
        }
        for (size_t i = 0; i < 8 && whole < steps; i++)
            pack_rows_edge(in, rows, o + i, whole, lift, panels);
    }
}

/* The fours of 4 rows and 32 columns. */
ALWAYS void pack_quad(const __m256i r[4], int8_t *to)
{
    __m256i a = _mm256_unpacklo_epi8(r[0], r[1]), b = _mm256_unpacklo_epi8(r[2], r[3]),
            c = _mm256_unpackhi_epi8(r[0], r[1]), d = _mm256_unpackhi_epi8(r[2], r[3]);
    __m256i v[4] = {_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b), _mm256_unpacklo_epi16(c, d),
                    _mm256_unpackhi_epi16(c, d)};
    _mm256_store_si256((void *)to, _mm256_permute2x128_si256(v[0], v[1], 0x20));
    _mm256_store_si256((void *)(to + 32), _mm256_permute2x128_si256(v[2], v[3], 0x20));
    _mm256_store_si256((void *)(to + 64), _mm256_permute2x128_si256(v[0], v[1], 0x31));
    _mm256_store_si256((void *)(to + 96), _mm256_permute2x128_si256(v[2], v[3], 0x31));
}

static void FN(pack_columns)(const mstc_input *in, size_t rows, unsigned lift, int8_t *panels)
{
    const __m256i by = _mm256_set1_epi8((char)lift);
    for (size_t o = 0; o < in->k; o += MSTC_COLS)
        for (size_t s = 0; 4 * s < rows; s++, panels += 4 * MSTC_COLS) {
            __m256i r[4];
            if (o + MSTC_COLS > in->k) {
                pack_columns_edge(in, rows, s, o, lift, panels);
                continue;
            }
            for (size_t i = 0; i < 4; i++)
                r[i] = row_part(in, rows, 4 * s + i, o, by);
            pack_quad(r, panels);
        }
}

#endif
