/* Pillow's Image.resize on 8-bit images, bit for bit: separable filters in fixed
 * point, lines first, each pass rounded to bytes. Only a window of the result is
 * computed. Knows nothing of crops. Source: Pillow's Resample.c and Geometry.c, up to
 * 12; Pillow 13 filters columns first where the image is tall, for speed, which moves
 * a few pixels by a grey level.
 */
#include <math.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"
#include "runtime/data/image.h"

#define PRECISION (32 - 8 - 2) /* bits behind the point of a weight */

/* Output i of the window is the sum of weight[i*taps + k] * in[first[i] + k], k < used[i]. */
typedef struct axis {
    uint32_t n, taps;
    uint32_t *first, *used;
    int32_t *weight;
    double *real; /* [taps], one output's weights before rounding */
} axis;

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static void axis_free(axis *a)
{
    mst_free_array(NULL, a->first, a->n, sizeof *a->first);
    mst_free_array(NULL, a->used, a->n, sizeof *a->used);
    mst_free_array(NULL, a->weight, (size_t)a->n * a->taps, sizeof *a->weight);
    mst_free_array(NULL, a->real, a->taps, sizeof *a->real);
}

static int32_t fixed(double w)
{
    double scaled = w * (1 << PRECISION);
    return (int32_t)(w < 0 ? -0.5 + scaled : 0.5 + scaled);
}

static void axis_fill(axis *a, uint32_t in, double scale, double support, uint32_t from,
                      double (*filter)(double))
{
    double sharp = 1.0 / (scale < 1.0 ? 1.0 : scale);
    for (uint32_t i = 0; i < a->n; i++) {
        double center = ((double)from + i + 0.5) * scale, total = 0;
        double low = center - support + 0.5, high = center + support + 0.5;
        uint32_t first = low > 0 ? (uint32_t)low : 0, end = high < in ? (uint32_t)high : in;
        uint32_t used = end > first ? end - first : 0;
        used = used < a->taps ? used : a->taps;
        for (uint32_t k = 0; k < used; k++) {
            a->real[k] = filter(((double)k + first - center + 0.5) * sharp);
            total += a->real[k];
        }
        for (uint32_t k = 0; k < used; k++)
            a->weight[(size_t)i * a->taps + k] = fixed(total != 0.0 ? a->real[k] / total : a->real[k]);
        a->first[i] = first;
        a->used[i] = used;
    }
}

/* Outputs from..from+n-1 of an axis of in pixels resized to out. */
static mst_status axis_make(axis *a, uint32_t in, uint32_t out, uint32_t from, uint32_t n,
                            mst_interpolation how,
                            mst_err *err)
{
    double scale = (double)in / out;
    double support = (how == MST_BICUBIC ? 2.0 : 1.0) * (scale < 1.0 ? 1.0 : scale);
    size_t weights;
    *a = (axis){.n = n, .taps = (uint32_t)ceil(support) * 2 + 1};
    if (mst_mul_size(n, a->taps, &weights) && weights <= MST_IMAGE_MAX_PIXELS) {
        a->first = mst_alloc_array(NULL, n, sizeof *a->first);
        a->used = mst_alloc_array(NULL, n, sizeof *a->used);
        a->weight = mst_alloc_array(NULL, weights, sizeof *a->weight);
        a->real = mst_alloc_array(NULL, a->taps, sizeof *a->real);
    }
    if (a->first == NULL || a->used == NULL || a->weight == NULL || a->real == NULL)
        return mst_fail(err, MST_ENOMEM, "resize from %u to %u pixels: out of memory", in, out);
    axis_fill(a, in, scale, support, from, how == MST_BICUBIC ? cubic : triangle);
    return MST_OK;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> PRECISION;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255
                                         : v);
}

