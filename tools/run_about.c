/* See run_about.h. */
#include "tools/run_about.h"

#include <math.h>
#include <string.h>

#include "tools/tool_hash.h"
#include "tools/tool_fields.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define ABOUT(key, kind, member) \
    { \
        key, MST_FIELD_##kind, offsetof(mst_run_about, member) \
    }
#define LAYER(key, kind, member) \
    { \
        key, MST_FIELD_##kind, offsetof(mst_run_layer, member) \
    }

static const mst_field about_fields[] = {
    ABOUT("model", TEXT, model),
    ABOUT("network", TEXT, network),
    ABOUT("data", TEXT, data),
    ABOUT("format", TEXT, format),
    ABOUT("selected", WHOLE, selected),
    ABOUT("picked", TEXT, picked),
    ABOUT("skip_bad", BOOL, skip_bad),
    ABOUT("seed", WHOLE, seed),
    ABOUT("mode", TEXT, mode_name),
    ABOUT("T", SOME, steps),
    ABOUT("readout_from", SOME, readout_from),
    ABOUT("levels", SOME, levels),
    ABOUT("thinning", TEXT, thinning),
    ABOUT("trained_on", TEXT, trained_on),
    ABOUT("depth", SOME, depth),
    ABOUT("window_steps", SOME, window),
    ABOUT("dense_ops_per_pass", WHOLE, dense_pass),
    ABOUT("dense_ops_static", WHOLE, dense_static),
};

static const mst_field tuned_fields[] = {
    ABOUT("T", WHOLE, tuned_steps),
    ABOUT("readout_from", WHOLE, tuned_from),
    ABOUT("layers", WHOLE, tuned_layers),
};

static const mst_field shard_fields[] = {
    ABOUT("index", WHOLE, shard),
    ABOUT("of", WHOLE, shards),
};

static const mst_field energy_fields[] = {
    ABOUT("set", TEXT, energy.set.name),
    ABOUT("ac_pj", REAL, energy.set.ac),
    ABOUT("mac_pj", REAL, energy.set.mac),
    ABOUT("value_bits", WHOLE, energy.set.value_bits),
    ABOUT("state_bits", WHOLE, energy.set.state_bits),
    ABOUT("alpha_joules", REAL, energy.alpha),
};

static const mst_field assumed_fields[] = {
    ABOUT("normalization", TEXT, assumed.normalization),
    ABOUT("prepare", TEXT, assumed.prepare),
    ABOUT("masks", TEXT, assumed.masks),
};

/* Of NeuroBench, by its names. */
static const mst_field model_fields[] = {
    ABOUT("Footprint", WHOLE, bytes),
    ABOUT("ParameterCount", WHOLE, parameters),
    ABOUT("ConnectionSparsity", REAL, sparsity),
};

static const mst_field layer_fields[] = {
    LAYER("name", TEXT, name),
    LAYER("kind", TEXT, kind),
    LAYER("site", TEXT, site),
    LAYER("stage", INT, stage),
    LAYER("block", INT, block),
    LAYER("neurons", WHOLE, neurons),
    LAYER("theta", REAL, theta),
    LAYER("theta_per_channel", BOOL, theta_per_channel),
    LAYER("L", INT, L),
    LAYER("levels", SOME, levels),
    LAYER("mask", BOOL, mask),
    LAYER("ratio", REAL, ratio),
    LAYER("trained", REAL, trained),
    LAYER("dense_in", WHOLE, dense_in),
};

/* ---- from a program ---- */

