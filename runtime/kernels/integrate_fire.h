/* The rule of an integrate-and-fire neuron with soft reset, for kernels that spell no vectors. */
#ifndef MST_KERNELS_INTEGRATE_FIRE_H
#define MST_KERNELS_INTEGRATE_FIRE_H

#include <stdint.h>
#include <string.h>

/* x where on is 1, 0 where it is 0; by bits, because compilers that keep the traps of comparisons do not
 * vectorize a conditional here. */
static inline float mstk_keep_if(float x, uint32_t on)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0u - on;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* u = v + current; a spike (1) where u >= theta, which is then subtracted. */
static inline uint32_t mstk_fire_one(float *v, float current, float theta)
{
    float u = *v + current;
    uint32_t on = u >= theta;
    *v = u - mstk_keep_if(theta, on);
    return on;
}

#endif
