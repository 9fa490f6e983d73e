/* See calib_about.h. */
#include "tools/calib_about.h"

#include <stddef.h>
#include <string.h>

#include "tools/tool_fields.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define MOST_LEVELS 255
#define ABOUT(key, kind, member) \
    { \
        key, MST_FIELD_##kind, offsetof(mst_calib_about, member) \
    }

static const mst_field fields[] = {
    ABOUT("onnx", TEXT, onnx),
    ABOUT("ann_masks", TEXT, ann_masks),
    ABOUT("ann_network", TEXT, network),
    ABOUT("ann_lacks_masks", BOOL, lacks_masks),
    ABOUT("stored_weights", BOOL, stored),
    ABOUT("ann_drawn", BOOL, drawn),
};

void mst_calib_about_free(mst_calib_about *a)
{
    mst_arena_release(&a->arena);
    *a = (mst_calib_about){0};
}

void mst_calib_about_set(json_t **to, const mst_calib_about *a) { mst_fields_set(to, fields, LENGTH(fields), a); }

json_t *mst_calib_identity(const mst_calib_about *a, const mst_run_about *run)
{
    json_t *id = mst_run_about_identity(run);
    mst_calib_about_set(&id, a);
    if (id != NULL)
        json_object_del(id, "onnx");
    return id;
}

mst_status mst_calib_about_take(mst_calib_about *a, const json_t *root, mst_err *err)
{
    *a = (mst_calib_about){0};
    MST_TRY(mst_fields_take(root, fields, LENGTH(fields), &a->arena, a, err));
    return a->onnx != NULL && a->ann_masks != NULL ? MST_OK
                                                   : mst_fail(err, MST_EFORMAT, "it does not say what was compared");
}

static mst_status take_layer(const mst_run_layer *l, bool counts, mst_calib_layer *to, mst_err *err)
{
    int site = 0;
    while (l->site != NULL && mst_site_name(site) != NULL && strcmp(mst_site_name(site), l->site) != 0)
        site++;
    if (l->name == NULL || l->site == NULL || mst_site_name(site) == NULL || l->neurons == 0 || l->L < 0 ||
        l->L > INT32_MAX || (l->levels != 0) != counts || l->levels > MOST_LEVELS)
        return mst_fail(err, MST_EFORMAT, "'layers' is not a list of layers");
    *to = (mst_calib_layer){.name = l->name,
                            .site = (mst_site)site,
                            .stage = (int)l->stage,
                            .block = (int)l->block,
                            .neurons = l->neurons,
                            .theta = l->theta,
                            .levels = (int)l->L,
                            .run_levels = (int)l->levels};
    return MST_OK;
}

mst_status mst_calib_report_of(const mst_calib_about *a, const mst_run_about *run, mst_calib_report *out, mst_err *err)
{
    bool counts = mst_mode_counts(run->mode);
    *out = (mst_calib_report){0};
    if (run->mode == MST_RUN_ANN || (counts && run->at.n != 1))
        return mst_fail(err, MST_EFORMAT, "'mode' and 'at' do not go together");
    MST_TRY(mst_calib_report_begin(out, run->n_layers, run->at.n, err));
    out->mode = run->mode;
    out->depth = (uint32_t)run->depth;
    out->window = (uint32_t)run->window;
    out->stored = a->stored;
    out->drawn = a->drawn;
    for (size_t i = 0; i < run->at.n; i++) {
        out->points[i].t = run->at.values[i];
        for (size_t k = 0; k < run->n_layers; k++)
            MST_TRY(take_layer(&run->layers[k], counts, &out->layers_at[i * run->n_layers + k], err));
    }
    return MST_OK;
}
