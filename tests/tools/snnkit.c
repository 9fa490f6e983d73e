/* For tests in Python: dump a snn.bin as JSON, write sample graphs, run a graph
 * and write down the output of every node at every step.
 *
 *   snnkit dump FILE
 *   snnkit make every-op|tiny|SEED FILE [f16|int8]    with weights of that type
 *   snnkit run FILE X.f32 SAMPLE STEPS OUT.bin [float|spiking [ISA]]
 *
 * OUT.bin: per node output that the observer reports: u32 time, node, count, then count f32;
 * after each step, time 0xffffffff with the potentials of each layer (node = layer's node).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "converter/passes/passes.h"
#include "mst/session.h"
#include "tests/support/sample_graphs.h"

static void json_text(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

/* float32 as its bits, so that nothing is lost in decimals */
static unsigned bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static unsigned element_bits(const mst_tensor *t, size_t k)
{
    switch (mst_dtype_size(t->dtype)) {
    case 1: return ((const uint8_t *)t->data)[k];
    case 2: return ((const uint16_t *)t->data)[k];
    default: return ((const uint32_t *)t->data)[k];
    }
}

static void dump_tensors(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const mst_tensor *t = &g->tensors[i];
        printf("%s\n  {\"name\": ", i != 0 ? "," : "");
        json_text(t->name);
        printf(", \"dtype\": %d, \"shape\": [", (int)t->dtype);
        for (uint32_t d = 0; d < t->rank; d++)
            printf("%s%u", d != 0 ? ", " : "", (unsigned)t->dims[d]);
        printf("], \"bits\": ");
        const void *v = t->data;
        if (v == NULL)
            printf("null");
        for (size_t k = 0, n = mst_tensor_elements(t); v != NULL && k < n; k++)
            printf("%s%u%s", k == 0 ? "[" : ", ", element_bits(t, k), k + 1 == n ? "]" : "");
        printf("}");
    }
}

static void dump_nodes(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        const mst_op_info *info = mst_op_get(n->op);
        printf("%s\n  {\"op\": \"%s\", \"mode\": %d, \"name\": ", i != 0 ? "," : "", info->name, (int)n->mode);
        json_text(n->name);
        printf(", \"out\": %u, \"in\": [", (unsigned)n->out);
        for (uint32_t k = 0; k < n->n_in; k++)
            printf("%s%lld", k != 0 ? ", " : "", n->in[k] == MST_NONE ? -1LL : (long long)n->in[k]);
        printf("], \"ip\": [");
        for (uint32_t k = 0; k < info->n_ip; k++)
            printf("%s[\"%s\", %d]", k != 0 ? ", " : "", info->ip_names[k] != NULL ? info->ip_names[k] : "",
                   (int)n->ip[k]);
        printf("], \"fp\": [");
        for (uint32_t k = 0; k < info->n_fp; k++)
            printf("%s[\"%s\", %u]", k != 0 ? ", " : "", info->fp_names[k], bits_of(n->fp[k]));
        printf("]}");
    }
}

static void dump_tuning(const mst_tuning *t)
{
    printf("\"tuning\": ");
    if (t->timesteps == 0) {
        printf("null");
        return;
    }
    printf("{\"timesteps\": %u, \"readout_from\": %u, \"first\": [", t->timesteps, t->readout_from);
    for (uint32_t i = 0; i < t->n_layers; i++) {
        const mst_tuned *l = &t->layers[i];
        printf("%s\n  {\"node\": %u, \"axes\": %u, \"bits\": [", i != 0 ? "," : "", l->node, l->axes);
        for (uint32_t k = 0; k < l->n; k++)
            printf("%s%u", k != 0 ? ", " : "", bits_of(l->first[k]));
        printf("]}");
    }
    printf("]}");
}

static void dump(const mst_graph *g)
{
    const mst_meta *m = &g->meta;
    printf("{\"timesteps\": %u, \"seed\": %llu, \"input\": %u, \"output\": %u,\n \"source_name\": ",
           (unsigned)m->timesteps, (unsigned long long)m->seed, (unsigned)g->input, (unsigned)g->output);
    json_text(m->source_name);
    printf(", \"producer\": ");
    json_text(m->producer);
    printf(", \"sha256\": \"");
    for (int i = 0; i < 32; i++)
        printf("%02x", m->source_sha256[i]);
    printf("\",\n \"mean\": [");
    for (uint32_t i = 0; i < m->n_norm; i++)
        printf("%s%u", i != 0 ? ", " : "", bits_of(m->mean[i]));
    printf("], \"std\": [");
    for (uint32_t i = 0; i < m->n_norm; i++)
        printf("%s%u", i != 0 ? ", " : "", bits_of(m->std[i]));
    const mst_prepare *q = &m->prepare;
    printf("],\n \"resize\": %u, \"crop\": [%u, %u], \"frames\": %u, ", q->resize, q->crop_height, q->crop_width,
           q->frames);
    printf("\"interpolation\": \"%s\", \"split\": \"%s\", \"present\": \"%s\"",
           mst_interpolation_name((int)q->interpolation), mst_split_name((int)q->split),
           mst_present_name((int)q->present));
    printf(", \"channels_last\": %s", m->channels_last ? "true" : "false");
    printf(", \"mode\": \"%s\", \"thinning\": \"%s\", \"trained_on\": \"%s\"", mst_run_rule_name((int)m->run),
           mst_thinning_name((int)m->thinning), mst_trained_on_name((int)m->trained_on));
    printf(", \"class_names\": [");
    for (uint32_t i = 0; i < m->n_classes; i++) {
        fputs(i != 0 ? ", " : "", stdout);
        json_text(m->class_names[i]);
    }
    printf("],\n ");
    dump_tuning(&g->tuning);
    printf(",\n \"tensors\": [");
    dump_tensors(g);
    printf("],\n \"nodes\": [");
    dump_nodes(g);
    printf("]}\n");
}