/* One line: out [n,channels] over in [.,channels]. */
static void filter_line(const axis *a, const uint8_t *in, uint32_t channels, uint8_t *out)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const int32_t *w = a->weight + (size_t)i * a->taps;
        const uint8_t *p = in + (size_t)a->first[i] * channels;
        for (uint32_t c = 0; c < channels; c++) {
            int32_t sum = 1 << (PRECISION - 1);
            for (uint32_t k = 0; k < a->used[i]; k++)
                sum += w[k] * p[(size_t)k * channels + c];
            *out++ = clip(sum);
        }
    }
}

/* One output line of n bytes over lines of in, n bytes apart. sum: [n]. */
static void filter_down(const axis *a, uint32_t i, const uint8_t *in, size_t n, int32_t *sum, uint8_t *out)
{
    const int32_t *w = a->weight + (size_t)i * a->taps;
    for (size_t x = 0; x < n; x++)
        sum[x] = 1 << (PRECISION - 1);
    for (uint32_t k = 0; k < a->used[i]; k++)
        for (size_t x = 0; x < n; x++)
            sum[x] += w[k] * in[k * n + x];
    for (size_t x = 0; x < n; x++)
        out[x] = clip(sum[x]);
}

static mst_status filter_both(const mst_image *in, const axis *across, const axis *down, uint8_t *out,
                              size_t stride, mst_err *err)
{
    size_t n = (size_t)across->n * in->channels;
    uint32_t top = down->first[0], bottom = top;
    for (uint32_t i = 0; i < down->n; i++)
        bottom = down->first[i] + down->used[i] > bottom ? down->first[i] + down->used[i] : bottom;
    mst_image lines = {0};
    MST_TRY(mst_image_make(&lines, across->n, bottom - top, in->channels, "resize", err));
    int32_t *sum = mst_alloc_array(NULL, n, sizeof *sum);
    mst_status st = sum != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "resize: out of memory");
    for (uint32_t y = top; y < bottom && st == MST_OK; y++)
        filter_line(across, in->pixels + (size_t)y * in->width * in->channels, in->channels,
                    lines.pixels + (y - top) * n);
    for (uint32_t i = 0; i < down->n && st == MST_OK; i++)
        filter_down(down, i, lines.pixels + (down->first[i] - top) * n, n, sum, out + i * stride);
    mst_free_array(NULL, sum, n, sizeof *sum);
    mst_image_free(&lines);
    return st;
}

/* Pillow adds the step up instead of multiplying; so do we, to land on the same pixels. */
static double nearest_start(double step, uint32_t before)
{
    double at = step * 0.5;
    for (uint32_t i = 0; i < before; i++)
        at += step;
    return at;
}

static void nearest(const mst_image *in, const mst_image_window *win, uint8_t *out, size_t stride)
{
    double across = (double)in->width / win->columns, down = (double)in->height / win->rows;
    double left = nearest_start(across, win->x), y = nearest_start(down, win->y);
    uint32_t channels = in->channels;
    for (uint32_t i = 0; i < win->h; i++, y += down) {
        double x = left;
        for (uint32_t k = 0; k < win->w && y < in->height; k++, x += across)
            if (x < in->width)
                memcpy(out + i * stride + (size_t)k * channels,
                       in->pixels + ((size_t)y * in->width + (size_t)x) * channels, channels);
    }
}

mst_status mst_image_resample(const mst_image *in, mst_interpolation how, const mst_image_window *win,
                              uint8_t *out, size_t stride, mst_err *err)
{
    if (how == MST_NEAREST || (win->rows == in->height && win->columns == in->width)) {
        nearest(in, win, out, stride); /* of the same size: a copy */
        return MST_OK;
    }
    axis across = {0}, down = {0};
    mst_status st = axis_make(&across, in->width, win->columns, win->x, win->w, how, err);
    if (st == MST_OK)
        st = axis_make(&down, in->height, win->rows, win->y, win->h, how, err);
    if (st == MST_OK)
        st = filter_both(in, &across, &down, out, stride, err);
    axis_free(&across);
    axis_free(&down);
    return st;
}