static mst_status take_layers(mst_run_about *a, const mst_program *p, mst_err *err)
{
    const char **kinds = mst_model_kinds(p, &a->arena);
    a->n_layers = mst_program_layers(p);
    a->layers = mst_arena_array(&a->arena, a->n_layers != 0 ? a->n_layers : 1, sizeof *a->layers);
    if (kinds == NULL || a->layers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu layers", a->n_layers);
    for (size_t k = 0; k < a->n_layers; k++) {
        const mst_layer *l = mst_program_layer(p, k);
        a->layers[k] = (mst_run_layer){
            .name = l->name,
            .kind = kinds[k],
            .site = mst_site_name((int)l->site),
            .stage = l->stage,
            .block = l->block,
            .neurons = l->neurons,
            .theta = l->theta,
            .theta_per_channel = l->theta_per_channel,
            .L = mst_program_graph(p)->nodes[l->node].ip[MST_NEURON_LEVELS],
            .levels = mst_mode_counts(a->mode) ? (uint64_t)l->levels : 0,
            .mask = l->masked,
            .ratio = l->ratio,
            .trained = l->trained >= 0 ? l->trained : (double)NAN,
            .dense_in = l->dense_in,
        };
    }
    return MST_OK;
}

mst_status mst_run_about_make(mst_run_about *a, const mst_sim_opts *o, uint64_t seed, mst_err *err)
{
    const mst_program *p = o->program;
    const mst_tuning *tuned = &mst_program_graph(p)->tuning;
    bool step = o->mode == MST_RUN_SPIKING, counts = mst_mode_counts(o->mode);
    *a = (mst_run_about){.format = mst_data_format(o->data),
                         .selected = o->pick->selected,
                         .skip_bad = o->skip_bad,
                         .shard = o->pick->shard,
                         .shards = o->pick->shards,
                         .seed = seed,
                         .mode_name = mst_run_mode_name((int)o->mode),
                         .mode = o->mode,
                         .steps = step ? o->steps : 0,
                         .readout_from = step ? o->readout_from : 0,
                         .levels = counts ? o->levels : 0,
                         .depth = counts ? mst_program_depth(p) : 0,
                         .window = counts ? mst_program_window(p) : 0,
                         .dense_pass = mst_program_dense_ops(p),
                         .dense_static = mst_program_dense_ops_static(p),
                         .tuned_steps = tuned->timesteps,
                         .tuned_from = tuned->readout_from,
                         .tuned_layers = tuned->n_layers,
                         .at = *o->at};
    MST_TRY(take_layers(a, p, err));
    MST_TRY(mst_assumed_make(&a->assumed, mst_program_graph(p), mst_data_is_real(o->data), &a->arena, err));
    a->n_names = mst_program_graph(p)->meta.n_classes;
    a->names = mst_arena_array(&a->arena, a->n_names + 1, sizeof *a->names);
    for (size_t k = 0; a->names != NULL && k < a->n_names; k++)
        a->names[k] = mst_program_graph(p)->meta.class_names[k];
    char digits[MST_HASH_DIGITS];
    a->picked = mst_arena_strdup(&a->arena, mst_hash_digits(o->pick->hash, digits));
    a->trained_on = mst_run_masked(a) ? mst_trained_on_name((int)mst_program_graph(p)->meta.trained_on) : NULL;
    a->thinning = counts && mst_run_masked(a) ? mst_thinning_name((int)o->thinning) : NULL;
    return a->picked != NULL && a->names != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

void mst_run_about_model(mst_run_about *a, const mst_graph *g, const char *network)
{
    a->network = network;
    a->bytes = mst_model_bytes(g);
    a->parameters = mst_model_parameters(g);
    a->sparsity = mst_json_rounded(mst_model_sparsity(g));
}

bool mst_run_masked(const mst_run_about *a)
{
    bool found = false;
    for (size_t k = 0; k < a->n_layers; k++)
        found |= a->layers[k].mask && a->layers[k].ratio > 0;
    return found;
}

/* Single ones, where the ANN's masks are drawn (runtime/ops/op_mask.c). */
bool mst_run_drops_levels(const mst_run_about *a)
{
    return a->trained_on != NULL && (strcmp(a->trained_on, mst_trained_on_name(MST_TRAINED_ON_LEVELS)) == 0 ||
                                     strcmp(a->trained_on, mst_trained_on_name(MST_TRAINED_ON_STEPS)) == 0);
}

void mst_run_about_free(mst_run_about *a)
{
    mst_arena_release(&a->arena);
    *a = (mst_run_about){0};
}

/* ---- JSON ---- */

static json_t *object_if(bool known, const mst_field *f, size_t n, const mst_run_about *a)
{
    json_t *out = known ? json_object() : NULL;
    if (!known)
        return json_null();
    mst_fields_set(&out, f, n, a);
    return out;
}

json_t *mst_run_about_energy(const mst_run_about *a)
{
    return json_pack("{s:o}", "constants", object_if(true, energy_fields, LENGTH(energy_fields), a));
}

json_t *mst_run_about_json(const mst_run_about *a)
{
    json_t *out = json_object(), *names = json_array();
    for (size_t k = 0; k < a->n_names; k++)
        mst_json_append(&names, mst_json_text(a->names[k]));
    mst_json_set(&out, "assumed", object_if(true, assumed_fields, LENGTH(assumed_fields), a));
    mst_fields_set(&out, about_fields, LENGTH(about_fields), a);
    mst_json_set(&out, "tuned", object_if(a->tuned_steps != 0, tuned_fields, LENGTH(tuned_fields), a));
    mst_json_set(&out, "class_names", names);
    mst_json_set(&out, "neurobench", object_if(true, model_fields, LENGTH(model_fields), a));
    mst_json_set(&out, "shard", object_if(a->shards != 0, shard_fields, LENGTH(shard_fields), a));
    mst_json_set(&out, "energy", mst_run_about_energy(a));
    return out;
}

json_t *mst_run_about_identity(const mst_run_about *a)
{
    json_t *id = mst_run_about_json(a), *at = json_array(), *layers = json_array();
    for (size_t k = 0; k < a->at.n; k++)
        mst_json_append(&at, mst_json_whole(a->at.values[k]));
    for (size_t k = 0; k < a->n_layers; k++)
        mst_json_append(&layers, mst_run_layer_json(&a->layers[k]));
    mst_json_set(&id, "at", at);
    mst_json_set(&id, "layers", layers);
    if (id != NULL) {
        json_object_del(id, "model");
        json_object_del(id, "shard");
    }
    return id;
}

mst_status mst_run_about_hash(const mst_run_about *a, uint64_t *hash, mst_err *err)
{
    json_t *id = mst_run_about_identity(a);
    mst_status st = id != NULL ? mst_json_hash(id, hash, err) : mst_fail(err, MST_ENOMEM, "out of memory");
    json_decref(id);
    return st;
}

json_t *mst_run_layer_json(const mst_run_layer *l)
{
    json_t *out = json_object();
    mst_fields_set(&out, layer_fields, LENGTH(layer_fields), l);
    return out;
}

static mst_status take_steps(mst_run_about *a, const json_t *at, mst_err *err)
{
    a->at.n = json_array_size(at);
    if (a->at.n == 0 || a->at.n > MST_OPT_MAX_LIST)
        return mst_fail(err, MST_EFORMAT, "'at' is no list of steps");
    for (size_t k = 0; k < a->at.n; k++) {
        uint64_t t = 1;
        const json_t *said = json_object_get(json_array_get(at, k), "t");
        if (!json_is_null(said) && (!mst_json_take_whole(said, &t) || t == 0 || t > UINT32_MAX))
            return mst_fail(err, MST_EFORMAT, "'at' is no list of steps");
        a->at.values[k] = (uint32_t)t;
    }
    return MST_OK;
}

static mst_status take_mode(mst_run_about *a, mst_err *err)
{
    int mode = 0;
    while (mst_run_mode_name(mode) != NULL &&
           (a->mode_name == NULL || strcmp(mst_run_mode_name(mode), a->mode_name) != 0))
        mode++;
    a->mode = (mst_run_mode)mode;
    return mst_run_mode_name(mode) != NULL ? MST_OK : mst_fail(err, MST_EFORMAT, "'mode' is none that is known");
}

static mst_status take_names(mst_run_about *a, const json_t *names, mst_err *err)
{
    a->n_names = json_array_size(names);
    a->names = mst_arena_array(&a->arena, a->n_names + 1, sizeof *a->names);
    for (size_t k = 0; a->names != NULL && k < a->n_names; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (name == NULL)
            return mst_fail(err, MST_EFORMAT, "'class_names' is not a list of names");
        if ((a->names[k] = mst_arena_strdup(&a->arena, name)) == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory");
    }
    return a->names != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

mst_status mst_run_about_take(mst_run_about *a, const json_t *run, mst_err *err)
{
    const json_t *tuned = json_object_get(run, "tuned"), *shard = json_object_get(run, "shard");
    const json_t *layers = json_object_get(run, "layers");
    *a = (mst_run_about){0};
    MST_TRY(mst_fields_take(run, about_fields, LENGTH(about_fields), &a->arena, a, err));
    MST_TRY(take_mode(a, err));
    MST_TRY(take_steps(a, json_object_get(run, "at"), err));
    if (!json_is_null(tuned))
        MST_TRY(mst_fields_take(tuned, tuned_fields, LENGTH(tuned_fields), &a->arena, a, err));
    if (!json_is_null(shard))
        MST_TRY(mst_fields_take(shard, shard_fields, LENGTH(shard_fields), &a->arena, a, err));
    MST_TRY(mst_fields_take(json_object_get(json_object_get(run, "energy"), "constants"), energy_fields,
                            LENGTH(energy_fields), &a->arena, a, err));
    MST_TRY(mst_fields_take(json_object_get(run, "assumed"), assumed_fields, LENGTH(assumed_fields), &a->arena, a,
                            err));
    MST_TRY(mst_fields_take(json_object_get(run, "neurobench"), model_fields, LENGTH(model_fields), &a->arena, a,
                            err));
    if (a->model == NULL || a->data == NULL || a->format == NULL || a->energy.set.name == NULL ||
        a->assumed.normalization == NULL || a->assumed.masks == NULL)
        return mst_fail(err, MST_EFORMAT, "it does not say what was run");
    MST_TRY(take_names(a, json_object_get(run, "class_names"), err));
    a->n_layers = json_array_size(layers);
    a->layers = mst_arena_array(&a->arena, a->n_layers + 1, sizeof *a->layers);
    if (a->layers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu layers", a->n_layers);
    for (size_t k = 0; k < a->n_layers; k++)
        MST_TRY(mst_fields_take(json_array_get(layers, k), layer_fields, LENGTH(layer_fields), &a->arena,
                                &a->layers[k], err));
    return MST_OK;
}
