/* The AMX kernels on tiles in memory, with what a processor would refuse: a set for machines without them. Vectors are
 * of one float, so that nothing else of an instruction set is needed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TILES 8

static _Thread_local struct {
    uint8_t rows[TILES];
    uint16_t bytes[TILES]; /* 0: not configured */
    uint8_t data[TILES][16][64];
} unit;

static void must(int holds)
{
    if (!holds)
        abort(); /* an invalid instruction */
}

static void tile_configure(const void *config)
{
    const uint8_t *c = config;
    memset(&unit, 0, sizeof unit);
    must(c[0] == 1);
    for (int i = 0; i < TILES; i++) {
        memcpy(&unit.bytes[i], c + 16 + 2 * i, 2);
        unit.rows[i] = c[48 + i];
        must(unit.rows[i] <= 16 && unit.bytes[i] <= 64 && (unit.rows[i] == 0) == (unit.bytes[i] == 0));
    }
}

static void tile_release(void) { memset(&unit, 0, sizeof unit); }

static void tile_zero(int i)
{
    must(unit.rows[i] != 0);
    memset(unit.data[i], 0, sizeof unit.data[i]);
}

static void tile_load(int i, const void *from, ptrdiff_t ld)
{
    tile_zero(i);
    for (int r = 0; r < unit.rows[i]; r++)
        memcpy(unit.data[i][r], (const uint8_t *)from + r * ld, unit.bytes[i]);
}

static void tile_store(int i, void *to, ptrdiff_t ld)
{
    must(unit.rows[i] != 0);
    for (int r = 0; r < unit.rows[i]; r++)
        memcpy((uint8_t *)to + r * ld, unit.data[i][r], unit.bytes[i]);
}

static void tile_dot(int sums, int a, int b)
{
    must(unit.rows[a] == unit.rows[sums] && unit.bytes[a] == 4 * unit.rows[b] && unit.bytes[b] == unit.bytes[sums]);
    must(unit.rows[sums] != 0 && unit.rows[b] != 0 && sums != a && sums != b && a != b);
    for (int m = 0; m < unit.rows[a]; m++)
        for (int n = 0; n < unit.bytes[b] / 4; n++) {
            int32_t sum;
            memcpy(&sum, unit.data[sums][m] + 4 * n, 4);
            for (int k = 0; k < unit.bytes[a]; k++)
                sum += unit.data[a][m][k] * (int8_t)unit.data[b][k / 4][4 * n + k % 4];
            memcpy(unit.data[sums][m] + 4 * n, &sum, 4);
        }
}

#define MSTC_TILES_GIVEN
#define MSTC_SET amx_emulated
#define MSTC_GROUP 65536u
#include "runtime/kernels/count_tiles.h"
#include "runtime/kernels/count_vec_scalar.h"

#include "runtime/kernels/count_body.h"
