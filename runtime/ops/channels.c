/* Spreads constants to one value per channel when the program is made, so that
 * kernels see one shape only. */
#include "runtime/ops/channels.h"

static size_t count_of(const op_prep *c, uint32_t k)
{
    const mst_tensor *t = op_in_tensor(c, k);
    return t != NULL ? mst_tensor_elements(t) : 1;
}

static void shape_around(const mst_tensor *x, int32_t axis, op_channels *ch)
{
    *ch = (op_channels){1, 1, 1};
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d < (uint32_t)axis)
            ch->outer *= x->dims[d];
        else if (d == (uint32_t)axis)
            ch->channels = x->dims[d];
        else
            ch->inner *= x->dims[d];
    }
}

static mst_status spread(op_prep *c, const float *from, size_t n_from, size_t n, const float **out)
{
    *out = from;
    if (from == NULL || n_from == n)
        return MST_OK;
    float *to = mst_arena_array(c->arena, n, sizeof *to);
    if (to == NULL)
        return op_no_memory(c->err);
    for (size_t i = 0; i < n; i++)
        to[i] = from[0];
    *out = to;
    return MST_OK;
}

mst_status op_channels_of(op_prep *c, int32_t axis, uint32_t first, uint32_t n, op_channels *ch,
                          const float **values)
{
    const mst_tensor *x = op_in_tensor(c, 0);
    bool same = true;
    for (uint32_t i = 0; i < n; i++)
        same = same && count_of(c, first + i) == 1;
    shape_around(x, axis, ch);
    if (same)
        *ch = (op_channels){1, 1, mst_tensor_elements(x)};
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(spread(c, op_const(c, first + i), count_of(c, first + i), ch->channels, &values[i]));
    return MST_OK;
}