static void put_record(FILE *f, uint32_t time, uint32_t node, const float *v, size_t n)
{
    const uint32_t head[3] = {time, node, (uint32_t)n};
    fwrite(head, sizeof head, 1, f);
    fwrite(v, sizeof *v, n, f);
}

static void tap(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    float *out = calloc(t->n, sizeof *out);
    if (out == NULL)
        return; /* whoever reads the file misses a record */
    mst_tap_values(t, 0, out);
    put_record(ctx, t->first, t->node, out, t->n);
    free(out);
}

static mst_status run_steps(mst_session *s, const mst_program *p, const float *x, uint32_t sample, uint32_t steps,
                            FILE *out, bool spiking)
{
    mst_session_begin(s, x, sample);
    mst_session_tap(s, tap, out);
    for (uint32_t t = 0; t < steps; t++) {
        mst_session_step(s);
        for (size_t k = 0; spiking && k < mst_program_layers(p); k++) {
            const mst_layer *layer = mst_program_layer(p, k);
            put_record(out, UINT32_MAX, layer->node, mst_session_potential(s, k), layer->neurons);
        }
    }
    mst_counters c = mst_session_counters(s);
    printf("%" PRIu64 " %" PRIu64 "\n", c.sops, c.macs);
    return MST_OK;
}

static mst_status run(const mst_graph *g, char **args, int n_args, mst_err *err)
{
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    float *x = calloc(n, sizeof *x);
    FILE *in = fopen(args[0], "rb"), *out = fopen(args[3], "wb");
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_status st = MST_OK;
    if (x == NULL || in == NULL || out == NULL || fread(x, sizeof *x, n, in) != n)
        st = mst_fail(err, MST_EIO, "%s or %s: cannot be used", args[0], args[3]);
    static const char *const modes[] = {"spiking", "float", "count", "radix"};
    mst_run_opts opts = {.size = sizeof opts, .mode = MST_RUN_SPIKING, .seed = g->meta.seed};
    for (size_t i = 0; n_args > 4 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(args[4], modes[i]) == 0)
            opts.mode = (mst_run_mode)i;
    bool spiking = opts.mode == MST_RUN_SPIKING;
    opts.isa = n_args > 5 ? args[5] : NULL;
    if (st == MST_OK)
        st = mst_program_create(g, &opts, &p, err);
    if (st == MST_OK)
        st = mst_session_create(p, &s, err);
    if (st == MST_OK)
        st = run_steps(s, p, x, (uint32_t)strtoul(args[1], NULL, 10), (uint32_t)strtoul(args[2], NULL, 10), out,
                       spiking);
    mst_session_destroy(s);
    mst_program_destroy(p);
    if (in != NULL)
        fclose(in);
    if (out != NULL && fclose(out) != 0 && st == MST_OK)
        st = mst_fail(err, MST_EIO, "%s: cannot write", args[3]);
    free(x);
    return st;
}

static mst_status narrow(mst_graph *g, const char *type, mst_err *err)
{
    mst_report report = {0};
    mst_status st = pass_weights(g, strcmp(type, "f16") == 0 ? MST_F16 : MST_I8, &report, err);
    mst_report_free(&report);
    return st;
}

static mst_status make(const char *what, const char *path, const char *weights, mst_err *err)
{
    mst_graph *g = NULL;
    mst_status st = strcmp(what, "every-op") == 0 ? sample_every_op(NULL, &g, err)
                    : strcmp(what, "tiny") == 0   ? sample_tiny(NULL, &g, err)
                                                  : sample_random(NULL, strtoull(what, NULL, 10), &g, err);
    if (st == MST_OK && weights != NULL)
        st = narrow(g, weights, err);
    if (st == MST_OK)
        st = mst_graph_save(g, path, err);
    mst_graph_destroy(g);
    return st;
}

int main(int argc, char **argv)
{
    mst_err err = {MST_OK, ""};
    mst_graph *g = NULL;
    mst_status st;
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "make") == 0) {
        st = make(argv[2], argv[3], argc == 5 ? argv[4] : NULL, &err);
    } else if ((argc == 3 && strcmp(argv[1], "dump") == 0) || (argc >= 7 && strcmp(argv[1], "run") == 0)) {
        st = mst_graph_load(argv[2], NULL, &g, &err);
        if (st == MST_OK && argc == 3)
            dump(g);
        else if (st == MST_OK)
            st = run(g, argv + 3, argc - 3, &err);
    } else {
        fprintf(stderr, "usage: snnkit dump|make|run ... [spiking|float|count|radix [ISA]]\n");
        return 2;
    }
    mst_graph_destroy(g);
    if (st != MST_OK)
        fprintf(stderr, "%d %s\n", (int)st, err.text);
    return st == MST_OK ? 0 : 1;
}
