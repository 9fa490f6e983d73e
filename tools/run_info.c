/* mstrun --info: what is in a model file. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/run_report.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_prepare.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

#define LABEL 14 /* columns before what is said */

static const mst_node *neuron_of(const mst_program *p, size_t k)
{
    return &mst_program_graph(p)->nodes[mst_program_layer(p, k)->node];
}

/* Has a layer other levels in count and radix mode than its L? */
static bool has_levels(const mst_program *p)
{
    bool found = false;
    for (size_t k = 0; k < mst_program_layers(p); k++)
        found |= mst_node_levels(neuron_of(p, k)) != neuron_of(p, k)->ip[MST_NEURON_LEVELS];
    return found;
}

static mst_status print_layers(const mst_program *p, FILE *f, mst_err *err)
{
    static const char *const all[] = {"layer", "kind", "site", ">~stage", ">~block", ">neurons", ">theta",
                                      ">L", ">levels", ">mask", ">trained"};
    const char *heads[sizeof all / sizeof all[0]];
    bool levels = has_levels(p);
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (levels || strcmp(all[i], ">levels") != 0)
            heads[n++] = all[i];
    mst_table t;
    mst_table_begin(&t, n, heads);
    const char **kinds = mst_model_kinds(p, &t.arena);
    for (size_t k = 0; kinds != NULL && k < mst_program_layers(p); k++) {
        const mst_layer *l = mst_program_layer(p, k);
        mst_table_cell(&t, "%s", l->name);
        mst_table_cell(&t, "%s", kinds[k]);
        mst_table_cell(&t, "%s", mst_site_name((int)l->site));
        mst_table_real(&t, l->stage >= 0 ? (double)l->stage : (double)NAN, 0);
        mst_table_real(&t, l->block >= 0 ? (double)l->block : (double)NAN, 0);
        mst_table_cell(&t, "%" PRIu64, l->neurons);
        mst_table_cell(&t, "%.4g%s", l->theta, l->theta_per_channel ? "*" : "");
        mst_table_cell(&t, "%d", (int)neuron_of(p, k)->ip[MST_NEURON_LEVELS]);
        if (levels)
            mst_table_cell(&t, "%d", mst_node_levels(neuron_of(p, k)));
        mst_table_real(&t, l->masked ? l->ratio : NAN, 2);
        mst_table_real(&t, l->trained >= 0 ? l->trained : NAN, 2);
    }
    if (kinds == NULL)
        t.status = MST_ENOMEM;
    return mst_table_end(&t, f, err);
}

static void print_about(const mst_program *p, const char *model, FILE *f)
{
    const mst_graph *g = mst_program_graph(p);
    char shape[128], hash[65], prepare[128];
    mst_prepare_text(g, prepare, sizeof prepare);
    mst_model_shape_text(g, shape, sizeof shape);
    mst_hash_text(g->meta.source_sha256, hash);
    fprintf(f, "%s: made by %s from %s\n", model, g->meta.producer, g->meta.source_name);
    fprintf(f, "source sha256 %s\n", hash[0] != '\0' ? hash : "not known");
    const char *value = g->meta.prepare.frames != 0 ? "event counts" : "x/255";
    fprintf(f, g->meta.n_norm != 0 ? "input         %s, (%s - mean)/std\n" : "input         %s, %s\n", shape, value);
    for (uint32_t c = 0; c < g->meta.n_norm; c++)
        fprintf(f, "  channel %u   mean %g, std %g\n", c, (double)g->meta.mean[c], (double)g->meta.std[c]);
    if (prepare[0] != '\0')
        fprintf(f, "prepare       %s\n", prepare);
    if (g->meta.channels_last)
        fprintf(f, "layout        the ONNX model takes images with channels last (NHWC)\n");
    fprintf(f, "classes       %zu", mst_tensor_elements(&g->tensors[g->output]));
    for (uint32_t i = 0; i < g->meta.n_classes; i++)
        fprintf(f, "%s%s", i != 0 ? ", " : ": ", g->meta.class_names[i]);
    fprintf(f, "\nT             %u, seed %" PRIu64 "\n", g->meta.timesteps, g->meta.seed);
    fprintf(f, "mode          %s, %s thinning\n", mst_run_rule_name((int)g->meta.run),
            mst_thinning_name((int)g->meta.thinning));
    if (g->meta.trained_on != MST_TRAINED_ON_UNKNOWN)
        fprintf(f, "trained       with masks of %s\n", mst_trained_on_name((int)g->meta.trained_on));
    if (g->tuning.timesteps != 0)
        fprintf(f, "tuned         v(0) of %u layers, for step mode with T = %u, logits of steps %u to %u\n",
                g->tuning.n_layers, g->tuning.timesteps, g->tuning.readout_from, g->tuning.timesteps);
    fprintf(f, "size          %" PRIu64 " parameters, weights %s, %u nodes, %zu spiking layers\n",
            mst_model_parameters(g), mst_model_weights(g),
            g->n_nodes, mst_program_layers(p));
    fprintf(f, "dense         %.4g M operations per pass\n", 1e-6 * (double)mst_program_dense_ops(p));
    fprintf(f, "memory        %.1f MB per thread\n\n", 1e-6 * (double)mst_program_session_bytes(p));
}

