/* Where the inputs of a convolution's outputs lie in an image with a border of zeros. */
#include <string.h>

#include "runtime/ops/dense.h"

/* Pixels of the image along an axis, from tap 0 of output 0 to the last tap of the last output. */
static size_t reach_of(const win_axis *a)
{
    return (size_t)((a->out - 1) * a->stride + (a->kernel - 1) * a->dilation + 1);
}

static mst_status place(mst_arena *arena, const op_conv *q, op_taps *to, mst_err *err)
{
    size_t segments = q->w.dilation == 1 && q->groups == 1 ? 1 : (size_t)q->w.kernel;
    uint32_t *index = mst_arena_array(arena, (size_t)q->h.out * (size_t)q->w.out, sizeof *index);
    to->n_taps = (size_t)q->h.kernel * segments;
    size_t *taps = mst_arena_array(arena, to->n_taps, sizeof *taps);
    if (index == NULL || taps == NULL)
        return op_no_memory(err);
    for (int64_t oh = 0; oh < q->h.out; oh++)
        for (int64_t ow = 0; ow < q->w.out; ow++)
            index[oh * q->w.out + ow] = (uint32_t)((size_t)(oh * q->h.stride) * to->width + (size_t)(ow * q->w.stride));
    for (size_t t = 0; t < to->n_taps; t++) {
        size_t i = t / segments, j = t % segments;
        taps[t] = (i * (size_t)q->h.dilation * to->width + j * (size_t)q->w.dilation) * q->channels;
    }
    to->k = q->channels / q->groups * ((size_t)q->w.kernel / segments);
    to->index = index;
    to->taps = taps;
    return MST_OK;
}

mst_status op_make_taps(mst_arena *arena, const op_conv *q, op_taps *taps, bool *ok, mst_err *err)
{
    *taps = (op_taps){.top = (size_t)q->h.pad,
                      .left = (size_t)q->w.pad,
                      .height = reach_of(&q->h),
                      .width = reach_of(&q->w)};
    taps->bordered = q->h.pad != 0 || q->w.pad != 0 || taps->height > (size_t)q->h.size ||
                     taps->width != (size_t)q->w.size;
    *ok = taps->height * taps->width <= UINT32_MAX;
    return *ok ? place(arena, q, taps, err) : MST_OK;
}

void op_make_border(const op_conv *q, const op_taps *t, const void *from, void *to, size_t size)
{
    const char *image = from;
    char *copy = to;
    size_t height = (size_t)q->h.size, width = (size_t)q->w.size, cut = t->left + width, pixel = q->channels * size;
    memset(copy, 0, t->height * t->width * pixel);
    cut = cut > t->width ? t->width - t->left : width; /* a stride may leave the last columns unread */
    for (size_t r = 0; r < height && t->top + r < t->height; r++)
        memcpy(copy + ((t->top + r) * t->width + t->left) * pixel, image + r * width * pixel, cut * pixel);
}
