/* See tool_divergence.h. */
#include "tools/tool_divergence.h"

#include <math.h>

#include "mst/session.h"

/* log of the sum of exp(x): what log-probabilities lack. */
static double log_sum(const float *x, size_t n)
{
    double most = (double)x[mst_argmax(x, n)], sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

void mst_softmax(const float *x, double *p, size_t n)
{
    double all = log_sum(x, n);
    for (size_t i = 0; i < n; i++)
        p[i] = exp((double)x[i] - all);
}

double mst_divergence_from(const double *p, const float *to, size_t n)
{
    double all = log_sum(to, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i] > 0 ? p[i] * (log(p[i]) - ((double)to[i] - all)) : 0;
    return sum;
}

double mst_divergence(const float *from, const float *to, size_t n)
{
    double a = log_sum(from, n), b = log_sum(to, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        double p = (double)from[i] - a, q = (double)to[i] - b;
        sum += exp(p) * (p - q);
    }
    return sum;
}
