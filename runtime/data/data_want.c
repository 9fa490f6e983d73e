/* A graph as what its data set is to fit; no graph. */
#include "runtime/data/data_want.h"

mst_status mst_data_want_of(const mst_graph *g, mst_data_want *want, mst_err *err)
{
    const mst_tensor *x = &g->tensors[g->input];
    if (x->rank != 4 || x->dims[0] != 1)
        return mst_fail(err, MST_EUNSUPPORTED, "model input: expected an image [1,C,H,W], found rank %u",
                        x->rank);
    *want = (mst_data_want){
        .size = sizeof *want,
        .channels = x->dims[1],
        .height = x->dims[2],
        .width = x->dims[3],
        .n_norm = g->meta.n_norm,
        .mean = g->meta.mean,
        .std = g->meta.std,
        .prepare = g->meta.prepare,
        .classes = (uint32_t)mst_graph_classes(g),
        .class_names = g->meta.class_names,
        .n_class_names = g->meta.n_classes,
        .channels_last = g->meta.channels_last,
    };
    return MST_OK;
}

mst_status mst_data_open_as_is(const char *spec, mst_data **out, mst_err *err)
{
    mst_data_want want = {.size = sizeof want, .as_is = true};
    return mst_data_open(spec, &want, out, err);
}

mst_status mst_data_open_for(const char *spec, const mst_graph *g, mst_data **out, mst_err *err)
{
    mst_data_want want;
    MST_TRY(mst_data_want_of(g, &want, err));
    return mst_data_open(spec, &want, out, err);
}
