/* Convert an ONNX model to a spiking network with Random Spike Masking, store it, and run the stored one.
 *
 *     cc -std=c11 convert_model.c $(pkg-config --cflags --libs mstconv) -o convert_model
 *     ./convert_model MODEL.onnx OUT.bin RATIO MEAN STD
 *
 * RATIO: share of the spikes of Q, K and attention that masks drop, 0: no masks. MEAN, STD: of every channel.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mst/convert.h>
#include <mst/session.h>

/* The three mask sites of self-attention, at one ratio. */
static void mask_attention(mst_policy *policy, double ratio)
{
    static const mst_site sites[] = {MST_SITE_Q, MST_SITE_K, MST_SITE_ATTN};
    *policy = (mst_policy){.size = sizeof *policy, .file = "", .has_seed = true, .seed = 1};
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++)
        policy->rules[policy->n_rules++] = (mst_rule){
            .site = (int)sites[i], .stage = -1, .block_lo = -1, .block_hi = -1, .ratio = ratio};
}

static void print_report(const mst_report *r)
{
    printf("%" PRIu32 " layers of neurons, %" PRIu32 " masks, attention: %s\n", r->n_neuron_layers, r->n_masks,
           r->attention);
    for (uint32_t i = 0; i < r->n_rows; i++)
        if (!r->rows[i].spiking)
            printf("  does not spike: %s (%s): %s\n", r->rows[i].name, r->rows[i].kind, r->rows[i].reason);
}

/* The file holds what a user needs to run the model: so also what its input is normalized by. */
static mst_status set_norm(mst_graph *graph, float mean, float std, mst_err *err)
{
    uint32_t dims[MST_MAX_RANK];
    if (mst_graph_input_shape(graph, dims) != 4 || dims[1] > MST_MAX_CHANNELS)
        return mst_fail(err, MST_EUNSUPPORTED, "the model's input is no image of up to %d channels",
                        MST_MAX_CHANNELS);
    graph->meta.n_norm = dims[1];
    for (uint32_t c = 0; c < dims[1]; c++) {
        graph->meta.mean[c] = mean;
        graph->meta.std[c] = std;
    }
    return MST_OK;
}

static mst_status convert(const char *onnx, const char *bin, double ratio, float mean, float std, mst_err *err)
{
    static mst_policy policy; /* 40 kB */
    mst_graph *graph = NULL;
    mst_report report = {0};
    mask_attention(&policy, ratio);
    mst_convert_opts opts = {.size = sizeof opts, .policy = ratio > 0 ? &policy : NULL};
    MST_TRY(mst_onnx_import(onnx, NULL, &graph, err));
    mst_status st = mst_convert(graph, &opts, &report, err);
    if (st == MST_OK)
        st = set_norm(graph, mean, std, err);
    if (st == MST_OK)
        st = mst_graph_save(graph, bin, err);
    if (st == MST_OK)
        print_report(&report);
    mst_report_free(&report);
    mst_graph_destroy(graph);
    return st;
}

/* One sample of zeros, with as many time steps as the file says. */
static mst_status try(const char *bin, mst_err *err)
{
    mst_graph *graph = NULL;
    mst_program *program = NULL;
    mst_session *session = NULL;
    mst_status st = mst_graph_load(bin, NULL, &graph, err);
    if (st == MST_OK) {
        mst_run_opts opts = {.size = sizeof opts, .schedule = MST_SCHEDULE_BLOCK, .seed = mst_graph_seed(graph)};
        st = mst_program_create(graph, &opts, &program, err);
    }
    if (st == MST_OK)
        st = mst_session_create(program, &session, err);
    if (st == MST_OK) {
        uint32_t steps = mst_graph_timesteps(graph);
        for (uint32_t t = 0; t < steps;) /* a new session has begun with an input of zeros */
            t += mst_session_run(session, steps - t);
        mst_counters c = mst_session_counters(session);
        printf("%" PRIu32 " steps: %" PRIu64 " of %" PRIu64 " spikes left by the masks\n", steps, c.spikes,
               c.spikes_before);
    }
    mst_session_destroy(session);
    mst_program_destroy(program);
    mst_graph_destroy(graph);
    return st;
}

/* Is text a number in [low, high]? */
static int number(const char *text, double low, double high, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= low && *out <= high;
}

int main(int argc, char **argv)
{
    double ratio, mean, std;
    if (argc != 6 || !number(argv[3], 0, 0.999, &ratio) || !number(argv[4], -1e3, 1e3, &mean) ||
        !number(argv[5], 1e-6, 1e3, &std)) {
        fprintf(stderr, "usage: %s MODEL.onnx OUT.bin RATIO MEAN STD\n", argv[0]);
        return 2;
    }
    mst_err err;
    mst_status st = convert(argv[1], argv[2], ratio, (float)mean, (float)std, &err);
    if (st == MST_OK)
        st = try(argv[2], &err);
    if (st == MST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = mst_fail(&err, MST_EIO, "cannot write the result");
    if (st != MST_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    return st == MST_OK ? 0 : 1;
}
