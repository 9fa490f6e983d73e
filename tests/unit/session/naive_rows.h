/* What SOFTMAX and LAYERNORM are made of, written from docs/EXECUTION.md. */
#ifndef MST_NAIVE_ROWS_H
#define MST_NAIVE_ROWS_H

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Lanes added in halves, as docs/EXECUTION.md has it: ((0+4)+(2+6)) + ((1+5)+(3+7)) of eight. */
static inline double naive_halves(const double *lane, size_t first, size_t apart, size_t lanes, bool narrow)
{
    if (apart == lanes)
        return lane[first];
    double a = naive_halves(lane, first, 2 * apart, lanes, narrow),
           b = naive_halves(lane, first + apart, 2 * apart, lanes, narrow);
    return narrow ? (double)((float)a + (float)b) : a + b;
}

/* E(x) of docs/EXECUTION.md, which must be near the C library's. */
static inline float naive_exp(float x)
{
    static const float c[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                              5.0000001201e-1f};
    if (x < -87.0f)
        return 0.0f;
    float k = rintf(x * 1.44269504f), r = x - k * 0.693359375f, p = 1.9875691500e-4f;
    r = r - k * -2.12194440e-4f;
    for (size_t i = 0; i < 5; i++) {
        p = p * r;
        p = p + c[i];
    }
    float y = ldexpf(p * (r * r) + r + 1.0f, (int)k);
    ck_assert(fabs((double)y - exp((double)x)) <= 2.5e-7 * exp((double)x));
    return y;
}

#endif
