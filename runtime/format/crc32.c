/* CRC-32 (IEEE 802.3), eight bytes a turn. Knows nothing of files. */
#include "runtime/format/snn.h"

#define POLYNOMIAL 0xedb88320u /* reflected */

void mst_crc32_init(mst_crc32_table *table)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (POLYNOMIAL & (0u - (c & 1u)));
        table->t[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table->t[k][i] = (table->t[k - 1][i] >> 8) ^ table->t[0][table->t[k - 1][i] & 0xff];
}

uint32_t mst_crc32(const mst_crc32_table *table, uint32_t crc, const void *p, size_t n)
{
    const uint32_t(*t)[256] = table->t;
    const uint8_t *s = p;
    crc = ~crc;
    for (; n >= 8; s += 8, n -= 8) {
        uint32_t a = crc ^ mst_get_u32(s), b = mst_get_u32(s + 4);
        crc = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^ t[4][a >> 24] ^ t[3][b & 0xff] ^
              t[2][b >> 8 & 0xff] ^ t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
    }
    for (; n > 0; s++, n--)
        crc = (crc >> 8) ^ t[0][(crc ^ *s) & 0xff];
    return ~crc;
}
