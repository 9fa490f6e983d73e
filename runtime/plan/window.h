/* Windows of CONV and POOL along one axis: which taps lie inside the image. */
#ifndef MST_PLAN_WINDOW_H
#define MST_PLAN_WINDOW_H

#include <stdint.h>

/* One spatial axis of a window. */
typedef struct win_axis {
    int64_t size, out, kernel, stride, pad, dilation;
} win_axis;

static inline win_axis win_axis_of(uint32_t size, uint32_t out, uint32_t kernel, int32_t stride, int32_t pad,
                                   int32_t dilation)
{
    return (win_axis){size, out, kernel, stride, pad, dilation};
}

/* Taps *lo..*hi-1 of output o are inside; none when *hi <= *lo. */
static inline void win_taps(const win_axis *a, int64_t o, int64_t *lo, int64_t *hi)
{
    int64_t first = o * a->stride - a->pad; /* position of tap 0 */
    *lo = first < 0 ? (-first + a->dilation - 1) / a->dilation : 0;
    *hi = first >= a->size ? 0 : (a->size - first + a->dilation - 1) / a->dilation;
    if (*hi > a->kernel)
        *hi = a->kernel;
}

/* Taps inside the image, summed over all outputs. */
static inline uint64_t win_count(const win_axis *a)
{
    uint64_t n = 0;
    for (int64_t o = 0; o < a->out; o++) {
        int64_t lo, hi;
        win_taps(a, o, &lo, &hi);
        n += hi > lo ? (uint64_t)(hi - lo) : 0;
    }
    return n;
}

/* Outputs that position `at` reaches. */
static inline uint64_t win_reached(const win_axis *a, int64_t at)
{
    uint64_t n = 0;
    for (int64_t tap = 0; tap < a->kernel; tap++) {
        int64_t first = at + a->pad - tap * a->dilation; /* = output * stride */
        n += first >= 0 && first % a->stride == 0 && first / a->stride < a->out;
    }
    return n;
}

#endif
