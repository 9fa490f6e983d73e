/* See run_sums.h. */
#include "tools/run_sums.h"

#include <stddef.h>

#include "tools/tool_fields.h"
#include "tools/tool_output.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define COUNTS(type, m) \
    {"fired", MST_FIELD_WHOLE, offsetof(type, m.spikes_before)}, \
        {"spikes", MST_FIELD_WHOLE, offsetof(type, m.spikes)}, \
        {"sops", MST_FIELD_WHOLE, offsetof(type, m.sops)}, \
    { \
        "macs", MST_FIELD_WHOLE, offsetof(type, m.macs) \
    }

static const mst_field sums_fields[] = {
    {"samples", MST_FIELD_WHOLE, offsetof(mst_run_sums, samples)},
    {"labelled", MST_FIELD_WHOLE, offsetof(mst_run_sums, labelled)},
    COUNTS(mst_run_sums, all),
};

static const mst_field at_fields[] = {
    {"right", MST_FIELD_WHOLE, offsetof(mst_run_at, right)},
    {"right5", MST_FIELD_WHOLE, offsetof(mst_run_at, right5)},
    COUNTS(mst_run_at, counts),
};

static const mst_field layer_fields[] = {
    {"fired", MST_FIELD_WHOLE, offsetof(mst_run_layer_sums, fired)},
    {"spikes", MST_FIELD_WHOLE, offsetof(mst_run_layer_sums, spikes)},
    {"ops", MST_FIELD_WHOLE, offsetof(mst_run_layer_sums, ops)},
};

mst_status mst_run_sums_make(mst_run_sums *s, size_t n_at, size_t n_layers, mst_err *err)
{
    *s = (mst_run_sums){.n_at = n_at, .n_layers = n_layers};
    s->layers = mst_arena_array(&s->arena, n_layers != 0 ? n_layers : 1, sizeof *s->layers);
    return s->layers != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

void mst_run_sums_free(mst_run_sums *s)
{
    mst_confusion_free(&s->confusion);
    mst_outcome_free(&s->outcome);
    mst_arena_release(&s->arena);
    *s = (mst_run_sums){0};
}

json_t *mst_run_sums_json(const mst_run_sums *s)
{
    json_t *out = json_object(), *at = json_array(), *layers = json_array();
    for (size_t k = 0; k < s->n_at; k++) {
        json_t *one = json_object();
        mst_fields_set(&one, at_fields, LENGTH(at_fields), &s->at[k]);
        mst_json_append(&at, one);
    }
    for (size_t k = 0; k < s->n_layers; k++) {
        json_t *one = json_object();
        mst_fields_set(&one, layer_fields, LENGTH(layer_fields), &s->layers[k]);
        mst_json_append(&layers, one);
    }
    mst_fields_set(&out, sums_fields, LENGTH(sums_fields), s);
    mst_json_set(&out, "at", at);
    mst_json_set(&out, "layers", layers);
    return out;
}

static mst_status add_lists(mst_run_sums *s, const json_t *at, const json_t *layers, mst_err *err)
{
    for (size_t k = 0; k < s->n_at; k++) {
        mst_run_at one = {0};
        MST_TRY(mst_fields_take(json_array_get(at, k), at_fields, LENGTH(at_fields), NULL, &one, err));
        s->at[k].right += one.right;
        s->at[k].right5 += one.right5;
        mst_counters_add(&s->at[k].counts, &one.counts);
    }
    for (size_t k = 0; k < s->n_layers; k++) {
        mst_run_layer_sums one = {0};
        MST_TRY(mst_fields_take(json_array_get(layers, k), layer_fields, LENGTH(layer_fields), NULL, &one, err));
        s->layers[k].fired += one.fired;
        s->layers[k].spikes += one.spikes;
        s->layers[k].ops += one.ops;
    }
    return MST_OK;
}

mst_status mst_run_sums_add(mst_run_sums *s, const json_t *run, mst_err *err)
{
    mst_run_sums one = {0};
    const json_t *sums = json_object_get(run, "sums");
    const json_t *at = json_object_get(sums, "at"), *layers = json_object_get(sums, "layers");
    size_t done = s->outcome.done, skipped = s->outcome.n_skipped;
    MST_TRY(mst_fields_take(sums, sums_fields, LENGTH(sums_fields), NULL, &one, err));
    if (json_array_size(at) != s->n_at || json_array_size(layers) != s->n_layers)
        return mst_fail(err, MST_EFORMAT, "'sums' has %zu steps and %zu layers, expected %zu and %zu",
                        json_array_size(at), json_array_size(layers), s->n_at, s->n_layers);
    MST_TRY(add_lists(s, at, layers, err));
    MST_TRY(mst_confusion_take(&s->confusion, json_object_get(run, "confusion"), s->outcome.classes, err));
    MST_TRY(mst_outcome_add(&s->outcome, run, one.samples, err));
    if (s->outcome.done - done != one.samples + (s->outcome.n_skipped - skipped) || one.labelled > one.samples)
        return mst_fail(err, MST_EFORMAT, "its sums are not whole");
    for (size_t i = 0; i < s->confusion.cap; i++)
        if (s->confusion.cells[i].samples != 0)
            mst_outcome_saw(&s->outcome, (int)s->confusion.cells[i].label);
    s->samples += one.samples;
    s->labelled += one.labelled;
    mst_counters_add(&s->all, &one.all);
    return MST_OK;
}
