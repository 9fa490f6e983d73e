/* Separable triangle filter over float planes, rows first. Knows nothing of events. */
#include "runtime/data/events/event_resize.h"

#include <math.h>

#include "mst/alloc.h"
#include "runtime/core/checked.h"

/* Weights of one axis: output i is the sum of weight[i*taps + k] * in[first[i] + k], k < used[i]. */
typedef struct axis {
    uint32_t n, taps;
    uint32_t *first, *used;
    float *weight;
} axis;

static void axis_free(axis *a)
{
    mst_free_array(NULL, a->first, a->n, sizeof *a->first);
    mst_free_array(NULL, a->used, a->n, sizeof *a->used);
    mst_free_array(NULL, a->weight, (size_t)a->n * a->taps, sizeof *a->weight);
}

/* In float32 as torch does it, so that the weights are the ones that a model was trained with. */
static void axis_fill(axis *a, uint32_t in, float scale, float support)
{
    float sharp = scale > 1.0f ? 1.0f / scale : 1.0f;
    for (uint32_t i = 0; i < a->n; i++) {
        float center = scale * ((float)i + 0.5f), total = 0.0f;
        float low = center - support + 0.5f, high = center + support + 0.5f;
        uint32_t from = low > 0.0f ? (uint32_t)low : 0, to = high < (float)in ? (uint32_t)high : in;
        float *w = a->weight + (size_t)i * a->taps;
        a->first[i] = from;
        a->used[i] = to - from < a->taps ? to - from : a->taps;
        for (uint32_t k = 0; k < a->used[i]; k++) {
            float d = fabsf(((float)(k + from) - center + 0.5f) * sharp);
            w[k] = d < 1.0f ? 1.0f - d : 0.0f;
            total += w[k];
        }
        for (uint32_t k = 0; k < a->used[i] && total != 0.0f; k++)
            w[k] /= total;
    }
}

static mst_status axis_make(axis *a, uint32_t in, uint32_t out, mst_err *err)
{
    float scale = (float)in / (float)out, support = scale > 1.0f ? scale : 1.0f;
    size_t n;
    *a = (axis){.n = out, .taps = (uint32_t)ceilf(support) * 2 + 1};
    if (mst_mul_size(out, a->taps, &n)) {
        a->first = mst_alloc_array(NULL, out, sizeof *a->first);
        a->used = mst_alloc_array(NULL, out, sizeof *a->used);
        a->weight = mst_alloc_array(NULL, n, sizeof *a->weight);
    }
    if (a->first == NULL || a->used == NULL || a->weight == NULL)
        return mst_fail(err, MST_ENOMEM, "resize to %u: out of memory", out);
    axis_fill(a, in, scale, support);
    return MST_OK;
}

/* One line: out[i * stride_out] over in[j * stride_in]. */
static void filter(const axis *a, const float *in, size_t stride_in, float *out, size_t stride_out)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const float *w = a->weight + (size_t)i * a->taps, *p = in + (size_t)a->first[i] * stride_in;
        float sum = 0;
        for (uint32_t k = 0; k < a->used[i]; k++)
            sum += w[k] * p[k * stride_in];
        out[i * stride_out] = sum;
    }
}

mst_status mst_event_resize(const float *in, uint32_t planes, uint32_t h, uint32_t w, uint32_t oh,
                            uint32_t ow, float *out, mst_err *err)
{
    if (h == 0 || w == 0 || oh == 0 || ow == 0)
        return mst_fail(err, MST_EINVAL, "resize from %ux%u to %ux%u: expected sizes of at least 1", w, h, ow,
                        oh);
    axis across = {0}, down = {0};
    size_t n = 0;
    float *rows = NULL;
    mst_status st = axis_make(&across, w, ow, err);
    if (st == MST_OK)
        st = axis_make(&down, h, oh, err);
    if (st == MST_OK && (!mst_mul_size(h, ow, &n) || (rows = mst_alloc_array(NULL, n, sizeof *rows)) == NULL))
        st = mst_fail(err, MST_ENOMEM, "resize to %ux%u: out of memory", ow, oh);
    for (uint32_t p = 0; p < planes && st == MST_OK; p++) {
        for (uint32_t y = 0; y < h; y++)
            filter(&across, in + ((size_t)p * h + y) * w, 1, rows + (size_t)y * ow, 1);
        for (uint32_t x = 0; x < ow; x++)
            filter(&down, rows + x, ow, out + (size_t)p * oh * ow + x, ow);
    }
    mst_free_array(NULL, rows, n, sizeof *rows);
    axis_free(&across);
    axis_free(&down);
    return st;
}