mst_status mst_info_print(const mst_program *p, const char *model, FILE *f, mst_err *err)
{
    mst_term_lines lines;
    print_about(p, model, mst_term_hold(&lines, f));
    mst_term_release(&lines, LABEL);
    return print_layers(p, f, err);
}

/* ---- JSON ---- */

static json_t *json_layer(const mst_layer *l, const mst_node *neuron, const char *kind)
{
    return json_pack("{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:b, s:i, s:i, s:b, s:o, s:o, s:o}", "name",
                     mst_json_text(l->name), "kind", kind, "site", mst_site_name((int)l->site), "stage", l->stage,
                     "block", l->block, "neurons", mst_json_whole(l->neurons), "theta", mst_json_real(l->theta),
                     "theta_per_channel", l->theta_per_channel, "L", (int)neuron->ip[MST_NEURON_LEVELS], "levels",
                     mst_node_levels(neuron), "mask", l->masked, "ratio", mst_json_real(l->ratio), "trained",
                     l->trained >= 0 ? mst_json_real(l->trained) : json_null(), "dense_in",
                     mst_json_whole(l->dense_in));
}

static json_t *json_layers(const mst_program *p)
{
    mst_arena arena = {0};
    const char **kinds = mst_model_kinds(p, &arena);
    json_t *list = kinds != NULL ? json_array() : NULL;
    for (size_t k = 0; list != NULL && k < mst_program_layers(p); k++)
        mst_json_append(&list, json_layer(mst_program_layer(p, k), neuron_of(p, k), kinds[k]));
    mst_arena_release(&arena);
    return list;
}

static json_t *json_reals(const float *values, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < n; i++)
        mst_json_append(&list, mst_json_real((double)values[i]));
    return list;
}

static json_t *json_input(const mst_graph *g)
{
    const mst_tensor *x = &g->tensors[g->input];
    json_t *list = json_array();
    for (uint32_t d = 1; list != NULL && d < x->rank; d++)
        mst_json_append(&list, json_integer(x->dims[d]));
    return list;
}

static json_t *json_prepare(const mst_prepare *p)
{
    json_t *crop = p->crop_height != 0 ? json_pack("[i, i]", (int)p->crop_height,
                                                   (int)p->crop_width)
                                       : json_null();
    uint32_t height = MST_RESIZE_HEIGHT(p->resize), width = MST_RESIZE_WIDTH(p->resize);
    json_t *resize = width != 0 ? json_pack("[i, i]", (int)height, (int)width) : json_integer((json_int_t)p->resize);
    return json_pack("{s:o, s:s, s:o, s:i, s:s, s:s}", "resize", resize, "interpolation",
                     mst_interpolation_name((int)p->interpolation), "crop", crop, "frames", (int)p->frames,
                     "split",
                     mst_split_name((int)p->split), "present", mst_present_name((int)p->present));
}

json_t *mst_json_tuning(const mst_tuning *t)
{
    if (t->timesteps == 0)
        return json_null();
    return json_pack("{s:i, s:i, s:i}", "T", (int)t->timesteps, "readout_from", (int)t->readout_from, "layers",
                     (int)t->n_layers);
}

static json_t *json_names(const mst_graph *g)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < g->meta.n_classes; i++)
        mst_json_append(&list, mst_json_text(g->meta.class_names[i]));
    return list;
}

mst_status mst_info_json(const mst_program *p, const char *model, const char *path, mst_err *err)
{
    const mst_graph *g = mst_program_graph(p);
    char hash[65];
    mst_hash_text(g->meta.source_sha256, hash);
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:i, s:o, "
        "s:o, s:o, s:{s:s}, s:o}",
        "model", mst_json_text(model), "producer", mst_json_text(g->meta.producer), "source",
        mst_json_text(g->meta.source_name), "source_sha256", hash, "input", json_input(g), "input_layout",
        g->meta.channels_last ? "nhwc" : "nchw", "mean",
        json_reals(g->meta.mean, g->meta.n_norm), "std", json_reals(g->meta.std, g->meta.n_norm), "prepare",
        json_prepare(&g->meta.prepare), "classes", mst_json_whole(mst_tensor_elements(&g->tensors[g->output])),
        "class_names", json_names(g), "T", (int)g->meta.timesteps, "mode", mst_run_rule_name((int)g->meta.run),
        "thinning", mst_thinning_name((int)g->meta.thinning), "trained_on",
        mst_trained_on_name((int)g->meta.trained_on),
        "tuned", mst_json_tuning(&g->tuning), "seed",
        mst_json_whole(g->meta.seed), "parameters", mst_json_whole(mst_model_parameters(g)), "weights",
        mst_model_weights(g), "nodes", (int)g->n_nodes, "dense_ops", mst_json_whole(mst_program_dense_ops(p)),
        "dense_ops_static", mst_json_whole(mst_program_dense_ops_static(p)),
        "session_bytes", mst_json_whole(mst_program_session_bytes(p)), "provenance", "isa",
        mst_program_isa(p), "layers",
        json_layers(p));
    return mst_json_write("mstrun", root, path, err);
}
