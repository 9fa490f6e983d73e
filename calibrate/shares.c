/* How sure shares of samples are: exact, by the distributions of GSL. Knows nothing of networks. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>

#include "mst/calibrate.h"

#define TAIL 0.025 /* on either side */
#define HALVINGS 60

double mst_paired_p(uint64_t lost, uint64_t gained)
{
    uint64_t n = lost + gained, fewer = lost < gained ? lost : gained;
    if (n == 0 || n > UINT32_MAX)
        return n == 0 ? 1 : (double)NAN;
    gsl_set_error_handler_off(); /* which aborts */
    return fmin(1, 2 * gsl_cdf_binomial_P((unsigned)fewer, 0.5, (unsigned)n));
}

/* x with P(x; a, b) = p, of the beta distribution. Not gsl_cdf_beta_Pinv, which has no answer for some parameters above
 * 10,000 (of GSL 2.7). */
static double beta_quantile(double p, double a, double b)
{
    double low = 0, high = 1;
    for (int i = 0; i < HALVINGS; i++) {
        double x = low + (high - low) / 2;
        if (gsl_cdf_beta_P(x, a, b) < p)
            low = x;
        else
            high = x;
    }
    return low + (high - low) / 2;
}

mst_interval mst_share_interval(uint64_t k, uint64_t n)
{
    if (n == 0 || k > n)
        return (mst_interval){(double)NAN, (double)NAN};
    gsl_set_error_handler_off();
    double found = (double)k, others = (double)(n - k);
    return (mst_interval){k != 0 ? beta_quantile(TAIL, found, others + 1) : 0,
                          k != n ? beta_quantile(1 - TAIL, found + 1, others) : 1};
}
