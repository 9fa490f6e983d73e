/* Thresholds of binomial thinning. Plain float64 sums and products, so that every machine has the
 * same; no power function, and nothing that underflows matters. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/count_kernels.h"

void mstc_thin_table(unsigned levels, double ratio, uint32_t *table)
{
    const double keep = 1.0 - ratio;
    const size_t row = mstc_thin_row(levels);
    double p[MSTC_LEVELS + 1] = {1.0}; /* of n spikes, k stay */
    memset(table, 0xff, levels * row * sizeof *table);
    for (unsigned n = 1; n <= levels; n++) {
        double sum = 0;
        p[n] = keep * p[n - 1];
        for (unsigned k = n - 1; k > 0; k--)
            p[k] = ratio * p[k] + keep * p[k - 1];
        p[0] = ratio * p[0];
        for (unsigned k = 0; k < n; k++) {
            sum = sum + p[k];
            double least = floor(sum * 0x1p32 + 0.5);
            table[k * row + n - 1] = least < 0x1p32 ? (uint32_t)least : UINT32_MAX;
        }
    }
}
