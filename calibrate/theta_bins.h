/* Counts of positive numbers in bins whose range grows with the largest of them: whatever their order, the counts come
 * out the same. Private to calibrate.
 */
#ifndef MST_THETA_BINS_H
#define MST_THETA_BINS_H

#include <stddef.h>
#include <stdint.h>

#define THETA_BINS 2048

/* Bin b holds the x with b <= x / width < b + 1, width = 2^exponent / THETA_BINS; 2^exponent is the least power of two
 * above the largest x. */
typedef struct theta_bins {
    uint32_t *count;      /* [THETA_BINS] */
    int exponent;         /* INT_MIN: nothing counted */
    float largest, scale; /* 1 / width */
} theta_bins;

#define THETA_LEAST 0x1p-100f /* what is not above it counts as 0 */

/* b: [channels]; x: [n], channels on the last axis */
void theta_bins_add(theta_bins *b, size_t channels, const float *x, size_t n);

/* The same of 64 bits, for all channels together. */
typedef struct theta_sum {
    uint64_t count[THETA_BINS];
    int exponent;
    float largest;
} theta_sum;
void theta_sum_begin(theta_sum *s);
void theta_sum_add(theta_sum *s, const theta_bins *b);

/* Bins that hold something, by the middle of each. */
typedef struct theta_points {
    size_t n;
    float at[THETA_BINS]; /* ascending */
    double count[THETA_BINS];
    double positive; /* sum of counts */
    float largest, half_width;
} theta_points;
void theta_points_of_bins(theta_points *p, const theta_bins *b);
void theta_points_of_sum(theta_points *p, const theta_sum *s);

#endif
