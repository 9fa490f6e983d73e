/* Puts the weights of a model file into the ANN it was converted from, so that what their
 * type adds to the error can be told apart. Runs nothing. */
#include "tools/calib_weights.h"

#include <string.h>

#include "mst/calibrate.h"
#include "tools/tool_model.h"

/* A tensor of g that lends the values of one of another graph. */
static mst_status lend(mst_graph *g, const mst_tensor *t, uint32_t *id, mst_err *err)
{
    return mst_graph_add_tensor(g, t->name, t->dtype, t->rank, t->dims, t->data, id, err);
}

static mst_status take(mst_graph *ann, mst_node *to, const mst_graph *snn, const mst_node *from, mst_err *err)
{
    const mst_tensor *w = &snn->tensors[from->in[1]];
    uint32_t *in = mst_arena_array(&ann->arena, 4, sizeof *in);
    if (in == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: the weights of '%s'", to->name);
    if (!mst_same_shape(w, &ann->tensors[to->in[1]]))
        return mst_fail(err, MST_EINVAL,
                        "node '%s': weights of another shape than in the ANN: is the model another one?",
                        to->name);
    in[2] = in[3] = MST_NONE;
    memcpy(in, to->in, to->n_in * sizeof *in);
    MST_TRY(lend(ann, w, &in[1], err));
    if (w->dtype == MST_I8)
        MST_TRY(lend(ann, &snn->tensors[from->in[3]], &in[3], err));
    to->in = in;
    to->n_in = 4;
    return MST_OK;
}

mst_status mst_weights_take(mst_graph *ann, const mst_graph *snn, mst_err *err)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < ann->n_nodes; i++) {
        mst_node *to = &ann->nodes[i];
        if (!mst_has_weight(to))
            continue;
        const mst_node *from = mst_calib_partner_node(snn, to, &at);
        if (from == NULL)
            return mst_fail(err, MST_EINVAL,
                            "node '%s': in the ANN, not in the spiking network: is the model another one?",
                            to->name);
        MST_TRY(take(ann, to, snn, from, err));
    }
    return MST_OK;
}
