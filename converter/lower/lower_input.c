/* The graph's input. Data sets give images as [C,H,W], so that the graph takes them like this; where the model takes
 * [H,W,C] (tf2onnx, Keras, JAX), it begins with a transpose, which meets the model's own. */
#include <string.h>

#include "converter/lower/lower.h"

#define MAX_HOPS 32

const char *mst_layout_name(int layout)
{
    static const char *const names[MST_LAYOUT_COUNT] = {"auto", "nchw", "nhwc"};
    return layout >= 0 && layout < MST_LAYOUT_COUNT ? names[layout] : NULL;
}

static bool is_one_of(const char *op, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(op, *names) == 0)
            return true;
    return false;
}

static bool reads(const ox_node *n, uint32_t value)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] == value)
            return true;
    return false;
}

static bool to_channel_first(const ox_node *n)
{
    static const int64_t perm[4] = {0, 3, 1, 2};
    int64_t found[4];
    return strcmp(n->op, "Transpose") == 0 && ox_attr_ints(n, "perm", found, 4) == 4 &&
           memcmp(found, perm, sizeof perm) == 0;
}

/* What the first node says that is not arithmetic of each value; FOUND: nothing. */
static mst_layout layout_of_readers(const ox_graph *ox)
{
    static const char *const same[] = {"Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Add", "Sub", "Mul",
                                       "Div", "Pad", "Clip", "Neg", "Relu", "Min", "Max", "Dropout", NULL};
    static const char *const channel_first[] = {"Conv", "ConvTranspose", "MaxPool", "AveragePool",
                                                "BatchNormalization", "InstanceNormalization", "GroupNormalization",
                                                "GlobalAveragePool", "GlobalMaxPool", "DepthToSpace",
                                                "SpaceToDepth", NULL};
    uint32_t at = ox->inputs[0], hops = 0;
    for (uint32_t i = 0; i < ox->n_nodes && hops < MAX_HOPS; i++) {
        const ox_node *n = &ox->nodes[i];
        if (n->dead || !reads(n, at))
            continue;
        if (to_channel_first(n))
            return MST_LAYOUT_NHWC;
        if (is_one_of(n->op, channel_first))
            return MST_LAYOUT_NCHW;
        if (!is_one_of(n->op, same) || n->n_out == 0 || n->out[0] == OX_NONE)
            return MST_LAYOUT_FOUND;
        at = n->out[0];
        hops++;
    }
    return MST_LAYOUT_FOUND;
}

/* One or three channels, and only the last axis can be theirs? */
static bool looks_channel_last(const uint32_t *dims)
{
    return (dims[3] == 1 || dims[3] == 3) && dims[1] > 4;
}

static bool is_channel_last(const ox_graph *ox, const ox_value *v, const uint32_t *dims, mst_layout layout,
                            const ox_notes *notes)
{
    if (v->rank != 4)
        return false;
    if (layout == MST_LAYOUT_FOUND)
        layout = layout_of_readers(ox);
    if (layout != MST_LAYOUT_FOUND || !looks_channel_last(dims))
        return layout == MST_LAYOUT_NHWC;
    ox_note(notes,
            "input '%.100s' [%u,%u,%u,%u] is taken as images with their channels last; if that is not meant, give "
            "--input-layout nchw",
            v->name, dims[0], dims[1], dims[2], dims[3]);
    return true;
}

/* The model's [N,H,W,C] from the graph's [N,C,H,W]. */
static mst_status enter_channel_last(lower_ctx *c, const char *name, const uint32_t *dims)
{
    static const int32_t perm[4] = {0, 2, 3, 1};
    const uint32_t first[4] = {dims[0], dims[3], dims[1], dims[2]};
    uint32_t out;
    mst_node *node;
    MST_TRY(mst_graph_add_tensor(c->g, name, MST_F32, 4, first, NULL, &c->g->input, c->o.err));
    MST_TRY(mst_graph_add_tensor(c->g, "", MST_F32, 4, dims, NULL, &out, c->o.err));
    MST_TRY(mst_graph_add_node(c->g, MST_OP_TRANSPOSE, name, 1, &c->g->input, out, &node, c->o.err));
    memcpy(&node->ip[MST_TRANSPOSE_PERM], perm, sizeof perm);
    c->map[c->o.g->inputs[0]] = out;
    c->g->meta.channels_last = true;
    return MST_OK;
}

mst_status lower_input(lower_ctx *c, mst_layout layout, const ox_notes *notes)
{
    if (c->o.g->n_inputs != 1)
        return mst_fail(c->o.err, MST_EUNSUPPORTED, "the model has %u inputs; exactly one (the image) is supported",
                        (unsigned)c->o.g->n_inputs);
    const ox_value *v = &c->o.g->values[c->o.g->inputs[0]];
    uint32_t dims[MST_MAX_RANK];
    if (v->dtype != OX_FLOAT && v->dtype != OX_DOUBLE && v->dtype != OX_FLOAT16)
        return mst_fail(c->o.err, MST_EUNSUPPORTED, "input '%s' is %s; a float input is needed", v->name,
                        ox_dtype_name(v->dtype));
    MST_TRY(lower_dims(c, v, dims));
    if (is_channel_last(c->o.g, v, dims, layout, notes))
        return enter_channel_last(c, v->name, dims);
    MST_TRY(mst_graph_add_tensor(c->g, v->name, MST_F32, v->rank, dims, NULL, &c->g->input, c->o.err));
    c->map[c->o.g->inputs[0]] = c->g->input;
    return MST_OK;
}
