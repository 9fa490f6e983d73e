/* Thresholds of binomial thinning. Plain float64 sums and products, so that every machine has the
 * same; no power function, and nothing that underflows matters. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/count_kernels.h"

void mstc_thin_table(unsigned levels, double ratio, uint32_t *table)
{
    const double keep = 1.0 - ratio;
    const size_t row = mstc_thin_row(levels);
    double most[MSTC_LEVELS + 1]; /* of n spikes, at most k stay; 1 for k >= n */
    memset(table, 0xff, levels * row * sizeof *table);
    most[0] = 1.0;
    for (unsigned n = 1; n <= levels; n++) {
        most[n] = 1.0;
        for (unsigned k = n - 1; k > 0; k--)
            most[k] = ratio * most[k] + keep * most[k - 1];
        most[0] = ratio * most[0];
        for (unsigned k = 0; k < n; k++) {
            double least = round(most[k] * 0x1p32);
            table[k * row + n - 1] = least < 0x1p32 ? (uint32_t)least : UINT32_MAX;
        }
    }
}
