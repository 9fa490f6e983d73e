/* Load a network, give it one image, and run it: what libmst alone can do.
 *
 *     cc -std=c11 run_model.c $(pkg-config --cflags --libs mst) -o run_model
 *     ./run_model MODEL.bin PIXELS [STEPS]
 *
 * PIXELS: 8-bit values in the order of the model's input, [C,H,W], and nothing else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mst/facts.h>
#include <mst/session.h>

/* [C,H,W] of the model's input; a model for event recordings wants more than one picture. */
static mst_status input_of(const mst_graph *graph, uint32_t shape[3], mst_err *err)
{
    uint32_t dims[MST_MAX_RANK];
    if (mst_graph_input_shape(graph, dims) != 4 || mst_graph_frames(graph) != 1)
        return mst_fail(err, MST_EUNSUPPORTED, "the model's input is not one image [1,C,H,W]");
    memcpy(shape, dims + 1, 3 * sizeof *shape);
    return MST_OK;
}

/* n bytes of a file that has no more. */
static mst_status read_pixels(const char *path, uint8_t *bytes, size_t n, mst_err *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    size_t got = fread(bytes, 1, n, f);
    int more = fgetc(f), failed = ferror(f);
    fclose(f);
    if (failed)
        return mst_fail(err, MST_EIO, "%s: cannot read", path);
    if (got != n || more != EOF)
        return mst_fail(err, MST_EFORMAT, "%s: expected %zu bytes, found %s", path, n,
                        got != n ? "fewer" : "more");
    return MST_OK;
}

/* (x/255 - mean)/std of each channel: what the model was trained with is in the file. */
static void normalize(const mst_graph *graph, const uint32_t shape[3], const uint8_t *bytes, float *x)
{
    size_t plane = (size_t)shape[1] * shape[2];
    for (uint32_t c = 0; c < shape[0]; c++)
        for (size_t i = c * plane; i < (c + 1) * plane; i++)
            x[i] = ((float)bytes[i] / 255.0f - mst_graph_mean(graph, c)) / mst_graph_std(graph, c);
}

/* Run T time steps and print what came of them. */
static mst_status run(const mst_program *program, const float *x, uint32_t steps, mst_err *err)
{
    const mst_graph *graph = mst_program_graph(program);
    size_t classes = mst_graph_classes(graph);
    mst_session *session = NULL;
    float *logits = calloc(classes, sizeof *logits);
    if (logits == NULL)
        return mst_fail(err, MST_ENOMEM, "no memory for %zu logits", classes);
    mst_status st = mst_session_create(program, &session, err);
    if (st == MST_OK) {
        mst_session_begin(session, x, 0);
        for (uint32_t t = 0; t < steps;)
            t += mst_session_run(session, steps - t);
        mst_session_mean_logits(session, MST_LAST, logits);
        size_t best = mst_argmax(logits, classes);
        const char *name = mst_graph_class_name(graph, best);
        printf("class %zu%s%s logit %.4f\n", best, name != NULL ? " " : "", name != NULL ? name : "",
               (double)logits[best]);
        printf("%" PRIu32 " steps, %" PRIu64 " spikes, %" PRIu64 " synaptic operations\n", steps,
               mst_session_spikes(session), mst_session_sops(session));
        for (size_t k = 0; k < mst_program_layers(program); k++)
            printf("  %-40s %8" PRIu64 " spikes, %.4f a neuron and step\n", mst_program_layer_name(program, k),
                   mst_session_layer_spikes(session, MST_LAST, k),
                   (double)mst_session_layer_spikes(session, MST_LAST, k) /
                       ((double)mst_program_layer_neurons(program, k) * steps));
    }
    mst_session_destroy(session);
    free(logits);
    return st;
}

static mst_status classify(const mst_program *program, const char *pixels, uint32_t steps, mst_err *err)
{
    const mst_graph *graph = mst_program_graph(program);
    uint32_t shape[3] = {0};
    MST_TRY(input_of(graph, shape, err));
    size_t n = mst_program_input_size(program);
    uint8_t *bytes = malloc(n);
    float *x = malloc(n * sizeof *x);
    mst_status st = bytes != NULL && x != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "no memory for the input");
    if (st == MST_OK)
        st = read_pixels(pixels, bytes, n, err);
    if (st == MST_OK) {
        normalize(graph, shape, bytes, x);
        st = run(program, x, steps != 0 ? steps : mst_graph_timesteps(graph), err);
    }
    free(x);
    free(bytes);
    return st;
}

int main(int argc, char **argv)
{
    unsigned long steps = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (argc < 3 || argc > 4 || (argc == 4 && (steps == 0 || steps > MST_MAX_TIMESTEPS))) {
        fprintf(stderr, "usage: %s MODEL.bin PIXELS [STEPS]\n", argv[0]);
        return 2;
    }
    mst_err err;
    mst_graph *graph = NULL;
    mst_program *program = NULL;
    mst_status st = mst_graph_load(argv[1], NULL, &graph, &err);
    if (st == MST_OK) {
        mst_run_opts opts = {.size = sizeof opts, .schedule = MST_SCHEDULE_BLOCK, .seed = mst_graph_seed(graph)};
        st = mst_program_create(graph, &opts, &program, &err);
    }
    if (st == MST_OK)
        st = classify(program, argv[2], (uint32_t)steps, &err);
    if (st == MST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = mst_fail(&err, MST_EIO, "cannot write the result");
    mst_program_destroy(program);
    mst_graph_destroy(graph); /* after the program, which lends it */
    if (st != MST_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    return st == MST_OK ? 0 : 1;
}
