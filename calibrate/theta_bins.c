/* See theta_bins.h. Widths are powers of two, so that x / width and halving a bin's number are exact, and a number
 * ends in the same bin whether the range grew before or behind it. */
#include "calibrate/theta_bins.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* The least exponent whose power of two is above x. */
static int range_of(float x)
{
    int exponent;
    frexpf(x, &exponent);
    return exponent;
}

static float width_of(int exponent) { return ldexpf(1.0f / THETA_BINS, exponent); }

static void widen(theta_bins *b, int exponent)
{
    int shift = b->exponent == INT_MIN ? 0 : exponent - b->exponent;
    shift = shift > 31 ? 31 : shift;
    for (size_t i = 1; i < THETA_BINS && shift > 0; i++) { /* ascending: i >> shift is behind what was moved */
        uint32_t moved = b->count[i];
        b->count[i] = 0;
        b->count[i >> shift] += moved;
    }
    b->exponent = exponent;
}

static void add(theta_bins *b, float x)
{
    if (x > b->largest) {
        b->largest = x;
        if (range_of(x) > b->exponent)
            widen(b, range_of(x));
        b->scale = 1 / width_of(b->exponent);
    }
    b->count[(size_t)(x * b->scale)]++;
}

void theta_bins_add(theta_bins *b, size_t channels, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += channels)
        for (size_t c = 0; c < channels; c++)
            if (x[i + c] > THETA_LEAST)
                add(&b[c], x[i + c]);
}

void theta_sum_begin(theta_sum *s)
{
    memset(s, 0, sizeof *s);
    s->exponent = INT_MIN;
}

void theta_sum_add(theta_sum *s, const theta_bins *b)
{
    if (b->exponent == INT_MIN)
        return;
    int exponent = s->exponent > b->exponent ? s->exponent : b->exponent;
    int own = s->exponent == INT_MIN ? 0 : exponent - s->exponent, other = exponent - b->exponent;
    own = own > 31 ? 31 : own;
    other = other > 31 ? 31 : other;
    for (size_t i = 1; i < THETA_BINS && own > 0; i++) {
        uint64_t moved = s->count[i];
        s->count[i] = 0;
        s->count[i >> own] += moved;
    }
    for (size_t i = 0; i < THETA_BINS; i++)
        s->count[i >> other] += b->count[i];
    s->exponent = exponent;
    s->largest = b->largest > s->largest ? b->largest : s->largest;
}

static void begin(theta_points *p, int exponent, float largest)
{
    p->n = 0;
    p->positive = 0;
    p->largest = largest;
    p->half_width = exponent == INT_MIN ? 0 : width_of(exponent) / 2;
}

static void put(theta_points *p, size_t bin, double count)
{
    if (count == 0)
        return;
    p->at[p->n] = (float)(2 * bin + 1) * p->half_width;
    p->count[p->n++] = count;
    p->positive += count;
}

void theta_points_of_bins(theta_points *p, const theta_bins *b)
{
    begin(p, b->exponent, b->largest);
    for (size_t i = 0; i < THETA_BINS; i++)
        put(p, i, (double)b->count[i]);
}

void theta_points_of_sum(theta_points *p, const theta_sum *s)
{
    begin(p, s->exponent, s->largest);
    for (size_t i = 0; i < THETA_BINS; i++)
        put(p, i, (double)s->count[i]);
}
